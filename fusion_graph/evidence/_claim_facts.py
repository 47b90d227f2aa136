"""The facts of a sentence: its figures, dates and names, and whether passages hold them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fusion_graph.evidence import _english as english
from fusion_graph.evidence._dates import Date
from fusion_graph.evidence._derivations import agree, ends, follows, holds, years
from fusion_graph.evidence._figures import Figure
from fusion_graph.evidence._items import Item, Reading, read
from fusion_graph.evidence._passages import PageIndex, Passage, keys
from fusion_graph.evidence.difference import Difference


@dataclass(frozen=True, slots=True)
class _Told:
    """Figures and dates of a passage."""

    figures: tuple[Figure, ...]
    dates: tuple[Date, ...]


def _told(text: str) -> _Told:
    items = read(text).items
    dates = tuple(item.date for item in items if item.date is not None)
    figures = tuple(item.figure for item in items if item.figure is not None)
    return _Told((*figures, *years(dates)), dates)


@dataclass(frozen=True, slots=True)
class Context:
    """The pages of a sentence, and the passages that are about the same."""

    indexes: Sequence[PageIndex]
    passages: Sequence[Passage]
    reach: int

    @classmethod
    def of(cls, indexes: Sequence[PageIndex], passages: Sequence[Passage], reach: int) -> Context:
        """The passages near those that were found, on each page."""
        near: dict[int, Passage] = {}
        for index in indexes:
            for passage in passages:
                if passage in index.passages[passage.place : passage.place + 1]:
                    for one in index.around(passage.place, 0 if passage.header else reach):
                        near[id(one)] = one
        return cls(indexes, tuple(near.values()), reach)

    def beside(self, passage: Passage, index: PageIndex) -> Sequence[Passage]:
        """A passage with those beside it; a row of a table alone."""
        return [passage] if passage.header else index.around(passage.place, 1)

    def near(self, word: str, passage: Passage, index: PageIndex, reach: int) -> bool:
        """Whether a word stands beside a passage, over it, or at the head of its page."""
        wanted = keys(word)
        around = index.around(passage.place, reach)
        there = [*around, *index.passages[:2]]
        if any(wanted <= one.words for one in there):
            return True
        return wanted <= keys(f"{passage.heading} {passage.header}")

    def fact_agrees(
        self, d: Difference, wanted: Reading, reading: Reading, passage: Passage
    ) -> bool:
        """Whether a figure or date differs only by rounding, unit, or what was left unsaid."""
        item = _at(wanted, d.first_at)
        other = _at(reading, d.second_at) if d.second else None
        if item is None:
            return False
        if item.group == "bound":
            # The figure behind it is held against the passage with its bound.
            figure = _figure_after(wanted, item)
            return figure is not None and holds(figure, _told(passage.text).figures)
        if item.figure is not None:
            if other is not None and other.figure is not None:
                if agree(item.figure, other.figure):
                    return True
                return _unsaid_unit(
                    item.figure, other.figure, f"{passage.header} {passage.heading}"
                )
            told = _told(passage.text)
            count = sum(1 for figure in told.figures if holds(item.figure, [figure]))
            return count >= _said(wanted, item.figure) or (
                other is None and follows(item.figure, wanted.text, told.figures)
            )
        if item.date is not None:
            return any(_same_date(item.date, date) for date in _told(passage.text).dates)
        return False

    def stands_in(self, d: Difference, wanted: Reading, reading: Reading) -> bool:
        """Whether a figure or date stands in a passage elsewhere than where it was aligned."""
        item = _at(wanted, d.first_at)
        if item is None:
            return False
        figures = [one.figure for one in reading.items if one.figure is not None]
        dates = [one.date for one in reading.items if one.date is not None]
        if item.figure is not None:
            return (
                holds(item.figure, figures)
                and d.kind == "figure"
                and len(figures) > 1
                and (sum(1 for f in figures if agree(item.figure, f)) > _said(wanted, item.figure))
            )
        if item.date is not None:
            return any(_same_date(item.date, date) for date in dates)
        return False

    def is_fact(self, d: Difference, wanted: Reading, reading: Reading) -> bool:
        """Whether what differs of a sentence is a figure, a date, or a place in an order."""
        item, other = _at(wanted, d.first_at), _at(reading, d.second_at)
        if item is not None and (item.figure is not None or item.date is not None):
            return True
        return other is not None and other.figure is not None and other.figure.ordinal

    def facts_of(self, wanted: Reading) -> bool:
        """Whether a sentence has facts at all."""
        return any(item.figure or item.date or item.name for item in wanted.items)

    def all_in(self, wanted: Reading, around: Sequence[Passage]) -> bool:
        """Whether figures and dates of a sentence stand in passages, in the same order."""
        told = _told(" \n\n ".join(passage.text for passage in around))
        at = -1
        for item in wanted.items:
            if item.figure is not None:
                places = [f.start for f in told.figures if holds(item.figure, [f])]
            elif item.date is not None:
                places = [d.start for d in told.dates if _same_date(item.date, d)]
            else:
                continue
            later = [place for place in places if place >= at]
            if places and not later:
                return False
            if later:
                at = later[0]
            elif item.figure is None or not follows(item.figure, wanted.text, told.figures):
                return False
        return True


def _said(wanted: Reading, figure: Figure) -> int:
    return sum(1 for item in wanted.items if item.figure and agree(item.figure, figure))


def _at(reading: Reading, at: tuple[int, int]) -> Item | None:
    return next((item for item in reading.items if (item.start, item.end) == at), None)


def _figure_after(reading: Reading, bound: Item) -> Figure | None:
    following = (item for item in reading.items if item.start >= bound.end)
    return next((item.figure for item in following if item.figure is not None), None)


def _unsaid_unit(figure: Figure, other: Figure, over: str) -> bool:
    """Whether a unit that a cell leaves out stands over its column."""
    if not figure.same_numbers(other) or figure.currency != other.currency:
        return False
    if bool(figure.unit) == bool(other.unit):
        return False
    unit = figure.unit or other.unit
    return any(
        item.figure is None and item.text in (unit, unit.casefold()) for item in read(over).items
    )


def _same_date(date: Date, other: Date) -> bool:
    """Whether a date is another, or says less of it."""
    if date.year is not None and date.year != other.year:
        return False
    for month, day in date.readings():
        for other_month, other_day in other.readings():
            if month == other_month and (day is None or day == other_day):
                return True
    return False


def missing_facts(wanted: Reading, context: Context) -> tuple[str, ...]:
    """The figures, dates and names of a sentence that stand nowhere near it on its pages."""
    told = [_told(f"{p.text} {p.header}" if p.header else p.text) for p in context.passages]
    figures = [figure for one in told for figure in one.figures]
    dates = [date for one in told for date in one.dates]
    missing: list[str] = []
    for item in wanted.items:
        if item.figure is not None:
            figure = item.figure
            if not (
                holds(figure, figures)
                or _ends_hold(figure, figures)
                or any(_loosely(figure, other) for other in figures)
                or any(follows(figure, wanted.text, one.figures) for one in told)
                or follows(figure, wanted.text, figures)
            ):
                missing.append(_written(wanted, item))
        elif (item.date is not None and not any(_same_date(item.date, date) for date in dates)) or (
            item.name and not _named(item, wanted, context)
        ):
            missing.append(_written(wanted, item))
    if not wanted.language or wanted.language == "en":
        missing += _opening_name(wanted, context)
    return tuple(dict.fromkeys(missing))


def _ends_hold(figure: Figure, figures: Sequence[Figure]) -> bool:
    """Whether what reads as a range is two figures: "fell from 800 to 400"."""
    return figure.first != figure.last and all(holds(end, figures) for end in ends(figure))


def _loosely(figure: Figure, other: Figure) -> bool:
    """The same number where one of two says no unit."""
    return (
        figure.same_numbers(other)
        and (not figure.unit or not other.unit)
        and (not figure.currency or not other.currency or figure.currency == other.currency)
    )


def _written(wanted: Reading, item: Item) -> str:
    return wanted.text[item.start : item.end]


def _named(item: Item, wanted: Reading, context: Context) -> bool:
    """Whether a name stands on a cited page. German writes every noun with a capital."""
    if wanted.language == "de" or len(item.text) < 3:
        return True
    written = _written(wanted, item)
    return any(index.has(written) or index.has(item.text) for index in context.indexes)


_VERB_AFTER = re.compile(
    r"(?:is|was|were|has|had|will|can|did|does|won|wrote|made|built|became|came|took|gave|found"
    r"|led|died|began|said|says|ran|sold|bought|[a-z]{2,}ed|[a-z]{3,}(?:s|es))$"
)
_COMMON_ENDING = re.compile(
    r"(?:s|ing|ly|ed|tion|sion|ment|ness|ity|ance|ence|ism|age|ship|hood|ure|th|dom|cy|gy|ics|al)$"
)


def _opening_name(wanted: Reading, context: Context) -> list[str]:
    """A name that opens a sentence and stands on no cited page: "Napoleon invented it".

    Only where a verb follows at once, and the word has no ending of a common noun.
    """
    items = wanted.items
    if len(items) < 2 or items[0].group != "content" or items[0].name:
        return []
    written = _written(wanted, items[0])
    if not written[:1].isupper() or len(written) < 4 or _COMMON_ENDING.search(written):
        return []
    if items[0].text in english.WEAK or not _VERB_AFTER.match(items[1].text):
        return []
    return [] if any(index.has(written) for index in context.indexes) else [written]
