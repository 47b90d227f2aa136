"""Servers in front of workers that die: clients see a pause and then the rest, paid once."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import gettempdir
from typing import Any
from uuid import UUID

import httpx2
import pytest
from filelock import FileLock
from langgraph_sdk import get_sync_client

from fusion_graph.faces.server.protocols._told import BEGINS_AGAIN
from tests.fleet import Fleet, Worker, start_fleet, why_no_fleet
from tests.fleet_runs import ANSWER
from tests.server.conftest import PATIENCE, Server, offer, running  # noqa: F401

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(why_no_fleet() is not None, reason=str(why_no_fleet())),
]

WRITTEN = "The final answer of the writer."
SECRET = "a secret that all servers share"


@pytest.fixture(scope="module")
def presets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of presets that workers and servers share."""
    return tmp_path_factory.mktemp("presets")


@pytest.fixture(scope="module")
def fleet(presets: Path) -> Iterator[Fleet]:
    """Two workers; one fleet at a time, however many processes run tests."""
    lock = Path(gettempdir()) / f"fusion-graph-fleet-{os.getuid()}.lock"
    environment = {"LG_BG_JOB_HEARTBEAT": "10", "FUSION_GRAPH_CONFIG_DIR": str(presets)}
    with FileLock(lock), start_fleet(2, environment) as fleet:
        yield fleet


@contextmanager
def faces(fleet: Fleet, config: Path, model: str, count: int = 1) -> Iterator[list[Server]]:
    """Servers in front of the fleet, which know all of its workers."""
    urls = ",".join(worker.url for worker in fleet.workers)
    options = ("--fleet", urls, "--preset", model.removeprefix("fusion/"))
    with ExitStack() as held:
        started = (running(config, *options, FUSION_SIGNING_KEY=SECRET) for _ in range(count))
        yield [held.enter_context(one) for one in started]


def holder(fleet: Fleet, id: str) -> Worker:
    """The worker that is at a run of a server's."""
    with get_sync_client(url=fleet.workers[0].url, api_key=None) as client:
        (run,) = client.runs.list(str(UUID(id)))
    waiting = threading.Event()
    while (worker := fleet.holder(run["run_id"], 1)) is None:
        waiting.wait(0.05)  # between two looks into the logs
    return worker


class Asking(threading.Thread):
    """A client that reads a streamed answer.

    begun: is set with the first piece of text.
    text: what it has read.
    run: the run's id.
    """

    def __init__(self, server: Server, model: str) -> None:
        super().__init__()
        self._url = f"{server.url}/v1/chat/completions"
        messages = [{"role": "user", "content": "How wet is water?"}]
        self._body = {"model": model, "messages": messages, "stream": True}
        self.headers, self.begun = threading.Event(), threading.Event()
        self.text, self.run_id = "", ""
        self.start()

    def run(self) -> None:
        with (
            httpx2.Client(trust_env=False, timeout=PATIENCE, verify=False) as client,
            client.stream("POST", self._url, json=self._body) as reply,
        ):
            self.run_id = reply.headers["x-fusion-run"]
            self.headers.set()
            for line in reply.iter_lines():
                if line.startswith("data: {"):
                    for choice in json.loads(line.removeprefix("data: ")).get("choices", ()):
                        self.text += choice["delta"].get("content") or ""
                        if self.text:
                            self.begun.set()


def scripted(models: Any, **steps: Any) -> None:
    for name, first in steps.items():
        models.script(name, first, ANSWER if name == "w" else f"The answer of {name}.")


def test_a_client_sees_a_pause_when_the_worker_of_its_run_dies(fleet, presets, models, offer):  # noqa: F811
    model = offer(presets)
    models.script("w", ANSWER)
    scripted(models, c={"hang": True})
    with faces(fleet, presets, model) as (server,):
        asking = Asking(server, model)
        models.calls("c", arrived=1)
        assert asking.headers.wait(PATIENCE)
        victim = holder(fleet, asking.run_id)
        victim.kill()
        asking.join(PATIENCE)
        victim.start()

        assert asking.text == ANSWER
        told = server.request("GET", f"/api/runs/{asking.run_id}").json()
        assert told["report"]["answer"] == ANSWER
    paid = Counter(call.model for call in models.calls() if not call.disconnected)
    assert paid == Counter("abcjw")


def test_an_answer_that_dies_with_its_worker_begins_again_and_says_so(
    fleet,
    presets,
    models,
    offer,  # noqa: F811
):
    model = offer(presets)
    scripted(models, w={"text": "These words are never read to their end. " * 20, "rate": 1})
    with faces(fleet, presets, model) as (server,):
        asking = Asking(server, model)
        assert asking.begun.wait(PATIENCE)
        victim = holder(fleet, asking.run_id)
        victim.kill()
        asking.join(PATIENCE)
        victim.start()

        broken, _, whole = asking.text.partition(BEGINS_AGAIN)
        assert broken.startswith("These")
        assert whole == ANSWER
    assert Counter(call.model for call in models.calls()) == Counter("abcjww")


