"""Servers in front of a fleet: any of them serves any client, and what was paid for is kept.

The fleet is a LangGraph server as developers start it; tests/test_fleet_faces.py has
workers that die.
"""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.commands import start
from tests.hosts import LANGGRAPH, free_port, langgraph_dev
from tests.server.conftest import MESSAGES, PATIENCE, Server, running
from tests.server.streams import events_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(LANGGRAPH is None, reason="langgraph-cli is not installed"),
]

ANSWER = "The final answer of the writer."
FLEET_KEY = "a-key-of-the-fleet"
NOWHERE = "http://127.0.0.1:9"
SECRET = "a secret that all servers share"


DOOR = f"""
from langgraph_sdk import Auth

auth = Auth()

@auth.authenticate
async def authenticate(headers):
    if headers.get(b"x-api-key") != b"{FLEET_KEY}":
        raise Auth.exceptions.HTTPException(status_code=401, detail="Who are you?")
    return "a server"
"""
"""Lets in who has the fleet's key."""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A LangGraph server's address, and the folder of presets that it shares with its faces."""
    folder = tmp_path_factory.mktemp("fleet")
    (folder / "door.py").write_text(DOOR)
    with langgraph_dev(folder, auth={"path": "./door.py:auth"}) as url:
        yield url, folder / "config"


@contextmanager
def face(
    fleet: tuple[str, Path], model: str, *options: str, **environment: str
) -> Iterator[Server]:
    """A server in front of the fleet, with a preset of the fleet's."""
    url, config = fleet
    preset = model.removeprefix("fusion/")
    options = ("--fleet", url, "--preset", preset, *options)
    environment = {"FUSION_SIGNING_KEY": SECRET, "FUSION_FLEET_KEY": FLEET_KEY, **environment}
    with running(config, *options, **environment) as server:
        yield server
        assert FLEET_KEY not in server.log


