"""Compares what calls of different candidates returned, and what a test expects.

Values come as data (`sandbox.written`). Numbers are the same if Python calls them equal or they
differ by no more than rounding does: a test that expects 0.3 of 0.1 + 0.2 means it.
"""

from __future__ import annotations

import json
import math
from typing import Any

from fusion_graph.sandbox import Output

ROUNDING = 1e-9
"""Relative difference of numbers that sums in another order may have."""

_NUMBERS = ("bool", "int", "float")
_SEQUENCES = ("list", "tuple", "set", "iterator")


def same(one: Any, other: Any, tolerance: float = 0.0) -> bool:
    """Say whether two values are the same.

    Args:
        one: A value as data.
        other: Another.
        tolerance: Absolute difference that numbers may have besides rounding.
    """
    if one[0] in _NUMBERS and other[0] in _NUMBERS:
        return _close(_number(one), _number(other), tolerance)
    if one[0] != other[0]:
        return False
    if one[0] in _SEQUENCES:
        return len(one[1]) == len(other[1]) and all(
            same(a, b, tolerance) for a, b in zip(one[1], other[1], strict=True)
        )
    if one[0] == "dict":
        return len(one[1]) == len(other[1]) and all(
            same(a[0], b[0]) and same(a[1], b[1], tolerance)
            for a, b in zip(one[1], other[1], strict=True)
        )
    return bool(one == other)


def is_true(value: Any) -> bool:
    """Say whether Python takes a value for true; objects of a candidate's own are.

    Args:
        value: A value as data.
    """
    kind, *held = value
    if kind in _NUMBERS:
        return _number(value) != 0
    if kind == "None":
        return False
    if kind in ("str", "bytes", "list", "tuple", "set", "dict"):
        return bool(held[0])
    return True


def key_of(output: Output | None) -> str:
    """Write what a call did so that two calls that did the same have the same text.

    Args:
        output: What it did; None where it was never reached.
    """
    if output is None:
        return "nothing"
    if output.value is None:
        return f"error {output.error}"
    return json.dumps(_rounded(output.value))


def _rounded(value: Any) -> Any:
    kind, *held = value
    if kind in _NUMBERS:
        number = _number(value)
        if isinstance(number, float) and math.isfinite(number) and not number.is_integer():
            return ["number", f"{number:.9g}"]
        return ["number", str(number) if not _whole(number) else hex(int(number))]
    if kind in _SEQUENCES:
        return [kind, [_rounded(one) for one in held[0]]]
    if kind == "dict":
        return [kind, [[_rounded(k), _rounded(v)] for k, v in held[0]]]
    return value


def _whole(number: int | float) -> bool:
    return isinstance(number, int) or (math.isfinite(number) and number.is_integer())


def _number(value: Any) -> int | float:
    match value:
        case ["bool", bool(said)]:
            return int(said)
        case ["int", str(digits)]:
            return _read(int, digits, 16)
        case ["float", str(digits)]:
            return _read(float, digits)
    return math.nan


def _read(kind: Any, *words: Any) -> int | float:
    # A candidate that writes into the report itself may write anything.
    try:
        found: int | float = kind(*words)
    except ValueError:
        return math.nan
    return found


def _close(one: int | float, other: int | float, tolerance: float) -> bool:
    if isinstance(one, int) and isinstance(other, int) and not tolerance:
        return one == other
    try:
        one, other = float(one), float(other)
    except OverflowError:
        return one == other
    if math.isnan(one) and math.isnan(other):
        return True
    return math.isclose(one, other, rel_tol=ROUNDING, abs_tol=max(tolerance, 1e-12))
