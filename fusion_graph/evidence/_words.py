"""Words: a text cut into words, numerals and marks, whatever its script.

Positions are those of the text as it was given, so that a difference can be shown where it stands.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Kind = Literal["word", "number", "power", "sign", "mark", "letter"]
"""`power`: raised digits. `mark`: % $ ° and their like. `letter`: one sign of a script that puts
no blanks between words, or a syllable of Korean, whose particles are written onto the word."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word, numeral or mark of a text.

    `text` is folded: one case, NFKC, no soft hyphens. `glued` tells that nothing stands between
    it and the word before; `breaks` that a cell or line of a table, or a sentence, ends before it.
    """

    text: str
    kind: Kind
    start: int
    end: int
    glued: bool
    breaks: bool
    capital: bool


# Soft hyphens, joiners of no width and marks of direction are typography wherever they stand.
IGNORABLE = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\u202a-\u202e\u2066-\u2069\ufeff"
# Scripts without blanks: Han, kana, Thai, Lao, Myanmar, Khmer; and Hangul (see `Kind`).
UNSPACED = (
    "\u0e00-\u0e7f\u0e80-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
_LETTER = rf"[^\W\d_{UNSPACED}]"
_INSIDE = (
    r"[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c7\u064b-\u065f\u0670"
    r"\u0900-\u0903\u093a-\u094f\u0951-\u0957\u0962\u0963\u0981-\u0983\u09bc-\u09cd\u0a01-\u0a03"
    r"\u0a3c-\u0a51\u0a81-\u0a83\u0abc-\u0acd\u0b01-\u0b03\u0b3c-\u0b57\u0b82\u0bbe-\u0bcd"
    r"\u0c00-\u0c04\u0c3e-\u0c56\u0c81-\u0c83\u0cbc-\u0cd6\u0d00-\u0d03\u0d3b-\u0d4d\u0d82\u0d83"
    rf"\u0dca-\u0ddf{IGNORABLE}]"
)
"""Signs that belong to the letter before: accents, points, vowel signs, and what has no width."""

_TOKEN = re.compile(
    rf"(?P<number>(?:(?<![\w.])\.)?\d[{IGNORABLE}]*(?:(?:[.,:'’٫٬\u00a0\u202f\u2009\u2007/]|)\d[{IGNORABLE}]*)*)"
    r"|(?P<power>[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)"
    r"|(?P<fraction>[¼½¾⅐-⅞])"
    rf"|(?P<letter>[{UNSPACED}](?:[\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd"
    rf"\u102b-\u103e\u17b4-\u17d3\u3099\u309a]|[{IGNORABLE}])*)"
    rf"|(?P<word>{_LETTER}(?:{_LETTER}|{_INSIDE}|\d)*(?:['’ʼ]{_LETTER}(?:{_LETTER}|{_INSIDE}|\d)*)*)"
    r"|(?P<sign>[-\u2010-\u2015\u2212+±])"
    r"|(?P<mark>[%‰°℃℉$€£¥₹₽₩₺₴₪₫฿¢^×*<>=≤≥≠≈~]|[()\[\]]|[|\n.!?。！？;؟।]|…)"
)
_BREAKING = frozenset("|\n.!?。！？;؟।…")
_BRACKETS = frozenset("()[]")
_PRIVATE = re.compile(f"[{IGNORABLE}]")

_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"))
_APOSTROPHES = str.maketrans({"’": "'", "ʼ": "'", "‘": "'", "`": "'"})


@lru_cache(maxsize=50_000)
def fold(text: str) -> str:
    """The text in one case and one Unicode form, without soft hyphens and their like."""
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKC", _PRIVATE.sub("", text))
    return text.casefold().translate(_APOSTROPHES)


@lru_cache(maxsize=20_000)
def without_accents(text: str) -> str:
    """The word in the letters that a keyboard without accents has: ü is ue or u, ø is o."""
    text = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    return "".join(c for c in text if not unicodedata.combining(c))


_LETTERS = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ł": "l", "ı": "i", "ð": "d", "þ": "th"}
)


def numeral(text: str) -> str:
    """The numeral in ASCII digits."""
    return "".join(
        str(unicodedata.decimal(c)) if not c.isascii() and c.isdecimal() else c
        for c in _PRIVATE.sub("", text)
    )


def words(text: str) -> list[Word]:
    """The words, numerals and marks of a text, in order. Linear in the text."""
    found: list[Word] = []
    end, breaks = 0, True
    for match in _TOKEN.finditer(text):
        kind, raw, start = match.lastgroup or "mark", match[0], match.start()
        glued = start == end and bool(found)
        end = match.end()
        if raw in _BREAKING:
            # One line break is typography; a blank line ends a paragraph.
            breaks = breaks or raw != "\n" or text[end : end + 1] == "\n"
        if raw in _BREAKING or raw in _BRACKETS:
            end = -1
            continue
        capital = False
        if kind == "number":
            value = numeral(raw)
        elif kind == "sign":
            value = raw.translate(_DASHES)
        elif kind == "power":
            value = unicodedata.normalize("NFKC", raw).replace("\u2212", "-")
        elif kind == "fraction":
            kind, value = "number", raw
        else:
            value, capital = fold(raw), raw[0].isupper()
            if kind == "letter" and value.isascii():
                kind = "word"
        found.append(Word(value, kind, start, end, glued, breaks, capital))  # type: ignore[arg-type]
        breaks = False
    return found
