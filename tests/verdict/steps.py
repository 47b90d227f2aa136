"""What the verdict asks, of whom and in which order: as announced in docs/verdict.md."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

SEED = 20261127
"""Draws the questions. A larger sample by the same seed contains the smaller ones."""

PLAIN = ("", ":solo", ":adaptive")
"""What stands behind a preset's name, arm by arm; the others are compared with the first."""

WITH_CONTROLS = (*PLAIN, ":same-budget", ":self")
"""The same with what a panel must be better than: one model with its tokens, and one twice."""


@dataclass(frozen=True)
class Series:
    """A question set and its panel.

    Attributes:
        name: Names its preset and its folder.
        dataset: As `fusion-graph eval` takes it.
    """

    name: str
    dataset: str


CODE = Series("code", "humaneval")
FACTS = Series("facts", "perlfaq.jsonl")


@dataclass(frozen=True)
class Step:
    """A sample, and who is asked it.

    Attributes:
        series: Whose questions.
        questions: How many.
        controls: Whether the controls are asked too.
    """

    series: Series
    questions: int
    controls: bool = False

    @property
    def name(self) -> str:
        """Names its results: a larger sample replaces a smaller one."""
        return f"{self.series.name}-controls" if self.controls else self.series.name

    @property
    def arms(self) -> str:
        """The arms, as `fusion-graph eval` takes them."""
        forms = WITH_CONTROLS if self.controls else PLAIN
        return ",".join(f"{self.series.name}.toml{form}" for form in forms)


def steps() -> Iterator[Step]:
    """The samples in their order; each is asked whole before the next begins.

    None has fewer than 6 questions, for which there is no interval. They grow by few, so that
    little is unfinished when the time is over: 40 of code, 20 of facts, controls for half as many.
    """
    yield Step(CODE, 6)
    yield Step(FACTS, 6)
    yield Step(CODE, 6, controls=True)
    yield Step(CODE, 8)
    yield Step(CODE, 10)
    yield Step(FACTS, 6, controls=True)
    for tenth in range(1, 8):
        yield Step(FACTS, 6 + 2 * tenth)
        for more in (2, 4):
            yield Step(CODE, 6 + 4 * tenth + more)
        yield Step(CODE, 6 + 2 * tenth, controls=True)
        if tenth < 3:
            yield Step(FACTS, 6 + 2 * tenth, controls=True)
    yield Step(CODE, 40)
