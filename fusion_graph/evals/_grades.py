"""What came of marking one answer, and the rule that one grader marks everything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from fusion_graph.errors import MixedGraders
from fusion_graph.state import CallRecord

GradeStatus = Literal["graded", "failed", "ungraded"]
"""`failed`: there was no answer to mark. `ungraded`: there was, and it could not be marked."""


@dataclass(frozen=True)
class CriterionVerdict:
    """Whether one criterion is met.

    Attributes:
        criterion: Its id.
        met: None when the grader did not say in a form that can be read, or could not be asked.
        reason: The grader's words, or why there is no verdict.
    """

    criterion: str
    met: bool | None
    reason: str = ""


Pass = tuple[CriterionVerdict, ...]
"""One marking of an answer: a verdict on each criterion of its question."""


@dataclass(frozen=True)
class Grade:
    """One answer, marked. Plain data: `dataclasses.asdict` writes it, `Grade.load` reads it.

    Attributes:
        question: The question's id.
        status: Whether there are verdicts.
        passes: One or more markings; one where code did it.
        grader: Who marked, as `GraderSettings.identity`; None for code.
        served_by: What the grader's replies called their model. More than one name means that
            an alias moved during the run.
        leaks: Signs of contamination in the answer.
        detail: What marking by code found: tests passed, what confined the code.
        calls: The grader's calls.
    """

    question: str
    status: GradeStatus
    passes: tuple[Pass, ...] = ()
    grader: Mapping[str, Any] | None = None
    served_by: tuple[str, ...] = ()
    leaks: tuple[str, ...] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)
    calls: tuple[CallRecord, ...] = ()

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Grade:
        """The grade that `dataclasses.asdict` wrote, also after a trip through JSON."""
        passes = tuple(tuple(CriterionVerdict(**item) for item in one) for one in data["passes"])
        lists = {name: tuple(data[name]) for name in ("served_by", "leaks", "calls")}
        return cls(**{**data, **lists, "passes": passes})


def one_grader(grades: Iterable[Grade]) -> Mapping[str, Any] | None:
    """The grader of all these grades; None if code marked them all.

    Raises:
        MixedGraders: There were several: other models, other settings, other words, or one name
            behind which the provider served different models.
    """
    found: dict[str, Mapping[str, Any]] = {}
    served: set[str] = set()
    for grade in grades:
        served.update(grade.served_by)
        if grade.grader is not None:
            found[str(sorted(grade.grader.items()))] = grade.grader
    if len(found) > 1:
        first, second, *_ = found.values()
        differing = sorted(k for k in first.keys() | second.keys() if first.get(k) != second.get(k))
        told = "; ".join(f"{k}: {first.get(k)} and {second.get(k)}" for k in differing)
        raise MixedGraders(
            f"These grades are of different graders ({told}).", "Grade everything with one."
        )
    if len(served) > 1:
        raise MixedGraders(
            f"The grader's replies came from different models: {', '.join(sorted(served))}.",
            "Name a fixed version instead of an alias, and grade again what the other one marked.",
        )
    return next(iter(found.values()), None)
