"""Values as data that can leave the sandbox and be compared outside of it.

A value is a list of its kind and what it holds: `["int", "0x2a"]`, `["list", [...]]`. Two values
that Python calls equal are written alike as far as their kinds are built in; of any other object
its class and its words are kept, without addresses.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

DEEPEST = 40
"""How deep values may lie in each other; what lies deeper is cut off."""

MOST_ITEMS = 2_000
"""How much of an iterator is taken: some have no end."""

MOST_CHARACTERS = 20_000
"""A longer value is told by its hash: the parent reads lines of 64 KiB."""

_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}")
_SHOWN = 300

Written = list[Any]
"""A value's kind, and what it holds."""


def written(value: Any) -> Written:
    """Write a value as data.

    Args:
        value: Whatever a model's code returned.
    """
    whole = _written(value, 0)
    line = json.dumps(whole)
    if len(line) <= MOST_CHARACTERS:
        return whole
    return ["long", hashlib.sha256(line.encode()).hexdigest(), len(line)]


def _written(value: Any, depth: int) -> Written:
    if depth > DEEPEST:
        return ["deep"]
    kind = type(value)
    if value is None:
        return ["None"]
    if kind is bool:
        return ["bool", value]
    if kind is int:
        return ["int", hex(value)]  # in decimals Python refuses long ones
    if kind in (float, complex, str):
        return [kind.__name__, repr(value) if kind is not str else value]
    if kind in (bytes, bytearray):
        return ["bytes", value.hex()]
    if kind in (list, tuple):
        return [kind.__name__, [_written(one, depth + 1) for one in value]]
    if kind in (set, frozenset):
        return ["set", sorted((_written(one, depth + 1) for one in value), key=json.dumps)]
    if isinstance(value, dict):
        pairs = [[_written(k, depth + 1), _written(v, depth + 1)] for k, v in value.items()]
        return ["dict", sorted(pairs, key=json.dumps)]
    if isinstance(value, Iterator):
        items = list(islice(value, MOST_ITEMS + 1))
        return ["iterator", [_written(one, depth + 1) for one in items]]
    return ["object", kind.__name__, _ADDRESS.sub("0x…", repr(value))[:_SHOWN]]
