"""Counting one pass: DRACO's arithmetic, and what is made of verdicts that are missing.

raw = sum of the weights of the criteria met, errors made counting against; normalised = raw over
the sum of the positive weights, kept within 0 and 1, times 100. Pass rate = share of criteria on
the favourable side: something good that is there, or an error that is not (arXiv:2602.11685;
OpenRouter's public harness).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from fusion_graph.evals._grades import Pass
from fusion_graph.evals._questions import Criterion


@dataclass(frozen=True)
class Policy:
    """What a missing verdict counts.

    Attributes:
        name: Named in every output.
        unread: `dropped`: the criterion is left out of the sum and of what was possible;
            `against`: it counts as it would worst for the answer.
        weightless: `counted`: a criterion of weight 0 is one of those that the pass rate is a
            share of, and never on the favourable side; `left_out`: it is none of them.
        rereads: How often the grader is asked again first; for `GraderSettings.rereads`.
        bare_json: Whether only a reply that is one JSON object is read; for
            `GraderSettings.bare_json`.
        text: In one sentence.
    """

    name: str
    unread: Literal["dropped", "against"]
    weightless: Literal["counted", "left_out"]
    rereads: int
    bare_json: bool
    text: str


OPENROUTER = Policy(
    "openrouter",
    "dropped",
    "counted",
    0,
    True,
    "Only a reply that is one JSON object is read. A verdict that cannot be read is left out of "
    "the sum and of the possible sum; an answer that failed, or without a single readable "
    "verdict, scores 0.",
)
"""As OpenRouter's harness does (github.com/OpenRouterTeam/benchmark-harness, its scorer's tests): a
missing verdict on a criterion not met raises the score, and no verdict at all is a 0."""

STRICT = Policy(
    "strict",
    "against",
    "left_out",
    1,
    False,
    "A verdict is read in JSON or plain prose; one that cannot be read is asked for once more and "
    "then counted against the answer; an answer that failed scores 0.",
)
"""No figure is better for something missing."""

POLICIES = {policy.name: policy for policy in (OPENROUTER, STRICT)}


@dataclass(frozen=True)
class Tally:
    """One pass over some criteria, counted.

    Attributes:
        raw: Sum of the weights of criteria met.
        possible: Sum of the positive weights.
        met: Criteria met, errors included.
        favourable: Criteria on the favourable side.
        counted: Criteria counted.
        unread: Criteria without a verdict, counted or not.
    """

    raw: float
    possible: float
    met: int
    favourable: int
    counted: int
    unread: int

    @property
    def normalised(self) -> float | None:
        """0 to 100; None where nothing good was possible, as on an axis of errors only."""
        if self.possible <= 0:
            return None
        return min(max(self.raw / self.possible, 0.0), 1.0) * 100

    @property
    def pass_rate(self) -> float | None:
        """0 to 100; None where nothing was counted."""
        return self.favourable / self.counted * 100 if self.counted else None


def tally(criteria: Iterable[Criterion], verdicts: Pass, policy: Policy) -> Tally:
    """Count one pass.

    Args:
        criteria: The criteria to count, all of a question's or one axis.
        verdicts: The pass; a criterion it does not speak of has no verdict.
        policy: What a missing verdict counts.
    """
    said = {verdict.criterion: verdict.met for verdict in verdicts}
    raw = possible = 0.0
    met = favourable = counted = unread = 0
    for item in criteria:
        good = item.weight >= 0
        weighs = item.weight != 0
        present = said.get(item.id)
        if present is None:
            unread += 1
            if policy.unread == "dropped":
                continue
            present = not good
        counted += weighs or policy.weightless == "counted"
        possible += item.weight if good else 0
        raw += item.weight if present else 0
        met += present
        favourable += weighs and present == good
    return Tally(raw, possible, met, favourable, counted, unread)


def by_axis(criteria: Iterable[Criterion]) -> dict[str, list[Criterion]]:
    """Criteria by their axis, those without one left out, in the rubric's order."""
    axes: dict[str, list[Criterion]] = {}
    for item in criteria:
        if item.axis:
            axes.setdefault(item.axis, []).append(item)
    return axes
