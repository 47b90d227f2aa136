"""Units, currencies and scales as they are written, and what one unit is in another.

The words stand in `data/measures.toml` and, from Unicode CLDR, in `data/cldr.json` (written by
`tests/benchmarks/cldr_words.py`).
"""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cache
from importlib.resources import files

from fusion_graph.evidence._tables import by_word, rows, table

_TABLE = table("measures")
_FACTORS = {
    unit: (dimension, Decimal(factor)) for unit, dimension, factor in rows(_TABLE["factors"])
}
_SYMBOLS = {symbol: symbol for symbol in _TABLE["symbols"].split()} | by_word(_TABLE["variants"])
_NAMES = by_word(_TABLE["names"])
_OTHER_NAMES = by_word(_TABLE["other_names"])
_SCALES = {word: int(power) for word, power in by_word(_TABLE["scales"]).items()}

CURRENCY_MARKS = by_word(_TABLE["currency_marks"])
CURRENCY_CODES = frozenset(_TABLE["currency_codes"].split())
CURRENCY_WORDS = by_word(_TABLE["currency_words"])
SHORT_SCALES = {"k": 3, "m": 6, "b": 9, "t": 12, "tr": 12, "mm": 6}
"""One letter glued to a numeral, or after an amount of money: 3k, $3.5m."""


@cache
def _cldr() -> dict[str, dict[str, str | int | list[int]]]:
    text = (files("fusion_graph.evidence") / "data" / "cldr.json").read_text(encoding="utf-8")
    loaded: dict[str, dict[str, str | int | list[int]]] = json.loads(text)
    return loaded


def months_of(word: str) -> list[int]:
    """The months that a word names in some language; one, but for `listopad`."""
    found = _cldr()["months"].get(word)
    return found if isinstance(found, list) else []


def scale_of(word: str) -> int | None:
    """The power of ten that a scale word stands for: 6 of `million`."""
    own = _SCALES.get(word)
    if own is not None:
        return own
    found = _cldr()["scales"].get(word)
    return found if isinstance(found, int) else None


def unit_of(raw: str, folded: str) -> str | None:
    """The unit that a word names, or None.

    Args:
        raw: The word as it is written: `MW` and `mW` are two units.
        folded: The same in lower case.
    """
    found = _SYMBOLS.get(raw) or _NAMES.get(folded) or _OTHER_NAMES.get(folded)
    if not found and raw.isupper() and len(raw) > 1:
        found = _SYMBOLS.get(folded)  # A TITLE OF 54 KM
    if found:
        return found
    other = _cldr()["units"].get(folded)
    return other if isinstance(other, str) and len(folded) > 2 else None


def converted(value: Decimal, unit: str, other: str) -> Decimal | None:
    """A value in another unit of the same dimension, or None where there is no such thing."""
    if unit == other:
        return value
    if unit in _TEMPERATURES and other in _TEMPERATURES:
        return _from_celsius(_to_celsius(value, unit), other)
    one, two = _factor(unit), _factor(other)
    if one is None or two is None or one[0] != two[0]:
        return None
    return value * one[1] / two[1]


_TEMPERATURES = frozenset({"°C", "°F", "K"})


def _to_celsius(value: Decimal, unit: str) -> Decimal:
    if unit == "°F":
        return (value - 32) * 5 / 9
    return value - Decimal("273.15") if unit == "K" else value


def _from_celsius(value: Decimal, unit: str) -> Decimal:
    if unit == "°F":
        return value * 9 / 5 + 32
    return value + Decimal("273.15") if unit == "K" else value


def _factor(unit: str) -> tuple[str, Decimal] | None:
    known = _FACTORS.get(unit)
    if known:
        return known
    above, slash, below = unit.partition("/")
    if slash:
        one, two = _FACTORS.get(above), _FACTORS.get(below)
        if one and two:
            return f"{one[0]}/{two[0]}", one[1] / two[1]
    return None
