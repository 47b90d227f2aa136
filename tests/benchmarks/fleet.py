"""A fleet of three workers over PostgreSQL and Redis: workers killed, and a crowd.

    python -m tests.benchmarks.fleet --install           only make the workers' environment
    python -m tests.benchmarks.fleet kills --count 50    tests/benchmarks/fleet-kills.md
    python -m tests.benchmarks.fleet crowd --count 300   tests/benchmarks/fleet-crowd.md

    python -m tests.benchmarks.fleet storm --count 300   tests/benchmarks/fleet-storm.md

Each writes what it found beside this file. A kill is a SIGKILL of a worker that has runs at work,
at a random time after they began; the model server's own log says what was paid.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langgraph_sdk import get_client

from tests.clients.provision import Unavailable
from tests.conftest import VERDICT
from tests.fleet import Fleet, Worker, provide_langhost, start_fleet
from tests.scripted_models import ModelServer, start_server
from tests.scripted_models.client import Call, Scope

QUESTION = "How wet is water?"
ANSWER = "The final answer of the writer."
CREW = "abc"
CALLS = Counter({"a": 2, "b": 2, "c": 2, "j": 1, "w": 1})
"""Of one run that nobody kills: each panelist searches once and answers."""

TOGETHER = 4
"""Runs that are at work when a worker is killed."""

SETTLED = 0.25
"""Seconds before the kill from which a reply counts as received and kept. What the model server
sent in the last moment may still have been on its way to the worker, or to the database."""

PATIENCE = 180.0
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


@dataclass
class Struck:
    """What became of a run whose worker was killed.

    Attributes:
        seconds: From the kill until another worker began with it.
        finished: Calls whose reply had been sent `SETTLED` before the kill.
        repeated: Those of them that were made again, by model.
        fresh: Calls whose reply was sent in the last moment before the kill.
        again: Those of them that were made again.
        same: Whether answer and joined record are those of a run that nobody killed.
    """

    seconds: float
    finished: int
    repeated: Counter[str]
    fresh: int
    again: int
    same: bool


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
        thread = (await client.threads.create())["thread_id"]
        given = {"messages": [{"role": "user", "content": question}]}
        run = await client.runs.create(thread, "fusion", input=given, context=context)
    return Asked(scope, thread, run["run_id"])


async def report_of(worker: Worker, asked: Asked) -> dict[str, Any]:
    """Wait for a run's end, at any worker; gives its report."""
    async with at(worker) as client:
        await client.runs.join(asked.thread, asked.run)
        state = await client.threads.get_state(asked.thread)
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
    calls: Counter[str] = CALLS,
) -> list[Struck]:
    """Kill a worker with runs at work; see them taken up and finished by others.

    Its place is filled again meanwhile, as whoever watches over processes would do.

    Args:
        fleet: The fleet.
        runs: The runs.
        victim: The worker.
        expected: The record of a run that nobody kills.
        calls: The model calls of such a run.

    Raises:
        TimeoutError: A run was taken up by nobody.
    """
    settled = {asked.run: replied(asked.scope.calls()) for asked in runs}
    await asyncio.sleep(SETTLED)
    held = [asked for asked in runs if asked.run in victim.begun()]
    victim.kill()
    killed = time.monotonic()
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
        more = replied(asked.scope.calls()) - calls
        fresh = last[asked.run] - settled[asked.run]
        repeated = more - fresh
        again = sum((more & fresh).values())
        finished = sum(settled[asked.run].values())
        after = seconds[asked.run]
        found.append(Struck(after, finished, repeated, sum(fresh.values()), again, same))
    return found


def table(rows: Sequence[tuple[str, object]]) -> str:
    """Two columns as Markdown."""
    return "| | |\n|---|---|\n" + "".join(f"| {name} | {value} |\n" for name, value in rows)


def spread(seconds: Sequence[float]) -> str:
    """Median and greatest of some seconds."""
    ordered = sorted(seconds)
    return f"{ordered[len(ordered) // 2]:.1f}, {ordered[-1]:.1f}"


