"""How long judge and writer may take: their own limits, and what is left of the whole run's.

Counted in time at work, as the state records it, not by the clock: a run may stop for a person
to edit the analysis, or be killed and resumed the next day.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fusion_graph.config import ResolvedConfig
from fusion_graph.state import CallRecord, Joined, Judgement, Run, Written

JUDGE_SHARE = 0.5
"""How much of what the panel left of `run_timeout` the judge may take; the rest is the writer's."""


ROUTER_SHARE = 0.25
"""How much of `run_timeout` the decision by `auto` may take: the panel may still take its 60 %."""


@dataclass(frozen=True)
class Limit:
    """A stage's time, in seconds, and the field that sets it."""

    seconds: float
    field: str

    def __str__(self) -> str:
        return f"{self.field} ({self.seconds:.3g} s)"


def router_limit(settings: ResolvedConfig) -> Limit:
    """The time of the decision whether to use the panel, which the writer's model takes."""
    own = Limit(settings.synthesis_timeout, "synthesis_timeout")
    if settings.run_timeout is None:
        return own
    share = Limit(ROUTER_SHARE * settings.run_timeout, "a quarter of run_timeout")
    return min(own, share, key=lambda limit: limit.seconds)


def judge_limit(settings: ResolvedConfig, run: Run, joined: Joined) -> Limit:
    """The judge's time, repair and fallbacks included."""
    own = Limit(settings.judge_timeout, "judge_timeout")
    if settings.run_timeout is None:
        return own
    left = settings.run_timeout - _before_judge(run, joined)
    return min(own, _of_the_run(JUDGE_SHARE * left), key=lambda limit: limit.seconds)


def verifier_limit(
    settings: ResolvedConfig,
    run: Run,
    joined: Joined,
    judgement: Judgement | None,
    written: Written,
) -> Limit:
    """The verifier's time, fallbacks included: as long as a judge's, in what the writer left."""
    own = Limit(settings.judge_timeout, "judge_timeout")
    if settings.run_timeout is None:
        return own
    calls = [*(judgement["calls"] if judgement is not None else ()), *written["calls"]]
    left = settings.run_timeout - _before_judge(run, joined) - _seconds(calls)
    return min(own, _of_the_run(left), key=lambda limit: limit.seconds)


def writer_limit(
    settings: ResolvedConfig, run: Run, joined: Joined, judgement: Judgement | None
) -> Limit:
    """The time of one attempt at writing."""
    own = Limit(settings.synthesis_timeout, "synthesis_timeout")
    if settings.run_timeout is None:
        return own
    calls = judgement["calls"] if judgement is not None else []
    left = settings.run_timeout - _before_judge(run, joined) - _seconds(calls)
    return min(own, _of_the_run(left), key=lambda limit: limit.seconds)


def _of_the_run(seconds: float) -> Limit:
    return Limit(max(0.0, seconds), "what run_timeout leaves")


def _seconds(calls: Iterable[CallRecord]) -> float:
    return sum(call["end"] - call["start"] for call in calls)


def _before_judge(run: Run, joined: Joined) -> float:
    """Seconds that router and panel took."""
    spans = [(answer["start"], answer["end"]) for answer in joined["answers"]]
    return covered(spans) + _seconds(run["calls"])


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """Seconds in which any of them was under way.

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
