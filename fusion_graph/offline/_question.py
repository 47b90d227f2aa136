"""A question as terms to look for: which words count, and what kind of answer is wanted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from fusion_graph.offline._lexicon import ASKS_FOR, DENIAL, NEGATIONS, UNITS, VERBS
from fusion_graph.offline._quantities import Quantity
from fusion_graph.offline._text import (
    LONGEST_TEXT,
    capitalised,
    content_stems,
    stem,
    stop_words,
    tokens,
    word_pairs,
)

SHORT_QUESTION = 2
"""Terms. A question with fewer leans on what was asked before ("and its cost?")."""

MAX_TERMS = 14
"""Terms of a question that count; the rest of a long request is its wording."""

LONGEST_NAMED = 16
"""Words. A longer question is named by its terms."""

EARLIER_WEIGHT = 0.5
"""What a term of an earlier turn weighs."""

VERB_WEIGHT = 0.5
"""What a common verb weighs, where it is looked for at all."""

NAME_WEIGHT = 2.0
"""A name weighs double: "best time to visit Japan" is about Japan, not about best times."""

_DEFINED = re.compile(r"\W*(?:what|who) (?:is|are|was|were) (?:an? |the )?(.*?)(?:\?| and |,|$)")
_MEASURE = re.compile(
    r"\bhow (long|soon|quickly|fast|far|tall|high|wide|deep|heavy|often|likely|big|large|old)\b"
)
"""The measure asked for: an answer to "how long …?" names days, not the word "long"."""

_COUNTED = re.compile(r"\bhow many ([^\W\d]+(?: [^\W\d]+)?)")


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

    def wants(self, figure: Quantity) -> bool:
        """Whether a figure is of the kind that would answer it."""
        counted = {figure.kind, figure.also}
        return figure.kind in self.kinds or bool(self.counts and self.counts <= counted)


def ask(text: str, earlier: Sequence[str] = ()) -> Question:
    """The question in `text`, with terms of earlier ones where it is too short to stand alone.

    Args:
        text: What is asked.
        earlier: What was asked before, oldest first.
    """
    lowered, said = text[:LONGEST_TEXT].casefold(), set(tokens(text))
    terms, written = _terms(text, earlier)
    if not any(any(char.isalpha() for char in term) for term in terms):
        terms, written = {}, {}  # bare numbers ("12 * 4?") are found everywhere and mean nothing
    if len(terms) <= SHORT_QUESTION:
        terms |= {stem(verb): VERB_WEIGHT for verb in sorted(said & VERBS)}
        terms |= {DENIAL: 1.0} if said & NEGATIONS else {}
    kinds = {
        kind
        for pattern, answered_in in ASKS_FOR
        if re.search(pattern, lowered)
        for kind in answered_in.split()
    }
    counted, defined = _COUNTED.search(lowered), _DEFINED.match(lowered)
    unit = UNITS.get(counted[1].split()[0].removesuffix("s")) if counted else None
    return Question(
        text=text,
        terms=terms,
        written=written,
        kinds=frozenset(kinds | ({unit[0]} if unit else set())),
        counts=content_stems(counted[1]) if counted and not unit else frozenset(),
        defines=content_stems(defined[1]) & terms.keys() if defined else frozenset(),
        negated=bool(said & NEGATIONS),
    )


def _terms(text: str, earlier: Sequence[str]) -> tuple[dict[str, float], dict[str, str]]:
    """Weights and spellings of a question's terms."""
    terms: dict[str, float] = {}
    written: dict[str, str] = {}
    for turn, weight in [(text, 1.0), *((turn, EARLIER_WEIGHT) for turn in reversed(earlier))]:
        if weight < 1 and len(terms) >= SHORT_QUESTION:
            break
        measures = set(_MEASURE.findall(turn[:LONGEST_TEXT].casefold()))
        stops, names = stop_words(turn) | measures, capitalised(turn)
        for token in tokens(turn):
            if token not in stops and len(terms) < MAX_TERMS:
                terms.setdefault(stem(token), weight * (NAME_WEIGHT if token in names else 1.0))
                written.setdefault(stem(token), token)
    return terms, written


def named_question(question: Question) -> str:
    """A question as it may be spoken of in a sentence."""
    asked = " ".join(question.text.split())
    if len(asked.split()) > LONGEST_NAMED or not asked:
        asked = " ".join(question.written.values()) or "this"
    return f"\u201c{asked}\u201d"
