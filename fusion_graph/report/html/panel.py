"""Who is who: the panelists as a page tells them apart, and who said what in the comparison."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fusion_graph.judgement.analysis import Stance
    from fusion_graph.report.model import RunReport

HUES = (55.0, 345.0)
"""Degrees on the colour circle; without the reds, which say that something failed."""

FIRST_HUE, STEP = 0.69, 0.618034
"""Parts of that range: begins with blue; golden steps keep up to 16 neighbours apart."""


@dataclass(frozen=True)
class Member:
    """A panelist on the page.

    Attributes:
        name: As the report has it.
        position: Place in the panel, from 1; 0 for a name that is not in it.
        hue: Its colour, degrees; None for a name that is not in the panel.
        answered: Whether it has an answer.
    """

    name: str
    position: int
    hue: float | None
    answered: bool


@dataclass(frozen=True)
class Side:
    """One side of a contradiction, and everybody who took it."""

    stance: str
    members: list[Member]
    sources: list[int]


class Panel:
    """The panel of a run.

    Args:
        answered: Its members' names in panel order, and whether each has an answer.
    """

    def __init__(self, answered: Iterable[tuple[str, bool]]) -> None:
        self.members = [
            Member(name, position, hue(position), has_answer)
            for position, (name, has_answer) in enumerate(answered, start=1)
        ]
        self._by_name = {member.name: member for member in self.members}

    @classmethod
    def of(cls, report: RunReport) -> Panel:
        """The panel of a report."""
        return cls((answer.name, answer.status == "ok") for answer in report.answers)

    @property
    def answered(self) -> int:
        """How many of its members answered: the m of "n of m"."""
        return sum(member.answered for member in self.members)

    def called(self, names: Iterable[str]) -> list[Member]:
        """The members of these names in panel order, each once; then names nobody has."""
        wanted = list(dict.fromkeys(name for name in names if name))
        known = [member for member in self.members if member.name in wanted]
        strange = [Member(name, 0, None, False) for name in wanted if name not in self._by_name]
        return known + strange

    def sides(self, stances: Sequence[Stance]) -> list[Side]:
        """The stances of a contradiction, those in the same words together."""
        grouped: dict[str, list[Stance]] = {}
        for stance in stances:
            grouped.setdefault(" ".join(stance.stance.split()).casefold(), []).append(stance)
        return [
            Side(
                same[0].stance,
                self.called(stance.model for stance in same),
                list(dict.fromkeys(n for stance in same for n in stance.sources)),
            )
            for same in grouped.values()
        ]


def hue(position: int) -> float:
    """The colour of the panelist at a place (from 1) in the panel, degrees."""
    low, high = HUES
    return round(low + (high - low) * ((FIRST_HUE + (position - 1) * STEP) % 1), 1)
