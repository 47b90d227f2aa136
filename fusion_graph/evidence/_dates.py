"""Dates: days, months and years as they are written in many languages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fusion_graph.evidence._measures import months_of
from fusion_graph.evidence._words import Word


@dataclass(frozen=True, slots=True)
class Date:
    """A day, a month of a year, or a day of some year, where it stands in a text.

    `swapped` is the other reading of 03/04/2019; None where there is only one.
    """

    year: int | None
    month: int
    day: int | None
    start: int
    end: int
    swapped: tuple[int, int] | None = None

    @property
    def key(self) -> tuple[int | None, int, int | None]:
        """What two equal dates have in common."""
        return (self.year, self.month, self.day)

    def agrees(self, other: Date) -> bool:
        """Whether nothing that both tell is told differently."""
        return any(
            (self.year is None or other.year is None or self.year == other.year)
            and month == other_month
            and (day is None or other_day is None or day == other_day)
            for month, day in self.readings()
            for other_month, other_day in other.readings()
        )

    def readings(self) -> list[tuple[int, int | None]]:
        """Month and day, in every order in which they may be meant."""
        first: list[tuple[int, int | None]] = [(self.month, self.day)]
        return [*first, self.swapped] if self.swapped else first


_SHORT = {
    name: number
    for number, names in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep,sept", "oct", "nov", "dec"], 1
    )
    for name in names.split(",")
}
_ENGLISH_WORDS_TOO = frozenset({"may", "march", "mar", "dec", "jan", "sep", "august", "mai"})
_OF = frozenset(["of", "de", "del", "di", "do", "da", "the", "d'"])
_ORDINAL = frozenset(["st", "nd", "rd", "th", "er", "º", "ª", "re", ".", "o", "a", "e"])
_NUMERIC = re.compile(r"(\d{1,4})([./])(\d{1,2})\2(\d{1,4})")


def date_at(words: Sequence[Word], at: int, text: str) -> tuple[Date, int] | None:
    """The date that begins at a word, and the word after it; None where none begins."""
    word = words[at]
    if word.kind == "number":
        return (
            _dashed(words, at)
            or _numeric(words, at)
            or _spaced(words, at, text)
            or _han(words, at)
            or _day_first(words, at, text)
        )
    if word.kind == "word":
        return _month_first(words, at, text)
    return None


def _whole(words: Sequence[Word], at: int, most: int, digits: int = 2) -> int | None:
    if at >= len(words) or words[at].kind != "number":
        return None
    text = words[at].text
    return int(text) if text.isdigit() and len(text) <= digits and 0 < int(text) <= most else None


def _year(words: Sequence[Word], at: int) -> int | None:
    found = _whole(words, at, 2999, 4)
    return found if found and found >= 1000 else None


def _month(word: Word, *, alone: bool = False) -> int | None:
    """The month a word names. Words that are no names of months first need a capital letter."""
    if word.kind != "word":
        return None
    number = _SHORT.get(word.text)
    if number is None:
        numbers = months_of(word.text)
        number = numbers[0] if numbers else None
    if number is not None and word.text in _ENGLISH_WORDS_TOO and not word.capital and alone:
        return None
    return number


def _date(
    words: Sequence[Word], at: int, end: int, year: int | None, month: int, day: int | None
) -> tuple[Date, int]:
    return Date(year, month, day, words[at].start, words[end - 1].end), end


def _day_first(words: Sequence[Word], at: int, text: str) -> tuple[Date, int] | None:
    day = _whole(words, at, 31)
    if day is None:
        return None
    after = at + 1
    if after < len(words) and words[after].text in _ORDINAL and words[after].glued:
        after += 1
    if after < len(words) and words[after].text in _OF:
        after += 1
    if after < len(words) and words[after].kind == "sign" and words[after].glued:
        after += 1
    if after >= len(words):
        return None
    gap = text[words[after - 1].end : words[after].start]
    near = len(gap) <= 3 and gap.strip(" \u00a0.,\n\t") == ""
    month = _month(words[after]) if near else None
    if month is None:
        return None
    after += 1
    return _with_year(words, at, after, month, day)


def _with_year(
    words: Sequence[Word], at: int, after: int, month: int, day: int | None
) -> tuple[Date, int]:
    ahead = after
    while (
        ahead < len(words)
        and ahead < after + 2
        and (words[ahead].text in _OF or (words[ahead].kind == "sign" and words[ahead].glued))
    ):
        ahead += 1
    year = _year(words, ahead)
    if year is not None and (not words[ahead].breaks or ahead > after):
        return _date(words, at, ahead + 1, year, month, day)
    return _date(words, at, after, None, month, day)


def _month_first(words: Sequence[Word], at: int, text: str) -> tuple[Date, int] | None:
    month = _month(words[at], alone=True)
    if month is None or at + 1 >= len(words):
        return None
    after = at + 1
    if words[after].text == "the":
        after += 1
    full = text[words[at].end : words[at].end + 1] != "."
    if after < len(words) and words[after].breaks and full:
        return None
    day = _whole(words, after, 31)
    if day is not None:
        after += 1
        if after < len(words) and words[after].text in _ORDINAL and words[after].glued:
            after += 1
        return _with_year(words, at, after, month, day)
    year = _year(words, at + 1)
    if year is not None and not full and words[at].text in _SHORT:  # Dec. 2019
        return _date(words, at, at + 2, year, month, None)
    found, end = _with_year(words, at, at + 1, month, None)
    return (found, end) if found.year is not None else None


def _dashed(words: Sequence[Word], at: int) -> tuple[Date, int] | None:
    """2019-03-03, and 2019-03 where no year or figure is meant by it."""
    year = _year(words, at)
    parts = words[at + 1 : at + 5]
    if year is None or len(parts) < 4 or any(not part.glued for part in parts):
        return None
    month, day = _whole(words, at + 2, 12), _whole(words, at + 4, 31)
    if parts[0].text == parts[2].text == "-" and month and day:
        return _date(words, at, at + 5, year, month, day)
    return None


def _numeric(words: Sequence[Word], at: int) -> tuple[Date, int] | None:
    match = _NUMERIC.fullmatch(words[at].text)
    if match is None:
        return None
    one, two, three = int(match[1]), int(match[3]), int(match[4])
    return _ordered(words, at, at + 1, one, two, three, match[2] == ".")


def _spaced(words: Sequence[Word], at: int, text: str) -> tuple[Date, int] | None:
    """3. 3. 2019, as Czech and German write it."""
    if at + 2 >= len(words):
        return None
    one, two, year = _whole(words, at, 31), _whole(words, at + 1, 12), _year(words, at + 2)
    gaps = {text[words[n].end : words[n + 1].start].replace("\u00a0", " ") for n in (at, at + 1)}
    if one and two and year and gaps <= {". ", "."}:
        return _date(words, at, at + 3, year, two, one)
    return None


def _ordered(
    words: Sequence[Word], at: int, end: int, one: int, two: int, three: int, dotted: bool
) -> tuple[Date, int] | None:
    if one >= 1000 and 1 <= two <= 12 and 1 <= three <= 31:
        return _date(words, at, end, one, two, three)
    if three < 1000:
        return None
    if 1 <= two <= 12 and 1 <= one <= 31:
        both = one <= 12 and one != two and not dotted
        found = Date(
            three, two, one, words[at].start, words[end - 1].end, (one, two) if both else None
        )
        return found, end
    if 1 <= one <= 12 and 1 <= two <= 31:
        return _date(words, at, end, three, one, two)
    return None


def _han(words: Sequence[Word], at: int) -> tuple[Date, int] | None:
    """2019年3月3日, and its like in Korean."""
    year = _year(words, at)
    if year is None or at + 3 >= len(words) or words[at + 1].text not in ("年", "년"):
        return None
    month = _whole(words, at + 2, 12)
    if month is None or words[at + 3].text not in ("月", "월"):
        return None
    day = _whole(words, at + 4, 31)
    if day is not None and at + 5 < len(words) and words[at + 5].text in ("日", "일"):
        return _date(words, at, at + 6, year, month, day)
    return _date(words, at, at + 4, year, month, None)
