"""Cited sentences of an answer, held against the pages they cite."""

from __future__ import annotations

from fusion_graph.evidence import Claim, check_claims, passages

METRE = (
    "# The metre\n\nThe metre was defined in 1791 by the French Academy of Sciences as one "
    "ten-millionth of the distance from the equator to the North Pole. The prototype bar was "
    "made in 1889. Since 2019 it is defined by the speed of light.\n"
)
WALL = (
    "# The Great Wall\n\nThe Great Wall of China is 21,196 km long. It was built over more than "
    "2,000 years. Its Ming section measures 8,850 km.\n"
)
PAGES = {1: METRE, 2: WALL}


def only(answer: str, pages: dict[int, str] | None = None) -> Claim:
    (claim,) = check_claims(answer, PAGES if pages is None else pages)
    return claim


def test_each_cited_sentence_is_told_on_its_own_and_none_that_no_page_holds_is_supported() -> None:
    answer = "The wall is 97 times as long, as 3 of 3 experts agree [2]. Napoleon invented it [1]."
    wall, napoleon = check_claims(answer, PAGES)
    assert (wall["verdict"], wall["sources"]) == ("unsupported", [2])
    assert "97" in wall["missing"]
    assert (napoleon["verdict"], napoleon["missing"]) == ("unsupported", ["Napoleon"])


def test_a_claim_carries_the_words_of_the_page_that_decide() -> None:
    claim = only("Its Ming section measures 8,580 km [2].")
    assert claim == {
        "sentence": "Its Ming section measures 8,580 km.",
        "sources": [2],
        "verdict": "contradicted",
        "missing": ["8,580 km"],
        "passage": "Its Ming section measures 8,850 km.",
        "checked_by": "code",
    }


def test_the_passages_shown_to_a_verifier_are_those_nearest_to_the_sentence() -> None:
    (shown,) = passages("How long is the Ming section?", WALL, 1)
    assert "8,850 km" in shown
