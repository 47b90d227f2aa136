"""Quotes checked by code: are these words on that page?

The verdict says that the words are there, not that what they are cited for follows from them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Literal

from rapidfuzz import fuzz
from rapidfuzz.distance import Levenshtein

Verdict = Literal["verified", "near", "not_found"]
"""`verified`: the words stand on the page, but for case, spacing, punctuation marks and markup.
`near`: almost, with the same figures and negations. `not_found`: neither."""

NEAR_SCORE = 90.0
"""`partial_ratio` from which a match is near: random words of a page scored at most 60."""

CANDIDATE_SCORE = 70.0
"""Least `partial_ratio` of a passage worth comparing word by word: quotes with two words changed
scored 75 to 98 in measurements, the longer the words the lower."""

CHANGED_WORDS = 1 / 6
"""Most of a quote's words that may differ in a near match: two in a sentence of twelve."""

SHORTEST_NEAR = 20
"""Shorter quotes (characters) are found exactly or not at all: fuzzy scores of a few words mean
nothing."""

EDGE_WORDS = 4
"""How many words an alignment may be off at either end."""

_FOLDED = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032`\u00b4", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
        "\u2026": "...",
    }
)
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)\s]*\)")
_MARKUP = re.compile(r"[*_`#>|\\]+")
_SPACE = re.compile(r"\s+")
_FIGURE = re.compile(r"\d+(?:[.,:/]\d+)*")
_NEGATION = re.compile(
    r"\b(?:not|no|never|none|nobody|nothing|neither|nor|without|cannot|hardly|barely|scarcely"
    r"|fails? to|failed to|un(?:able|likely)|nicht|kein\w*|nie|sans|jamais|pas|sin|nunca)\b"
    r"|n't\b"
)


def normalised(text: str) -> str:
    """The text as quotes are compared: NFKC, one case, plain quotes and dashes, no markup."""
    text = unicodedata.normalize("NFKC", text).translate(_FOLDED).casefold()
    text = _LINK.sub(r"\1", text)
    return _SPACE.sub(" ", _MARKUP.sub("", text)).strip()


def check_quote(quote: str, page: str) -> Verdict:
    """Whether one quote stands on a page; see `check_quotes`."""
    return check_quotes([quote], page)[0]


def check_quotes(quotes: Sequence[str], page: str) -> list[Verdict]:
    """Whether quotes stand on a page.

    A fuzzy score does not see a changed figure or a dropped "not", so a near match must also
    hold the quote's figures and negations, no more and no fewer.

    Args:
        quotes: The quoted words. Dots that stand for left-out words split a quote: every part
            must be there, in order.
        page: The full text of the page.
    """
    text = normalised(page) if quotes else ""
    return [_check(normalised(quote).strip(" .,;:\"'"), text) for quote in quotes]


def _check(wanted: str, text: str) -> Verdict:
    if not wanted:
        return "not_found"
    if _stands_in(wanted, text) or _parts_in_order(wanted, text):
        return "verified"
    if len(wanted) < SHORTEST_NEAR:
        return "not_found"
    found = fuzz.partial_ratio_alignment(wanted, text, score_cutoff=CANDIDATE_SCORE)
    if found is None or len(wanted) > len(text):
        return "not_found"
    words = _bare_words(wanted)
    window, changed = _closest(words, _words_around(text, found.dest_start, found.dest_end))
    if _figures(window) != _figures(words) or _negations(window) != _negations(words):
        return "not_found"
    near = found.score >= NEAR_SCORE or changed <= len(words) * CHANGED_WORDS
    return "near" if near else "not_found"


def _stands_in(wanted: str, text: str) -> bool:
    """Whether the words are there as words: "15 %" is not a quote from "115 %"."""
    start = text.find(wanted)
    while start != -1:
        before, after = text[start - 1 : start], text[start + len(wanted) :][:1]
        cut_before = before.isalnum() and wanted[0].isalnum()
        cut_after = after.isalnum() and wanted[-1].isalnum()
        if not cut_before and not cut_after:
            return True
        start = text.find(wanted, start + 1)
    return False


def _parts_in_order(wanted: str, text: str) -> bool:
    parts = [p.strip() for p in re.split(r"\[?\.{3,}\]?", wanted) if p.strip()]
    if len(parts) < 2 or any(len(part) < SHORTEST_NEAR for part in parts):
        return False
    at = 0
    for part in parts:
        at = text.find(part, at)
        if at == -1:
            return False
        at += len(part)
    return True


def _words_around(text: str, start: int, end: int) -> list[str]:
    """The words that a passage touches, and `EDGE_WORDS` more on either side."""
    while start > 0 and not text[start - 1].isspace():
        start -= 1
    while end < len(text) and not text[end].isspace():
        end += 1
    before = _bare_words(text[max(0, start - 200) : start])[-EDGE_WORDS:]
    after = _bare_words(text[end : end + 200])[:EDGE_WORDS]
    return [*before, *_bare_words(text[start:end]), *after]


def _bare_words(text: str) -> list[str]:
    """Words without the punctuation around them."""
    return [bare for word in text.split() if (bare := word.strip(".,;:!?\"'()[]"))]


def _closest(wanted: list[str], passage: list[str]) -> tuple[list[str], int]:
    """The part of a passage most like the wanted words, and how many words differ.

    The alignment is as many characters long as the quote, so where words were exchanged for
    longer or shorter ones it ends a few words too late or too early.
    """
    parts = (
        passage[first : len(passage) - last]
        for first in range(2 * EDGE_WORDS + 1)
        for last in range(2 * EDGE_WORDS + 1)
    )
    scored = ((part, Levenshtein.distance(wanted, part)) for part in parts)
    return min(scored, key=lambda pair: pair[1])


def _figures(words: list[str]) -> list[str]:
    return sorted(figure.strip(".,:/") for figure in _FIGURE.findall(" ".join(words)))


def _negations(words: list[str]) -> int:
    return len(_NEGATION.findall(" ".join(words)))
