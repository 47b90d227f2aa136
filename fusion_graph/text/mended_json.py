"""JSON as models break it, read as what it was meant to be."""

from __future__ import annotations

from typing import Any

LONGEST = 100_000
"""Longest text that is mended, in characters."""

DEEPEST = 32
"""Most brackets inside one another that are mended: the mender's time is quadratic in them."""


def mended(text: str) -> Any:
    """The JSON value that a text was meant to be, or None.

    Args:
        text: With quotes, commas, brackets or literals that JSON does not know.
    """
    depth = deepest = 0
    for char in text:
        depth += (char in "{[") - (char in "}]")
        deepest = max(deepest, depth)
    if deepest > DEEPEST or len(text) > LONGEST:
        return None
    from json_repair import repair_json

    try:
        return repair_json(text, return_objects=True, skip_json_loads=True)
    except (ValueError, RecursionError):
        return None