def body(model: str, question: str = "How wet is water?", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": question}], **more}


def content(reply: httpx2.Response) -> str:
    assert reply.status_code == 200, reply.text
    return str(reply.json()["choices"][0]["message"]["content"])


def asked_in_vain(server: Server, asked: dict[str, Any]) -> None:
    with pytest.raises(httpx2.HTTPError):
        httpx2.post(
            f"{server.url}/v1/chat/completions", json=asked, timeout=PATIENCE, trust_env=False
        ).raise_for_status()


def streamed(server: Server, asked: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """The text of a streamed answer, and its chunks."""
    reply = server.post({**asked, "stream": True})
    assert reply.status_code == 200, reply.text
    return text_in(reply.text)


def text_in(stream: str) -> tuple[str, list[dict[str, Any]]]:
    """The text in a stream of chunks, and the chunks."""
    lines = [line for line in stream.splitlines() if line.startswith("data: {")]
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines]
    deltas = [choice["delta"] for chunk in chunks for choice in chunk.get("choices", ())]
    return "".join(delta.get("content") or "" for delta in deltas), chunks


def test_a_panel_of_the_fleet_answers_whole_and_in_pieces(fleet, models, offer):
    model = offer(fleet[1])
    with face(fleet, model) as server:
        assert "fleet at " in server.log
        reply = server.post(body(model))
        text, chunks = streamed(server, body(model, "And ice?"))

        assert content(reply) == text == ANSWER
        assert len(chunks) > 5
        assert reply.json()["usage"]["completion_tokens"] > 0
        told = server.request("GET", f"/api/runs/{reply.headers['x-fusion-run']}").json()
        assert told["report"]["answer"] == ANSWER
        assert models.base_url not in json.dumps(told)
        # Its answer went out: the same once more is a question of its own.
        again = server.post(body(model))
        assert again.headers["x-fusion-run"] != reply.headers["x-fusion-run"]
    assert len(models.calls("w")) == 3


def listed(server: Server, model: str) -> dict[str, Any]:
    """The one run of a model that a program asked, once the server lists it."""
    waiting = threading.Event()
    while True:
        others = server.request("GET", "/api/runs").json()["others"]
        if found := [run for run in others if run["model"] == model]:
            (run,) = found
            return dict(run)
        waiting.wait(0.05)  # between two looks at the list


def test_the_run_of_a_killed_server_answers_who_asks_the_same_at_another(fleet, models, offer):
    model = offer(fleet[1])
    models.script("c", {"clock": 1, "text": "The answer of c."})
    with face(fleet, model) as first, face(fleet, model) as second, ExitStack() as held:
        asking = threading.Thread(target=asked_in_vain, args=(first, body(model)))
        asking.start()
        models.calls("c", arrived=1)
        kept = listed(second, model)
        first.stop(signal.SIGKILL)
        asking.join(PATIENCE)
        assert kept["status"] == "running"
        client = held.enter_context(httpx2.Client(trust_env=False, timeout=PATIENCE, verify=False))
        url, asked = f"{second.url}/v1/chat/completions", body(model, stream=True)
        # Both have joined it once their headers are there.
        replies = [held.enter_context(client.stream("POST", url, json=asked)) for _ in range(2)]
        assert [reply.headers["x-fusion-run"] for reply in replies] == [kept["id"]] * 2
        models.set_clock(1)
        for reply in replies:
            reply.read()

        assert [text_in(reply.text)[0] for reply in replies] == [ANSWER] * 2
        told = second.request("GET", f"/api/runs/{kept['id']}").json()
        assert (told["status"], told["report"]["answer"]) == ("ok", ANSWER)
    assert sorted(call.model for call in models.calls()) == list("abcjw")


def test_who_leaves_stops_the_panel_and_who_asks_again_pays_for_the_rest(fleet, models, offer):
    model = offer(fleet[1])
    models.script("c", {"hang": True}, "The answer of c.")
    with face(fleet, model) as first, face(fleet, model) as second:
        with httpx2.Client(trust_env=False, timeout=PATIENCE, verify=False) as client:
            asked = {**body(model), "stream": True}
            with client.stream("POST", f"{first.url}/v1/chat/completions", json=asked) as reply:
                assert reply.status_code == 200
                models.calls("c", arrived=1)
        models.calls("c", ended=1)

        assert content(second.post(body(model))) == ANSWER
    assert sorted(call.model for call in models.calls()) == list("abccjw")


def test_a_stopped_server_says_that_the_run_goes_on(fleet, models, offer):
    model = offer(fleet[1])
    models.script("c", {"clock": 1, "text": "The answer of c."})
    with face(fleet, model) as first, face(fleet, model) as second:
        replies: list[httpx2.Response] = []
        asking = threading.Thread(target=lambda: replies.append(first.post(body(model))))
        asking.start()
        models.calls("c", arrived=1)
        first.stop(signal.SIGTERM)
        asking.join(PATIENCE)
        (reply,) = replies
        assert reply.status_code == 503
        assert "goes on in the fleet" in reply.json()["error"]["message"]
        models.set_clock(1)

        assert content(second.post(body(model))) == ANSWER
    assert sorted(call.model for call in models.calls()) == list("abcjw")


def test_what_fails_in_the_fleet_is_told_as_what_fails_here(fleet, models, offer):
    model = offer(fleet[1])
    for name in "abc":
        models.script(name, {"status": 401})
    with face(fleet, model) as server:
        reply = server.post(body(model))

        assert reply.status_code == 502
        error = reply.json()["error"]
        assert error["code"] == "all_panelists_failed"
        assert "a: auth" in error["message"]
        assert reply.headers["x-should-retry"] == "false"


LOOK: Any = {
    "type": "function",
    "function": {"name": "look", "parameters": {"type": "object", "properties": {}}},
}


def test_a_turn_with_tools_goes_on_at_another_server_from_the_same_panel(fleet, models, offer):
    model = offer(fleet[1])
    called = {"text": "", "tool_calls": [{"name": "look", "args": {"n": 1}, "id": "call_1"}]}
    models.script("w", called, {"text": "Done."})
    asked = body(model, tools=[LOOK])
    with face(fleet, model) as first, face(fleet, model) as second:
        message = first.post(asked).json()["choices"][0]["message"]
        (call,) = message["tool_calls"]
        result = {"role": "tool", "tool_call_id": call["id"], "content": "Seen."}
        turn = {**asked, "messages": [*asked["messages"], message, result]}
        reply = second.post(turn)

        assert content(reply) == "Done."
        assert reply.headers["x-fusion-invoked"] == "continued"
        assert reply.headers["x-fusion-deliberation"] == "conversation"
    assert len(models.calls("a")) == 1
    sent = json.dumps(models.calls("w")[-1].body)
    assert "The answer of b." in sent
    assert "Seen." in sent


def test_responses_and_messages_are_had_over_a_fleet_and_referred_to_at_another_server(
    fleet, models, offer
):
    model = offer(fleet[1])
    with face(fleet, model) as first, face(fleet, model) as second:
        asked = {"model": model, "input": "How wet is water?"}
        before = first.request("POST", "/v1/responses", json=asked).json()
        after = {"model": model, "input": "And ice?", "previous_response_id": before["id"]}
        reply = second.request("POST", "/v1/responses", json=after)
        events = events_of(second, "/v1/responses", {**after, "input": "And oil?", "stream": True})
        nobodys = {**after, "previous_response_id": "resp_" + "0" * 32}
        messages = {"model": model, "max_tokens": 99, "messages": MESSAGES}
        told = first.request("POST", "/v1/messages", json=messages)

        assert reply.status_code == 200, reply.text
        assert reply.json()["output"][-1]["content"][0]["text"] == ANSWER
        assert events[-1]["type"] == "response.completed"
        streamed = [e["delta"] for e in events if e["type"] == "response.output_text.delta"]
        assert "".join(streamed) == ANSWER
        assert second.request("POST", "/v1/responses", json=nobodys).status_code == 404
        assert told.json()["content"][-1]["text"] == ANSWER
    said = [m["content"] for m in models.calls("a")[1].body["messages"]]
    assert said[-3:] == ["How wet is water?", ANSWER, "And ice?"]


KEYS = """
[keys.anna]
sha256 = "{anna}"
[keys.bert]
sha256 = "{bert}"
"""


def test_a_key_sees_its_own_runs_at_every_server(fleet, models, offer, tmp_path):
    from fusion_graph.faces.server.keys import digest_of_key

    model = offer(fleet[1])
    names = {"anna": "fg-" + "a" * 40, "bert": "fg-" + "b" * 40}
    keys = tmp_path / "keys.toml"
    keys.write_text(KEYS.format(**{name: digest_of_key(key) for name, key in names.items()}))
    keys.chmod(0o600)
    given = {name: {"authorization": f"Bearer {key}"} for name, key in names.items()}
    with (
        face(fleet, model, "--keys", str(keys)) as first,
        face(fleet, model, "--keys", str(keys)) as second,
    ):
        reply = first.post(body(model), headers=given["anna"])
        id = reply.headers["x-fusion-run"]

        def at_second(path: str, name: str, method: str = "GET") -> httpx2.Response:
            return second.request(method, path, headers=given[name])

        assert at_second(f"/api/runs/{id}", "anna").json()["report"]["answer"] == ANSWER
        assert id in at_second("/api/runs", "anna").text
        assert id not in at_second("/api/runs", "bert").text
        for method in ("GET", "DELETE"):
            assert at_second(f"/api/runs/{id}", "bert", method).status_code == 404
        assert at_second(f"/api/runs/{id}/report", "bert").status_code == 404
        for hostile in (
            "..%2f..%2fthreads",
            "0" * 32,
            id.upper(),
            f"{id[:8]}-{id[8:]}",
            "%00",
            "*",
        ):
            assert at_second(f"/api/runs/{hostile}", "anna").status_code == 404
        # Another's run of the same request is not joined.
        assert second.post(body(model), headers=given["bert"]).headers["x-fusion-run"] != id


def test_the_page_shows_follows_stops_and_drops_runs_of_other_servers(fleet, models, offer):
    model = offer(fleet[1])
    models.script("c", {"clock": 1, "text": "The answer of c."}, "The answer of c.", {"hang": True})
    preset = {"preset": model.removeprefix("fusion/")}
    with face(fleet, model) as first, face(fleet, model) as second:

        def ask(server: Server, question: str, **more: str) -> str:
            asked = {"question": question, "fusion": preset, **more}
            reply = server.request("POST", "/api/runs", json=asked)
            assert reply.status_code == 201, reply.text
            return str(reply.json()["id"])

        def watched(server: Server, id: str) -> list[dict[str, Any]]:
            text = server.request("GET", f"/api/runs/{id}/events").text
            lines = [line for line in text.splitlines() if line.startswith("data: ")]
            return [json.loads(line.removeprefix("data: ")) for line in lines]

        id = ask(first, "How wet is water?")
        models.calls("c", arrived=1)
        assert second.request("GET", f"/api/runs/{id}").json()["status"] == "running"
        models.set_clock(1)
        events = watched(second, id)
        assert {e["name"] for e in events if e["type"] == "panel.completed"} == set("abc")
        assert events[-1]["type"] == "run.ended"
        told = second.request("GET", f"/api/runs/{id}").json()
        assert first.request("GET", f"/{told['report_url']}").status_code == 200
        follows = ask(second, "And ice?", follows=id)
        assert watched(first, follows)[-1]["status"] == "ok"
        assert ANSWER in json.dumps(models.calls("a")[-1].body["messages"])

        stopped = ask(first, "And steam?")
        models.calls("c", arrived=3)
        assert second.request("DELETE", f"/api/runs/{stopped}").json()["status"] == "cancelled"
        assert watched(first, stopped)[-1]["status"] == "cancelled"
        assert second.request("DELETE", f"/api/runs/{id}?forget=true").status_code == 204
        assert first.request("GET", f"/api/runs/{id}").status_code == 404
        listed = [run["id"] for run in first.request("GET", "/api/runs").json()["runs"]]
        assert id not in listed
        assert follows in listed


def test_a_fleet_that_is_away_is_said_at_start_and_to_who_asks(offer, tmp_path):
    model = offer(tmp_path)
    fleet = (f"http://127.0.0.1:{free_port()}", tmp_path)
    with face(fleet, model, FUSION_FLEET_KEY="very-secret") as server:
        assert "the fleet does not answer yet" in server.log
        reply = server.post(body(model))
        assert reply.status_code == 503
        assert reply.json()["error"]["code"] == "fleet_unreachable"
        assert reply.headers["retry-after"] == "5"
        assert "very-secret" not in server.log + reply.text
        assert fleet[0] not in reply.text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ("--fleet", NOWHERE, "--preset", "offline", "--keep-runs", "x"),
            "--keep-runs",
        ),
        (("--fleet", NOWHERE), "--preset"),
        (("--fleet", "http://me:secret@127.0.0.1:9", "--preset", "offline"), "FUSION_FLEET_KEY"),
        (("--fleet", "fleet.internal", "--preset", "offline"), "no address of a fleet"),
        (
            ("--fleet", NOWHERE, "--preset", "offline", "--keys", "KEYS"),
            "FUSION_MAX_COST_USD_PER_DAY",
        ),
    ],
)
def test_what_cannot_be_had_over_a_fleet_is_refused_at_start(options, said, tmp_path):
    keys = tmp_path / "keys.toml"
    keys.write_text(f'[keys.anna]\nsha256 = "{"0" * 64}"\nmax_cost_usd_per_day = 1.0\n')
    given = [str(keys) if option == "KEYS" else option for option in options]

    ended = start("serve", "--port", "0", *given).wait()

    assert ended.code == 2
    assert said in ended.err
    assert "secret@" not in ended.err


def test_a_fleet_that_refuses_the_key_is_told_at_start(fleet):
    given = ("--port", "0", "--fleet", fleet[0], "--preset", "offline")

    ended = start("serve", *given, environment={"FUSION_FLEET_KEY": "another-key"}).wait()

    assert ended.code == 2
    assert "FUSION_FLEET_KEY" in ended.err
    assert "another-key" not in ended.err


def test_a_fleet_without_the_graph_is_told_at_start(fleet):
    given = ("--port", "0", "--fleet", fleet[0], "--preset", "offline")
    environment = {"FUSION_FLEET_KEY": FLEET_KEY, "FUSION_FLEET_GRAPH": "fission"}

    ended = start("serve", *given, environment=environment).wait()

    assert ended.code == 2
    assert "no graph called 'fission'" in ended.err
