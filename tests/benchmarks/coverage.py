"""Do the reported intervals hold the truth? Models whose true ability is set, many times over.

    python -m tests.benchmarks.coverage                       100 repetitions, a minute or two
    python -m tests.benchmarks.coverage --repetitions 1000
    python -m tests.benchmarks.coverage --distributions 1000  differences of named distributions

Questions differ in difficulty. Panelists are right with a set probability, lower on hard questions
for all of them; the judge finds a right answer that is there but for a set share of errors, and the
writer believes it. So the panel's true advantage over a panelist is known. One set of 200
questions goes through the real pipeline over HTTP (panelists, judge, writer, checks, scores);
every repetition then draws new questions and new answers, and its scores go through the same
comparison. `--distributions` draws differences between two arms instead, of which the true mean is
0, and counts how often the interval misses it and how often one arm is called better or worse.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from fusion_graph.evals.comparison import compare
from fusion_graph.evals.intervals import RESAMPLES, Interval, difference
from fusion_graph.evals.tallies import STRICT
from tests.evals.evaluations import evaluate, question_file, stack_file
from tests.scripted_models import start_server
from tests.scripted_models.client import Scope

PANEL = (0.6, 0.6, 0.5)
"""How often panelists a, b and c are right on a question of middling difficulty."""

JUDGE_ERRS = 0.1
"""How often the judge misses a right answer that is there."""

DIFFICULTY = 0.3
"""Most that a question's difficulty adds to every panelist's chance, or takes from it."""

QUESTIONS = 200

RIGHT, WRONG = "Water is wet.", "Water is dry."

Scores = dict[str, dict[str, float]]
"""0 or 100 by arm (`panel`, `a`, `b`, `c`) and question."""


@dataclass(frozen=True)
class Repetition:
    """What one repetition reported: the panel against a, and b against a, its equal."""

    panel: Interval
    twins: Interval


def drawn(seed: int, count: int = QUESTIONS) -> Scores:
    """Who is right on each of so many new questions."""
    rng = random.Random(seed)
    scores: Scores = {name: {} for name in ("panel", "a", "b", "c")}
    for number in range(1, count + 1):
        shift = rng.uniform(-DIFFICULTY, DIFFICULTY)
        right = [rng.random() < chance + shift for chance in PANEL]
        found = any(right) and rng.random() >= JUDGE_ERRS
        for name, yes in zip(("a", "b", "c", "panel"), [*right, found], strict=True):
            scores[name][f"q{number}"] = 100.0 if yes else 0.0
    return scores


def true_difference() -> float:
    """The panel's true advantage over panelist a, in points, over all possible questions."""
    steps = 10_000
    shifts = [DIFFICULTY * (2 * (n + 0.5) / steps - 1) for n in range(steps)]
    missed = fmean(
        (1 - PANEL[0] - shift) * (1 - PANEL[1] - shift) * (1 - PANEL[2] - shift) for shift in shifts
    )
    return 100 * ((1 - JUDGE_ERRS) * (1 - missed) - PANEL[0])


def repetition(seed: int, resamples: int = RESAMPLES) -> Repetition:
    """The intervals that one repetition reports."""
    scores = drawn(seed)
    panel = difference(scores["panel"], scores["a"], resamples=resamples)
    twins = difference(scores["b"], scores["a"], resamples=resamples)
    assert panel is not None
    assert twins is not None
    return Repetition(panel, twins)


def script(scope: Scope, scores: Scores) -> None:
    """Models that are right where the draw says so; the writer says what the judge found."""
    for name in "abc":
        right = {f"{mark(q)} ": {"text": RIGHT} for q, score in scores[name].items() if score}
        scope.script(name, {"text": WRONG, "cost": 0.001, "when_contains": right})
    empty = dict.fromkeys(
        ("consensus", "contradictions", "partial_coverage", "unique_insights"), ()
    )
    found = {
        f"{mark(q)} ": {"text": json.dumps({**empty, "blind_spots": ["FOUND"]})}
        for q, score in scores["panel"].items()
        if score
    }
    missed = json.dumps({**empty, "blind_spots": ["MISSED"]})
    scope.script("j", {"text": missed, "when_contains": found})
    scope.script("w", {"text": WRONG, "when_contains": {"FOUND": {"text": RIGHT}}})


def mark(question: str) -> str:
    """What stands in a question and tells it from the others."""
    number = int(question.removeprefix("q"))
    return f"MARK-{'odd' if number % 2 else 'even'} {number}"


async def through_the_pipeline(scope: Scope, folder: Path, scores: Scores) -> Scores:
    """The scores that an evaluation over HTTP reports for models that answer as drawn."""
    script(scope, scores)
    stack = stack_file(scope, folder)
    dataset = question_file(folder, len(scores["a"]), ending=" of all")
    outcome = await evaluate(folder, [stack, f"{stack}:solo"], dataset, concurrency=8)
    names = [stack, *(f"{stack}:solo:{name}" for name in "abc")]
    results = compare(outcome.marked, names, STRICT)
    return {
        name: {q: value for q, value in arm.scores.items() if value is not None}
        for name, arm in zip(("panel", "a", "b", "c"), results.arms, strict=True)
    }


def holds(interval: Interval, truth: float) -> bool:
    """Whether an interval holds the truth."""
    assert interval.low is not None
    assert interval.high is not None
    return interval.low <= truth <= interval.high


