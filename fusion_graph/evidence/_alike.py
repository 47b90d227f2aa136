"""Items that say the same in another form: figures, dates, spellings, particles written on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from fusion_graph.evidence._figures import Figure, agrees
from fusion_graph.evidence._items import Item
from fusion_graph.evidence._words import without_accents


def alike(one: Item, two: Item, rounded: bool = False) -> bool:
    """Say whether two items say the same in another form.

    Args:
        one: An item.
        two: One of the other text.
        rounded: Whether figures that agree by rounding or conversion say the same.
    """
    if one.key == two.key:
        return not _two_words(one, two)
    if one.figure and two.figure:
        return equal_figures(one.figure, two.figure) or (rounded and agrees(one.figure, two.figure))
    if one.date and two.date:
        return one.date.year == two.date.year and bool(
            set(one.date.readings()) & set(two.date.readings())
        )
    if one.group in ("figure", "date", "bound") or two.group in ("figure", "date", "bound"):
        return False
    if one.text.isascii() and two.text.isascii():
        return one.text == two.text  # nearly all pairs of words that are compared
    first, second = without_accents(one.text), without_accents(two.text)
    if first == second or _umlauts(one.text) == second or first == _umlauts(two.text):
        return True
    return _prefixed(one.text, two.text) or _prefixed(two.text, one.text)


def _two_words(one: Item, two: Item) -> bool:
    """Words whose forms fall together by a mute e: plan and plane."""
    first, second = sorted((one.text, two.text), key=len)
    return one.figure is None and len(first) >= 3 and second == first + "e"


@lru_cache(maxsize=20_000)
def _umlauts(text: str) -> str:
    """German as typed without umlauts: groesse."""
    for mark, plain in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("å", "aa"), ("ø", "oe")):
        text = text.replace(mark, plain)
    return without_accents(text)


_ARABIC = ("ال", "وال", "بال", "فال", "كال", "لل", "و", "ف", "ب", "ل", "ك")
_HEBREW = ("ה", "ו", "ב", "ל", "מ", "כ", "ש", "וה", "שה", "מה", "כש", "וב", "ול", "ומ")


def _prefixed(longer: str, shorter: str) -> bool:
    """Whether a word is another with an Arabic or Hebrew particle written onto it."""
    if len(shorter) < 2 or not longer.endswith(shorter):
        return False
    prefix = longer[: len(longer) - len(shorter)]
    return prefix in _ARABIC or prefix in _HEBREW


def equal_figures(one: Figure, two: Figure) -> bool:
    """Say whether two figures are the same numbers of the same unit and currency."""
    return one.same_numbers(two) and one.unit == two.unit and one.currency == two.currency


def signs_differ(first: Sequence[Item], second: Sequence[Item]) -> bool:
    """Say whether figures of the same digits differ: -5 and 5, 5 % and $5, 10^6 and 106."""
    one = [item.figure for item in first if item.figure]
    two = [item.figure for item in second if item.figure]
    if len(one) != len(two):
        return any(f.first < 0 or f.unit or f.currency for f in (*one, *two))
    return any(not equal_figures(a, b) for a, b in zip(one, two, strict=True))
