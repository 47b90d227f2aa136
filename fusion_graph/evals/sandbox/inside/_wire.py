"""Between the tests' process and the answer's: bounded frames of JSON, and values in them.

A value crosses as plain data of the built-in types, whatever subclass it was of, or as a number
that stands for something which stays where it is. Nothing that arrives is ever run.
"""

from __future__ import annotations

import json
import os
import struct
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

FRAME_BYTES = 8 * 2**20
"""Longest frame; a larger value is refused."""

DEPTH = 100
"""Deepest nesting of a value, far below Python's own limit."""

EXACT = 2**53
"""Whole numbers from here on are written in base 16, which has no length limit in Python."""

Frame = dict[str, Any]


class WireBroken(BaseException):
    """The other process has gone, or wrote what is no frame.

    Not an `Exception`: tests that expect one must not take it for the answer's.
    """


class NotPlain(Exception):
    """A value that cannot cross."""


class Wire:
    """Frames over two pipes.

    Args:
        incoming: Descriptor to read from.
        outgoing: Descriptor to write to.
    """

    def __init__(self, incoming: int, outgoing: int) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self.broken = ""

    def send(self, frame: Frame) -> None:
        """Write a frame.

        Raises:
            NotPlain: It is too long.
            WireBroken: Nobody reads.
        """
        data = json.dumps(frame).encode()
        if len(data) > FRAME_BYTES:
            raise NotPlain(f"a value of more than {FRAME_BYTES} bytes")
        data = struct.pack("!I", len(data)) + data
        try:
            while data:
                data = data[os.write(self._outgoing, data) :]
        except OSError:
            raise self._break("its process ended") from None

    def receive(self) -> Frame:
        """Wait for a frame.

        Raises:
            WireBroken: There will be none.
        """
        (length,) = struct.unpack("!I", self._read(4))
        if length > FRAME_BYTES:
            raise self._break("what it sent is no reply")
        data = self._read(length)
        try:
            frame = json.loads(data)
        except (ValueError, RecursionError):
            raise self._break("what it sent is no reply") from None
        if not isinstance(frame, dict):
            raise self._break("what it sent is no reply")
        return frame

    def _read(self, length: int) -> bytes:
        parts, missing = [], length
        while missing:
            try:
                part = os.read(self._incoming, min(missing, 2**20))
            except OSError:
                part = b""
            if not part:
                raise self._break("its process ended")
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def _break(self, why: str) -> WireBroken:
        self.broken = self.broken or why
        return WireBroken(why)


def encode(value: Any, export: Callable[[Any], Frame], depth: int = 0) -> Any:
    """A value as JSON can hold it.

    Args:
        value: Any object.
        export: Makes a tagged stand-in for what is not plain data; may raise `NotPlain`.
        depth: How deep inside a value this one lies.

    Raises:
        NotPlain: It is nested too deeply, or `export` has no stand-in for it.
    """
    if value is None or value is True or value is False:
        return value
    if depth > DEPTH:
        raise NotPlain("a value nested too deeply, or inside itself")

    def each(items: Any) -> list[Any]:
        return [encode(item, export, depth + 1) for item in items]

    # Methods of the built-in types, not the object's own: a subclass may have overridden them.
    match value:
        case str():
            return str.__str__(value)
        case int():
            plain = int.__int__(value)
            return plain if -EXACT < plain < EXACT else _tagged("int", hex(plain))
        case float():
            return float.__float__(value)
        case list():
            return each(list.__iter__(value))
        case tuple() if _fields(value):
            return _tagged("namedtuple", [_named(value), each(tuple.__iter__(value))])
        case tuple():
            return _tagged("tuple", each(tuple.__iter__(value)))
        case Counter() | OrderedDict() | defaultdict() if type(value) in _DICTS:
            factory = value.default_factory if isinstance(value, defaultdict) else None
            makes = _FACTORIES.get(factory) if factory is not None else ""
            if makes is not None:
                pairs = [each(pair) for pair in dict.items(value)]
                return _tagged(type(value).__name__, [makes, pairs])
            return _tagged("dict", [each(pair) for pair in dict.items(value)])
        case dict():
            return _tagged("dict", [each(pair) for pair in dict.items(value)])
        case set():
            return _tagged("set", each(set.__iter__(value)))
        case frozenset():
            return _tagged("frozenset", each(frozenset.__iter__(value)))
        case bytes():
            return _tagged("bytes", bytes.hex(value))
        case bytearray():
            return _tagged("bytearray", bytearray.hex(value))
        case complex():
            return _tagged("complex", [value.real, value.imag])
        case deque():
            return _tagged("deque", each(deque.__iter__(value)))
        case range():
            return _tagged("range", each((value.start, value.stop, value.step)))
        case Decimal():
            return _tagged("Decimal", Decimal.__str__(value))
        case Fraction():
            return _tagged("Fraction", each((value.numerator, value.denominator)))
        case datetime():
            return _tagged("datetime", datetime.isoformat(value))
        case date():
            return _tagged("date", date.isoformat(value))
        case timedelta():
            return _tagged("timedelta", [value.days, value.seconds, value.microseconds])
    return export(value)


