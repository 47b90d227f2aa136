"""Runs of a server survive its end, however it comes, and what was paid for is not paid again."""

from __future__ import annotations

import json
import signal
import sqlite3
import sys
import threading
from typing import Any

import pytest

from fusion_graph.faces.server.run import PROVISIONAL
from tests.depth import in_depth
from tests.server.conftest import MESSAGES, PATIENCE, Server, running

pytestmark = pytest.mark.slow  # a server for each test, started twice

QUESTION = "How wet is water?"
ANSWER = "The final answer of the writer."


def ask_page(server: Server, model: str, question: str = QUESTION, **more: str) -> str:
    """Ask as the page does; returns the run's id."""
    body = {"question": question, "fusion": {"preset": model.removeprefix("fusion/")}, **more}
    reply = server.request("POST", "/api/runs", json=body)
    assert reply.status_code == 201, reply.text
    return reply.json()["id"]


def watched(server: Server, id: str) -> list[dict[str, Any]]:
    """A run's events that last, once it has ended."""
    reply = server.request("GET", f"/api/runs/{id}/events")
    lines = [line for line in reply.text.splitlines() if line.startswith("data: ")]
    events = [json.loads(line.removeprefix("data: ")) for line in lines]
    return [event for event in events if event["type"] not in PROVISIONAL]


def told(server: Server, id: str) -> dict[str, Any]:
    return server.request("GET", f"/api/runs/{id}").json()


@pytest.mark.parametrize("end", [in_depth(signal.SIGTERM), signal.SIGKILL])
def test_runs_are_there_after_a_restart_and_an_interrupted_one_pays_nobody_twice(
    models, offer, tmp_path, end
):
    model = offer(tmp_path, max_concurrency=1)
    with running(tmp_path) as server:
        done = ask_page(server, model)
        events = watched(server, done)
        before = told(server, done)
        reply = server.post({"model": model, "messages": MESSAGES})
        asked = len(models.calls())
        models.script("c", {"hang": True}, "The answer of c.")
        cut = ask_page(server, model, "And ice?")
        models.calls("c", arrived=3)
        server.stop(end)

    with running(tmp_path) as server:
        listed = server.request("GET", "/api/runs").json()
        assert [run["id"] for run in listed["runs"]] == [cut, done]
        assert [run["id"] for run in listed["others"]] == [reply.headers["x-fusion-run"]]
        after = told(server, done)
        assert {**after, "report_url": ""} == {**before, "report_url": ""}
        assert watched(server, done) == events
        assert server.request("GET", f"/api/runs/{done}/report").status_code == 200
        assert server.request("GET", "/api/runs?q=final+writer").json()["runs"][0]["id"] == done

        stopped = told(server, cut)
        assert stopped["status"] == "interrupted"
        assert "resume" in stopped["error"]["message"]
        assert server.request("POST", f"/api/runs/{done}/resume").status_code == 409
        resumed = server.request("POST", f"/api/runs/{cut}/resume").json()
        assert (resumed["status"], resumed["error"]) == ("running", None)
        events = watched(server, cut)

        assert told(server, cut)["report"]["answer"] == ANSWER
        # One that had answered as the server died may say so again.
        completed = {event["name"] for event in events if event["type"] == "panel.completed"}
        assert completed == set("abc")
        assert events[-1]["type"] == "run.ended"
        follows = ask_page(server, model, "And salt water?", follows=done)
        assert watched(server, follows)[-1]["status"] == "ok"
    assert ANSWER in json.dumps(models.calls("a")[-1].body["messages"])
    calls = [call.model for call in models.calls()][asked:-5]
    assert sorted(calls) == list("abccjw")


def test_the_same_request_after_a_restart_goes_on_with_the_run(models, offer, tmp_path):
    model = offer(tmp_path, max_concurrency=1)
    models.script("c", {"hang": True}, "The answer of c.")
    body = {"model": model, "messages": MESSAGES, "max_tokens": 500}
    with running(tmp_path) as server:
        asking = threading.Thread(target=_asked_in_vain, args=(server, body))
        asking.start()
        models.calls("c", arrived=1)
        server.stop(signal.SIGKILL)
        asking.join(PATIENCE)
    with running(tmp_path) as server:
        (kept,) = server.request("GET", "/api/runs").json()["others"]
        other = server.post({**body, "messages": [{"role": "user", "content": "And ice?"}]})
        reply = server.post(body)
        assert other.headers["x-fusion-run"] != kept["id"] == reply.headers["x-fusion-run"]
    assert reply.json()["choices"][0]["message"]["content"] == ANSWER
    assert len(models.calls("a")) == len(models.calls("b")) == 2


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_never_went_out_is_told_to_who_asks_again(models, offer, tmp_path, stream):
    model = offer(tmp_path)
    body = {"model": model, "messages": MESSAGES, "stream": stream}
    with running(tmp_path) as server:
        first, second = (server.post(body) for _ in range(2))
        assert first.headers["x-fusion-run"] != second.headers["x-fusion-run"]
        server.stop(signal.SIGTERM)
    paid = len(models.calls())
    with sqlite3.connect(tmp_path / "serve" / "runs.sqlite") as rows:
        # As where the server was killed when the run had just ended.
        untold = "UPDATE runs SET about = json_set(about, '$.told', json('false')) WHERE id = ?"
        rows.execute(untold, (second.headers["x-fusion-run"],))
    rows.close()
    with running(tmp_path) as server:
        replies = [server.post(body) for _ in range(2)]
    assert replies[0].headers["x-fusion-run"] == second.headers["x-fusion-run"]
    assert ANSWER in replies[0].text
    assert replies[1].headers["x-fusion-run"] != second.headers["x-fusion-run"]
    assert len(models.calls()) == paid + 5


