"""The labels of answers as judges write them, read out of words, ranges, lists and remarks."""

from __future__ import annotations

import re
from typing import Any

ITEMS_LIMIT = 200
"""Most items kept of one list: far above what a judge writes, and a bound on a runaway one."""

_REMARK = re.compile(r"\([^()]{2,200}\)")
_RANGE = re.compile(
    r"(?<![A-Za-z])([A-Z])\s*(?:-|–|—|\.\.+|\bto\b|\bthrough\b)\s*([A-Z])(?![A-Za-z])"
)
_FILLER = frozenset(
    """answer answers panelist panelists panellist panellists model models member members response
    responses label labels candidate candidates expert experts option options and or the both
    only""".split()  # noqa: SIM905
)


def labels_in(value: Any) -> list[str]:
    """Read labels as judges write them: `A`, `Answer A`, `a`, `A (first)`, `A and B`, `A/B`, `A-C`.

    Words that are no labels count only where nothing else is said, to be told as unknown.

    Args:
        value: What stands where labels belong: a text, a list, an object, or something else.
    """
    return _labels(value, 0)


def _labels(value: Any, depth: int) -> list[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        if depth > 3:
            return []
        found = [label for item in value[:ITEMS_LIMIT] for label in _labels(item, depth + 1)]
        return list(dict.fromkeys(found))
    if not isinstance(value, str):
        return []
    text = _REMARK.sub(" ", value[:500])
    ranged = [
        chr(letter)
        for first, last in _RANGE.findall(text)
        for letter in range(ord(first), ord(last) + 1)
    ]
    words = re.findall(r"[A-Za-z]+", text)
    letters = [word for word in words if len(word) == 1]
    said = [word for word in words if len(word) > 1 and word.lower() not in _FILLER]
    if said and any(letter.isupper() for letter in letters):
        letters = [letter for letter in letters if letter.isupper()]  # not the article
    elif said:
        letters = []
    found = [letter.upper() for letter in (*letters, *ranged)]
    if found:
        return sorted(set(found)) if ranged else list(dict.fromkeys(found))
    return [words[-1].upper()[:40]] if words else []


def first_label(value: Any) -> str:
    """Read the one label where one belongs."""
    return next(iter(labels_in(value)), "")
