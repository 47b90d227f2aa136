"""Sentences that cannot both be right: other figures, dates, names or answers for one thing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from fusion_graph.evidence.difference import (
    Date,
    Figure,
    agrees,
    comparable,
    differences,
    opposite,
    polarity,
)
from fusion_graph.offline._clauses import Clauses, Fact, Word, clauses
from fusion_graph.offline._lexicon import (
    ALLOWS,
    CONDITIONS,
    DONE_ONCE,
    FORBIDS,
    OPPOSITES,
    SPACELESS_DENIALS,
    WHEN,
    WHO_OR_WHERE,
)
from fusion_graph.offline._text import PREFIX, RELATED_STEMS, is_spaceless, stem

LEAST_SHARED = 0.5
"""Share of the shorter clause's words that the other sentence must have, to be about one thing."""

_ONCE = frozenset(map(stem, DONE_ONCE))
_STEM_LETTERS = 4
_ENDING_LETTERS = 3


@lru_cache(maxsize=16_384)
def opposed(one: str, two: str, question: str = "", context: str = "", other: str = "") -> bool:
    """Whether two sentences contradict each other.

    What only one of them says restricts it: "40 trams of the type T3" is no other count of all
    trams. Where each says something that the other does not, they are about two things.

    Args:
        one: A sentence.
        two: The other.
        question: What was asked: whether a time or a name is the answer.
        context: What stands above the one: its page's title.
        other: What stands above the other.
    """
    a, b = clauses(one), clauses(two)
    if not a.words or not b.words or one == two or a.stems.isdisjoint(b.stems):
        return False
    if a.named - b.stems and b.named - a.stems and not WHO_OR_WHERE.search(question.casefold()):
        return False
    pair = _Pair(a, b, clauses(context), clauses(other), question.casefold())
    return pair.other_subjects() is False and (
        pair.figures_differ()
        or pair.answers_differ()
        or pair.names_differ()
        or pair.months_differ()
    )


def says_alike(one: str, two: str, *, wholly: bool = False) -> bool:
    """Whether the figures, dates, names and denials of two sentences can be those of one point.

    Args:
        one: A sentence.
        two: The other.
        wholly: Whether neither may have a figure or date that the other lacks.
    """
    a, b = clauses(one), clauses(two)
    if a.named - b.stems and b.named - a.stems:
        return False
    mine = [f for f in a.facts if not any(_facts_agree(f, other) for other in b.facts)]
    theirs = [f for f in b.facts if not any(_facts_agree(f, other) for other in a.facts)]
    if (mine or theirs) if wholly else (mine and theirs):
        return False
    return len(polarity(one).negations) % 2 == len(polarity(two).negations) % 2


