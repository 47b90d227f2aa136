"""How much a sentence has to do with a question, weighed by the rest of what was read."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from fusion_graph.offline._lexicon import DENIAL, VERBS
from fusion_graph.offline._quantities import Quantity, quantities
from fusion_graph.offline._question import Question
from fusion_graph.offline._reading import Document
from fusion_graph.offline._text import (
    RELATED_STEMS,
    content_stems,
    is_quotable,
    is_spaceless,
    negations,
    prose,
    spoken_span,
    stem,
    tokens,
    word_pairs,
)

RELATED_WEIGHT = 0.6
"""A related word ("price" for "cost") counts a little less than the word itself."""

DEFINITION = 1.5
"""What a sentence gains that says what the thing is, where that is asked."""

UNSEEN_PAIR = 0.5
"""What a pair of characters weighs that nothing read has, in languages without spaces."""

FIGURE = 1.25
"""What a sentence gains by a figure of the kind asked for."""

PAIR = 0.25
"""What it gains by a pair of neighbouring words in common with the question; three count."""

LEANING = 0.7
"""What is left of a sentence that starts by pointing at the one before it ("This …")."""

LONG = 30
"""Words from which a sentence's worth falls with its length."""

HEADING_WEIGHT = 0.5
"""A term that stands in the title or heading only counts half for a sentence below it."""

ON_TOPIC = 0.34
"""Least share of the question's weight that a sentence must cover to be quoted. A rare word
that nothing covers weighs most, so one common word in common with the question is too little."""

ON_TOPIC_NEARBY = 0.2
"""The same for sentences of a page that has others on topic, where these are few."""

ON_TOPIC_AT_BEST = 0.42
"""Least share that the best sentence must cover; else the pages are about something else."""

_INJECTION = re.compile(
    r"^\W*(?:please\s+)?(?:ignore|disregard|forget|override)\b.{0,60}"
    r"\b(?:instructions?|prompts?|rules|above|previous|system)\b",
    re.IGNORECASE,
)
_ADDRESSED = re.compile(
    r"\b(?:you are now|system prompt|as an ai)\b|\(/?\s*untrusted\b", re.IGNORECASE
)


