"""How much a sentence has to do with a question, weighed by the rest of what was read."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from fusion_graph.offline.lexicon import ASKS_FOR, NEGATIONS, UNITS
from fusion_graph.offline.quantities import Quantity, quantities
from fusion_graph.offline.reading import Document
from fusion_graph.offline.text import (
    RELATED_STEMS,
    capitalised,
    content_stems,
    is_quotable,
    negations,
    prose,
    spoken_span,
    stem,
    stop_words,
    tokens,
    word_pairs,
)

SHORT_QUESTION = 2
"""Terms. A question with fewer leans on what was asked before ("and its cost?")."""

EARLIER_WEIGHT = 0.5
RELATED_WEIGHT = 0.6
"""A related word ("price" for "cost") counts a little less than the word itself."""

DEFINITION = 1.5
"""What a sentence gains that says what the thing is, where that is asked."""

HEADING_WEIGHT = 0.5
"""A term that stands in the title or heading only counts half for a sentence below it."""

ON_TOPIC = 0.34
"""Least share of the question's weight that a sentence must cover to be quoted. A rare word
that nothing covers weighs most, so one common word in common with the question is too little."""

DENIAL = "\u00ac"
"""Stands for any word that denies, as a term of questions like "when should I not …"."""

VERB_WEIGHT = 0.5
VERBS = frozenset("use need help work make".split())
"""Verbs too common to look for, unless the question has little else ("not use a panel")."""

NAME_WEIGHT = 2.0
"""A name weighs double: "best time to visit Japan" is about Japan, not about best times."""

ON_TOPIC_AT_BEST = 0.42
"""Least share that the best sentence must cover; else the pages are about something else."""

MAX_TERMS = 14
"""Terms of a question that count; the rest of a long request is its wording."""

_INJECTION = re.compile(
    r"^\W*(?:please\s+)?(?:ignore|disregard|forget|override)\b.{0,60}"
    r"\b(?:instructions?|prompts?|rules|above|previous|system)\b",
    re.IGNORECASE,
)
_ADDRESSED = re.compile(r"\b(?:you are now|system prompt|as an ai)\b", re.IGNORECASE)


_DEFINED = re.compile(
    r"\W*(?:what|who) (?:is|are|was|were) (?:an? |the )?(.*?)(?:\?| and |,|$)", re.IGNORECASE
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


@dataclass(frozen=True)
class Question:
    """A question as terms to look for.

    Attributes:
        text: As asked.
        terms: Stem → weight, 1 for the question's own and less for earlier turns'.
        written: Stem → the word as it was written.
        kinds: The kinds of quantity that would answer it; empty when no figure is asked for.
        counts: Stems of what "how many" asks to count.
        defines: Stems that the question asks to have explained ("what is X").
        negated: It asks when or why *not*.
    """

    text: str
    terms: dict[str, float]
    written: dict[str, str]
    kinds: frozenset[str]
    counts: frozenset[str]
    defines: frozenset[str]
    negated: bool

    @cached_property
    def pairs(self) -> frozenset[tuple[str, str]]:
        """Neighbouring words of it that say something."""
        return frozenset(
            pair
            for pair in word_pairs(self.text)
            if any(part in self.terms or part in NEGATIONS for part in pair)
        )

    @property
    def wants_figures(self) -> bool:
        """Whether a figure would answer it."""
        return bool(self.kinds or self.counts)

    def wants(self, figure: Quantity) -> bool:
        """Whether a figure is of the kind that would answer it."""
        counted = {figure.kind, figure.also}
        return figure.kind in self.kinds or bool(self.counts and self.counts <= counted)


def ask(text: str, earlier: Sequence[str] = ()) -> Question:
    """The question in `text`, with terms of earlier ones where it is too short to stand alone."""
    terms: dict[str, float] = {}
    written: dict[str, str] = {}
    for turn, weight in [(text, 1.0), *((t, EARLIER_WEIGHT) for t in reversed(earlier))]:
        if weight < 1 and len(terms) >= SHORT_QUESTION:
            break
        stops, names = stop_words(turn), capitalised(turn)
        for token in tokens(turn):
            if token not in stops and len(terms) < MAX_TERMS:
                named = NAME_WEIGHT if token in names else 1.0
                terms.setdefault(stem(token), weight * named)
                written.setdefault(stem(token), token)
    if len(terms) <= SHORT_QUESTION:
        terms |= {stem(token): VERB_WEIGHT for token in tokens(text) if token in VERBS}
        if NEGATIONS & set(tokens(text)):
            terms[DENIAL] = 1.0
    lowered = text.casefold()
    kinds = {
        kind
        for pattern, answered_in in ASKS_FOR
        if re.search(pattern, lowered)
        for kind in answered_in.split()
    }
    counted = re.search(r"\bhow many ([^\W\d]+(?: [^\W\d]+)?)", lowered)
    units = [UNITS.get(w.removesuffix("s")) for w in counted[1].split()[:1]] if counted else []
    kinds.update(unit[0] for unit in units if unit)
    defined = _DEFINED.match(lowered)
    return Question(
        text=text,
        terms=terms,
        written=written,
        kinds=frozenset(kinds),
        counts=content_stems(counted[1]) if counted and not any(units) else frozenset(),
        defines=content_stems(defined[1]) & terms.keys() if defined else frozenset(),
        negated=bool(NEGATIONS & set(tokens(text))),
    )


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
        self._seen = Counter(term for passage in read for term in passage.stems)
        self._pairs_seen = Counter(
            pair for passage in read for pair in passage.pairs & question.pairs
        )
        self.weights = {term: self.rarity(term) * weight for term, weight in question.terms.items()}
        self.total = sum(self.weights.values()) or 1.0

    def rarity(self, term: str) -> float:
        """Inverse document frequency over the sentences read: high where few have the term."""
        return math.log(1 + self._count / (self._seen[term] + 0.5))

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

    def on_topic(self, passage: Passage) -> bool:
        """Whether the passage may be quoted for the question at all."""
        own = any(
            term in passage.stems or RELATED_STEMS.get(term, frozenset()) & passage.stems
            for term in self.weights
        )
        return own and self.topicality(passage) >= ON_TOPIC

    def topicality(self, passage: Passage) -> float:
        """Coverage; a sentence that says what the thing is covers all."""
        return 1.0 if self._defines(passage) else self.coverage(passage)

    def score(self, passage: Passage) -> float:
        """Coverage, with credit for the question's word pairs and for the kind of answer asked."""
        pairs = sum(
            min(1.0, math.log(1 + self._count / (self._pairs_seen[pair] + 0.5)) / 3)
            for pair in passage.pairs & self.question.pairs
        )
        score = self.topicality(passage) * (1 + 0.25 * min(pairs, 3.0))
        if self.answers_in_figures(passage):
            score *= 1.25
        if self._defines(passage):
            score *= DEFINITION
        if leans_on_others(passage.text):
            score *= 0.7
        return score / (1 + max(0, len(passage.text.split()) - 30) / 60)

    def answers_in_figures(self, passage: Passage) -> bool:
        """Whether it holds a figure of the kind asked for."""
        return any(map(self.question.wants, passage.figures))

    def missing(self) -> list[str]:
        """Words of the question, as written, that nothing read has in any form."""
        return [
            spoken_span(self.question.text, {term})
            for term, weight in self.question.terms.items()
            if weight >= 1
            and term.isalpha()
            and not self._seen[term]
            and not any(self._seen[other] for other in RELATED_STEMS.get(term, frozenset()))
        ]

    def is_about(self, title: str) -> bool:
        """Whether a title names just what the question asks to have explained: "DRACO: the data"."""
        subject = re.split(r"[:|(\u2013\u2014]| - ", title)[0]
        return bool(self.question.defines) and content_stems(subject) == self.question.defines

    def _defines(self, passage: Passage) -> bool:
        if not self.question.defines:
            return False
        match = re.match(
            r"(?:an? |the )?(.{2,60}?) (?:is|are|was|were|means|refers to) ", passage.text.lower()
        )
        return bool(match) and content_stems(match[1] if match else "") == self.question.defines


_LEANS = re.compile(
    r"^(?:it|this|that|these|those|they|he|she|such|both|here|there|however|but|and|so|thus|also"
    r"|then|instead|moreover|furthermore|therefore|as a result|for example|for instance)\b",
    re.IGNORECASE,
)


def _stems_and_denial(text: str) -> frozenset[str]:
    stems = content_stems(text)
    return (
        stems
        | {stem(v) for v in VERBS & set(tokens(text))}
        | ({DENIAL} if negations(text) else set())
    )


def leans_on_others(sentence: str) -> bool:
    """Whether a sentence starts by pointing at the one before it."""
    return bool(_LEANS.match(sentence))


LONGEST_NAMED = 16
"""Words. A longer question is named by its telling part."""


def named_question(question: Question) -> str:
    """A question as it may be spoken of in a sentence."""
    asked = " ".join(question.text.split())
    if len(asked.split()) > LONGEST_NAMED or not asked:
        asked = " ".join(question.written.values()) or "this"
    return f"\u201c{asked}\u201d"
