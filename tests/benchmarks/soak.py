"""Many runs at once, round after round: nothing lost, nothing mixed up, nothing left behind.

    python -m tests.benchmarks.soak              500 runs at once, ten rounds, a slow server
    python -m tests.benchmarks.soak --runs 50 --rounds 3

Every run asks about a marker of its own, which each of its models repeats from what it was
sent. After each round the process is measured: tasks, open files (sockets among them), threads,
children, memory. Linux, for it reads /proc.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import resource
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.scripted_models import start_server
from tests.scripted_models.client import Scope

VERDICT = json.dumps(
    {
        "consensus": [{"point": "All speak of {marker}.", "labels": ["A", "B"], "sources": []}],
        "contradictions": [],
        "partial_coverage": [],
        "unique_insights": [],
        "blind_spots": [],
    }
)


@dataclass(frozen=True)
class Footprint:
    """What a process holds: counts, and resident bytes."""

    tasks: int
    files: int
    threads: int
    children: int
    resident: int

    @classmethod
    def now(cls) -> Footprint:
        """As it is at this moment, after a collection."""
        gc.collect()
        me = os.getpid()
        children = Path(f"/proc/{me}/task/{me}/children").read_text().split()
        pages = int(Path(f"/proc/{me}/statm").read_text().split()[1])
        return cls(
            tasks=len(asyncio.all_tasks()),
            files=len(os.listdir(f"/proc/{me}/fd")),
            threads=threading.active_count(),
            children=len(children),
            resident=pages * os.sysconf("SC_PAGE_SIZE"),
        )


def script(scope: Scope, seconds: float) -> None:
    """Three panelists with a tool, a judge and a writer, each `seconds` late, true to its run."""
    search = {"tool_calls": [{"name": "lookup", "args": {"query": "wet"}}], "delay": seconds}
    for name in "abc":
        step = {"text": f"The answer of {name} on {{marker}}.", "delay": seconds}
        scope.script(name, {**search, "when_contains": {'"role":"tool"': step}})
    scope.script("j", {"text": VERDICT, "delay": seconds})
    scope.script("w", {"text": "The final answer on {marker}.", "delay": seconds})


def make_graph(scope: Scope) -> Any:
    """The panel under test."""
    from langchain_core.tools import tool

    from fusion_graph import create_fusion_graph

    @tool
    async def lookup(query: str) -> str:
        """Look something up."""
        return f"Nothing new about {query}."

    return create_fusion_graph(
        {
            "panel": ["s:a", "s:b", "s:c"],
            "judge": "s:j",
            "synthesizer": "s:w",
            "search": "none",
            "providers": {"s": {"base_url": scope.base_url}},
        },
        tools=[lookup],
    )


async def one(graph: Any, marker: str) -> str:
    """One run; empty if it is right, else what is wrong with it."""
    state = await graph.ainvoke({"messages": [("user", f"What of {marker}?")]})
    record = state["fusion"]
    said = [
        record["answer"],
        *(answer["content"] for answer in record["answers"]),
        *(point["point"] for point in (record["analysis"] or {}).get("consensus", ())),
    ]
    if record["status"] != "ok":
        return f"{marker}: {record['status']}: {record['degradations']}"
    if len(said) != 5 or not all(marker in text and text.count("MARK-") == 1 for text in said):
        return f"{marker}: {said}"
    return ""


async def soak(scope: Scope, runs: int, rounds: int) -> list[tuple[float, Footprint]]:
    """Seconds and footprint after each round, the first entry being before any.

    Raises:
        AssertionError: An answer was lost or mixed with another run's.
    """
    graph = make_graph(scope)
    wrong = await one(graph, "MARK-warm")
    assert not wrong, wrong
    seen = [(0.0, Footprint.now())]
    for number in range(rounds):
        began = time.perf_counter()
        problems = await asyncio.gather(
            *(one(graph, f"MARK-{number}x{run}") for run in range(runs))
        )
        seen.append((time.perf_counter() - began, Footprint.now()))
        assert not any(problems), next(problem for problem in problems if problem)
    return seen


def main() -> None:
    """Run the soak and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=1.0, help="how slow each reply is")
    given = parser.parse_args()
    with start_server() as server:
        scope = server.scope()
        script(scope, given.seconds)
        seen = asyncio.run(soak(scope, given.runs, given.rounds))
    print(f"{given.runs} runs at once, each reply {given.seconds:g} s late, 8 calls a run.\n")
    print("| round | seconds | tasks | open files | threads | children | MB resident |")
    print("|---|---|---|---|---|---|---|")
    for number, (seconds, at) in enumerate(seen):
        print(
            f"| {number or 'before'} | {seconds:.1f} | {at.tasks} | {at.files} | {at.threads} "
            f"| {at.children} | {at.resident / 1e6:.0f} |"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - seen[0][1].resident
    print(f"\nMemory of a run in flight, at the highest point: {peak / given.runs / 1e3:.0f} kB.")


if __name__ == "__main__":
    main()
