"""A sentence as clauses: what each is about, and the figures and dates that stand in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

from fusion_graph.evidence.difference import (
    Date,
    Figure,
    dates,
    figures,
    language_of,
    names,
    polarity,
)
from fusion_graph.offline._lexicon import (
    ALL_STOPS,
    BREAKS,
    DESIGNATED,
    FORBIDS,
    GENERIC,
    MONTHS,
    ONLY_CZECH,
    STOP,
)
from fusion_graph.offline._text import LONGEST_TEXT, is_spaceless, pairs_of_characters, stem

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*|[^\W_]+")
_MARK = re.compile(
    r"[,;:()\u2013\u2014\u3001\u3002\uff0c\uff1b\uff1a]|\s-\s|\b(?:according to|nach angaben"
    r"|laut|selon|d['\u2019]apr\u00e8s|seg\u00fan|podle)\b",
    re.IGNORECASE,
)
_ATTRIBUTED = re.compile(
    r"\b(?:according to|nach angaben|laut|selon|d['\u2019]apr\u00e8s|seg\u00fan|podle)\s+"
    r"(?:(?:the|a|an|der|des|dem|la|le|les|l['\u2019]|el|los|las)\s?)?"
    r"(?:[^,.;]{1,60}(?=,)|[^\W\d_]+|[^,.;]{1,60}$)",
    re.IGNORECASE,
)
_YEARS = range(1000, 2101)


@dataclass(frozen=True, slots=True)
class Word:
    """A word that says something, folded, with its stem and its clause's number."""

    text: str
    stem: str
    start: int
    clause: int
    name: bool


@dataclass(frozen=True, slots=True)
class Fact:
    """A figure, a year or a date of a sentence, and the clause that holds it.

    `counted` is the stem of the word that follows at once ("142 trams"), "" without one.
    """

    value: Figure | Date
    clause: int
    start: int
    end: int
    counted: str = ""

    @property
    def year(self) -> int | None:
        """The year, where this is one or a date with one."""
        if isinstance(self.value, Date):
            return self.value.year
        return int(self.value.first) if _is_year(self.value) else None

    @property
    def is_time(self) -> bool:
        """Whether it says when, not how many."""
        return isinstance(self.value, Date) or _is_year(self.value)


@dataclass(frozen=True)
class Clauses:
    """A sentence read for what it claims."""

    text: str

    @cached_property
    def language(self) -> str:
        """Of its function words; "" where there are none."""
        return language_of(self.text)

    @cached_property
    def figures(self) -> list[Figure]:
        """Its figures, years among them."""
        return figures(self.text)

    @cached_property
    def dates(self) -> list[Date]:
        """Its days and months."""
        return dates(self.text)

    @cached_property
    def _values(self) -> list[Figure | Date]:
        return [*self.figures, *self.dates]

    @cached_property
    def _spans(self) -> list[tuple[int, int]]:
        return [(item.start, item.end) for item in self._values]

    @cached_property
    def _attributed(self) -> list[tuple[int, int]]:
        """Where it says only who says so."""
        return [match.span() for match in _ATTRIBUTED.finditer(self.text)]

    @cached_property
    def _marks(self) -> list[int]:
        """Where clauses begin, after the first."""
        found = [match.start() for match in _MARK.finditer(self.text) if not self._held(match)]
        for match in _WORD.finditer(self.text):
            word = match[0].casefold()
            czech_and = word == "a" and bool(ONLY_CZECH & set(self.text))
            if (word in BREAKS or czech_and) and not self._held(match):
                found.append(match.start())
        return sorted(found)

    def _held(self, match: re.Match[str]) -> bool:
        """Whether something stands inside a figure or a date: the comma of 12,400."""
        return any(start <= match.start() < end for start, end in self._spans)

    def clause_at(self, place: int) -> int:
        """The number of the clause that a place in the text belongs to."""
        return sum(mark <= place for mark in self._marks)

    @cached_property
    def _names(self) -> set[int]:
        return {
            match.start() + name.start
            for name in names(self.text)
            for match in _WORD.finditer(name.text)
        }

    @cached_property
    def denials(self) -> frozenset[str]:
        """The words that deny, those that forbid left to be held against those that allow."""
        found = (word.casefold() for word in polarity(self.text).negations)
        return frozenset(found) - FORBIDS

    @cached_property
    def _stops(self) -> frozenset[str]:
        return STOP if self.language == "en" else ALL_STOPS

    @cached_property
    def words(self) -> list[Word]:
        """The words that say something, figures and dates left out."""
        found: list[Word] = []
        for match in _WORD.finditer(self.text[:LONGEST_TEXT]):
            if any(start <= match.start() < end for start, end in self._attributed):
                continue
            if self._held(match) or match[0].casefold().endswith(("n't", "n\u2019t")):
                continue
            folded = match[0].casefold().replace("\u2019", "'").removesuffix("'s")
            clause = self.clause_at(match.start())
            if is_spaceless(folded):
                found += [
                    Word(pair, pair, match.start() + n, clause, False)
                    for n, pair in enumerate(pairs_of_characters(folded))
                ]
                continue
            known = folded in self._stops or folded in self.denials or folded in GENERIC
            if not known or (match.start() in self._names and folded not in self._stops):
                name = match.start() in self._names and not self._german_noun(match[0])
                found.append(Word(folded, stem(folded), match.start(), clause, name))
        for figure in filter(self._names_a_thing, self.figures):
            number = self.text[figure.start : figure.end]
            found.append(Word(number, number, figure.start, self.clause_at(figure.start), True))
        return sorted(found, key=lambda word: word.start)

    def _german_noun(self, word: str) -> bool:
        return self.language == "de" and word[:1].isupper() and not word.isupper()

    @cached_property
    def stems(self) -> frozenset[str]:
        """The stems of all its words."""
        return frozenset(word.stem for word in self.words)

    @cached_property
    def named(self) -> frozenset[str]:
        """The stems of its names."""
        return frozenset(word.stem for word in self.words if word.name)

    @cached_property
    def facts(self) -> list[Fact]:
        """Its figures, years and dates, without the numbers of names and versions."""
        found: list[Fact] = []
        for value in self._values:
            if isinstance(value, Figure) and self._names_a_thing(value):
                continue
            after = _WORD.match(self.text, value.end + 1)
            counted = stem(after[0]) if after and after[0].casefold() not in STOP else ""
            clause = self.clause_at(value.start)
            found.append(Fact(value, clause, value.start, value.end, counted))
        return found

    def _names_a_thing(self, figure: Figure) -> bool:
        """Whether a number is part of a name: "Opus 4.8", "shelf 3", "chapter 2"."""
        if figure.unit or figure.currency or figure.ordinal:
            return False
        before = self.text[max(0, figure.start - 40) : figure.start]
        match = re.search(r"([^\W\d_][\w.'\u2019-]*)[\s-]*$", before)
        if match is None:
            return False
        word = match[1]
        if word.casefold() in DESIGNATED:
            return True
        is_first = figure.start - len(match[0]) == 0
        common = word.casefold() in STOP or word.casefold() in MONTHS or self.language == "de"
        return word[0].isupper() and not common and not (is_first and word.endswith("ly"))


def _is_year(figure: Figure) -> bool:
    return (
        figure.first == figure.last
        and int(figure.first) in _YEARS
        and figure.end - figure.start == 4
        and not figure.unit
        and not figure.currency
    )


@lru_cache(maxsize=2048)
def clauses(text: str) -> Clauses:
    """A sentence as its clauses; kept, as each is held against many others."""
    return Clauses(text)
