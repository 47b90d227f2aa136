"""The playground's JSON interface, and the headers of what it serves."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from tests.server.conftest import Server, running

QUESTION = "How wet is water?"


def start(server: Server, preset: str, **fields: Any) -> dict[str, Any]:
    """A run's data, just begun."""
    body = {"question": QUESTION, "fusion": {"preset": preset.removeprefix("fusion/"), **fields}}
    reply = server.request("POST", "/api/runs", json=body)
    assert reply.status_code == 201, reply.text
    assert reply.headers["location"] == f"/api/runs/{reply.json()['id']}"
    return dict(reply.json())


def followed(server: Server, id: str, last: str | None = None) -> list[tuple[str, dict[str, Any]]]:
    """Every message of a run's stream to its end: id and data."""
    headers = {} if last is None else {"last-event-id": last}
    with server.http.stream("GET", f"{server.url}/api/runs/{id}/events", headers=headers) as reply:
        assert reply.headers["content-type"].startswith("text/event-stream")
        return list(messages(reply))


def messages(reply: httpx2.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    """The messages of a stream as they come; comments are passed over."""
    number, data = "", ""
    for line in reply.iter_lines():
        if line.startswith("id:"):
            number = line[3:].strip()
        elif line.startswith("data:"):
            data += line[5:]
        elif not line and data:
            yield number, json.loads(data)
            number, data = "", ""


def pieces(server: Server, id: str) -> list[dict[str, Any]]:
    """Every piece of a run's view to its end, and what says so."""
    with server.http.stream("GET", f"{server.url}/api/runs/{id}/cards") as reply:
        assert reply.headers["content-type"].startswith("text/event-stream")
        return [piece for _, piece in messages(reply)]


def ended(server: Server, preset: str, **fields: Any) -> dict[str, Any]:
    """A run's data after its end."""
    id = start(server, preset, **fields)["id"]
    followed(server, id)
    return dict(server.request("GET", f"/api/runs/{id}").json())


def error_of(reply: httpx2.Response) -> dict[str, Any]:
    error = reply.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return dict(error)


# Presets


def test_the_twin_of_a_preset_asks_one_model_here_too(server: Server, models, offer):
    fusion = {"preset": f"{offer().removeprefix('fusion/')}:direct"}
    begun = server.request("POST", "/api/runs", json={"question": "Why?", "fusion": fusion}).json()
    with server.http.stream("GET", f"{server.url}/api/runs/{begun['id']}/events") as reply:
        reply.read()
    assert {call.model for call in models.calls()} == {"w"}


def test_every_preset_is_listed_with_its_models_and_whether_it_works(server: Server):
    listed = server.request("GET", "/api/presets").json()
    by_name = {preset["name"]: preset for preset in listed["presets"]}
    offline = by_name["offline"]
    assert offline["usable"]
    assert offline["chosen"]
    assert [member["name"] for member in offline["panel"]] == ["keyword", "figures", "central"]
    assert (offline["judge"], offline["writer"]) == ("offline:judge", "offline:writer")
    quality = by_name["quality"]
    assert not quality["usable"]
    assert not quality["chosen"]
    assert "OPENROUTER_API_KEY" in quality["problem"]
    assert len(quality["panel"]) == 3
    assert by_name["local"]["panel"] is None
    assert "Ollama" in by_name["local"]["problem"]
    assert listed["limits"] == {"models": True, "max_panel": 16, "file_bytes": 7_000_000}


def test_a_preset_that_cannot_be_read_spoils_no_other(server: Server):
    broken = server.config / "presets" / "broken.toml"
    broken.write_text("panel = ", "utf-8")
    try:
        listed = server.request("GET", "/api/presets")
    finally:
        broken.unlink()
    (preset,) = [one for one in listed.json()["presets"] if one["name"] == "broken"]
    assert not preset["usable"]
    assert "cannot be read" in preset["problem"]
    assert str(server.config) not in listed.text


def test_an_owner_may_keep_presets_and_models_to_herself(tmp_path):
    with running(tmp_path, "--preset", "offline", "--no-models") as server:
        listed = server.request("GET", "/api/presets").json()
        assert [preset["name"] for preset in listed["presets"]] == ["offline"]
        assert listed["limits"]["models"] is False
        fusion = {"panel": ["offline:keyword"]}
        reply = server.request("POST", "/api/runs", json={"question": "Why?", "fusion": fusion})
        assert reply.status_code == 400
        assert error_of(reply)["code"] == "model_not_allowed"
        other = {"question": "Why?", "fusion": {"preset": "local"}}
        reply = server.request("POST", "/api/runs", json=other)
        assert (reply.status_code, error_of(reply)["param"]) == (404, "fusion.preset")


# Runs


def test_a_run_is_started_followed_and_read(server: Server, offer: Callable[..., str]):
    preset = offer()
    begun = start(server, preset)
    assert begun["question"] == QUESTION
    assert begun["model"] == preset
    told = followed(server, begun["id"])
    types = [event["type"] for _, event in told]
    assert types[0] == "fusion.started"
    assert types.count("panel.completed") == 3
    assert "answer.delta" in types
    assert types[-2:] == ["fusion.result", "run.ended"]
    assert told[-1][1] == {"type": "run.ended", "status": "ok", "error": None}
    run = server.request("GET", f"/api/runs/{begun['id']}").json()
    assert run["status"] == "ok"
    assert run["report"]["answer"] == "The final answer of the writer."
    assert run["error"] is None
    listed = server.request("GET", "/api/runs").json()["runs"]
    assert listed[0]["id"] == run["id"]
    assert listed[0]["status"] == "ok"
    assert "report" not in listed[0]


def test_a_stream_goes_on_where_it_broke_off(server: Server, models, offer: Callable[..., str]):
    preset = offer()
    models.script("c", {"hang": True})
    id = start(server, preset)["id"]
    with server.http.stream("GET", f"{server.url}/api/runs/{id}/events") as reply:
        first: list[tuple[str, dict[str, Any]]] = []
        for message in messages(reply):
            first.append(message)
            if [event["type"] for _, event in first].count("panel.completed") == 2:
                break
    server.request("DELETE", f"/api/runs/{id}")
    numbers = [int(number) for number, _ in first]
    rest = followed(server, id, last=first[-1][0])
    assert all(int(number) > numbers[-1] for number, _ in rest[:-1])
    assert rest[-1][1]["status"] == "cancelled"
    again = [event["type"] for _, event in followed(server, id)]
    assert again.count("panel.completed") == 2


def test_the_view_comes_whole_first_and_last_and_in_between_what_changes(
    server: Server, models, offer: Callable[..., str]
):
    preset = offer()
    models.script("a", {"hang": True})
    id = start(server, preset)["id"]
    seen: list[dict[str, Any]] = []
    with server.http.stream("GET", f"{server.url}/api/runs/{id}/cards") as reply:
        for _, piece in messages(reply):
            seen.append(piece)
            if 'data-state="done"' in piece["html"] and "card-3" in str(seen):
                break
    assert (seen[0]["id"], "keep" in seen[0]) == ("part-run", False)
    assert 'data-status="running"' in seen[0]["html"]
    server.request("DELETE", f"/api/runs/{id}")
    again = pieces(server, id)
    assert [piece.get("id") for piece in again] == ["part-run", None]
    assert 'data-status="cancelled"' in again[0]["html"]
    assert "The answer of b." in again[0]["html"]
    assert again[1] == {"ended": "cancelled"}


def test_the_view_of_a_finished_run_holds_its_report(server: Server, offer: Callable[..., str]):
    run = ended(server, offer())
    article, end = pieces(server, run["id"])
    assert end == {"ended": "ok"}
    assert "The final answer of the writer." in article["html"]
    assert run["report_url"] in article["html"].replace("&amp;", "&")
    assert not re.search(r"\sstyle=|<script", article["html"])


@pytest.mark.parametrize("stream", ["events", "cards"])
def test_a_silent_stream_is_kept_open_by_comments(
    server: Server, models, offer: Callable[..., str], stream: str
):
    preset = offer()
    models.script("a", {"hang": True})
    id = start(server, preset)["id"]
    with server.http.stream("GET", f"{server.url}/api/runs/{id}/{stream}") as reply:
        assert any(line.startswith(":") for line in reply.iter_lines())
    server.request("DELETE", f"/api/runs/{id}")


def test_a_cancelled_run_stops_its_models(server: Server, models, offer: Callable[..., str]):
    preset = offer()
    models.script("b", {"hang": True})
    id = start(server, preset)["id"]
    models.calls("b", arrived=1)
    cancelled = server.request("DELETE", f"/api/runs/{id}").json()
    assert cancelled["status"] == "cancelled"
    assert cancelled["error"]["code"] == "cancelled"
    assert models.calls("b", ended=1)[0].disconnected
    assert server.request("DELETE", f"/api/runs/{id}").json() == cancelled


def test_a_run_without_a_reader_comes_to_its_end(server: Server, models, offer: Callable[..., str]):
    preset = offer()
    id = start(server, preset)["id"]
    models.calls("w", ended=1)
    assert followed(server, id)[-1][1]["status"] == "ok"


def test_settings_of_a_request_go_before_the_presets(
    server: Server, models, offer: Callable[..., str]
):
    run = ended(server, offer(), panel=["scripted:c", "scripted:c"], synthesizer="scripted:a")
    assert [answer["model"] for answer in run["report"]["answers"]] == ["scripted:c"] * 2
    assert run["report"]["answer"] == "The answer of a."


def test_a_run_whose_panel_failed_keeps_its_report(
    server: Server, models, offer: Callable[..., str]
):
    preset = offer()
    for name in "abc":
        models.script(name, {"status": 401})
    run = ended(server, preset)
    assert run["status"] == "error"
    assert run["error"]["code"] == "all_panelists_failed"
    assert [failure["reason"] for failure in run["report"]["failures"]] == ["auth"] * 3
    assert run["report_url"]


@pytest.mark.parametrize(
    ("question", "fusion", "status", "code", "param"),
    [
        (None, {}, 400, "empty_question", "question"),
        (" \n", {}, 400, "empty_question", "question"),
        (["Why?"], {}, 400, "empty_question", "question"),
        ("Why?", [], 400, "invalid_value", "fusion"),
        ("Why?", "offline", 400, "invalid_value", "fusion"),
        ("Why?", {"preset": "nope"}, 404, "model_not_found", "fusion.preset"),
        ("Why?", {"preset": "../x"}, 404, "model_not_found", "fusion.preset"),
        ("Why?", {"preset": 7}, 404, "model_not_found", "fusion.preset"),
        ("Why?", {"corpus": "/"}, 400, "unknown_parameter", "fusion.corpus"),
        ("Why?", {"providers": {}}, 400, "unknown_parameter", "fusion.providers"),
        ("Why?", {"panel": ["x"]}, 400, "invalid_value", "fusion.panel.0"),
        ("Why?", {"preset": "quality"}, 503, "missing_key", None),
    ],
)
def test_what_cannot_work_is_refused_before_a_run_begins(
    server: Server, question: Any, fusion: Any, status: int, code: str, param: str | None
):
    body = {"question": question, "fusion": fusion}
    before = server.request("GET", "/api/runs").json()["runs"]
    reply = server.request("POST", "/api/runs", json=body)
    error = error_of(reply)
    assert (reply.status_code, error["code"], error["param"]) == (status, code, param)
    assert [run["id"] for run in server.request("GET", "/api/runs").json()["runs"]] == [
        run["id"] for run in before
    ]


def test_a_page_of_another_site_starts_nothing(server: Server):
    body = {"question": "Why?", "fusion": {"preset": "offline"}}
    evil = {"origin": "https://evil.example"}
    assert server.request("POST", "/api/runs", json=body, headers=evil).status_code == 403
    rebound = {"host": "evil.example"}
    assert server.request("GET", "/api/runs", headers=rebound).status_code == 403
    plain = {"content-type": "text/plain"}
    reply = server.request("POST", "/api/runs", content=json.dumps(body), headers=plain)
    assert reply.status_code == 415


@pytest.mark.parametrize("path", ["", "/events", "/cards", "/report"])
def test_a_run_nobody_knows_is_not_found(server: Server, path: str):
    reply = server.request("GET", f"/api/runs/unknown{path}")
    assert (reply.status_code, error_of(reply)["code"]) == (404, "run_not_found")


# Pages


def test_the_page_may_load_and_ask_this_server_only(server: Server):
    reply = server.request("GET", "/")
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["cache-control"] == "no-store"
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    parts = re.findall(r'(?:src|href)="(playground/[^"]+)"', reply.text)
    assert len(set(parts)) == 3
    for part in parts:
        assert server.request("GET", f"/{part}").status_code == 200
    assert not re.search(r"https?://", reply.text)


@pytest.mark.parametrize(
    "path", ["playground.html", "nope.js", "..%2fplayground.py", "../playground.py", "%00", ".js"]
)
def test_nothing_but_the_pages_parts_is_served(server: Server, path: str):
    assert server.request("GET", f"/playground/{path}").status_code == 404


def test_a_report_is_read_with_its_ticket_only_and_runs_nothing(
    server: Server, offer: Callable[..., str]
):
    run, other = ended(server, offer()), ended(server, offer())
    reply = server.request("GET", f"/{run['report_url']}")
    assert reply.status_code == 200
    assert "The final answer of the writer." in reply.text
    policy = reply.headers["content-security-policy"]
    assert policy.startswith("sandbox ")
    assert "allow-scripts" not in policy
    assert "default-src 'none'" in policy
    ticket = other["report_url"].partition("?")[2]
    for query in ("", "ticket=", "ticket=%ff", ticket):
        refused = server.request("GET", f"/report/{run['id']}?{query}")
        assert (refused.status_code, error_of(refused)["code"]) == (403, "invalid_ticket")
    assert server.request("GET", f"/api/runs/{run['id']}/report").text == reply.text


def test_a_run_at_work_has_no_report_yet(server: Server, models, offer: Callable[..., str]):
    preset = offer()
    models.script("a", {"hang": True})
    id = start(server, preset)["id"]
    reply = server.request("GET", f"/api/runs/{id}/report")
    assert (reply.status_code, error_of(reply)["code"]) == (409, "running")
    server.request("DELETE", f"/api/runs/{id}")
    reply = server.request("GET", f"/api/runs/{id}/report")
    assert (reply.status_code, error_of(reply)["code"]) == (404, "no_report")


def test_with_a_key_only_the_page_and_tickets_are_free(tmp_path, offer: Callable[..., str]):
    with running(tmp_path, FUSION_API_KEY="open-sesame") as server:
        preset = offer(tmp_path)
        assert server.request("GET", "/").status_code == 200
        assert server.request("GET", "/playground/main.js").status_code == 200
        for path in ("presets", "runs", "runs/x", "runs/x/events", "runs/x/cards", "runs/x/report"):
            refused = server.request("GET", f"/api/{path}")
            assert (refused.status_code, error_of(refused)["code"]) == (401, "invalid_api_key")
        server.http.headers["authorization"] = "Bearer open-sesame"
        run = ended(server, preset)
        del server.http.headers["authorization"]
        assert server.request("GET", f"/{run['report_url']}").status_code == 200
        assert server.request("GET", f"/report/{run['id']}").status_code == 403
