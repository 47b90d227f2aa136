"""JSON data of strangers: what no file and no API takes is mended in one way everywhere."""

from __future__ import annotations

import json
import math

import pytest

from fusion_graph.text.json_data import (
    encodable,
    has_half_characters,
    whole_characters,
    with_leaves,
    writable,
)

HALF = "\ud83d"


def test_half_a_character_becomes_the_sign_for_what_could_not_be_read():
    # Models' replies had a "?" here, reports and verdicts the sign.
    assert whole_characters(f"An owl {HALF}.") == "An owl \ufffd."
    assert has_half_characters(f"An owl {HALF}.")


@pytest.mark.parametrize("text", ["plain", "größer", "🦉", ""])
def test_whole_characters_stay(text):
    assert whole_characters(text) == text
    assert not has_half_characters(text)


def test_data_with_half_characters_can_be_written_afterwards_keys_included():
    data = {f"k{HALF}": [f"a{HALF}", {"n": (1, None, True)}]}
    mended = encodable(data)
    json.dumps(mended, ensure_ascii=False).encode()
    assert mended == {"k\ufffd": ["a\ufffd", {"n": [1, None, True]}]}


def test_numbers_that_json_has_no_word_for_are_unknown():
    assert writable({"cost": math.nan, "seconds": [math.inf, 1.5]}) == {
        "cost": None,
        "seconds": [None, 1.5],
    }
    assert math.isnan(encodable(math.nan))


def test_leaves_are_changed_and_what_holds_them_stays():
    assert with_leaves({"a": ["x", {"b": "y"}]}, str.upper) == {"A": ["X", {"B": "Y"}]}
