"""The timeline's geometry: every call as a bar in its lane. Pure; the template draws it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fusion_graph.report.html._wording import duration
from fusion_graph.report.html.panel import Member

if TYPE_CHECKING:
    from fusion_graph.report.model import TimelineRow

MOST_TICKS = 6
"""Marks on the time axis that still stand apart on a phone."""

MOST_DIGITS = 4
"""Times are kept to a tenth of a millisecond."""

STAGES = {"route": "choice", "judge": "judge", "synthesis": "writer"}
"""Stages besides the panel, and what the lane says of them."""


@dataclass(frozen=True)
class Bar:
    """One call. `left` and `width` are percent of the run; `row` counts from 0 in its lane.

    `end` and `start` are seconds from the start of the run.
    """

    row: int
    left: float
    width: float
    what: str
    start: float
    end: float
    outcome: str
    tool: bool


@dataclass
class Lane:
    """The calls of one panelist or stage; `rows` is how many of them overlap at most."""

    name: str
    member: Member | None
    rows: int = 1
    bars: list[Bar] = field(default_factory=list)


@dataclass(frozen=True)
class Tick:
    """A mark on the time axis, at so many percent of the run."""

    left: float
    label: str


@dataclass(frozen=True)
class Timeline:
    """A run's calls, laid out. `length` is in seconds."""

    length: float
    ticks: list[Tick]
    lanes: list[Lane]


def lay_out(
    rows: Sequence[TimelineRow], members: Sequence[Member], models: frozenset[str]
) -> Timeline:
    """Lay out a timeline: a lane for each panelist in panel order, then judge and writer.

    Args:
        rows: The report's timeline.
        members: The panel; whoever made no call has an empty lane.
        models: The models of the run: a call of anything else is a tool's.
    """
    length = max((row.end for row in rows), default=0.0) or 1.0
    lanes: dict[tuple[str, str], Lane] = {}
    if any(row.stage == "route" for row in rows):
        lanes["route", ""] = Lane(STAGES["route"], None)
    for member in members:
        lanes["panel", member.name] = Lane(member.name, member)
    ends: dict[tuple[str, str], list[float]] = {}
    for row in sorted(rows, key=lambda row: (row.start, row.end)):
        key = _lane_key(row)
        lane = lanes.setdefault(key, Lane(STAGES.get(row.stage, row.name), None))
        taken = ends.setdefault(key, [])
        place = next((i for i, end in enumerate(taken) if end <= row.start), len(taken))
        taken[place : place + 1] = [row.end]
        lane.rows = max(lane.rows, len(taken))
        left = _percent(row.start, length)
        width = max(0.0, _percent(row.end, length) - left)
        tool = row.what not in models
        lane.bars.append(Bar(place, left, width, row.what, row.start, row.end, row.outcome, tool))
    return Timeline(length, ticks(length), list(lanes.values()))


def ticks(length: float) -> list[Tick]:
    """Marks at round times over a run of so many seconds, at most `MOST_TICKS`."""
    power = 10 ** math.floor(math.log10(length / MOST_TICKS))
    step = next(n * power for n in (1, 2, 5, 10) if n * power * MOST_TICKS > length)
    count = math.floor(length / step) + 1
    return [Tick(_percent(n * step, length), _axis(n * step, step)) for n in range(count)]


def _lane_key(row: TimelineRow) -> tuple[str, str]:
    # A panelist may be called `judge`: stages and panelists have lanes of their own.
    return ("panel", row.name) if row.stage in ("panel", "direct") else (row.stage, "")


def _percent(seconds: float, length: float) -> float:
    return round(min(100.0, max(0.0, 100 * seconds / length)), 3)


def _axis(seconds: float, step: float) -> str:
    if seconds >= 60 and step >= 60:
        return duration(seconds)
    digits = min(MOST_DIGITS, max(0, -math.floor(math.log10(step))))
    return f"{seconds:.{digits}f} s"
