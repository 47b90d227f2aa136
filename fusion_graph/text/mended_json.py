"""JSON as models write it: found amid prose, and read as what it was meant to be."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

LONGEST = 100_000
"""Longest text that is mended, in characters."""

DEEPEST = 32
"""Most brackets inside one another that are mended: the mender's time is quadratic in them."""


MOST_OBJECTS = 50
"""Most places of a text at which an object is looked for; a model writes one."""


class JsonObject(NamedTuple):
    """An object in a text.

    Attributes:
        data: The object.
        start: Where its first brace stands.
        end: Where it is over.
        cut: Whether it broke off: then it holds what is whole of it.
        within_broken: Whether a brace before it began nothing that could be read, so that it may
            stand inside of something else.
    """

    data: dict[str, Any]
    start: int
    end: int
    cut: bool
    within_broken: bool


class Mended(NamedTuple):
    """What an object that is no JSON was meant to be, where it ends, and whether it broke off."""

    data: Any
    end: int
    cut: bool = False


def json_objects(
    text: str, mend: Callable[[str, int], Mended | None] | None = None
) -> Iterator[JsonObject]:
    """The objects of a text, outermost ones, from left to right.

    Args:
        text: A model's reply, whatever stands around its JSON.
        mend: Makes something of the object at a place that is no JSON, or None.
    """
    decoder = json.JSONDecoder(strict=False)
    start, within_broken = text.find("{"), False
    for _ in range(MOST_OBJECTS):
        if start == -1:
            return
        found: Mended | None
        try:
            found = Mended(*decoder.raw_decode(text, start))
        except (ValueError, RecursionError):
            found = mend(text, start) if mend is not None else None
        if found is not None and isinstance(found.data, dict):
            yield JsonObject(found.data, start, found.end, found.cut, within_broken)
            start = text.find("{", found.end)
        else:
            within_broken = True
            start = text.find("{", start + 1)


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
