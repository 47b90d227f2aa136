"""Figures in a sentence: a value or range with its unit, told apart from names and dates."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fusion_graph.offline._lexicon import (
    DESIGNATED,
    FACTORS,
    MONTHS,
    MULTIPLES,
    NUMBER_WORDS,
    STOP,
    UNITS,
)
from fusion_graph.offline._text import stem

_WORDS = "|".join([*NUMBER_WORDS, *FACTORS])
_NUMBER = r"\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)?"
_FIGURE = re.compile(
    rf"(?P<sign>[$€£]\s?)?(?<![\w.,/-])(?P<low>{_NUMBER}|\b(?:{_WORDS})\b)"
    rf"(?:\s?(?:-|–|to|and|bis)\s?(?P<high>{_NUMBER}|\b(?:{_WORDS})\b)(?![\w-]))?"
    r"(?P<suffix>\s?%|(?:x|k|ms|s|mm|cm|km|kg)\b)?(?![\w/]|[.,:]\d|-\d)",
    re.IGNORECASE,
)
_NEXT = re.compile(r"[\s-]*([^\W\d_]+)(?:[\s-]+([^\W\d_]+))?")
_BEFORE = re.compile(r"([\w.-]+)\s*$")
_FIRST_YEAR, _LAST_YEAR = 1900, 2100
LONGEST_WORD = 60
"""Characters looked back for the word before a number."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A figure: from `low` to `high` in base units of `kind`.

    `kind` is a kind of `lexicon.UNITS`, or the stem of the counted thing ("task").
    `also` is the second word after the number: "16,000 completion tokens" counts tokens.
    """

    low: float
    high: float
    kind: str
    also: str = ""


def quantities(text: str) -> list[Quantity]:
    """The figures of a sentence, in order. Years, dates, versions and parts of names are none.

    Example:
        >>> quantities("Since May 2026 GPT-5.5 costs 4 to 5 times as much.")
        [Quantity(low=4.0, high=5.0, kind='times', also='')]
    """
    found = []
    for match in _FIGURE.finditer(text):
        quantity = _read(text, match)
        if quantity is not None:
            found.append(quantity)
    return found


def _read(text: str, match: re.Match[str]) -> Quantity | None:
    low, factor_word = _value(match["low"])
    high = _value(match["high"])[0] if match["high"] else low
    kind, also, scale = "", "", 1.0
    suffix = (match["suffix"] or match["sign"] or "").strip().lower()
    after = _NEXT.match(text, match.end())
    words = [word.lower() for word in after.groups() if word] if after else []
    if words and words[0] in MULTIPLES:
        scale = MULTIPLES[words.pop(0)]
    if suffix == "k":
        scale *= 1000.0
    elif suffix == "s":
        suffix = "second"
    if factor_word:
        kind = "times"
    elif suffix in UNITS:
        kind, unit = UNITS[suffix]
        scale *= unit
    elif words and (measured := _unit(words[0])):
        kind, unit = measured
        scale *= unit
    elif _is_year(match["low"], low) or _is_part_of_name(text, match):
        return None
    else:
        counted = [stem(word) for word in words if word not in STOP]
        # A word after a stop word belongs to another phrase: "scored 68.3 in the table".
        counted = counted if words and words[0] not in STOP else []
        kind, also = (*counted, "", "")[:2]
    return Quantity(min(low, high) * scale, max(low, high) * scale, kind, also)


def _unit(word: str) -> tuple[str, float] | None:
    return UNITS.get(word) or UNITS.get(word.removesuffix("s"))


def _value(written: str) -> tuple[float, bool]:
    """The number, and whether it is a factor ("fourfold")."""
    word = written.lower()
    if word in FACTORS:
        return FACTORS[word], True
    if word in NUMBER_WORDS:
        return NUMBER_WORDS[word], False
    if re.fullmatch(r"\d+,\d{1,2}", word):  # a decimal comma
        word = word.replace(",", ".")
    return float(word.replace(",", "")), False


def _is_year(written: str, value: float) -> bool:
    return written.isdigit() and len(written) == 4 and _FIRST_YEAR <= value <= _LAST_YEAR


def _is_part_of_name(text: str, match: re.Match[str]) -> bool:
    """Whether a number without a unit is a date, a version or an identifier: "Opus 4.8"."""
    before = _BEFORE.search(text[max(0, match.start() - LONGEST_WORD) : match.start()])
    previous = before[1] if before else ""
    following = text[match.end() :].lstrip().split(" ", 1)[0].strip(".,;:").lower()
    if previous.lower() in MONTHS or following in MONTHS:
        return True
    if previous.lower() in DESIGNATED:
        return True
    # "Only 3 members" and "Roughly 3 members" begin sentences without being names.
    is_adverb = previous.lower() in STOP or previous.endswith("ly")
    return previous[:1].isupper() and not is_adverb