class _Pair:
    def __init__(
        self, one: Clauses, two: Clauses, above_one: Clauses, above_two: Clauses, question: str
    ) -> None:
        self.one, self.two = one, two
        self.above = (above_one, above_two)
        self.question = question
        self.inflected = one.language != "en" or two.language != "en"

    # what they are about

    def other_subjects(self) -> bool:
        """Whether the pages' titles name two things that the question asks about."""
        asked = clauses(self.question)
        mine, theirs = (
            self._lacking(above.words, other.stems)
            for above, other in (self.above, (self.above[1], self.above[0]))
        )
        named = [{w.stem for w in words} & asked.stems for words in (mine, theirs)]
        said = self.one.stems | self.two.stems
        return bool(all(named) and not (named[0] | named[1]) & said)

    def _met(self, word: str, stems: Iterable[str]) -> bool:
        """Whether a stem, or a form or relative of it, is among others."""
        stems = stems if isinstance(stems, frozenset) else frozenset(stems)
        if word in stems or RELATED_STEMS.get(word, frozenset()) & stems:
            return True
        return any(_inflected(word, other, self.inflected) for other in stems)

    def _lacking(self, words: Iterable[Word], stems: frozenset[str]) -> list[Word]:
        """The words that the other sentence does not have."""
        return [word for word in words if not self._met(word.stem, stems)]

    def _about_one_thing(self, mine: list[Word], theirs: list[Word]) -> bool:
        """Whether two clauses have no word that the other sentence lacks."""
        wide_two = self.two.stems | self.above[1].stems
        wide_one = self.one.stems | self.above[0].stems
        if self._lacking(mine, wide_two) or self._lacking(theirs, wide_one):
            return False
        return self._subjects_meet()

    def _subjects_meet(self) -> bool:
        """Whether enough of the shorter sentence stands in the other, and no name is set apart."""
        shared_one = len(self.one.stems) - len(
            {w.stem for w in self._lacking(self.one.words, self.two.stems)}
        )
        fewer = min(len(self.one.stems), len(self.two.stems))
        if shared_one < max(1.0, LEAST_SHARED * fewer):
            return False
        head_one, head_two = _head(self.one), _head(self.two)
        mine = [w for w in self._lacking(head_one, self.two.stems | self.above[1].stems) if w.name]
        theirs = [
            w for w in self._lacking(head_two, self.one.stems | self.above[0].stems) if w.name
        ]
        return not (mine and theirs)

    # figures and times

    def figures_differ(self) -> bool:
        """Whether a count, measure, year or date of one thing is told differently."""
        years_one = {f.year for f in self.one.facts if f.year}
        years_two = {f.year for f in self.two.facts if f.year}
        apart = bool(years_one and years_two and not years_one & years_two)
        for mine in self.one.facts:
            for theirs in self.two.facts:
                if mine.is_time != theirs.is_time:
                    continue
                if mine.is_time:
                    if self._times_clash(mine, theirs):
                        return True
                elif not (apart and self._times_set_apart()) and self._figures_clash(mine, theirs):
                    return True
        return False

    def _times_set_apart(self) -> bool:
        """Whether the years are those of two states, not of one thing done once."""
        times = [(m, t) for m in self.one.facts for t in self.two.facts if m.is_time and t.is_time]
        return not any(self._times_clash(m, t) for m, t in times)

    def _figures_clash(self, mine: Fact, theirs: Fact) -> bool:
        one, two = mine.value, theirs.value
        assert isinstance(one, Figure)
        assert isinstance(two, Figure)
        if not comparable(one, two) or _agree(one, two):
            return False
        if any(
            self._agrees_elsewhere(fact, others)
            for fact, others in ((mine, self.two.facts), (theirs, self.one.facts))
        ):
            return False
        plain = not (one.unit or one.currency)
        if plain and not self._one_slot(mine, theirs):
            return False
        return self._about_one_thing(
            _clause(self.one, mine.clause), _clause(self.two, theirs.clause)
        )

    def _agrees_elsewhere(self, fact: Fact, others: list[Fact]) -> bool:
        """Whether the other sentence has this figure too, beside the one that differs."""
        assert isinstance(fact.value, Figure)
        return any(
            isinstance(o.value, Figure)
            and not o.is_time
            and comparable(fact.value, o.value)
            and _agree(fact.value, o.value)
            for o in others
        )

    def _one_slot(self, mine: Fact, theirs: Fact) -> bool:
        """Whether both count the same: "142 trams" and "97 tram cars", or stand after one word."""
        if mine.counted and theirs.counted:
            return self._met(mine.counted, {theirs.counted}) or bool(
                self._met(mine.counted, {w.stem for w in _after(self.two, theirs)[:2]})
                or self._met(theirs.counted, {w.stem for w in _after(self.one, mine)[:2]})
            )
        if mine.counted or theirs.counted:
            return False
        if any(map(is_spaceless, (*self.one.stems, *self.two.stems))):
            return self._spaceless_slot(mine, theirs)
        before = [_before(said, fact)[-1:] for said, fact in ((self.one, mine), (self.two, theirs))]
        return bool(before[0] and before[1]) and self._met(before[0][0].stem, {before[1][0].stem})

    def _spaceless_slot(self, mine: Fact, theirs: Fact) -> bool:
        ends = [
            said.text[fact.end : fact.end + 1]
            for said, fact in ((self.one, mine), (self.two, theirs))
        ]
        return ends[0] == ends[1]

    def _times_clash(self, mine: Fact, theirs: Fact) -> bool:
        if _times_agree(mine, theirs) or not self._when_matters(mine, theirs):
            return False
        for fact, others in ((mine, self.two.facts), (theirs, self.one.facts)):
            if any(o.is_time and _times_agree(fact, o) for o in others):
                return False
        sides = []
        for said, fact in ((self.one, mine), (self.two, theirs)):
            if any(
                f.clause == fact.clause and not f.is_time and f.start < fact.start
                for f in said.facts
            ):
                return False  # the time at which something was counted
            before = _before(said, fact)
            sides.append(before if len(before) > 1 else _clause(said, fact.clause))
        return self._about_one_thing(sides[0], sides[1])

    def _when_matters(self, mine: Fact, theirs: Fact) -> bool:
        """Whether the question asks when, or what is told happens only once."""
        if any(is_spaceless(s) for s in self.one.stems) or WHEN.search(self.question):
            return True
        done = [_clause(said, fact.clause) for said, fact in ((self.one, mine), (self.two, theirs))]
        return all(any(w.stem in _ONCE for w in words) for words in done)

    def months_differ(self) -> bool:
        """Whether nothing but one date sets the two apart: "in March", "in May"."""
        if len(self.one.stems ^ self.two.stems) > 2:
            return False
        found = [d for d in differences(self.one.text, self.two.text) if d.kind != "order"]
        return (
            len(found) == 1
            and found[0].kind == "date"
            and bool(found[0].first and found[0].second)
            and not (self.one.dates and self.two.dates)
        )

    # yes and no

    def answers_differ(self) -> bool:
        """Whether one affirms what the other denies, or says the opposite of."""
        if self._conditions(self.one) != self._conditions(self.two):
            return False
        if self._numbers_differ():
            return False
        for mine in range(self.one.clause_at(len(self.one.text)) + 1):
            for theirs in range(self.two.clause_at(len(self.two.text)) + 1):
                if self._turned(mine, theirs):
                    return True
        return False

    def _numbers_differ(self) -> bool:
        """Whether each has a figure or date that the other lacks."""
        mine = [f for f in self.one.facts if not any(_facts_agree(f, o) for o in self.two.facts)]
        theirs = [f for f in self.two.facts if not any(_facts_agree(f, o) for o in self.one.facts)]
        return bool(mine and theirs)

    def _conditions(self, said: Clauses) -> frozenset[str]:
        return frozenset(re.findall(r"[^\W\d_]+", said.text.casefold())) & CONDITIONS

    def _turned(self, mine: int, theirs: int) -> bool:
        one, two = _clause_words(self.one, mine), _clause_words(self.two, theirs)
        said, meant = set(one) - set(two), set(two) - set(one)
        used: set[str] = set()
        turned = 0
        for a in said:
            for b in meant:
                if _negates(a, b) or _negates(b, a):
                    turned += 1
                    used |= {a, b}
        sides = [_permission(self.one, mine), _permission(self.two, theirs)]
        if sides[0] and sides[1]:
            used |= ALLOWS | FORBIDS
            turned += sides[0] != sides[1]
        else:
            for a in said:
                for b in meant:
                    # "Fewer" beside "more" says again what "less" did.
                    again = any(_opposite(a, c) for c in one) or any(_opposite(b, c) for c in two)
                    if _opposite(a, b) and not again:
                        turned += 1
                        used |= {a, b}
            turned += _denials(self.one, mine, used) % 2 + _denials(self.two, theirs, used) % 2
        if turned % 2 == 0:
            return False
        left = [
            [
                w
                for w in _clause(said_by, clause)
                if w.text not in used and w.stem not in used and not _turns(said_by, w)
            ]
            for said_by, clause in ((self.one, mine), (self.two, theirs))
        ]
        return bool(left[0] and left[1]) and self._rest_is_one(left[0], left[1])

    def _rest_is_one(self, mine: list[Word], theirs: list[Word]) -> bool:
        if not self._about_one_thing(mine, theirs):
            return False
        return all(
            any(self._met(w.stem, {o.stem for o in others}) for w in words)
            for words, others in ((mine, theirs), (theirs, mine))
        )

    # names

    def names_differ(self) -> bool:
        """Whether the question asks who or where, and the two name others."""
        if not WHO_OR_WHERE.search(self.question):
            return False
        asked = clauses(self.question).stems
        mine = self._lacking(self.one.words, self.two.stems)
        theirs = self._lacking(self.two.words, self.one.stems)
        if (
            not mine
            or not theirs
            or not (_all_named(self.one, mine) and _all_named(self.two, theirs))
        ):
            return False
        if any(self._met(w.stem, asked) for w in (*mine, *theirs)) or self._numbers_differ():
            return False
        shared = [w for w in self.one.words if w not in mine]
        covered = sum(self._met(w.stem, asked) for w in shared)
        return covered >= LEAST_SHARED * len(shared) and self._placed_alike(mine, theirs)

    def _placed_alike(self, mine: list[Word], theirs: list[Word]) -> bool:
        """Whether both names stand in one run, in the same place of their sentences."""
        places = []
        for said, words in ((self.one, mine), (self.two, theirs)):
            rows = [said.words.index(w) for w in words]
            if rows[-1] - rows[0] != len(rows) - 1:
                return False
            places.append((rows[0] == 0, rows[-1] == len(said.words) - 1))
        return any(a and b for a, b in zip(*places, strict=True))


