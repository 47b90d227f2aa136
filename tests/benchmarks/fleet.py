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
from collections.abc import Sequence
from itertools import pairwise
from math import inf
from pathlib import Path

from tests.clients.provision import Unavailable
from tests.fleet import Fleet, Worker, provide_langhost, start_fleet
from tests.fleet_runs import (
    CREW,
    QUESTION,
    Struck,
    ask,
    at,
    configuration,
    crowd,
    documents,
    scripted,
    strike,
    undisturbed,
)
from tests.scripted_models import ModelServer, start_server
from tests.scripted_models.client import Scope

TOGETHER = 4
"""Runs that are at work when a worker is killed."""


def table(rows: Sequence[tuple[str, object]]) -> str:
    """Two columns as Markdown."""
    return "| | |\n|---|---|\n" + "".join(f"| {name} | {value} |\n" for name, value in rows)


def spread(seconds: Sequence[float]) -> str:
    """Median and greatest of some seconds."""
    ordered = sorted(seconds)
    return f"{ordered[len(ordered) // 2]:.1f}, {ordered[-1]:.1f}"


def kills_table(kills: int, struck: Sequence[Struck]) -> str:
    """What many kills came to."""
    replies = [reply for run in struck for reply in run.replies]
    said = table(
        [
            ("workers killed while they had runs at work", kills),
            ("runs that they had at work", len(struck)),
            ("taken up by another worker, and finished", len(struck)),
            ("seconds until taken up: median, most", spread([s.seconds for s in struck])),
            ("answer and joined record as without a kill", sum(s.same for s in struck)),
        ]
    )
    said += (
        "\n| reply sent so many seconds before the kill | read by the worker | paid again "
        "| unread in its socket | paid again |\n|---|---|---|---|---|\n"
    )
    for least, most in pairwise(AGES):
        cells = []
        for read in (True, False):
            these = [r.again for r in replies if least <= r.age < most and r.read is read]
            cells += [len(these), sum(these)]
        name = f"{least} or more" if most == inf else f"{least} to {most}"
        said += f"| {name} | {' | '.join(map(str, cells))} |\n"
    return said


AGES = (0, 0.02, 0.05, 0.1, 0.25, inf)
"""Between which ages, in seconds, replies are counted together."""


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
        again = [(round(r.age, 3), r.read) for s in struck for r in s.replies if r.again]
        print(done, [round(s.seconds, 1) for s in struck], again, flush=True)
        for asked in runs:
            asked.scope.clear()
    return found


AT_ONCE = 16
"""Calls that the storm's provider takes at once."""

SECONDS = 1.5
"""What each of them takes: so long that the provider is waited for, and not the machine."""

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
        wrong = asyncio.run(crowd(fleet, scope, count, SECONDS, AT_ONCE))
        seconds = time.monotonic() - began
    print(*wrong[:20], sep="\n", flush=True)
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
    parser.add_argument("--alone", action="store_true", help="kills: without a Redis of ours")
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
            ours = {} if given.alone else {"FUSION_REDIS_URL": "{redis}"}
            with start_fleet(environment=ours) as fleet, tempfile.TemporaryDirectory() as folder:
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
        f"are under way; each call takes {SECONDS} s.\n\n"
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
