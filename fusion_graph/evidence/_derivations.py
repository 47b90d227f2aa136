"""Figures that follow from others: rounded, converted, added up, subtracted or compared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal, DivisionByZero, InvalidOperation
from itertools import combinations

from fusion_graph.evidence._dates import Date
from fusion_graph.evidence._figures import Figure, agrees
from fusion_graph.evidence._tables import table

MOST_FIGURES = 24
"""Figures of a passage that are reckoned with: their pairs are looked at."""


def _any_of(name: str) -> re.Pattern[str]:
    words = "|".join(re.escape(word) for word in _WORDS[name].split())
    return re.compile(rf"\b(?:{words})\b|{_BESIDES[name]}", re.IGNORECASE)


_WORDS = table("claims")
_BESIDES = {"sums": r"\bin all\b|合計|合计|总共", "gaps": "差", "ratios": r"fach\b|[倍×]"}
_SUM, _DIFFERENCE, _RATIO = _any_of("sums"), _any_of("gaps"), _any_of("ratios")
_SPAN_UNITS = frozenset({"year", "decade", "century", ""})


def years(dates: Iterable[Date]) -> list[Figure]:
    """The years of dates, as figures."""
    return [
        Figure(Decimal(date.year), Decimal(date.year), date.start, date.end)
        for date in dates
        if date.year is not None
    ]


def holds(figure: Figure, others: Sequence[Figure]) -> bool:
    """Whether one of the figures is this one, rounded or in another unit at most."""
    return any(agree(figure, other) or _century(figure, other) for other in others)


_DIRECTED = {"over": 1, "at least": 1, "under": -1, "at most": -1, "nearly": -1}


def agree(figure: Figure, other: Figure) -> bool:
    """Whether two figures agree; two bounds only where they are the same bound of one number."""
    one, two = _DIRECTED.get(figure.bound, 0), _DIRECTED.get(other.bound, 0)
    if one and two:
        if one != two:
            return False
        figure, other = replace(figure, bound=""), replace(other, bound="")
    if figure.first != figure.last and other.first != other.last:
        # A wider range is another one: 10–25 mg is not what 10–20 mg says.
        return all(agrees(a, b) for a, b in zip(ends(figure), ends(other), strict=True))
    return agrees(figure, other)


def follows(figure: Figure, sentence: str, others: Sequence[Figure]) -> bool:
    """Whether a figure can be reckoned from others that stand near one another.

    Sums, differences and ratios are reckoned only where the sentence speaks of one: among twenty
    figures some two always make a third.

    Args:
        figure: A figure of a sentence.
        sentence: The sentence.
        others: The figures of a passage about the same.
    """
    if figure.ordinal:
        return False
    near = [other for other in others if not other.ordinal and not other.decade][:MOST_FIGURES]
    single = [*near, *(end for other in near if other.first != other.last for end in ends(other))]
    if _SUM.search(sentence) and any(agrees(figure, total) for total in _sums(near)):
        return True
    if _DIFFERENCE.search(sentence) and any(agrees(figure, d) for d in _gaps(figure, single)):
        return True
    relative = figure.unit in ("%", "pp", "times") or (figure.worded and figure.first < 1)
    if relative or (not figure.unit and _RATIO.search(sentence)):
        return any(agrees(figure, ratio) for ratio in _ratios(figure, single))
    return False


def _century(figure: Figure, other: Figure) -> bool:
    """19th century of 1853."""
    century, year = (figure, other) if figure.ordinal else (other, figure)
    if not century.ordinal or year.ordinal or year.unit or not 100 <= year.first <= 2100:
        return False
    return 10 <= century.first <= 21 and (year.first - 1) // 100 + 1 == century.first


def ends(figure: Figure) -> tuple[Figure, Figure]:
    """The two ends of a range, as figures."""
    return _figure(figure.first, figure), _figure(figure.last, figure)


def _figure(value: Decimal, like: Figure, unit: str | None = None) -> Figure:
    return Figure(
        value,
        value,
        like.start,
        like.end,
        unit=like.unit if unit is None else unit,
        currency="" if unit is not None else like.currency,
        step=Decimal("0.000001"),
    )


def _sums(figures: Sequence[Figure]) -> Iterable[Figure]:
    by_unit: dict[tuple[str, str], list[Figure]] = {}
    for figure in figures:
        if figure.first == figure.last:
            by_unit.setdefault((figure.unit, figure.currency), []).append(figure)
    for alike in by_unit.values():
        for size in (2, 3, 4):
            if len(alike) <= (24, 12, 8)[size - 2]:
                for some in combinations(alike, size):
                    yield _figure(sum((one.first for one in some), Decimal(0)), some[0])
        yield _figure(sum((one.first for one in alike), Decimal(0)), alike[0])


def _gaps(figure: Figure, figures: Sequence[Figure]) -> Iterable[Figure]:
    for one, two in combinations([f for f in figures if f.first == f.last], 2):
        if one.unit != two.unit or one.currency != two.currency:
            continue
        gap = abs(one.first - two.first)
        if _is_year(one) and _is_year(two):
            yield _figure(gap, one, "year")
            if figure.unit in _SPAN_UNITS:
                yield _figure(gap, one)
            yield _figure(gap / 10, one, "decade")
        else:
            yield _figure(gap, one)
            if one.unit == "%":
                yield _figure(gap, one, "pp")


def _is_year(figure: Figure) -> bool:
    return not figure.unit and not figure.currency and 1000 <= figure.first <= 2100


def _ratios(figure: Figure, figures: Sequence[Figure]) -> Iterable[Figure]:
    for one, two in combinations([f for f in figures if f.first == f.last], 2):
        if one.unit != two.unit or one.currency != two.currency:
            continue
        for above, below in ((one.first, two.first), (two.first, one.first)):
            try:
                ratio = above / below
            except (DivisionByZero, InvalidOperation):
                continue
            if figure.unit == "%":
                yield _figure(ratio * 100, one, "%")
                yield _figure(abs(ratio - 1) * 100, one, "%")
            elif figure.unit != "pp":
                yield _figure(ratio, one, figure.unit)
