"""A question of a dataset, and how an answer to it is marked.

However it is marked, there are criteria in the end, and verdicts on them: a reference answer, a
check by code and a suite of tests each are one criterion. So passes, policies and averages exist
once (`_scoring.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fusion_graph.sandbox import Suite

CheckKind = Literal["exact", "contains", "contains_all", "numeric"]


@dataclass(frozen=True)
class Criterion:
    """One thing an answer may do.

    Attributes:
        id: Unique within the question.
        requirement: What the grader looks for. With a negative weight it describes an error.
        weight: What it counts; the grader never sees it.
        axis: What kind of quality it belongs to, as in `factual-accuracy`; may be empty.
    """

    id: str
    requirement: str
    weight: float
    axis: str = ""


@dataclass(frozen=True)
class Rubric:
    """Criteria, each judged by the grader in a call of its own."""

    criteria: tuple[Criterion, ...]


@dataclass(frozen=True)
class Reference:
    """An answer known to be right; the grader says whether another one agrees with it."""

    answer: str


@dataclass(frozen=True)
class Check:
    """A comparison by code, without a grader.

    Attributes:
        kind: `exact`: the whole answer is one of the expected ones; `contains`: one of them
            stands in it; `contains_all`: every one does; `numeric`: one of its numbers is one of
            the expected.
        expected: What is right.
        tolerance: How far a number may be off, in its own unit.
    """

    kind: CheckKind
    expected: tuple[str, ...]
    tolerance: float = 0.0


@dataclass(frozen=True)
class Programs:
    """Inputs of a program and the outputs they must give, as `(stdin, stdout)`."""

    cases: tuple[tuple[str, str], ...]


Marking = Rubric | Reference | Check | Suite | Programs

RIGHT = (Criterion("right", "The answer is right.", 1.0),)
"""The criterion of everything but a rubric."""


@dataclass(frozen=True)
class Question:
    """One line of a dataset.

    Attributes:
        id: Unique within the dataset.
        text: What is asked, word for word.
        marking: How an answer is marked.
        domain: For averages by domain; may be empty.
    """

    id: str
    text: str
    marking: Marking
    domain: str = ""

    @property
    def criteria(self) -> tuple[Criterion, ...]:
        """What verdicts are given on."""
        return self.marking.criteria if isinstance(self.marking, Rubric) else RIGHT

    @property
    def wants_grader(self) -> bool:
        """Whether a model marks it."""
        return isinstance(self.marking, Rubric | Reference)