def _all_named(said: Clauses, words: list[Word]) -> bool:
    """Whether words are names; the one that begins a sentence may be."""
    return all(w.name or said.text[w.start : w.start + 1].isupper() for w in words)


def _inflected(one: str, two: str, freely: bool) -> bool:
    """Whether two stems are forms of one word in a language whose endings nobody takes off."""
    if not freely or is_spaceless(one) or one == two:
        return one == two
    shorter, longer = sorted((one, two), key=len)
    if len(shorter) == PREFIX and longer.startswith(shorter):
        return True
    common = len(shorter) - 1 if len(shorter) > _STEM_LETTERS else len(shorter)
    return (
        common >= _STEM_LETTERS
        and longer.startswith(shorter[:common])
        and len(longer) - common <= _ENDING_LETTERS
    )


def _clause(said: Clauses, number: int) -> list[Word]:
    return [word for word in said.words if word.clause == number]


def _head(said: Clauses) -> list[Word]:
    """The words of the first clause that say what a sentence is about: at most four."""
    return said.words[:4]


def _before(said: Clauses, fact: Fact) -> list[Word]:
    return [w for w in _clause(said, fact.clause) if w.start < fact.start]


def _after(said: Clauses, fact: Fact) -> list[Word]:
    return [w for w in _clause(said, fact.clause) if w.start > fact.start]