def kills_table(kills: int, struck: Sequence[Struck]) -> str:
    """What many kills came to."""
    again = "… of them paid again"
    return table(
        [
            ("workers killed while they had runs at work", kills),
            ("runs that they had at work", len(struck)),
            ("taken up by another worker, and finished", len(struck)),
            ("seconds until taken up: median, most", spread([s.seconds for s in struck])),
            (
                f"replies sent {SETTLED} s before the kill or earlier",
                sum(s.finished for s in struck),
            ),
            (again, sum(sum(s.repeated.values()) for s in struck)),
            ("replies sent in the last moment before the kill", sum(s.fresh for s in struck)),
            (again, sum(s.again for s in struck)),
            ("answer and joined record as without a kill", sum(s.same for s in struck)),
        ]
    )


async def kills(fleet: Fleet, models: ModelServer, folder: Path, count: int) -> list[Struck]:
    """Kill workers at random points of their runs.

    Args:
        fleet: The fleet.
        models: The model server.
        folder: Documents to search.
        count: How many workers are killed.
    """
    expected = await undisturbed(fleet, models, folder)
    found, done, delay = list[Struck](), 0, 0.6
    while done < count:
        runs = []
        for _ in range(TOGETHER):
            scope = models.scope()
            context = scripted(scope, folder, delay)
            runs.append(await ask(random.choice(fleet.workers), scope, context, QUESTION))
        # Four calls of `delay` one after another: the kill strikes anywhere among them.
        await asyncio.sleep(random.uniform(0, delay * 4))
        holders = [w for w in fleet.workers if any(asked.run in w.begun() for asked in runs)]
        if not holders:
            continue  # nobody had begun yet
        struck = await strike(fleet, runs, random.choice(holders), expected)
        if not struck:
            continue  # all of its runs had just ended
        done += 1
        found += struck
        print(done, [round(s.seconds, 1) for s in struck], [dict(s.repeated) for s in struck])
        for asked in runs:
            asked.scope.clear()
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


async def crowd(fleet: Fleet, scope: Scope, count: int, at_once: int | None = None) -> list[str]:
    """Have many runs at once, each begun at one worker and waited for at another.

    Args:
        fleet: The fleet.
        scope: The models.
        count: How many runs.
        at_once: Calls that the provider takes at once; None takes any number.

    Returns:
        What was wrong; empty if every run had its own answer, from its own panelists' answers.
    """
    context = crowd_scripted(scope, 0.2, at_once)
    size = len(fleet.workers)

    async def one(number: int) -> str:
        mark = f"MARK-{number:04d}x"
        asked = await ask(fleet.workers[number % size], scope, context, f"What of {mark}?")
        report = await report_of(fleet.workers[(number + 1) % size], asked)
        said = [(a["name"], a["content"]) for a in report["answers"]]
        wanted = [(name, f"{name} says {mark}.") for name in CREW]
        if (report["status"], said, report["answer"]) == ("ok", wanted, f"The answer to {mark}."):
            return ""
        return f"{mark}: {report['status']} {said} {report['answer']}"

    wrong = await asyncio.gather(*map(one, range(count)))
    return [problem for problem in wrong if problem]


AT_ONCE = 16
"""Calls that the storm's provider takes at once."""

LIMITS = {
    "each worker by itself": {},
    "shared, the limit found by running into it": {"FUSION_REDIS_URL": "{redis}"},
    f"shared, and said: FUSION_PROVIDER_CONCURRENCY={AT_ONCE}": {
        "FUSION_REDIS_URL": "{redis}",
        "FUSION_PROVIDER_CONCURRENCY": str(AT_ONCE),
    },
}
"""How the workers limit their calls, and what they are told for it."""


def storm(models: ModelServer, count: int, environment: dict[str, str]) -> list[object]:
    """Have many runs at once of a provider that takes few calls; gives a row of the table.

    Args:
        models: The model server.
        count: How many runs.
        environment: Variables of the workers.
    """
    scope = models.scope()
    with start_fleet(environment=environment) as fleet:
        began = time.monotonic()
        wrong = asyncio.run(crowd(fleet, scope, count, AT_ONCE))
        seconds = time.monotonic() - began
    calls = scope.calls()
    busy = sum(call.status == 429 for call in calls)
    scope.clear()
    share = f"{100 * busy / len(calls):.2f} %"
    return [count, len(calls), busy, share, len(wrong), f"{seconds:.0f}"]


