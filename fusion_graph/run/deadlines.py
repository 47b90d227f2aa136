"""What a run has spent when a stage begins, and how long the stage may take of what is left.

Counted in time at work, as the state records it, not by the clock: a run may stop for a person
to edit the analysis, or be killed and resumed the next day.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fusion_graph.config import ResolvedConfig
from fusion_graph.state import CallRecord, FinalAnswer, Joined, Judgement, Run, StageName

JUDGE_SHARE = 0.5
"""How much of what the panel left of `run_timeout` the judge may take; the rest is the writer's."""

ROUTER_SHARE = 0.25
"""How much of `run_timeout` the decision by `auto` may take: the panel may still take its 60 %."""


@dataclass(frozen=True)
class Spent:
    """What a run has spent so far.

    Attributes:
        calls: Its calls, for the budget.
        seconds: How long it has been at work.
    """

    calls: tuple[CallRecord, ...]
    seconds: float

    def plus(self, calls: Iterable[CallRecord]) -> Spent:
        """Add calls that were made one after the other."""
        more = tuple(calls)
        return Spent((*self.calls, *more), self.seconds + _seconds(more))


def spent(
    run: Run,
    joined: Joined | None = None,
    judgement: Judgement | None = None,
    final: FinalAnswer | None = None,
) -> Spent:
    """Add up what a run has spent, by what of it is done.

    Args:
        run: The run, with the router's calls.
        joined: The panel's work; None before it is done.
        judgement: The judge's; None before it is done, or where there is none.
        final: The writer's; None before it is done.
    """
    total = Spent((), 0.0).plus(run["calls"])
    if joined is not None:
        calls = (call for answer in joined["answers"] for call in answer["calls"])
        spans = [(answer["start"], answer["end"]) for answer in joined["answers"]]
        total = Spent((*total.calls, *calls), total.seconds + covered(spans))
    for later in (judgement, final):
        if later is not None:
            total = total.plus(later["calls"])
    return total


@dataclass(frozen=True)
class TimeLimit:
    """A stage's time, in seconds, and the field that sets it.

    Attributes:
        seconds: How long it may take.
        field: What sets it.
        of_run: Whether that is the run's time, which passes while others are waited for.
    """

    seconds: float
    field: str
    of_run: bool = False

    def __str__(self) -> str:
        return f"{self.field} ({self.seconds:.3g} s)"


def limit_of(stage: StageName, settings: ResolvedConfig, spent: Spent) -> TimeLimit:
    """Limit a stage's time by its own field, and by what is left of `run_timeout`.

    The router takes the writer's model, so the writer's time; the verifier a judge's. For the
    judge and the verifier it is the time of all of it, repair and fallbacks included; for the
    writer, that of one attempt.

    Args:
        stage: Which part of the run.
        settings: The run's settings.
        spent: What the run has spent before.
    """
    own = {
        "panel": TimeLimit(settings.panelist_timeout, "panelist_timeout"),
        "judge": TimeLimit(settings.judge_timeout, "judge_timeout"),
        "verify": TimeLimit(settings.judge_timeout, "judge_timeout"),
    }.get(stage, TimeLimit(settings.synthesis_timeout, "synthesis_timeout"))
    if settings.run_timeout is None:
        return own
    if stage == "route":
        quarter = ROUTER_SHARE * settings.run_timeout
        shared = TimeLimit(quarter, "a quarter of run_timeout", of_run=True)
    else:
        left = max(0.0, settings.run_timeout - spent.seconds)
        left *= JUDGE_SHARE if stage == "judge" else 1
        shared = TimeLimit(left, "what run_timeout leaves", of_run=True)
    return min(own, shared, key=lambda limit: limit.seconds)


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """Count the seconds in which any of them was under way.

    Members that work one after the other take the sum of their times. A pause between them is
    none of the panel's: a run that is resumed the next day has not run all night.

    Args:
        spans: Starts and ends, seconds.
    """
    total = until = 0.0
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


def _seconds(calls: Iterable[CallRecord]) -> float:
    # Those who are asked again are asked side by side.
    return covered((call["start"], call["end"]) for call in calls)
