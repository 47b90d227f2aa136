"""Answers compared by code with what is expected: no grader, no cost, the same every time.

Code sees words, not sense: an answer that names the right figure and denies it passes. Use it for
facts that hardly appear by accident.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from fusion_graph.evals.questions import Check
from fusion_graph.evidence import ANY_SOURCE, read_citations
from fusion_graph.evidence.quotes import normalised

_NUMBER = re.compile(
    r"(?<![\w.,])[-+]?"
    r"(?:\d{1,3}(?:,\d{3})+|\d{1,3}(?:[\u00a0\u202f\u2009 ]\d{3})+(?!\d)|\d+)"
    r"(?:\.\d+)?(?:e[-+]?\d{1,3})?",
    re.IGNORECASE,
)
"""A number as English prose writes it: thousands in groups, a decimal point."""


def passes(check: Check, answer: str) -> tuple[bool, str]:
    """Whether an answer is as expected, and in a few words why.

    Args:
        check: What to compare, and how.
        answer: The answer, without its list of sources.
    """
    if check.kind == "numeric":
        return _numeric(check, answer)
    text = normalised(_without_marks(answer))
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
    wanted = [Decimal(item) for item in check.expected]
    numbers = numbers_in(answer)
    for number in numbers:
        if any(abs(number - value) <= tolerance for value in wanted):
            return True, f"it says {number}"
    said = ", ".join(str(number) for number in numbers[:10]) or "no number"
    return False, f"it says {said}"


def numbers_in(answer: str) -> list[Decimal]:
    """The numbers in an answer, citations left out, in order."""
    text = _without_marks(answer).replace("\u2212", "-")
    found = []
    for match in _NUMBER.finditer(text):
        try:
            found.append(Decimal(re.sub(r"[,\s]", "", match.group())))
        except InvalidOperation:
            continue
    return found