HEADS = {
    "kills": "Workers killed",
    "crowd": "A crowd",
    "storm": "A storm of 429s",
}


def write(name: str, text: str) -> None:
    """Write what was found beside this file."""
    head = f"# {HEADS[name]}\n\nWritten by `python -m tests.benchmarks.fleet {name}`.\n\n"
    Path(__file__).with_name(f"fleet-{name}.md").write_text(head + text, "utf-8")
    print(text)


def main() -> None:
    """Start a fleet, do one thing to it, and write what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=HEADS, nargs="?", help="what to do")
    parser.add_argument("--count", type=int, help="how many kills (50) or runs at once (300)")
    parser.add_argument("--install", action="store_true", help="only make the environment")
    parser.add_argument("--only", type=int, help="of the storm, only the limits of this row")
    given = parser.parse_args()
    try:
        provide_langhost()
    except Unavailable as why:
        raise SystemExit(f"No fleet here: {why}") from None
    if given.install:
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that all servers end with it
    random.seed(7)
    chosen = [given.what] if given.what else list(HEADS)
    with start_server() as models:
        if "storm" in chosen:
            write("storm", storms(models, given.count or 300, given.only))
        if {"kills", "crowd"} & set(chosen):
            with start_fleet() as fleet, tempfile.TemporaryDirectory() as folder:
                if "kills" in chosen:
                    count = given.count or 50
                    struck = asyncio.run(kills(fleet, models, documents(Path(folder)), count))
                    write("kills", kills_table(count, struck))
                if "crowd" in chosen:
                    write("crowd", crowd_table(fleet, models.scope(), given.count or 300))


def crowd_table(fleet: Fleet, scope: Scope, count: int) -> str:
    """Have a crowd, and say what came of it."""
    began = time.monotonic()
    wrong = asyncio.run(crowd(fleet, scope, count))
    seconds = time.monotonic() - began
    rows = [
        ("runs at once, on three workers", count),
        ("without an answer of their own", len(wrong)),
        ("model calls; five a run are right", len(scope.calls())),
        ("seconds for all of them, on two processors", f"{seconds:.0f}"),
        *asyncio.run(streamed(fleet.workers[0], scope)),
    ]
    return table(rows) + "".join(f"\n- {problem}" for problem in wrong[:20])


async def streamed(worker: Worker, scope: Scope) -> list[tuple[str, object]]:
    """Follow one run of long answers; gives how much of it goes through Redis."""
    text = "Water is wet, and wetter where it rains. " * 75
    for name in f"{CREW}w":
        scope.script(name, {"text": text, "rate": 500})
    sizes = []
    async with at(worker) as client:
        thread = (await client.threads.create())["thread_id"]
        given = {"messages": [{"role": "user", "content": "How wet? " * 10_000}]}
        context = configuration(scope, search="none")
        modes = ["custom", "messages-tuple"]
        stream = client.runs.stream(
            thread, "fusion", input=given, context=context, stream_mode=modes
        )
        async for part in stream:
            sizes.append(len(json.dumps(part.data)))
        state = await client.threads.get_state(thread)
    said = f"{len(sizes)}, {sum(sizes) / 1000:.0f} kB, {max(sizes) / 1000:.1f} kB"
    whole = len(json.dumps(state["values"])) / 1000
    return [
        (
            "a question of 90,000 characters, answers of 3,000: events of the run, all, largest",
            said,
        ),
        ("… its state at the end, as a client reads it", f"{whole:.0f} kB"),
    ]


def storms(models: ModelServer, count: int, only: int | None) -> str:
    """Have the storm with each kind of limits, or with one of them."""
    said = (
        f"A provider that answers 429 (`Retry-After: 1`) to whatever comes while {AT_ONCE} calls "
        "are under way; each call takes 0.2 s.\n\n"
        "| limits | runs at once | calls | 429s | of all calls | runs not whole | seconds |\n"
        "|---|---|---|---|---|---|---|\n"
    )
    for number, (name, environment) in enumerate(LIMITS.items()):
        if only is None or only == number:
            row = [name, *storm(models, count, environment)]
            said += f"| {' | '.join(map(str, row))} |\n"
            print(row, flush=True)
    return said


if __name__ == "__main__":
    main()
