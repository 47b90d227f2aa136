"""Verdicts on claims, counted and in words."""

from __future__ import annotations

import pytest

from fusion_graph.text.claims import (
    beside_claims,
    checker,
    counts,
    found_at,
    summed_up,
    verdict_words,
    worst_first,
)
from tests.claims import CLAIMS, claim


def test_the_claims_are_summed_up_in_one_line():
    assert summed_up(counts(CLAIMS)) == (
        "5 claims checked: 2 supported, 1 contradicted, 1 unsupported, 1 not checkable"
    )
    assert summed_up(counts(CLAIMS[:1])) == "1 claim checked: 1 supported"
    assert summed_up({}) == ""


def test_an_event_is_summed_up_by_its_numbers_of_verdicts():
    event = {"type": "verify.completed", "at": 3, "supported": 2, "contradicted": 0, "claims": []}
    assert summed_up(event) == "2 claims checked: 2 supported"


def test_a_source_says_how_many_of_the_claims_that_cite_it_it_bears_out():
    assert found_at(CLAIMS) == {1: "1 of 2 claims found there", 2: "1 of 3 claims found there"}
    assert found_at([claim("Wet.", [1, 1], "supported")]) == {1: "1 of 1 claim found there"}


def test_a_source_of_which_nothing_could_be_checked_says_nothing():
    assert 3 not in found_at(CLAIMS)


def test_what_is_false_comes_first():
    assert [told["verdict"] for told in worst_first(CLAIMS)] == [
        *("contradicted", "unsupported", "not_checkable", "supported", "supported")
    ]


@pytest.mark.parametrize("told", CLAIMS, ids=lambda told: told["verdict"])
def test_every_verdict_has_words_and_a_checker(told):
    assert verdict_words(told).startswith(told["verdict"].replace("_", " "))
    assert checker(told) == f"checked by {'a model' if told['checked_by'] == 'model' else 'code'}"


def test_losses_that_the_claims_tell_are_not_told_twice():
    losses = [{"code": code} for code in ("claim_contradicted", "miscounted", "claim_unsupported")]

    assert beside_claims(losses, CLAIMS) == [{"code": "miscounted"}]
    assert beside_claims(losses, []) == losses
