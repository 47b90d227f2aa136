"""A run killed with SIGKILL at many points, and resumed.

    python -m tests.benchmarks.kills            51 points, some minutes
    python -m tests.benchmarks.kills --points 5
    python -m tests.benchmarks.kills --policy adaptive    69 points: two waves, two comparisons

The points lie at every arrival and every end of a model call (the model server's own log says
when), and a little after it. After each kill the thread's file is read: what it holds of a
panelist's work, or of the judge's, must not be paid again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.commands import run, start
from tests.conftest import VERDICT
from tests.scripted_models import start_server
from tests.scripted_models.client import Scope

QUESTION = "How wet is water?"
ANSWER = "The final answer of the writer."
CALLS = 8
"""Three panelists of two calls each, a judge, a writer."""

CREWS = {"full": "abc", "adaptive": "abcd"}
"""Panelists by policy: of an adaptive panel two are asked first, and then two."""

CALLS_OF = {"full": CALLS, "adaptive": 11}
"""Of a run; an adaptive one has two comparisons."""

DELAYS = (0.0, 0.01, 0.04)
"""Seconds between what the log says and the kill."""


@dataclass(frozen=True)
class Point:
    """When to kill: once so many calls have arrived and so many have ended, and a delay after."""

    arrived: int
    ended: int
    delay: float


@dataclass(frozen=True)
class Outcome:
    """What became of a run that was killed once.

    Attributes:
        finished: Panelists whose work the thread's file held when the process was dead.
        compared: Comparisons of the judge that it held.
        answered: Panelists whose last reply had left the server by then.
        repeated: Panelists of `finished` that were asked again; the judge if `compared` were.
        answer: What the second process printed.
        record: The joined record, without times.
    """

    finished: frozenset[str]
    compared: int
    answered: frozenset[str]
    repeated: frozenset[str]
    answer: str
    record: Any


def points(policy: str = "full") -> list[Point]:
    """Every arrival and every end, with each delay: 51, or of an adaptive panel 69."""
    calls = CALLS_OF[policy]
    moments = [(n, 0) for n in range(calls + 1)] + [(n, n) for n in range(1, calls + 1)]
    return [Point(arrived, ended, delay) for arrived, ended in moments for delay in DELAYS]


def script(scope: Scope, folder: Path, policy: str = "full") -> Path:
    """Models that search once and answer; returns a preset of them."""
    (folder / "docs").mkdir(exist_ok=True)
    (folder / "docs" / "water.md").write_text("# Water\n\nWater is wet.\n", "utf-8")
    crew = CREWS[policy]
    for name in crew:
        search = {"name": "web_search", "args": {"query": "water"}}
        answer = {"text": f"The answer of {name}: wet [1].", "delay": 0.05}
        step = {"tool_calls": [search], "delay": 0.05}
        scope.script(name, {**step, "when_contains": {'"role":"tool"': answer}})
    scope.script("j", {"text": json.dumps(VERDICT), "delay": 0.05})
    scope.script("w", {"text": ANSWER, "delay": 0.05})
    preset = folder / "panel.toml"
    preset.write_text(
        f"""