def test_a_worker_that_only_seemed_dead_writes_nothing_into_its_successors_answer(
    fleet,
    presets,
    models,
    offer,  # noqa: F811
):
    model = offer(presets)
    slow = {"text": "These words are never read to their end. " * 40, "rate": 2}
    models.script("w", slow, {"clock": 1, "text": ANSWER})
    with faces(fleet, presets, model) as (server,):
        asking = Asking(server, model)
        assert asking.begun.wait(PATIENCE)
        victim = holder(fleet, asking.run_id)
        victim.process.send_signal(signal.SIGSTOP)
        models.calls("w", arrived=2)
        victim.process.send_signal(signal.SIGCONT)
        # What it has slept through is written by now, beside its successor.
        with get_sync_client(url=victim.url, api_key=None) as client:
            client.assistants.search()
        models.set_clock(1)
        asking.join(PATIENCE)
        victim.kill()
        victim.start()

        broken, _, whole = asking.text.partition(BEGINS_AGAIN)
        assert broken.startswith("These")
        assert whole == ANSWER


def test_a_server_and_a_worker_die_and_who_asks_again_elsewhere_is_answered(
    fleet,
    presets,
    models,
    offer,  # noqa: F811
):
    model = offer(presets)
    models.script("w", ANSWER)
    scripted(models, j={"hang": True})
    models.script("j", {"hang": True}, json.dumps({"consensus": []}))
    with faces(fleet, presets, model, 2) as (first, second):
        page = {"question": "How wet?", "fusion": {"preset": model.removeprefix("fusion/")}}
        id = first.request("POST", "/api/runs", json=page).json()["id"]
        models.calls("j", arrived=1)
        first.stop(signal.SIGKILL)
        victim = holder(fleet, id)
        victim.kill()
        again = second.request("POST", "/api/runs", json=page).json()
        assert again["id"] == id
        events = second.request("GET", f"/api/runs/{id}/events").text
        victim.start()

        assert '"run.ended"' in events
        assert second.request("GET", f"/api/runs/{id}").json()["report"]["answer"] == ANSWER
    called = Counter(call.model for call in models.calls())
    assert [called[name] for name in "abcw"] == [1, 1, 1, 1]


def test_who_leaves_stops_the_panel_and_who_asks_again_elsewhere_pays_for_the_rest(
    fleet,
    presets,
    models,
    offer,  # noqa: F811
):
    model = offer(presets)
    scripted(models, c={"hang": True})
    asked = {"model": model, "messages": [{"role": "user", "content": "How wet?"}], "stream": True}
    with faces(fleet, presets, model, 2) as (first, second):
        with (
            httpx2.Client(trust_env=False, timeout=PATIENCE, verify=False) as client,
            client.stream("POST", f"{first.url}/v1/chat/completions", json=asked) as reply,
        ):
            id = reply.headers["x-fusion-run"]
            models.calls("c", arrived=1)
        models.calls("c", ended=1)
        again = second.post({**asked, "stream": False})

        assert again.headers["x-fusion-run"] == id
        assert again.json()["choices"][0]["message"]["content"] == WRITTEN
        # It went out: the same once more is another question. Deleted, it is gone everywhere.
        assert second.post({**asked, "stream": False}).headers["x-fusion-run"] != id
        assert first.request("DELETE", f"/api/runs/{id}?forget=true").status_code == 204
        assert second.request("GET", f"/api/runs/{id}").status_code == 404
    assert Counter(call.model for call in models.calls()) == Counter("abccjw" + "abcjw")


def test_clients_of_several_servers_have_each_their_own_answer(fleet, presets, models, offer):  # noqa: F811
    model = offer(presets)
    for name in "abcw":
        models.script(name, f"{name} says {{marker}}.")

    def ask(server: Server, number: int) -> tuple[str, str]:
        mark = f"MARK-{number:04d}x"
        said = [{"role": "user", "content": f"What of {mark}?"}]
        asked = {"model": model, "messages": said, "stream": bool(number % 2)}
        with httpx2.Client(trust_env=False, timeout=PATIENCE, verify=False) as client:
            reply = client.post(f"{server.url}/v1/chat/completions", json=asked)
        if not number % 2:
            return mark, str(reply.json()["choices"][0]["message"]["content"])
        lines = [line for line in reply.text.splitlines() if line.startswith("data: {")]
        chunks = [json.loads(line.removeprefix("data: ")) for line in lines]
        deltas = [choice["delta"] for chunk in chunks for choice in chunk.get("choices", ())]
        return mark, "".join(delta.get("content") or "" for delta in deltas)

    with faces(fleet, presets, model, 2) as servers, ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda n: ask(servers[n // 2 % 2], n), range(24)))

    assert answers == [(mark, f"w says {mark}.") for mark, _ in answers]
    assert len(models.calls()) == 24 * 5
