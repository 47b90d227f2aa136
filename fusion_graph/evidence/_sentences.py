"""Sentences: where they end in prose, whatever the language."""

from __future__ import annotations

import re
from itertools import pairwise

from fusion_graph.evidence._measures import months_of
from fusion_graph.evidence._tables import table

_END = re.compile(r"[.!?…]+[\"'”’»)\]*_]{0,3}(?=\s|$)|[。！？।؟][」』”’»）)]{0,2}")
_SHORT = frozenset(table("claims")["abbreviations"].split())
"""What is written before a point that ends no sentence."""

_WORD_BEFORE = re.compile(r"[^\W_](?:[^\W_]|\.(?=[^\W\d_]))*$")
_ORDINAL = re.compile(
    r"(?:^|[\s(])(?:am|der|die|das|dem|den|des|im|vom|zum|bis|seit|ab|dne|od|do|w|we|den)\s+\d{1,2}$",
    re.IGNORECASE,
)
_NEXT_WORD = re.compile(r"\s+[\"'“‘«(\[*_]{0,3}([^\W_]+)")


def ends(text: str, start: int = 0, end: int | None = None) -> list[int]:
    """The places after the last mark of every sentence of a text; its own end is none of them.

    Args:
        text: Prose.
        start: Where to begin.
        end: Where the text is taken to end.
    """
    end = len(text) if end is None else end
    found: list[int] = []
    for match in _END.finditer(text, start, end):
        at = match.end()
        if at < end and not _goes_on(text, match.start(), at, end):
            found.append(at)
    return found


def spans(text: str, start: int = 0, end: int | None = None) -> list[tuple[int, int]]:
    """The sentences of a text, as `(start, end)`."""
    end = len(text) if end is None else end
    edges = [start, *ends(text, start, end), end]
    bounds = (_trimmed(text, first, last) for first, last in pairwise(edges))
    return [(first, last) for first, last in bounds if first < last]


def _trimmed(text: str, first: int, last: int) -> tuple[int, int]:
    while first < last and text[first].isspace():
        first += 1
    while first < last and text[last - 1].isspace():
        last -= 1
    return first, last


def _goes_on(text: str, point: int, after: int, end: int) -> bool:
    """Whether a sentence goes on after a point."""
    following = _NEXT_WORD.match(text, after, min(end, after + 60))
    if following and following[1][0].islower():
        return True
    if text[point] != ".":
        return False
    before = _WORD_BEFORE.search(text[max(0, point - 24) : point])
    word = before[0] if before else ""
    if word.lower() in _SHORT or (len(word) == 1 and word.isalpha() and word.isupper()):
        return True
    if "." in word and len(word) <= 5:  # U.S. Army; z.B. Eis
        return True
    if word.isdecimal() and len(word) <= 2 and following:
        ordinal = _ORDINAL.search(text[max(0, point - 12) : point])
        return bool(ordinal) or bool(months_of(following[1].casefold()))
    return False