panel = {json.dumps([f"s:{name}" for name in crew])}
judge = "s:j"
synthesizer = "s:w"
panel_policy = "{policy}"
seed = 7
corpus = {json.dumps(str(folder / "docs"))}
[providers.s]
base_url = "{scope.base_url}"
""",
        "utf-8",
    )
    return preset


def ask(preset: Path, thread: str) -> list[str]:
    """The command that is killed."""
    named = ("--preset", str(preset), "--thread", thread)
    return ["ask", QUESTION, *named, "--json", "--quiet"]


def resume(thread: str) -> list[str]:
    """The command that finishes it."""
    return ["resume", thread, "--json", "--quiet"]


def kill_and_resume(
    scope: Scope, preset: Path, data: Path, point: Point, thread: str, policy: str = "full"
) -> Outcome:
    """One run, killed at a point, and resumed; begun again where nothing of it was kept yet."""
    scope.clear()
    script(scope, preset.parent, policy)
    os.environ["FUSION_GRAPH_DATA_DIR"] = str(data)
    environment = {"FUSION_GRAPH_DATA_DIR": str(data)}
    process = start(*ask(preset, thread), environment=environment)
    scope.calls(arrived=point.arrived, ended=point.ended)
    time.sleep(point.delay)  # the point itself, not a wait for something
    process.kill()
    before = scope.calls(ended=len(scope.calls()))
    kept, finished, compared = asyncio.run(saved(data, thread))
    command = resume(thread) if kept else ask(preset, thread)
    done = run(*command, environment=environment)
    if done.code != 0:
        raise AssertionError(f"{point}: exit {done.code}: {done.err}")
    report = json.loads(done.out)
    after = Counter(call.model for call in scope.calls()[len(before) :])
    replies = Counter(call.model for call in before if not call.disconnected)
    comparisons = 2 if policy == "adaptive" else 1
    again = {"j"} if after["j"] > comparisons - compared else set()
    return Outcome(
        finished=finished,
        compared=compared,
        answered=frozenset(name for name in CREWS[policy] if replies[name] >= 2),
        repeated=frozenset({name for name in finished if after[name]} | again),
        answer=report["answer"],
        record=(
            [(a["name"], a["label"], a["content"]) for a in report["answers"]],
            report["sources"] and [(s["id"], s["url"], s["cited_by"]) for s in report["sources"]],
            report["analysis"],
        ),
    )


async def saved(data: Path, thread: str) -> tuple[bool, frozenset[str], int]:
    """What a thread's file holds: whether a run, whose answers, and how many comparisons."""
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    from fusion_graph import create_fusion_graph

    file = data / "threads.sqlite"
    if not file.exists():
        return False, frozenset(), 0
    async with AsyncSqliteSaver.from_conn_string(str(file)) as saver:
        graph = create_fusion_graph("offline", checkpointer=saver)
        state = await graph.aget_state({"configurable": {"thread_id": thread}})
    results = [task.result for task in state.tasks if task.result]
    answers = [a for result in results for a in dict(result).get("answers", ())]
    answers += state.values.get("answers", [])
    # A comparison of the whole panel has the calls of the scouts' before its own.
    judged = [state.values.get("judgement"), *(dict(r).get("judgement") for r in results)]
    compared = max(len(judgement["calls"]) if judgement else 0 for judgement in judged)
    names = frozenset(answer["name"] for answer in answers)
    return bool(state.values or state.next), names, compared


def every(chosen: list[Point], policy: str) -> Iterator[tuple[Point, Outcome]]:
    """Each point with its outcome."""
    with start_server() as server, tempfile.TemporaryDirectory() as folder:
        scope = server.scope()
        preset = script(scope, Path(folder), policy)
        for number, point in enumerate(chosen):
            yield point, kill_and_resume(scope, preset, Path(folder), point, f"t{number}", policy)


def main() -> None:
    """Kill at every point and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=0, help="only so many, spread evenly")
    parser.add_argument("--policy", choices=CREWS, default="full", help="who is asked when")
    given = parser.parse_args()
    chosen = points(given.policy)
    if given.points:
        chosen = chosen[:: max(1, len(chosen) // given.points)]
    print(
        "| killed after arrivals | ends | + s | on disk | comparisons | asked again of those "
        "| answer | record |"
    )
    print("|---|---|---|---|---|---|---|---|")
    records = set()
    lost = 0
    for point, outcome in every(chosen, given.policy):
        records.add(json.dumps(outcome.record, sort_keys=True))
        lost += len(outcome.answered - outcome.finished)
        print(
            f"| {point.arrived} | {point.ended} | {point.delay:g} "
            f"| {', '.join(sorted(outcome.finished)) or '-'} | {outcome.compared} "
            f"| {', '.join(sorted(outcome.repeated)) or '-'} "
            f"| {'yes' if outcome.answer == ANSWER else outcome.answer} "
            f"| {'same' if len(records) == 1 else 'DIFFERS'} |",
            flush=True,
        )
    print(
        f"\n{len(chosen)} kills; {lost} panelists had sent their last reply when the process died "
        "but were not on disk yet."
    )


if __name__ == "__main__":
    main()
