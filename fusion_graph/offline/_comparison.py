"""Comparing answers sentence by sentence: which say the same, which cannot both be right."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from rapidfuzz import fuzz

from fusion_graph.offline._citing import claims
from fusion_graph.offline._clauses import clauses
from fusion_graph.offline._opposing import opposed, says_alike
from fusion_graph.offline._question import Question
from fusion_graph.offline._reading import Document
from fusion_graph.offline._relevance import Passage, Relevance
from fusion_graph.offline._text import content_stems

MOST_STATEMENTS = 320
"""Statements compared in all, shared fairly among the answers: pairs grow with the square."""

FEWEST_PER_ANSWER = 12

SAME_WORDING = 88.0
"""Likeness of wording (0 to 100) from which two sentences make one point."""

SAME_WORDS = 0.6
"""Share of common weight, rare words first, from which two sentences make one point."""

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
        """Points that contradict each other, those that answer the question first."""
        ranked = self.by_relevance(self.points)
        told: set[int] = set()
        found: list[Clash] = []
        for place, one in enumerate(ranked):
            if id(one) in told:
                continue
            against = [p for p in ranked[place + 1 :] if self._clash(one.first, p.first)]
            if against:
                found.append(Clash(self._topic(one.first, against[0].first), (one, *against)))
                told.update(map(id, (one, *against)))
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
        if not says_alike(one.text, two.text) or self._clash(one, two):
            return False
        shared = self._shared(one.passage.stems, two.passage.stems)
        return shared >= SAME_WORDS or (
            shared > SAME_WORDS / 2
            and fuzz.token_sort_ratio(one.text.lower(), two.text.lower()) >= SAME_WORDING
        )

    def _clash(self, one: Statement, two: Statement) -> bool:
        if one.passage.stems.isdisjoint(two.passage.stems):
            return False
        return opposed(one.text, two.text, self.question.text, one.title, two.title)

    def _shared(self, one: frozenset[str], two: frozenset[str]) -> float:
        """Weight of the words both have, as a share of the weight of all."""
        if not one or not two or one.isdisjoint(two):
            return 0.0
        weight = self.relevance.rarity
        # `fsum`, as a set's order, and with it a sum's last digit, is another in every process.
        return math.fsum(map(weight, one & two)) / math.fsum(map(weight, one | two))

    def _topic(self, one: Statement, two: Statement) -> str:
        """The question where both answer it in figures, else what both are about."""
        if all(
            self.relevance.answers_in_figures(s.passage)
            and self.relevance.coverage(s.passage) >= FOCUSED
            for s in (one, two)
        ):
            return f"{self.question.text.rstrip('?').strip()}: figures"
        return _topic(one, two)


def _topic(one: Statement, two: Statement) -> str:
    """What both sentences are about: their common words, in order."""
    common = clauses(one.text).stems & clauses(two.text).stems
    words = [
        word
        for word in re.findall(r"[^\W_][\w'\u2019-]*", one.text)
        if content_stems(word) & common
    ]
    return " ".join(dict.fromkeys(words[:8])) or one.text
