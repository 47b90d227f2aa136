"""Comparing answers sentence by sentence: which say the same, which cannot both be right."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from rapidfuzz import fuzz

from fusion_graph.offline.citing import claims
from fusion_graph.offline.lexicon import MONTHS, OPPOSITES, STOP, UNITS
from fusion_graph.offline.quantities import Quantity, quantities, without_figures
from fusion_graph.offline.question import Question
from fusion_graph.offline.reading import Document
from fusion_graph.offline.relevance import Passage, Relevance
from fusion_graph.offline.text import content_stems, negations, stem, tokens

MOST_STATEMENTS = 320
"""Statements compared in all, shared fairly among the answers: pairs grow with the square."""

FEWEST_PER_ANSWER = 12

SAME_WORDING = 88.0
"""Likeness of wording (0 to 100) from which two sentences make one point."""

SAME_WORDS = 0.6
"""Share of common weight, rare words first, from which two sentences make one point."""

SAME_SUBJECT = 0.5
"""The same without figures: enough for their different figures to be about one thing."""

REVERSED = 0.7
"""The same for a statement and its denial: these differ in little else."""

FOCUSED = 0.45
"""Share of the question that a sentence must cover to count as an answer in figures to it."""

_SAYS_NOTHING = re.compile(
    r"^(?:the documents searched say nothing about|nothing could be searched"
    r"|there is nothing to search for|nothing was found"
    r"|\(?compiled by extraction|\[cut here)|://|\?$|:$",
    re.IGNORECASE,
)
"""Sentences that claim nothing about the subject: that nothing was found, notes, addresses,
questions, and what only announces a list."""

_NAME = re.compile(r"[^\W\d_a-z][\w.'\u2019-]*(?:\s+\d+(?:\.\d+)*\b)?")
_UNIT_STEMS = frozenset(stem(unit) for unit in UNITS if unit.isalpha())


@dataclass(frozen=True)
class Statement:
    """A sentence of an answer."""

    label: str
    text: str
    sources: tuple[int, ...]
    place: int = 0
    title: str = ""

    @cached_property
    def passage(self) -> Passage:
        """The same, as something to score against the question: under its source's title."""
        return Passage(self.text, Document(None, self.title, "", ""), "", 0, self.place)

    @cached_property
    def subject(self) -> frozenset[str]:
        """What it is about: its stems without figures and their units."""
        return frozenset(
            s for s in content_stems(without_figures(self.text)) - _UNIT_STEMS if not s[0].isdigit()
        )

    @cached_property
    def figures(self) -> list[Quantity]:
        """Its figures."""
        return quantities(self.text)

    @cached_property
    def numbers(self) -> frozenset[str]:
        """Every number in it, also those of names and years."""
        return frozenset(token for token in tokens(self.text) if token[0].isdigit())

    @cached_property
    def names(self) -> frozenset[str]:
        """Names in it, versions included; a sentence's first word only if it looks like one."""
        found = set()
        for match in _NAME.finditer(self.text):
            name = match[0].removesuffix("'s").removesuffix("\u2019s").rstrip(".-'")
            is_first = match.start() == 0
            looks_like_one = any(c.isdigit() or c.isupper() for c in name[1:])
            if name.lower() not in STOP and (not is_first or looks_like_one):
                found.add(name.casefold())
        return frozenset(found)

    @cached_property
    def dates(self) -> frozenset[str]:
        """Months and years in it."""
        return frozenset(
            t for t in tokens(self.text) if t in MONTHS or re.fullmatch(r"(?:19|20)\d\d", t)
        )

    @cached_property
    def denies(self) -> bool:
        """Whether it denies something; two denials cancel each other."""
        return negations(self.text) % 2 == 1

    @cached_property
    def words(self) -> frozenset[str]:
        """All its words, folded to lower case."""
        return frozenset(tokens(self.text))


@dataclass(frozen=True)
class Shared:
    """A point: a statement and those that say the same."""

    statements: tuple[Statement, ...]

    @property
    def first(self) -> Statement:
        """The statement that stands for all."""
        return self.statements[0]

    @property
    def labels(self) -> list[str]:
        """Labels of the answers that make it."""
        return list(dict.fromkeys(s.label for s in self.statements))

    @property
    def sources(self) -> list[int]:
        """What they cite for it."""
        return list(dict.fromkeys(n for s in self.statements for n in s.sources))


@dataclass(frozen=True)
class Clash:
    """Points that cannot all be right, on one topic."""

    topic: str
    points: tuple[Shared, ...]