_DICTS = (Counter, OrderedDict, defaultdict)
_MAKERS: dict[str, type] = {
    kind.__name__: kind for kind in (list, dict, set, int, float, str, bool, tuple)
}
_FACTORIES: dict[Any, str] = {kind: name for name, kind in _MAKERS.items()}
"""What a defaultdict may make of its own; one that makes anything else crosses as a dict."""

_NAMES: dict[str, Callable[[Any, Any], Any]] = {
    "Counter": lambda _, pairs: Counter(dict(pairs)),
    "OrderedDict": lambda _, pairs: OrderedDict(pairs),
    "defaultdict": defaultdict,
}


MOST_FIELDS = 100
"""Of a named tuple; one with more crosses as a plain tuple."""


def _fields(value: tuple[Any, ...]) -> bool:
    """Whether a tuple is one with names for its places."""
    names = getattr(type(value), "_fields", None)
    return (
        isinstance(names, tuple)
        and len(names) == tuple.__len__(value) <= MOST_FIELDS
        and all(type(name) is str for name in names)
    )


def _named(value: tuple[Any, ...]) -> list[str]:
    return [type(value).__name__, *type(value)._fields]  # type: ignore[attr-defined]


def _named_tuple(data: Any, items: list[Any]) -> tuple[Any, ...]:
    """A named tuple of a class made here: names for places, and nothing of the answer's class.

    Its names are as plain as `namedtuple` wants them; it compares as any tuple does.
    """
    name, *fields = (str(word) for word in data[: MOST_FIELDS + 1])
    made = namedtuple(name, fields)  # type: ignore[misc]
    return made(*items)


def _tagged(kind: str, value: Any) -> Frame:
    return {"!": kind, "v": value}


_MADE: dict[str, Callable[[Any], Any]] = {
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "dict": dict,
    "deque": deque,
    "range": lambda items: range(*items),
    "Fraction": lambda items: Fraction(*items),
}
"""What is made of a list of decoded values."""

_READ: dict[str, Callable[[Any], Any]] = {
    "int": lambda text: int(text, 16),
    "bytes": bytes.fromhex,
    "bytearray": bytearray.fromhex,
    "complex": lambda parts: complex(float(parts[0]), float(parts[1])),
    "Decimal": Decimal,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "timedelta": lambda parts: timedelta(*map(int, parts)),
}
"""What is made of the JSON as it stands."""


def decode(data: Any, adopt: Callable[[Frame], Any], depth: int = 0) -> Any:
    """The value behind `encode`'s JSON, of a built-in type in any case.

    Args:
        data: Parsed JSON.
        adopt: Takes a tagged stand-in.
        depth: How deep inside a value this one lies.

    Raises:
        NotPlain: It is not what `encode` writes.
    """
    if data is None or isinstance(data, bool | str | int | float):
        return data
    if depth > DEPTH + 1:
        raise NotPlain("a value nested too deeply")
    try:
        if isinstance(data, list):
            return [decode(item, adopt, depth + 1) for item in data]
        kind, inner = data["!"], data.get("v")
        if kind in _NAMES:
            pairs = [decode(item, adopt, depth + 1) for item in inner[1]]
            return _NAMES[kind](_MAKERS.get(inner[0]), pairs)
        if kind == "namedtuple":
            return _named_tuple(inner[0], [decode(item, adopt, depth + 1) for item in inner[1]])
        if kind in _MADE:
            items = [decode(item, adopt, depth + 1) for item in inner]
            return _MADE[kind](items)
        if kind in _READ:
            return _READ[kind](inner)
        return adopt(data)
    except NotPlain:
        raise
    except Exception as error:
        raise NotPlain(f"what is no value ({type(error).__name__})") from None
