"""An evaluation whose process is killed while one call hangs, and which is then gone on with.

One hanging call at a time: everything else that can be done without it gets done, so the moment of
the kill is known without a clock, and every call of the run but one is finished.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fusion_graph.evals.store import Store
from tests.commands import Started, run_here, start
from tests.conftest import VERDICT
from tests.evals.evaluations import question_file, stack_file
from tests.scripted_models.client import Scope

QUESTIONS = 2
ROUNDS = 3
"""Calls of a panelist to a question: it searches, reads, answers."""

CALLS = {
    **dict.fromkeys("abc", ROUNDS * QUESTIONS),
    "j": QUESTIONS,
    "w": QUESTIONS,
    "g": QUESTIONS,
}
"""Calls of the whole evaluation, by model: panelists, judge, writer, grader."""

DEEP = f"{'Rivers run to the sea. ' * 60}Zebras drink at dawn."
"""What a page says where no search result shows it: who knows it has read the page."""

PATIENCE = 60.0
"""Seconds until a process that should have died or gone on counts as stuck."""


@dataclass(frozen=True)
class Point:
    """The call that hangs when the process is killed: which of a model's calls, from 1."""

    model: str
    number: int


def points() -> Iterator[Point]:
    """Every call of the evaluation."""
    for model, calls in CALLS.items():
        for number in range(1, calls + 1):
            yield Point(model, number)


def steps() -> dict[str, dict[str, Any]]:
    """What each model says, by what it is shown alone: the same to whoever asks again."""
    # With ids of their own: the server's grow with its calls, and tokens are counted by length.
    search = {"name": "web_search", "args": {"query": "water wet"}, "id": "search"}
    # Two at once, of which either may be the first to come back.
    pages = [
        {"name": "web_fetch", "args": {"url": f"corpus:///{name}.md"}, "id": name}
        for name in ("water", "ice")
    ]
    cost = {"cost": 0.001}
    panelist = {
        "tool_calls": [search],
        "when_contains": {
            DEEP: {"text": "Water is wet [1], says {model}; so is ice [2]."} | cost,
            "corpus:///water.md": {"tool_calls": pages} | cost,
        },
    }
    return {
        **dict.fromkeys("abc", panelist | cost),
        "j": {"text": json.dumps(VERDICT)} | cost,
        "w": {"text": "Water is wet [1]. So says the writer."} | cost,
        "g": {"text": '{"verdict": "CORRECT"}'} | cost,
    }


def script(scope: Scope, hanging: Point | None) -> None:
    """Give the models their parts, one of whose calls may never be answered."""
    for model, step in steps().items():
        before = [step] * (hanging.number - 1) if hanging and hanging.model == model else []
        hangs = [{"hang": True}] if hanging and hanging.model == model else []
        scope.script(model, *before, *hangs, step)


def command(scope: Scope, folder: Path, out: Path) -> list[str]:
    """The evaluation: a panel that reads a folder, two questions, a grader."""
    docs = folder / "docs"
    docs.mkdir(exist_ok=True)
    (docs / "water.md").write_text(f"# Water\n\nWater is wet.\n\n{DEEP}\n", "utf-8")
    (docs / "ice.md").write_text("# Ice\n\nIce is dry water, and wet when warm.\n", "utf-8")
    stack = stack_file(scope, folder, search="corpus", corpus=str(docs))
    dataset = question_file(folder, QUESTIONS, reference="Wet.")
    line = ["eval", "--dataset", dataset, "--arms", stack]
    more = ["--grader", "scripted:g", "--passes", "1", "--concurrency", "1", "--quiet"]
    return [*line, *more, "--out", str(out)]


def finish(line: list[str]) -> None:
    """Run an evaluation to its end."""
    ended = run_here(*line)
    assert ended.code == 0, ended.err


def killed(scope: Scope, folder: Path, out: Path, point: Point) -> Counter[str]:
    """Calls by model that the server got from an evaluation killed at a point and gone on with."""
    scope.clear()
    script(scope, point)
    line = command(scope, folder, out)
    process = start(*line)
    arrived = arrived_by(point)
    scope.calls(arrived=arrived)
    scope.calls(ended=arrived - 1)
    _wait_until_kept(out, arrived - 1, process)
    process.kill()
    made = Counter(call.model for call in scope.calls(ended=arrived))
    scope.clear()
    script(scope, None)
    finish(line)
    return made + Counter(call.model for call in scope.calls())


def arrived_by(point: Point) -> int:
    """How many calls there are when one hangs and nothing more can be done without it."""
    each = ROUNDS if point.model in "abc" else 1
    before, number = divmod(point.number - 1, each)
    whole = before * sum(CALLS.values()) // QUESTIONS
    match point.model:
        case "j":
            return whole + 3 * ROUNDS + 1
        case "w":
            return whole + 3 * ROUNDS + 2
        case "g":
            return whole + 3 * ROUNDS + 3
    return whole + 2 * ROUNDS + number + 1  # the two others go on to their answers


def _wait_until_kept(out: Path, calls: int, process: Started) -> None:
    until = time.monotonic() + PATIENCE
    while len(list(Store(out / "store").calls())) < calls:
        assert process.running, process.wait()
        assert time.monotonic() < until, "the process kept less than it had finished"
        time.sleep(0.01)


def figures(out: Path) -> Any:
    """The figures of an evaluation without seconds, and without the sentences that name them."""
    return _timeless(json.loads((out / "results.json").read_text("utf-8")))


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _timeless(part)
            for name, part in value.items()
            if not name.startswith("seconds") and name not in ("words", "verdict")
        }
    return [_timeless(part) for part in value] if isinstance(value, list) else value
