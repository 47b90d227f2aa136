"""Runs on a fleet: begun, killed with the worker that has them, and read; a crowd of them."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langgraph_sdk import get_client

from tests.conftest import VERDICT
from tests.fleet import Fleet, Worker
from tests.scripted_models import ModelServer
from tests.scripted_models.client import Call, Scope

QUESTION = "How wet is water?"
ANSWER = "The final answer of the writer."
CREW = "abc"
CALLS = Counter({"a": 2, "b": 2, "c": 2, "j": 1, "w": 1})
"""Of one run that nobody kills: each panelist searches once and answers."""

PATIENCE = 600.0
"""Seconds after which a run counts as not resumed."""


def scripted(scope: Scope, folder: Path, delay: float) -> dict[str, Any]:
    """Script a run's models; gives the configuration that asks them.

    Args:
        scope: The run's own part of the model server.
        folder: Documents that its panelists search.
        delay: Seconds that a call takes.
    """
    for name in CREW:
        search = {"name": "web_search", "args": {"query": "water"}}
        answer = {"text": f"The answer of {name}: wet [1].", "delay": delay}
        step = {"tool_calls": [search], "delay": delay}
        scope.script(name, {**step, "when_contains": {'"role":"tool"': answer}})
    scope.script("j", {"text": json.dumps(VERDICT), "delay": delay})
    scope.script("w", {"text": ANSWER, "delay": delay})
    return configuration(scope, corpus=str(folder))


def configuration(scope: Scope, **fields: Any) -> dict[str, Any]:
    """The settings of a run that asks scripted models."""
    return {
        "panel": [f"s:{name}" for name in CREW],
        "judge": "s:j",
        "synthesizer": "s:w",
        "providers": {"s": {"base_url": scope.base_url}},
        "seed": 7,
        **fields,
    }


def documents(folder: Path) -> Path:
    """A folder of one document, for panelists to search."""
    (folder / "water.md").write_text("# Water\n\nWater is wet.\n", "utf-8")
    return folder


@dataclass
class Asked:
    """A run that was begun.

    Attributes:
        scope: Its models.
        thread: Its thread.
        run: Its id.
    """

    scope: Scope
    thread: str
    run: str


@dataclass(frozen=True)
class Sent:
    """A reply that the model server had sent whole before a worker was killed.

    Attributes:
        age: Seconds from its last byte to the kill.
        read: Whether the worker had read it: else it lay in the socket, where nobody can keep it.
        again: Whether its call was made, and answered, again.
    """

    age: float
    read: bool
    again: bool


@dataclass
class Struck:
    """What became of a run whose worker was killed.

    Attributes:
        seconds: From the kill until another worker began with it.
        replies: The replies that had been sent to it.
        same: Whether answer and joined record are those of a run that nobody killed.
    """

    seconds: float
    replies: Sequence[Sent]
    same: bool


def sent_before(calls: Sequence[Call], killed: float) -> list[Sent]:
    """The replies that had been sent whole before a kill, and whether each was paid again.

    Args:
        calls: The calls of a run. No model is asked the same twice but after a kill.
        killed: When, by the model server's clock.
    """
    whole = [call for call in calls if call.ended is not None and not call.disconnected]
    found = []
    for call in whole:
        assert call.ended is not None
        if call.ended <= killed:
            same = [other for other in whole if _asked(other) == _asked(call)]
            found.append(Sent(killed - call.ended, not call.unread, len(same) > 1))
    return found


def _asked(call: Call) -> tuple[str, int]:
    """The model, and how much of its research it was given."""
    roles = [message["role"] for message in call.body["messages"]]
    return call.model, roles.count("tool")


def record_of(report: dict[str, Any]) -> Any:
    """What a run came to, without its times."""
    return [
        [(a["name"], a["label"], a["status"], a["content"]) for a in report["answers"]],
        [(s["id"], s["url"], s["cited_by"]) for s in report["sources"]],
        report["analysis"],
        report["answer"],
    ]


def replied(calls: Sequence[Call]) -> Counter[str]:
    """Count the calls that were answered whole, by model."""
    return Counter(c.model for c in calls if c.ended is not None and not c.disconnected)


def at(worker: Worker) -> Any:
    """A client of a worker."""
    return get_client(url=worker.url, api_key=None, timeout=PATIENCE)


async def ask(worker: Worker, scope: Scope, context: dict[str, Any], question: str) -> Asked:
    """Begin a run on a fleet, by one of its workers."""
    async with at(worker) as client:
        return await _ask(client, scope, context, question)


async def _ask(client: Any, scope: Scope, context: dict[str, Any], question: str) -> Asked:
    thread = (await client.threads.create())["thread_id"]
    given = {"messages": [{"role": "user", "content": question}]}
    run = await client.runs.create(thread, "fusion", input=given, context=context)
    return Asked(scope, thread, run["run_id"])


async def report_of(worker: Worker, asked: Asked) -> dict[str, Any]:
    """Wait for a run's end, at any worker; gives its report.

    Raises:
        RuntimeError: It ended otherwise than with one.
    """
    async with at(worker) as client:
        return await _report_of(client, asked)


async def _report_of(client: Any, asked: Asked) -> dict[str, Any]:
    status = "pending"
    while status in ("pending", "running"):  # a worker may leave off waiting before the end
        await client.runs.join(asked.thread, asked.run)
        status = (await client.runs.get(asked.thread, asked.run))["status"]
    state = await client.threads.get_state(asked.thread)
    if "fusion" not in state["values"]:
        raise RuntimeError(f"the run's status is {status}, and it has no report")
    report: dict[str, Any] = state["values"]["fusion"]
    return report


async def undisturbed(fleet: Fleet, models: ModelServer, folder: Path) -> Any:
    """The record of a run that nobody kills."""
    scope = models.scope()
    asked = await ask(fleet.workers[0], scope, scripted(scope, folder, 0.05), QUESTION)
    report = await report_of(fleet.workers[-1], asked)
    assert replied(scope.calls()) == CALLS
    return record_of(report)


async def strike(
    fleet: Fleet,
    runs: Sequence[Asked],
    victim: Worker,
    expected: Any,
) -> list[Struck]:
    """Kill a worker with runs at work; see them taken up and finished by others.

    Its place is filled again meanwhile, as whoever watches over processes would do.

    Args:
        fleet: The fleet.
        runs: The runs.
        victim: The worker.
        expected: The record of a run that nobody kills.

    Raises:
        TimeoutError: A run was taken up by nobody.
    """
    held = [asked for asked in runs if asked.run in victim.begun()]
    now, before = runs[0].scope.now(), time.monotonic()
    killed = time.monotonic()
    victim.kill()
    killed_there = now + killed - before
    last = {asked.run: replied(asked.scope.calls()) for asked in held}
    # Whose writer had answered was finished, or as good as.
    struck = [asked for asked in held if last[asked.run]["w"] == 0]
    others = [worker for worker in fleet.workers if worker is not victim]
    seconds: dict[str, float] = {}
    while len(seconds) < len(struck):
        for asked in struck:
            if asked.run not in seconds and any(w.begun().get(asked.run) == 2 for w in others):
                seconds[asked.run] = time.monotonic() - killed
        if time.monotonic() - killed > PATIENCE:
            raise TimeoutError(f"taken up: {seconds}, of {[asked.run for asked in struck]}")
        await asyncio.sleep(0.05)  # between two looks into the workers' logs
    reports = await asyncio.gather(*(report_of(random.choice(others), asked) for asked in runs))
    await asyncio.to_thread(victim.start)
    found = []
    for asked, report in zip(runs, reports, strict=True):
        same = record_of(report) == expected
        if asked not in struck:
            assert same, "a run of another worker came to something else"
            continue
        replies = sent_before(asked.scope.calls(), killed_there)
        found.append(Struck(seconds[asked.run], replies, same))
    return found


BUSY = {"status": 429, "headers": {"retry-after": "1"}}
"""What a provider answers that has as many calls as it takes."""


def crowd_scripted(scope: Scope, delay: float, at_once: int | None = None) -> dict[str, Any]:
    """Script models that answer each run with its own mark; gives the configuration.

    Args:
        scope: The models' part of the server.
        delay: Seconds that a call takes.
        at_once: Calls that their provider takes at once; None takes any number.
    """
    busy = {"at_once": at_once, "when_busy": BUSY} if at_once is not None else {}
    texts = {name: f"{name} says {{marker}}." for name in CREW}
    texts |= {"j": json.dumps(VERDICT), "w": "The answer to {marker}."}
    for name, text in texts.items():
        scope.script(name, {"text": text, "delay": delay, **busy})
    return configuration(scope, search="none")


AT_THE_DOOR = 20
"""Requests for a run that are under way at once. They are answered in milliseconds, and what is to
be many are the runs."""


async def crowd(
    fleet: Fleet, scope: Scope, count: int, delay: float = 0.2, at_once: int | None = None
) -> list[str]:
    """Have many runs at once, each begun at one worker and waited for at another.

    Args:
        fleet: The fleet.
        scope: The models.
        count: How many runs.
        delay: Seconds that a call takes.
        at_once: Calls that the provider takes at once; None takes any number.

    Returns:
        What was wrong; empty if every run had its own answer, from its own panelists' answers.
    """
    context = crowd_scripted(scope, delay, at_once)
    size = len(fleet.workers)
    door = asyncio.Semaphore(AT_THE_DOOR)

    async def one(clients: Sequence[Any], number: int) -> str:
        mark = f"MARK-{number:04d}x"
        try:
            async with door:
                asked = await _ask(clients[number % size], scope, context, f"What of {mark}?")
            report = await _report_of(clients[(number + 1) % size], asked)
        except Exception as error:  # told with the others
            return f"{mark}: {error!r}"
        said = [(a["name"], a["content"]) for a in report["answers"]]
        wanted = [(name, f"{name} says {mark}.") for name in CREW]
        if (report["status"], said, report["answer"]) == ("ok", wanted, f"The answer to {mark}."):
            return ""
        return f"{mark}: {report['degradations']} {said} {report['answer']}"

    async with AsyncExitStack() as held:
        clients = [await held.enter_async_context(at(worker)) for worker in fleet.workers]
        wrong = await asyncio.gather(*(one(clients, number) for number in range(count)))
    return [problem for problem in wrong if problem]
