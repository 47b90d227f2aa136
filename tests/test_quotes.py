"""Quotes against pages: what counts as there, nearly there, and not there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_graph.evidence.quotes import check_quote, check_quotes

PAGE = """# Waiting for a slow model

The gateway project waits **90 seconds** for a panel, then goes on without the slow ones. A
[deadline](https://example.org/deadline) on progress does not punish a model that is still
writing; a fixed total deadline does. Users of the tool reported that two minutes were not
enough, and the limit was raised to 5 minutes in version 1.2.

“Short deadlines cut off the strongest models first” — so says the report of 2026.
"""


@pytest.mark.parametrize(
    "quote",
    [
        "waits 90 seconds for a panel",
        "The gateway project waits **90 seconds**",
        "A deadline on progress does not punish a model that is still writing",
        "a model that is still\n  writing; a fixed total deadline does",
        '"Short deadlines cut off the strongest models first"',
        "SHORT DEADLINES CUT OFF THE STRONGEST MODELS FIRST",
        "first” - so says the report of 2026.",
        "The gateway project waits 90 seconds ... goes on without the slow ones",
    ],
)
def test_words_of_the_page_are_verified_whatever_their_dress(quote):
    assert check_quote(quote, PAGE) == "verified"


@pytest.mark.parametrize(
    "quote",
    [
        "Users of this tool reported two minutes were not enough",
        "the limit was raised to five minutes in the version 1.2",
        "A deadline on progress doesn't punish models that are still writing",
        "The gateway projects wait for 90 seconds for a panel",
        "Short dead-lines cut off the strongest models first",
    ],
)
def test_spelling_inflection_and_function_words_make_a_near_quote(quote):
    assert check_quote(quote, PAGE) == "near"


def test_another_word_is_told_beside_the_words_of_the_page():
    quote = "Users of the software reported that two minutes were not enough"
    (checked,) = check_quotes([quote], PAGE)
    assert checked.verdict == "altered"
    assert checked.page_says == "Users of the tool reported that two minutes were not\nenough"


@pytest.mark.parametrize(
    ("quote", "why"),
    [
        ("The gateway project waits 60 seconds for a panel, then goes on", "a figure changed"),
        ("the limit was raised to 5 minutes in version 1.3", "a figure changed at the end"),
        ("A deadline on progress does punish a model that is still writing", "'not' dropped"),
        ("reported that two minutes were enough, and the limit was raised", "'not' dropped"),
        ("The gateway project never waits 90 seconds for a panel, then", "'never' added"),
    ],
)
def test_changed_words_of_the_page_are_altered(quote, why):
    assert check_quote(quote, PAGE) == "altered", why


@pytest.mark.parametrize(
    ("quote", "why"),
    [
        ("Panels are cheaper than one model in every case that was measured", "invented"),
        ("waits 9", "cut in the middle of a number"),
        ("0 seconds for a panel", "cut in the middle of a number"),
        ("for slow", "short words that stand apart"),
        ("", "nothing"),
        ("…", "nothing but dots"),
    ],
)
def test_what_the_page_does_not_say_is_not_found(quote, why):
    assert check_quote(quote, PAGE) == "not_found", why


def test_a_quote_longer_than_the_page_is_not_found():
    assert check_quote(PAGE * 2, "Waiting for a slow model") == "not_found"


@given(st.text(max_size=300), st.text(max_size=600))
def test_any_text_gets_a_verdict(quote, page):
    assert check_quote(quote, page) in ("verified", "near", "altered", "not_found")


@given(st.integers(0, 6), st.integers(4, 8))
def test_any_run_of_whole_words_of_the_page_is_verified(start, length):
    page = "Plain words of a page about the old marks of a guild which go on for a while"
    words = page.split(" ")
    part = " ".join(words[start : start + length])
    assert check_quote(part, page) == "verified"
