"""Who said what, as a table: points of the comparison and claims of the answer, by member."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import TYPE_CHECKING

from fusion_graph.evidence import matched
from fusion_graph.report.html.panel import Member, Panel, Side

if TYPE_CHECKING:
    from fusion_graph.judgement import Analysis
    from fusion_graph.report.html._verdicts import Verdict
    from fusion_graph.report.model import RunReport

MOST_ROWS = 60
"""Rows that are drawn: with 16 members each is a kilobyte or two."""


@dataclass(frozen=True)
class Cell:
    """What one member has to do with one row.

    Attributes:
        kind: `says`, `side`, `cites`, `silent` or `absent`.
        sign: What is seen; empty for nothing.
        words: The same for who does not see it.
    """

    kind: str
    sign: str
    words: str


@dataclass(frozen=True)
class Row:
    """A point or a claim.

    Attributes:
        text: It itself.
        sides: Of a contradiction its sides, as letter and stance.
        cells: One for each member, in panel order.
        verdicts: The checked claims of the answer that say it, by their place in the answer.
    """

    text: str
    sides: list[tuple[str, str]]
    cells: list[Cell]
    verdicts: list[Verdict]


@dataclass(frozen=True)
class Group:
    """Rows of one kind, under a title."""

    title: str
    rows: list[Row]


@dataclass(frozen=True)
class Matrix:
    """The table.

    Attributes:
        members: The panel: the columns.
        groups: The rows, by kind.
        left_out: How many rows there are besides.
    """

    members: list[Member]
    groups: list[Group]
    left_out: int


SAYS = Cell("says", "●", "says so")
CITES = Cell("cites", "○", "cites a page that this rests on")
SILENT = Cell("silent", "", "says nothing of it")
ABSENT = Cell("absent", "–", "did not answer")


def matrix(report: RunReport, panel: Panel, verdicts: Sequence[Verdict]) -> Matrix | None:
    """The table of a report; None where there is nobody or nothing to compare.

    A claim of the answer that says a point of the comparison stands in that point's row, as far as
    code can tell; the others stand below, with who cites a page that they rest on.

    Args:
        report: The report.
        panel: Its panel.
        verdicts: Its claims, in any order.
    """
    if not report.invoked or len(panel.members) < 2:
        return None
    claims = sorted(verdicts, key=lambda claim: claim.number)
    rows = _Rows(panel, claims)
    groups = rows.of_analysis(report.analysis) if report.analysis else []
    cited_by = {source.id: source.cited_by for source in report.sources}
    alone = [
        rows.row(claim.sentence, _citing(claim, cited_by), [claim])
        for claim in claims
        if claim not in rows.placed
    ]
    return _cut(panel.members, [*groups, Group("Only in the answer", alone)])


def _citing(claim: Verdict, cited_by: Mapping[int, Sequence[str]]) -> dict[str, Cell]:
    return {name: CITES for source in claim.sources for name in cited_by.get(source, ())}


def _cut(members: list[Member], groups: Iterable[Group]) -> Matrix | None:
    shown, left, left_out = [], MOST_ROWS, 0
    for group in groups:
        rows = group.rows[:left]
        left -= len(rows)
        left_out += len(group.rows) - len(rows)
        if rows:
            shown.append(Group(group.title, rows))
    return Matrix(members, shown, left_out) if shown else None


class _Rows:
    """Makes the rows, and places each claim in one."""

    def __init__(self, panel: Panel, claims: Sequence[Verdict]) -> None:
        self._panel = panel
        self._claims = claims
        self.placed: list[Verdict] = []

    def of_analysis(self, analysis: Analysis) -> list[Group]:
        """The rows of a comparison, with the claims that say each point."""
        said = [
            [(item.point, item.models) for item in analysis.consensus],
            [(item.point, item.models) for item in analysis.partial_coverage],
            [(item.insight, [item.model]) for item in analysis.unique_insights],
        ]
        clashes = [(one.topic, self._panel.sides(one.stances)) for one in analysis.contradictions]
        texts = [[text] for points in said for text, _ in points]
        texts += [[f"{topic} {side.stance}" for side in sides] for topic, sides in clashes]
        saying = iter(self._placed(texts))
        agreed, some, alone = (
            [self.row(text, dict.fromkeys(who, SAYS), next(saying)) for text, who in points]
            for points in said
        )
        differing = [self._clash(topic, sides, next(saying)) for topic, sides in clashes]
        return [
            Group("Agreed", agreed),
            Group("Contradictions", differing),
            Group("Covered by some", some),
            Group("Said by one alone", alone),
        ]

    def row(
        self,
        text: str,
        cells: dict[str, Cell],
        verdicts: list[Verdict],
        sides: Sequence[tuple[str, str]] = (),
    ) -> Row:
        """A row; members of whom no cell tells are silent, or did not answer."""
        return Row(
            text,
            list(sides),
            [
                cells.get(member.name, SILENT if member.answered else ABSENT)
                for member in self._panel.members
            ],
            verdicts,
        )

    def _clash(self, topic: str, taken: Sequence[Side], verdicts: list[Verdict]) -> Row:
        cells: dict[str, Cell] = {}
        sides = [(_letter(place), side.stance) for place, side in enumerate(taken)]
        for (letter, _), side in zip(sides, taken, strict=True):
            for member in side.members:
                before = cells.get(member.name)
                sign = f"{before.sign}, {letter}" if before else letter
                cells[member.name] = Cell("side", sign, f"takes side {sign}")
        return self.row(topic, cells, verdicts, sides)

    def _placed(self, points: Sequence[Sequence[str]]) -> list[list[Verdict]]:
        """The claims that say each point; a point may be told by several texts."""
        texts = [(place, text) for place, one in enumerate(points) for text in one]
        found = matched([claim.sentence for claim in self._claims], [text for _, text in texts])
        saying: list[list[Verdict]] = [[] for _ in points]
        for claim, text in zip(self._claims, found, strict=True):
            if text is not None:
                saying[texts[text][0]].append(claim)
                self.placed.append(claim)
        return saying


def _letter(place: int) -> str:
    return ascii_uppercase[place] if place < len(ascii_uppercase) else str(place + 1)
