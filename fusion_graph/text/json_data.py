"""JSON data as strangers send it: what no file, checkpoint or API takes is found and mended."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

_HALVES = re.compile("[\ud800-\udfff]")
"""Halves of surrogate pairs, alone: JSON may spell them, and no encoding takes them."""

REPLACEMENT = "\ufffd"
"""Unicode's sign for a character that could not be read."""


def whole_characters(text: str) -> str:
    """The text with a `\\ufffd` in place of each half of a surrogate pair.

    Args:
        text: Any text; half an emoji is no reason to lose the rest.
    """
    return text if text.isascii() else _HALVES.sub(REPLACEMENT, text)


def has_half_characters(text: str) -> bool:
    """Whether half of a surrogate pair stands in a text."""
    return not text.isascii() and _HALVES.search(text) is not None


def with_leaves(data: Any, change: Callable[[Any], Any]) -> Any:
    """JSON data with everything in it that is no object and no list changed, keys included.

    Args:
        data: Objects become dicts, lists and tuples lists.
        change: Takes a text, number or literal and gives what is to stand in its place.
    """
    if data is None or isinstance(data, str | int | float):
        return change(data)  # first: most of what there is, and a stream asks once a token
    if isinstance(data, Mapping):
        return {change(key): with_leaves(value, change) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [with_leaves(item, change) for item in data]
    return change(data)


def encodable(data: Any) -> Any:
    """JSON data of whole characters alone, as every file and checkpoint takes it."""
    return with_leaves(data, _whole)


def writable(data: Any) -> Any:
    """The same, with None for numbers that JSON has no word for: a provider's "NaN" dollars."""
    return with_leaves(data, lambda leaf: finite(_whole(leaf)))


def finite(leaf: Any) -> Any:
    """A value as it is, or None for NaN and the infinities."""
    return None if isinstance(leaf, float) and not math.isfinite(leaf) else leaf


def _whole(leaf: Any) -> Any:
    return whole_characters(leaf) if isinstance(leaf, str) else leaf
