"""Answers compared by code with what is expected."""

from __future__ import annotations

from decimal import Decimal

import pytest

from fusion_graph.evals._checks import number, numbers_in, passes
from fusion_graph.evals._questions import Check


def right(kind: str, expected: object, answer: str, tolerance: float = 0.0) -> bool:
    listed = expected if isinstance(expected, tuple) else (expected,)
    verdict, reason = passes(Check(kind, tuple(map(str, listed)), tolerance), answer)
    assert reason
    return verdict


@pytest.mark.parametrize(
    ("expected", "answer", "is_right"),
    [
        ("Paris", " paris. ", True),
        ("Paris", "**Paris**", True),
        ("Paris", "Paris [2]", True),
        ("“Paris”", '"Paris"', True),
        ("Paris", "Paris, France", False),
        (("Paris", "Paris, France"), "Paris, France.", True),
        ("4–5", "4-5", True),
        ("Paris", "", False),
    ],
)
def test_exact_takes_the_whole_answer_but_for_case_and_marks(expected, answer, is_right):
    assert right("exact", expected, answer) is is_right


@pytest.mark.parametrize(
    ("expected", "answer", "is_right"),
    [
        ("self-fusion", "It is called Self\u2011Fusion [1].", True),
        ("self-fusion", "It is called fusion.", False),
        (("1.5 °C", "1.5 degrees"), "By 1.5 degrees, it says.", True),
        ("65", "The score was 65.5.", False),
        ("65.5", "The score was 165.5.", False),
        ("500", "It cost $1,500.", False),
        ("65.5", "The score was 65.5.", True),
        ("5", "About 5% of them", True),
        ("art", "The party", False),
        ("4", "As the source says [4].", False),
        ("four times", 'It says [2: "about four times the price"].', True),
        ("C++", "Written in C++.", True),
        ("two words", "two\n  words", True),
    ],
)
def test_contains_wants_the_words_as_words(expected, answer, is_right):
    assert right("contains", expected, answer) is is_right


def test_contains_all_wants_every_one():
    both = ("65.5", "self-fusion")

    assert right("contains_all", both, "Self-fusion scored 65.5.")
    assert not right("contains_all", both, "Self-fusion scored 65.")
    assert right("contains", both, "Self-fusion scored 65.")


@pytest.mark.parametrize(
    ("expected", "tolerance", "answer", "is_right"),
    [
        (65.5, 0, "It scored 65.5 points.", True),
        (65.5, 0, "It scored 65.50 points.", True),
        (65.5, 0, "It scored 65.4 points.", False),
        (65.5, 0.1, "It scored 65.4 points.", True),
        (0.3, 0.1, "0.2", True),
        (1234567, 0, "1,234,567 people", True),
        (1234567, 0, "1\u202f234\u202f567 people", True),
        (-4, 0, "It fell to \u22124 °C.", True),
        (4, 0, "It fell to -4 °C.", False),
        (3, 0, "As told [3] and [3, 5], nobody knows.", False),
        (3, 0, 'It says [7: "three, or 3, of them"].', True),
        (2, 0, "Between 2-3 times", True),
        (3, 0, "Between 2-3 times", True),
        (1500, 0, "1.5e3", True),
        (0.0015, 0, "1.5e-3", True),
        (5, 0, "none at all", False),
        (1200000, 0, "It has 1.2 million readers.", True),
        (1.2, 0, "It has 1.2 million readers.", False),
        (1200000, 0, "It has 1.2 billion readers.", False),
        (1200000, 0, "1,2 Mio. Leser", True),
        (3500000, 0, "$3.5m a year", True),
        (15000, 0, "15k", True),
        (12, 0, "Twelve.", True),
        (12, 0, "a dozen of them", True),
        (12, 0, "twelve thousand", False),
        (21000, 0, "twenty-one thousand", True),
        (-5, 0, "minus five degrees", True),
        (5, 0, "minus five degrees", False),
        (1234, 0, "1,234 of them", True),
        (1.234, 0, "1,234 of them", False),
        (1.234, 0, "1.234", True),
        (8, 0, "It passed 8/10.", True),
        (1969, 0, "on 20 July 1969", True),
        ("1.2 million", 0, "1,200,000 readers", True),
        ("twelve", 0, "There are 12.", True),
        (5, 0, "x5 and 1.2.5", False),
    ],
)
def test_numeric_looks_for_the_number_within_its_tolerance(expected, tolerance, answer, is_right):
    assert right("numeric", expected, answer, tolerance) is is_right


def test_any_of_several_numbers_will_do():
    assert right("numeric", (10, 20), "It is 20.")


def test_numbers_are_read_as_prose_writes_them():
    said = "On 2026-06-12, 1,000 of 12,34 paid $3.50 each, i.e. 5%, or +7."

    assert numbers_in(said) == [
        Decimal(n) for n in ("2026", "6", "12", "1000", "12.34", "3.50", "5", "7")
    ]


@pytest.mark.parametrize("text", ["", "many", "nan", "inf", "1e400", "two or three", "x5"])
def test_a_reference_that_is_not_one_number_is_none(text):
    assert number(text) is None


def test_a_long_answer_of_digits_is_read_in_time():
    assert len(numbers_in("1e99 7/8 12,345 twelve " * 2000)) < 20