def table(repetitions: Iterable[Repetition], truth: float) -> list[str]:
    """The figures of all repetitions as rows of a Markdown table."""
    found = list(repetitions)
    count = len(found)
    covered = sum(holds(one.panel, truth) for one in found)
    shown = sum(one.panel.shown for one in found)
    alike = sum(not one.twins.shown for one in found)
    zero = sum(holds(one.twins, 0.0) for one in found)
    widths = [(one.panel.high or 0) - (one.panel.low or 0) for one in found]
    return [
        "| what | of repetitions |",
        "|---|---:|",
        f"| interval of panel against a holds the true {truth:.2f} points | {covered} of {count} |",
        f"| that difference is shown | {shown} of {count} |",
        f"| b against a, its equal: no difference shown | {alike} of {count} |",
        f"| b against a: interval holds 0 | {zero} of {count} |",
        f"| mean width of the interval of panel against a | {fmean(widths):.1f} points |",
        f"| mean reported difference | {fmean(one.panel.estimate for one in found):.2f} points |",
    ]


DISTRIBUTIONS: dict[str, Callable[[random.Random], float]] = {
    "normal, deviation 15": lambda rng: rng.gauss(0, 15),
    "normal, deviation 1": lambda rng: rng.gauss(0, 1),
    "exponential, mean 15": lambda rng: rng.expovariate(1 / 15) - 15,
    "lognormal, sigma 1, times 15": lambda rng: 15 * (rng.lognormvariate(0, 1) - math.exp(0.5)),
    "the same, unscaled": lambda rng: rng.lognormvariate(0, 1) - math.exp(0.5),
    "skewed: beta(0.5, 4), times 150": lambda rng: 150 * (rng.betavariate(0.5, 4) - 0.5 / 4.5),
    "skewed the other way": lambda rng: -150 * (rng.betavariate(0.5, 4) - 0.5 / 4.5),
    "right or wrong: -100, 0 or 100": lambda rng: rng.choice([-100.0, 0.0, 0.0, 100.0]),
    "rare disaster: 5 % of -100": lambda rng: -100.0 if rng.random() < 0.05 else 100 / 19,
    "rarer: 2 % of -100": lambda rng: -100.0 if rng.random() < 0.02 else 100 / 49,
    "exponential, mean 100 (off the scale)": lambda rng: 100 * (rng.expovariate(1) - 1),
    "lognormal times 100 (off the scale)": lambda rng: (
        100 * (rng.lognormvariate(0, 1) - math.exp(0.5))
    ),
}
"""Differences in points with a true mean of 0. Scores lie between 0 and 100, so no real difference
is off the scale; the last two show what becomes of the bounds where that does not hold."""

SIZES = (6, 10, 20, 50)

DISTRIBUTION_RESAMPLES = 1000
"""A tenth of what is reported with: bounds move by a thirtieth of the width from seed to seed."""


@dataclass(frozen=True)
class Misses:
    """Of so many repetitions: how often the interval missed 0, and how often arms differed."""

    missed: int
    shown: int
    repetitions: int

    @property
    def told(self) -> str:
        """Both as shares."""
        missed, shown = (100 * n / self.repetitions for n in (self.missed, self.shown))
        return f"{missed:.1f} / {shown:.1f}"


def misses(name: str, size: int, repetitions: int, resamples: int) -> Misses:
    """How often an interval over so many questions is wrong where neither arm is better.

    Args:
        name: Of the distribution of differences.
        size: Questions.
        repetitions: How often new questions are drawn; their seeds are 0, 1, 2, …
        resamples: Of each interval.
    """
    missed = shown = 0
    for seed in range(repetitions):
        rng = random.Random(f"{name} {size} {seed}")
        gains: dict[str, float | None] = {
            f"q{number}": DISTRIBUTIONS[name](rng) for number in range(size)
        }
        found = difference(gains, dict.fromkeys(gains, 0.0), seed=seed, resamples=resamples)
        assert found is not None
        missed += not holds(found, 0.0)
        shown += found.shown
    return Misses(missed, shown, repetitions)


def distribution_table(repetitions: int, resamples: int) -> Iterable[str]:
    """Rows of a Markdown table: each distribution by number of questions."""
    yield f"| differences | {' | '.join(f'n = {size}' for size in SIZES)} |"
    yield f"|---|{'---:|' * len(SIZES)}"
    for name in DISTRIBUTIONS:
        found = [misses(name, size, repetitions, resamples).told for size in SIZES]
        yield f"| {name} | {' | '.join(found)} |"


def main() -> None:
    """Run the pipeline once and all repetitions, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=100)
    parser.add_argument("--distributions", type=int, metavar="REPETITIONS")
    given = parser.parse_args()
    if given.distributions:
        for row in distribution_table(given.distributions, DISTRIBUTION_RESAMPLES):
            print(row, flush=True)
        return
    count = given.repetitions
    scores = drawn(0)
    with start_server() as server, tempfile.TemporaryDirectory() as folder:
        scope = server.scope()
        reported = asyncio.run(through_the_pipeline(scope, Path(folder), scores))
        calls = len(scope.calls())
    same = sum(reported[arm][q] == score for arm in scores for q, score in scores[arm].items())
    print(
        f"Pipeline: {calls} calls over HTTP for {QUESTIONS} questions; {same} of "
        f"{QUESTIONS * len(scores)} scores are as drawn.\n"
    )
    print("\n".join(table((repetition(seed) for seed in range(count)), true_difference())))


if __name__ == "__main__":
    main()