def _asked_in_vain(server: Server, body: dict[str, Any]) -> None:
    import httpx2

    with pytest.raises(httpx2.HTTPError):
        httpx2.post(
            f"{server.url}/v1/chat/completions", json=body, timeout=PATIENCE, trust_env=False
        )


def test_a_deleted_run_is_gone_from_the_disk(models, offer, tmp_path):
    model, word = offer(tmp_path), "unrepeatable"
    with running(tmp_path) as server:
        id = ask_page(server, model, f"How {word} is water?")
        watched(server, id)
        server.request("DELETE", f"/api/runs/{id}?forget=true")
        folder = tmp_path / "serve"
        assert not [f for f in folder.iterdir() if word.encode() in f.read_bytes()]
        assert {f.stat().st_mode & 0o077 for f in (folder, *folder.iterdir())} == {0}
        server.stop(signal.SIGKILL)
    with running(tmp_path) as server:
        assert server.request("GET", f"/api/runs/{id}").status_code == 404


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("no database", "not a database"),
        ("cut short", "malformed"),
        ("later version", "later version"),
        ("no folder", "File exists"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_line_and_left_as_it_is(offer, tmp_path, what, said):
    model, file = offer(tmp_path), tmp_path / "kept" / "runs.sqlite"
    keep = ("--keep-runs", str(file.parent))
    if what == "no folder":
        file.parent.write_text("a file")
    else:
        with running(tmp_path, *keep) as server:
            watched(server, ask_page(server, model))
            server.stop(signal.SIGTERM)
        if what == "later version":
            with sqlite3.connect(file) as rows:
                rows.execute("PRAGMA user_version=99")
            rows.close()
        else:
            whole = file.read_bytes()
            file.write_bytes(b"no database\n" * 999 if what == "no database" else whole[:9000])
    left = file.parent.read_text() if what == "no folder" else file.read_bytes()

    with running(tmp_path, *keep) as server:
        id = ask_page(server, model)
        assert watched(server, id)[-1]["status"] == "ok"
        (line,) = (line for line in server.log.splitlines() if "runs are not kept" in line)
        assert said in line
        assert "--keep-runs" in line
        assert "Traceback" not in server.log
    assert (file.parent.read_text() if what == "no folder" else file.read_bytes()) == left


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a running process's files")
def test_a_full_disk_ends_no_run_and_is_said_once(models, offer, tmp_path):
    import resource

    model = offer(tmp_path)
    models.script("a", {"clock": 1, "text": "The answer of a."}, {"text": "The answer of a."})
    with running(tmp_path) as server:
        ids = [ask_page(server, model)]
        models.calls("a", arrived=1)
        # As on a full disk: every file may be as large as it is, and no larger.
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        models.set_clock(1)
        ids += [ask_page(server, model, f"And ice {n}?") for n in range(3)]
        assert [watched(server, id)[-1]["status"] for id in ids] == ["ok"] * 4
        assert server.log.count("runs are not kept") == 1
        # There is room again: what was missed is written with what comes next.
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, unlimited)
        ids.append(ask_page(server, model, "And steam?"))
        watched(server, ids[-1])
        assert "runs are kept in" in server.log.split("runs are not kept")[1]
        server.stop(signal.SIGTERM)
    with running(tmp_path) as server:
        assert [told(server, id)["report"]["answer"] for id in ids] == [ANSWER] * 5


def test_nothing_is_kept_where_nothing_is_to_be(offer, tmp_path):
    model = offer(tmp_path)
    with running(tmp_path, "--keep-runs", "none") as server:
        watched(server, ask_page(server, model))
        assert "in memory" in server.log
        server.stop(signal.SIGTERM)
    assert not (tmp_path / "serve").exists()


def test_a_second_server_beside_says_that_it_keeps_nothing(offer, tmp_path):
    model = offer(tmp_path)
    with running(tmp_path) as first, running(tmp_path) as second:
        ids = [ask_page(server, model) for server in (first, second)]
        assert watched(second, ids[1])[-1]["status"] == "ok"
        assert "another server keeps its runs there" in second.log
        assert watched(first, ids[0])[-1]["status"] == "ok"
        assert [run["id"] for run in first.request("GET", "/api/runs").json()["runs"]] == [ids[0]]


def test_one_record_that_cannot_be_read_spoils_no_other(offer, tmp_path):
    model = offer(tmp_path)
    with running(tmp_path) as server:
        ids = [ask_page(server, model, question) for question in ("Water?", "Ice?")]
        for id in ids:
            watched(server, id)
        server.stop(signal.SIGTERM)
    with sqlite3.connect(tmp_path / "serve" / "runs.sqlite") as rows:
        rows.execute("UPDATE runs SET about = '[' WHERE id = ?", (ids[0],))
        # As a version before had it, which knew less of a run.
        rows.execute("UPDATE runs SET about = json_remove(about, '$.told') WHERE id = ?", (ids[1],))
    rows.close()
    with running(tmp_path) as server:
        assert server.request("GET", f"/api/runs/{ids[0]}").status_code == 404
        assert told(server, ids[1])["status"] == "ok"
        assert "1 of the runs kept in" in server.log
