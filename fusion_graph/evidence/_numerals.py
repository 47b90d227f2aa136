"""Numerals: what a run of digits stands for, in the grouping of every locale."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

_GROUPS = re.compile(r"\d{1,3}(?:\D\d{3})+")
_INDIAN = re.compile(r"\d{1,2}(?:\D\d{2})*\D\d{3}")
_SEPARATOR = re.compile(r"[^\d]")
_SPACES = "\u00a0\u202f\u2009\u2007'’٬"


def numeral_value(text: str, *, english: bool) -> tuple[Decimal, ...]:
    """What a numeral may stand for, the likeliest first; () where it is no amount (1.2.3, 12:30).

    Args:
        text: In ASCII digits.
        english: Whether a lone point is surely a decimal point and a lone comma surely none.
    """
    if text.startswith(".") and text[1:].isdigit():
        return (Decimal("0" + text),)
    if len(text) == 1 and not text.isdigit():
        fraction = unicodedata.numeric(text, None)
        return () if fraction is None else (Decimal(str(fraction)),)
    marks = _SEPARATOR.findall(text)
    if not marks:
        return (Decimal(text),) if text.isdigit() else ()
    if ":" in marks or "/" in marks:
        return ()
    bare = _SEPARATOR.sub("", text)
    kinds = set(marks)
    grouped = Decimal(bare) if _GROUPS.fullmatch(text) or _INDIAN.fullmatch(text) else None
    if len(kinds) == 1:
        mark = marks[0]
        if len(marks) > 1 or mark in _SPACES:
            return (grouped,) if grouped is not None and mark != "٫" else ()
        decimal = Decimal(text.replace(mark, "."))
        if grouped is None or mark == "٫" or text.startswith("0"):
            return (decimal,)
        if english and mark == ",":
            return (grouped,)
        if english and not text.endswith("000"):
            return (decimal,)
        return (decimal, grouped) if english else (grouped, decimal)
    last = marks[-1]
    whole, _, rest = text.rpartition(last)
    if (
        marks.count(last) == 1
        and len(kinds) == 2
        and last in ".,٫"
        and (_GROUPS.fullmatch(whole) or _INDIAN.fullmatch(whole))
    ):
        return (Decimal(f"{_SEPARATOR.sub('', whole)}.{rest}"),)
    return ()
