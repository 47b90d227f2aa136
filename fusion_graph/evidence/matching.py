"""Points found again in an answer: which of its sentences says what a point says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fusion_graph.evidence._passages import telling_keys
from fusion_graph.evidence.difference import polarity

ALIKE = 0.6
"""Least share of telling words that two sentences have in common, of both together (Dice): the
writer says the judge's points in its own words, and shorter."""

FEWEST = 3
"""Telling words that a text must have to be found again: "very" is no point."""

MOST = 300
"""Sentences, and points, that are looked at: the time is their product."""

CHARACTERS = 1_000
"""How much of each is read."""


def matched(sentences: Sequence[str], points: Sequence[str]) -> list[int | None]:
    """Find the point that each sentence says: the most alike; None where there is none.

    Two that have figures in common with each other and others besides are of different things, and
    so are two of which one denies. Where this errs it leaves a sentence alone.

    Args:
        sentences: Of an answer, without citations; past the first `MOST` none is found.
        points: What may be said in them; past the first `MOST` none is looked for.
    """
    known = [_read(point) for point in points[:MOST]]
    found = [_best(_read(sentence), known) for sentence in sentences[:MOST]]
    return found + [None] * (len(sentences) - len(found))


@dataclass(frozen=True)
class _Said:
    keys: frozenset[str]
    figures: frozenset[str]
    denied: bool


def _read(text: str) -> _Said:
    beginning = text[:CHARACTERS]
    keys = telling_keys(beginning)
    return _Said(keys, frozenset(filter(_is_figure, keys)), polarity(beginning).denied)


def _is_figure(key: str) -> bool:
    return key[0].isdigit()


def _best(sentence: _Said, points: Sequence[_Said]) -> int | None:
    alike = [(_alike(sentence, point), -place) for place, point in enumerate(points)]
    score, place = max(alike, default=(0.0, 0))
    return -place if score >= ALIKE else None


def _alike(one: _Said, other: _Said) -> float:
    if min(len(one.keys), len(other.keys)) < FEWEST or one.denied != other.denied:
        return 0.0
    if not (one.figures <= other.figures or other.figures <= one.figures):
        return 0.0
    return 2 * len(one.keys & other.keys) / (len(one.keys) + len(other.keys))