def _times_agree(one: Fact, two: Fact) -> bool:
    if isinstance(one.value, Date) and isinstance(two.value, Date):
        return one.value.agrees(two.value)
    return one.year is None or two.year is None or one.year == two.year


def _facts_agree(one: Fact, two: Fact) -> bool:
    if one.is_time or two.is_time:
        return one.is_time and two.is_time and _times_agree(one, two)
    assert isinstance(one.value, Figure)
    assert isinstance(two.value, Figure)
    return _agree(one.value, two.value)


def _agree(one: Figure, two: Figure) -> bool:
    """Whether both can be true of one thing: rounded, converted, or within the other's range."""
    if _is_plain(one) and _is_plain(two) and one.unit == two.unit and one.step == two.step:
        return one.first == two.first  # most pairs, and `agrees` takes its time
    if agrees(one, two):
        return True
    ranges = one.first != one.last or two.first != two.last
    if not ranges or one.unit != two.unit or one.currency != two.currency:
        return False
    low = max(min(one.first, one.last), min(two.first, two.last))
    return low <= min(max(one.first, one.last), max(two.first, two.last))


def _is_plain(figure: Figure) -> bool:
    return not (figure.bound or figure.others or figure.currency or figure.decade) and (
        figure.first == figure.last
    )


_LETTERS = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")


def _clause_words(said: Clauses, number: int) -> list[str]:
    """All words of a clause, those that say little among them: "more" and "less" do."""
    return [
        match[0].casefold()
        for match in _LETTERS.finditer(said.text)
        if said.clause_at(match.start()) == number
    ]


def _clause_text(said: Clauses, number: int) -> str:
    return "".join(c for n, c in enumerate(said.text) if said.clause_at(n) == number)


def _denials(said: Clauses, number: int, used: Iterable[str] = ()) -> int:
    """How many words of a clause deny, but those that were held against their opposites."""
    text = _clause_text(said, number)
    if any(map(is_spaceless, text)):
        return sum(text.count(word) for word in SPACELESS_DENIALS)
    words = _clause_words(said, number)
    return sum(
        (word in said.denials or word.endswith("n't")) and word not in FORBIDS and word not in used
        for word in words
    )


_SPACELESS_TURNS = (
    *SPACELESS_DENIALS,
    *(word for word in ALLOWS | FORBIDS if is_spaceless(word)),
)


def _turns(said: Clauses, pair: Word) -> bool:
    """Whether a pair of characters has part in a word that denies, allows or forbids."""
    if not is_spaceless(pair.text):
        return False
    end = pair.start + len(pair.text)
    return any(
        said.text.find(word, max(0, pair.start - len(word) + 1), end + len(word) - 1) >= 0
        for word in _SPACELESS_TURNS
    )


def _permission(said: Clauses, number: int) -> int:
    """1 where a clause allows, -1 where it forbids, 0 where it does neither."""
    words = set(_clause_words(said, number))
    text = _clause_text(said, number)
    spaceless = any(map(is_spaceless, text))
    allows = bool(words & ALLOWS) or (
        spaceless and any(w in text for w in ALLOWS if is_spaceless(w))
    )
    forbids = bool(words & FORBIDS) or (
        spaceless and any(w in text for w in FORBIDS if is_spaceless(w))
    )
    if allows == forbids:
        return 0
    denied = -1 if _denials(said, number) % 2 else 1
    return denied * (1 if allows else -1)


def _opposite(one: str, two: str) -> bool:
    return opposite(one, two) or frozenset((one, two)) in OPPOSITES or _prefixed(one, two)


_PREFIXES = ("un", "in", "im", "il", "ir", "non", "dis")


def _prefixed(one: str, two: str) -> bool:
    """Whether one word is the other with a prefix that denies: "possible", "impossible"."""
    shorter, longer = sorted((one, two), key=len)
    return (
        len(shorter) >= 4
        and longer.endswith(shorter)
        and (longer[: len(longer) - len(shorter)] in _PREFIXES)
    )


def _negates(one: str, two: str) -> bool:
    """Whether a Slavic word is the other with its denial written onto it: "mají", "nemají"."""
    return len(two) > 2 and one in (f"ne{two}", f"nie{two}") and not two.isdigit()