_DEFINES = re.compile(
    r"(?:an? |the )?(.{2,60}?) (?:is|are|was|were|means|refers to) ", re.IGNORECASE
)
_LEANS = re.compile(
    r"^(?:it|this|that|these|those|they|he|she|such|both|here|there|however|but|and|so|thus|also"
    r"|then|instead|moreover|furthermore|therefore|as a result|for example|for instance)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Passage:
    """A sentence of a document, with where it stands."""

    text: str
    document: Document
    heading: str
    page: int
    place: int

    @cached_property
    def stems(self) -> frozenset[str]:
        """What it says, as stems, and `DENIAL` if it denies something."""
        return _stems_and_denial(self.text)

    @cached_property
    def context(self) -> frozenset[str]:
        """The same of the title and heading above it."""
        return _stems_and_denial(f"{self.document.title} {self.heading}")

    @cached_property
    def pairs(self) -> frozenset[tuple[str, str]]:
        """Its neighbouring words, and those of its title and heading."""
        return word_pairs(self.text) | word_pairs(self.document.title) | word_pairs(self.heading)

    @cached_property
    def figures(self) -> list[Quantity]:
        """The figures in it."""
        return quantities(self.text)


def passages(documents: Iterable[Document]) -> list[Passage]:
    """The sentences of documents that can stand in an answer, each wording once."""
    found: dict[str, Passage] = {}
    for page, document in enumerate(documents):
        for place, (text, heading) in enumerate(prose(document.text)):
            if is_quotable(text) and not _INJECTION.search(text) and not _ADDRESSED.search(text):
                found.setdefault(text, Passage(text, document, heading, page, place))
    return list(found.values())


class Relevance:
    """Scores passages against a question by the rarity of its words in what was read.

    Args:
        question: The question.
        read: All passages read; they say which words are rare.
    """

    def __init__(self, question: Question, read: Sequence[Passage]) -> None:
        self.question = question
        self._count = max(len(read), 1)
        self._rarity: dict[str, float] = {}
        self._seen = Counter(term for passage in read for term in passage.stems)
        self._pairs_seen = Counter(
            pair for passage in read for pair in passage.pairs & question.pairs
        )
        self.weights = {
            term: self.rarity(term) * weight * self._trust(term)
            for term, weight in question.terms.items()
        }
        self.total = sum(self.weights.values()) or 1.0

    def rarity(self, term: str) -> float:
        """Inverse document frequency over the sentences read: high where few have the term."""
        known = self._rarity.get(term)
        if known is None:
            known = math.log(1 + self._count / (self._seen[term] + 0.5))
            self._rarity[term] = known
        return known

    def _trust(self, term: str) -> float:
        """Less for a pair of characters that nothing has: it may well be no word."""
        return UNSEEN_PAIR if is_spaceless(term) and not self._seen[term] else 1.0

    def credit(self, passage: Passage) -> dict[str, float]:
        """Question term → how much of it the passage covers, 0 to 1; terms it lacks left out."""
        found: dict[str, float] = {}
        for term in self.weights:
            if term in passage.stems:
                found[term] = 1.0
            elif RELATED_STEMS.get(term, frozenset()) & passage.stems:
                found[term] = RELATED_WEIGHT
            elif term in passage.context:
                found[term] = HEADING_WEIGHT
        return found

    def coverage(self, passage: Passage) -> float:
        """Share of the question's weight that the passage covers, 0 to 1."""
        credit = self.credit(passage)
        return sum(self.weights[term] * share for term, share in credit.items()) / self.total

    def on_topic(self, passage: Passage, least: float = ON_TOPIC) -> bool:
        """Whether the passage covers at least the share `least` of the question's weight."""
        # The title alone is not enough: every page has sentences about something else.
        own = any(share > HEADING_WEIGHT for share in self.credit(passage).values())
        return own and self.topicality(passage) >= least

    def topicality(self, passage: Passage) -> float:
        """Coverage; a sentence that says what the thing is covers all."""
        return 1.0 if self._defines(passage) else self.coverage(passage)

    def score(self, passage: Passage) -> float:
        """Coverage, with credit for the question's word pairs and for the kind of answer asked."""
        pairs = math.fsum(  # over a set, whose order is another in every process
            min(1.0, math.log(1 + self._count / (self._pairs_seen[pair] + 0.5)) / 3)
            for pair in passage.pairs & self.question.pairs
        )
        score = self.topicality(passage) * (1 + PAIR * min(pairs, 3.0))
        if self.answers_in_figures(passage):
            score *= FIGURE
        if self._defines(passage):
            score *= DEFINITION
        if _LEANS.match(passage.text):
            score *= LEANING
        return score / (1 + max(0, len(passage.text.split()) - LONG) / (2 * LONG))

    def answers_in_figures(self, passage: Passage) -> bool:
        """Whether it holds a figure of the kind asked for."""
        return any(map(self.question.wants, passage.figures))

    def missing(self) -> list[str]:
        """Words of the question, as written, that nothing read has in any form.

        Verb forms and adverbs are left out: a page has other words for what is done and how.
        """
        return [
            spoken_span(self.question.text, {term})
            for term, weight in self.question.terms.items()
            if weight >= 1
            and term.isalpha()
            and not self.question.written[term].endswith(("ed", "ing", "ly"))
            and not self._seen[term]
            and not any(self._seen[other] for other in RELATED_STEMS.get(term, frozenset()))
        ]

    def is_about(self, title: str) -> bool:
        """Whether a title names just what is to be explained, as "DRACO: the data" does."""
        subject = re.split(r"[:|(\u2013\u2014]| - ", title)[0]
        return bool(self.question.defines) and content_stems(subject) == self.question.defines

    def _defines(self, passage: Passage) -> bool:
        if not self.question.defines:
            return False
        match = _DEFINES.match(passage.text)
        return match is not None and content_stems(match[1]) == self.question.defines


def _stems_and_denial(text: str) -> frozenset[str]:
    stems = content_stems(text)
    return (
        stems
        | {stem(v) for v in VERBS & set(tokens(text))}
        | ({DENIAL} if negations(text) else set())
    )
