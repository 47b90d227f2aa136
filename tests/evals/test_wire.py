"""Values between the answer's process and the tests': plain data, and nothing else."""

from __future__ import annotations

import json
import os
import struct
from collections import Counter, OrderedDict, defaultdict, deque
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion_graph.evals.sandbox.inside._wire import (
    FRAME_BYTES,
    NotPlain,
    Wire,
    WireBroken,
    decode,
    encode,
)

PROPERTY = settings(deadline=None, derandomize=True)

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.complex_numbers(allow_nan=False),
    st.text(st.characters()),
    st.binary(),
    st.decimals(allow_nan=False),
    st.fractions(),
    st.dates(),
    st.datetimes(),
    st.timedeltas(),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner),
        st.lists(inner).map(tuple),
        st.lists(inner).map(deque),
        st.sets(SCALARS),
        st.frozensets(SCALARS),
        st.dictionaries(SCALARS, inner),
    ),
    max_leaves=20,
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
)
KINDS = st.sampled_from(
    ["tuple", "set", "dict", "int", "bytes", "complex", "Decimal", "Fraction", "date", "range", "x"]
)


def refuse(value: Any) -> Any:
    raise NotPlain(type(value).__name__)


def across(value: Any) -> Any:
    return decode(json.loads(json.dumps(encode(value, refuse))), refuse)


@PROPERTY
@given(VALUES)
def test_plain_data_crosses_unchanged(value):
    back = across(value)

    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (type("Own", (Counter,), {})("aab"), {"a": 2, "b": 1}),
        (type("Own", (OrderedDict,), {})(a=1), {"a": 1}),
        (defaultdict(lambda: 7, a=[1]), {"a": [1]}),
        (IntEnum("Colour", "RED")(1), 1),
        (True, True),
        (range(2, 9, 3), range(2, 9, 3)),
    ],
)
def test_subclasses_cross_as_what_they_are_made_of(value, plain):
    back = across(value)

    assert back == plain
    assert type(back) is type(plain)


@pytest.mark.parametrize(
    "value", [Counter("aab"), OrderedDict(b=1, a=2), defaultdict(list, a=[1]), defaultdict(None)]
)
def test_the_standard_librarys_own_dicts_cross_as_they_are(value):
    back = across(value)

    assert (back, type(back), list(back)) == (value, type(value), list(value))
    assert getattr(back, "default_factory", None) is getattr(value, "default_factory", None)


def test_a_named_tuple_crosses_with_its_names_and_without_its_class():
    class Spot(NamedTuple):
        row: int
        column: int = 0

        def __eq__(self, other: object) -> bool:
            return True

    back = across([Spot(1, 2)])[0]

    assert (back.row, back.column, type(back).__name__) == (1, 2, "Spot")
    assert back == (1, 2)
    assert back != (3, 4)
    for names in (["Spot", "__eq__"], ["Spot", "a", "a"], ["import os", "a"]):
        with pytest.raises(NotPlain):
            decode({"!": "namedtuple", "v": [names, [1] * (len(names) - 1)]}, refuse)


def test_a_number_of_any_length_crosses():
    assert across(-(10**5000)) == -(10**5000)


def test_a_subclass_has_no_say_in_how_it_crosses():
    class Liar(str):
        def __str__(self) -> str:
            return "expected"

        def __iter__(self):
            return iter("expected")

    class Empty(list):
        def __iter__(self):
            return iter([4])

    assert across(Liar("said")) == "said"
    assert across(Empty()) == []


@pytest.mark.parametrize("value", [object(), len, lambda: 1, {1: object()}, [iter([])]])
def test_what_is_not_plain_is_left_to_the_one_who_exports(value):
    with pytest.raises(NotPlain):
        across(value)


def test_a_value_inside_itself_does_not_cross():
    around: list[Any] = []
    around.append(around)

    with pytest.raises(NotPlain):
        encode(around, refuse)


BUILT_IN = (
    *(type(None), bool, int, float, complex, str, bytes, bytearray, list, tuple, dict, set),
    *(frozenset, deque, range, Decimal, Fraction, date, datetime, timedelta),
)


@PROPERTY
@given(st.one_of(JSON, st.builds(lambda kind, v: {"!": kind, "v": v}, KINDS, JSON)))
def test_whatever_arrives_becomes_a_built_in_value_or_is_refused(data):
    try:
        value = decode(data, refuse)
    except NotPlain:
        return
    assert type(value) in BUILT_IN


@pytest.fixture
def wire():
    """A wire whose incoming end is written by the test, as `(wire, write)`."""
    reading, writing = os.pipe()
    nowhere, outgoing = os.pipe()
    yield Wire(reading, outgoing), lambda data: os.write(writing, data)
    for descriptor in {reading, writing, nowhere, outgoing}:
        os.close(descriptor)


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("!I", FRAME_BYTES + 1),
        struct.pack("!I", 2) + b"[]",
        struct.pack("!I", 2) + b"\xff\xff",
        struct.pack("!I", 50_000) + b"[" * 50_000,
        struct.pack("!I", 5000) + b"9" * 5000,
    ],
)
def test_what_is_no_frame_breaks_the_wire_for_good(wire, data):
    end, write = wire
    write(data)

    with pytest.raises(WireBroken):
        end.receive()
    assert end.broken
    assert not issubclass(WireBroken, Exception)


def test_a_frame_too_long_is_not_sent(wire):
    with pytest.raises(NotPlain):
        wire[0].send({"is": "x" * FRAME_BYTES})
