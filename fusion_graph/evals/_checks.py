"""Answers compared by code with what is expected: no grader, no cost, the same every time.

Code sees words, not sense: an answer that names the right figure and denies it passes. Use it for
facts that hardly appear by accident.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal, InvalidOperation

from fusion_graph.evals._questions import Check
from fusion_graph.evidence import ANY_SOURCE, read_citations
from fusion_graph.evidence.difference import Figure, dates, figures
from fusion_graph.evidence.quotes import normalised

_EXPONENT = re.compile(r"(?<![\w.,])[-+]?\d+(?:\.\d+)?e[-+]?\d{1,2}(?![\w.])", re.IGNORECASE)
"""A number as programs write it; what a longer exponent makes is no answer to anything."""

_PARTS = re.compile(r"(?<![\w.,/:-])(\d{1,15})[/:](\d{1,15})(?![\w/:]|[.,]\d)")
"""Two numbers of which neither is lost in what they make: 8/10, 3:2."""


def passes(check: Check, answer: str) -> tuple[bool, str]:
    """Whether an answer is as expected, and in a few words why.

    Args:
        check: What to compare, and how.
        answer: The answer, without its list of sources.
    """
    if check.kind == "numeric":
        return _numeric(check, answer)
    text = wording(answer)
    if check.kind == "exact":
        words = text.strip(" .!?\"'")
        fits = [e for e in check.expected if words == normalised(e).strip(" .!?\"'")]
        return bool(fits), f"it is {fits[0]!r}" if fits else "it is none of what is expected"
    missing = [e for e in check.expected if not _stands_in(normalised(e), text)]
    if check.kind == "contains_all":
        right = not missing
        return right, "it holds all of them" if right else f"{missing[0]!r} is not in it"
    fits = [e for e in check.expected if e not in missing]
    return bool(fits), f"{fits[0]!r} is in it" if fits else "none of what is expected is in it"


def wording(answer: str) -> str:
    """An answer's words as they are compared: without citation numbers, case and typography."""
    return normalised(_without_marks(answer))


def _without_marks(answer: str) -> str:
    """The answer without citation numbers: `[4]` is no four. Quoted words stay."""
    return read_citations(answer, ANY_SOURCE).without(lambda mark: mark.words or " ")


def _stands_in(words: str, text: str) -> bool:
    """Whether words stand in a text as words: 5 is not in 65, nor in 5.5 or 1,500."""
    if not words:
        return False
    before = r"(?<!\w)(?<!\d[.,])" if words[0].isalnum() else ""
    after = r"(?!\w)(?![.,]\d)" if words[-1].isalnum() else ""
    return re.search(before + re.escape(words) + after, text) is not None


def _numeric(check: Check, answer: str) -> tuple[bool, str]:
    tolerance = Decimal(str(check.tolerance))
    wanted = [value for item in check.expected if (value := number(item)) is not None]
    numbers = numbers_in(answer)
    for said in numbers:
        if any(abs(said - value) <= tolerance for value in wanted):
            return True, f"it says {said:f}"
    told = ", ".join(f"{said:f}" for said in numbers[:10]) or "no number"
    return False, f"it says {told}"


def numbers_in(answer: str) -> list[Decimal]:
    """The numbers in an answer, citations left out, in order.

    Figures with their scale and in words (1.2 million, twelve), both ends of ranges, the parts of
    dates and of fractions. Units are not looked at.
    """
    text = _EXPONENT.sub(lambda found: f"{Decimal(found.group()):f}", _without_marks(answer))
    found: list[tuple[int, Decimal]] = []
    for figure in figures(text):
        found += [(figure.start, value) for value in _values(figure, text)]
    for date in dates(text):
        parts = (date.year, date.month, date.day)
        found += [(date.start, Decimal(part)) for part in parts if part is not None]
    for match in _PARTS.finditer(text):
        found += [(match.start(), Decimal(part)) for part in match.groups()]
    return list(dict.fromkeys(value for _, value in sorted(found, key=lambda item: item[0])))


def _values(figure: Figure, text: str) -> list[Decimal]:
    """What a figure may stand for: its ends, and 1.234 also with a decimal point.

    A comma between thousands is never taken for a decimal one: a thousandth would pass.
    """
    written = text[figure.start : figure.end]
    others = figure.others if "." in written and "," not in written else ()
    return [figure.first, *([figure.last] if figure.last != figure.first else []), *others]


def number(text: str) -> Decimal | None:
    """The one number that a text says, as in `65.5`, `1.2 million`, `twelve`; None if none or more.

    Args:
        text: A reference of a numeric check.
    """
    try:
        plain = Decimal(text.strip())
    except InvalidOperation:
        said = numbers_in(text)
        return said[0] if len(said) == 1 else None
    return plain if math.isfinite(float(plain)) else None
