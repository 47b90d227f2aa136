"""How models and panels did in your own evaluations, summed up from the track record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from fusion_graph.cost.track_record import RIGHT_FROM, Entry

ENOUGH = 5
"""Evaluated questions from which a mean says more of the next one than a guess about models at
large: with fewer one long answer is a third of it."""


@dataclass(frozen=True)
class Standing:
    """How a model did by itself, over everything recorded of it.

    Attributes:
        model: As `provider:model`.
        right: Questions that it got right.
        graded: Questions that were marked.
        usd_each: US dollars of an answer; None as soon as one is unknown.
        tokens_each: Mean tokens of an answer, in and out.
        seconds_each: Mean seconds to an answer.
    """

    model: str
    right: int
    graded: int
    usd_each: float | None
    tokens_each: float
    seconds_each: float


@dataclass(frozen=True)
class PanelStanding:
    """How a panel did, over everything recorded of it.

    Attributes:
        questions: Those that it was asked.
        usd_each: US dollars of an answer; None as soon as one is unknown.
        tokens_each: Mean tokens of an answer, in and out, of all who worked on it.
        seconds_each: Mean seconds to an answer.
        stopped: Questions on which those asked first were enough; None where all are asked.
    """

    questions: int
    usd_each: float | None
    tokens_each: float
    seconds_each: float
    stopped: int | None


def standings(entries: Sequence[Entry]) -> dict[str, Standing]:
    """Sum up how each model did by itself, by `provider:model`.

    Args:
        entries: Of a track record.
    """
    by_model: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.kind == "solo" and entry.points is not None:
            by_model.setdefault(entry.models[0], []).append(entry)
    return {
        model: Standing(
            model,
            right=sum((entry.points or 0.0) >= RIGHT_FROM for entry in its),
            graded=len(its),
            usd_each=mean_usd(its),
            tokens_each=fmean(entry.tokens for entry in its),
            seconds_each=fmean(entry.seconds for entry in its),
        )
        for model, its in by_model.items()
    }


def panel_standing(
    entries: Sequence[Entry], panel: Sequence[str], judge: str, writer: str, *, adaptive: bool
) -> PanelStanding | None:
    """Sum up how a panel did; None where nothing is recorded of it.

    Args:
        entries: Of a track record.
        panel: Its members' models in their order, as `provider:model`.
        judge: Who compares, alike.
        writer: Who writes, alike.
        adaptive: Whether two are asked first.
    """
    its = [
        entry
        for entry in entries
        if entry.kind in ("panel", "adaptive")
        and (entry.models, entry.judge, entry.writer) == (tuple(panel), judge, writer)
        and (entry.stopped is not None) == adaptive
    ]
    if not its:
        return None
    return PanelStanding(
        questions=len(its),
        usd_each=mean_usd(its),
        tokens_each=fmean(entry.tokens for entry in its),
        seconds_each=fmean(entry.seconds for entry in its),
        stopped=sum(entry.stopped is True for entry in its) if adaptive else None,
    )


def mean_usd(entries: Sequence[Entry]) -> float | None:
    """US dollars of an answer on average; None as soon as one is unknown."""
    known = [entry.cost_usd for entry in entries if entry.cost_usd is not None]
    return sum(known) / len(known) if known and len(known) == len(entries) else None