def statements(
    answers: Sequence[tuple[str, str]], titles: Mapping[int, str] | None = None
) -> list[Statement]:
    """The statements of `(label, text)` answers, each answer's share at most.

    Sentences that say only that nothing was found are left out. `titles` holds the sources'
    titles by id.
    """
    share = max(FEWEST_PER_ANSWER, MOST_STATEMENTS // max(len(answers), 1))
    found: list[Statement] = []
    for label, text in answers:
        made = [claim for claim in claims(text) if not _SAYS_NOTHING.search(claim.text)]
        found += [
            Statement(label, claim.text, claim.sources, place, title_of(claim.sources, titles))
            for place, claim in enumerate(made[:share])
        ]
    return found


def title_of(sources: Sequence[int], titles: Mapping[int, str] | None) -> str:
    """Title of the first source that has one, or ""."""
    return next((titles[n] for n in sources if titles and n in titles), "")


class Comparison:
    """How statements relate, words weighed by their rarity among all of them.

    Args:
        question: What the answers answer.
        made: All answers' statements.
    """

    def __init__(self, question: Question, made: Sequence[Statement]) -> None:
        self.question = question
        self.relevance = Relevance(question, [s.passage for s in made])
        self.points = self._grouped(made)

    def clashes(self) -> list[Clash]:
        """Points whose figures disagree, or of which one denies the other."""
        ranked = self.by_relevance(self.points)
        focused = [p for p in ranked if self._answers_in_figures(p.first)]
        found: list[Clash] = []
        if len(apart := _disagreeing(focused, self.question)) > 1:
            found.append(Clash(f"{self.question.text.rstrip('?').strip()}: figures", tuple(apart)))
        told = {id(point) for clash in found for point in clash.points}
        left = [p for p in self.points if id(p) not in told]
        for i, one in enumerate(left):
            against = [two for two in left[i + 1 :] if self._clash(one.first, two.first)]
            fresh = [p for p in (one, *against) if id(p) not in told]
            if against and len(fresh) > 1:
                found.append(Clash(_topic(one.first, against[0].first), tuple(fresh)))
                told.update(map(id, fresh))
        return found

    def by_relevance(self, points: Iterable[Shared]) -> list[Shared]:
        """Points in the order of what they have to do with the question."""
        return sorted(points, key=lambda p: -self.relevance.score(p.first.passage))

    def _grouped(self, made: Sequence[Statement]) -> list[Shared]:
        groups: list[list[Statement]] = []
        for statement in made:
            home = next((g for g in groups if self._same(g[0], statement)), None)
            if home is None:
                groups.append([statement])
            else:
                home.append(statement)
        return [Shared(tuple(group)) for group in groups]

    def _same(self, one: Statement, two: Statement) -> bool:
        if one.text == two.text:
            return True
        if not (
            _one_within(one.numbers, two.numbers)
            and _one_within(one.names, two.names)
            and one.denies == two.denies
            and not _opposites(one, two)
        ):
            return False
        shared = self._shared(one.passage.stems, two.passage.stems)
        return shared >= SAME_WORDS or (
            shared > SAME_WORDS / 2
            and fuzz.token_sort_ratio(one.text.lower(), two.text.lower()) >= SAME_WORDING
        )

    def _clash(self, one: Statement, two: Statement) -> bool:
        if not _one_within(one.names, two.names) or (
            one.dates and two.dates and one.dates != two.dates
        ):
            return False
        if _figures_disagree(one.figures, two.figures):
            return self._shared(one.subject, two.subject) >= SAME_SUBJECT
        turned = _opposites(one, two)
        shared = self._shared(one.subject - turned, two.subject - turned)
        reversed_once = (one.denies != two.denies) != bool(turned)
        return reversed_once and one.numbers == two.numbers and shared >= REVERSED

    def _shared(self, one: frozenset[str], two: frozenset[str]) -> float:
        """Weight of the words both have, as a share of the weight of all."""
        if not one or not two or one.isdisjoint(two):
            return 0.0
        weight = self.relevance.rarity
        # `fsum`, as a set's order, and with it a sum's last digit, is another in every process.
        return math.fsum(map(weight, one & two)) / math.fsum(map(weight, one | two))

    def _answers_in_figures(self, statement: Statement) -> bool:
        return (
            self.relevance.answers_in_figures(statement.passage)
            and self.relevance.coverage(statement.passage) >= FOCUSED
        )


def _disagreeing(points: Sequence[Shared], question: Question) -> list[Shared]:
    """The points, when at least two differ in a figure of the kind the question asks for."""

    def wanted(point: Shared) -> list[Quantity]:
        return [figure for figure in point.first.figures if question.wants(figure)]

    return [
        one
        for one in points
        if any(_figures_disagree(wanted(one), wanted(two)) for two in points if two is not one)
    ]


def _figures_disagree(one: Sequence[Quantity], two: Sequence[Quantity]) -> bool:
    pairs = [(a, b) for a in one for b in two if a.kind and a.same_kind(b)]
    return bool(pairs) and not any(a.agrees(b) for a, b in pairs)


def _one_within(one: frozenset[str], two: frozenset[str]) -> bool:
    """Whether nothing sets the two apart: what one lacks, the other may add."""
    return one <= two or two <= one


def _opposites(one: Statement, two: Statement) -> frozenset[str]:
    """Stems of the words that one has where the other has the opposite: "more" and "less"."""
    only_one, only_two = one.words - two.words, two.words - one.words
    return frozenset(
        stem(word)
        for a, b in OPPOSITES
        if (a in only_one and b in only_two) or (b in only_one and a in only_two)
        for word in (a, b)
    )


def _topic(one: Statement, two: Statement) -> str:
    """What both sentences are about: their common words, in order."""
    common = one.subject & two.subject
    words = [
        word
        for word in re.findall(r"[^\W_][\w'\u2019-]*", one.text)
        if content_stems(word) & common
    ]
    return " ".join(dict.fromkeys(words[:8])) or one.text
