"""Cited sentences of an answer, held against the pages they cite."""

from __future__ import annotations

import pytest

from fusion_graph.evidence import Claim, check_claims, passages
from tests.benchmarks import planted_claims

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


DEPOT = (
    "# The depot of Leuven\n\nThe depot was opened on 3 May 1953 by Anna Berger. It has 12,431 "
    "seats, 5 km of track and a hall of 20 m. In 1990 some 33 % of the trams were blue, and "
    "2 trams were lost. Most of the drivers did not approve the plan. The hall is longer than the "
    "shed. All of the gates must be closed at night. The shed weighs 3 tonnes and cost 2 million "
    "euros. Berger praised Novak for the new line. It is heated to 20 °C for 90 minutes.\n\n"
    "| Line | 1990 | 2024 |\n|---|---|---|\n| Red | 1,200 | 1,500 |\n| Green | 800 | 400 |\n\n"
    "Since 2024 the depot has been a museum.\n"
)
GERMAN = "Das Depot wurde am 3. Mai 1953 eröffnet und ist 12,5 km lang. Es ist nicht geheizt.\n"
FRENCH = "Le dépôt a été ouvert le 3 mai 1953. Il ne mesure pas 40 m, mais 35 m de long.\n"
SPANISH = "El depósito se abrió el 3 de mayo de 1953 y no tiene 300 asientos.\n"
PLACES = {1: DEPOT, 2: GERMAN, 3: FRENCH, 4: SPANISH}


@pytest.mark.parametrize(
    "sentence",
    [
        "The depot was opened on 3 May 1953 by Anna Berger [1].",
        "The depot was opened in May 1953 by Anna Berger [1].",
        "The depot was opened on May 3, 1953 by Anna Berger [1].",
        "The depot was opened in 1953 [1].",
        "The depot was opened in the 1950s by Anna Berger [1].",
        "It has about 12,400 seats [1].",
        "It has about 12,000 seats [1].",
        "It has 12.4 thousand seats [1].",
        "It has 12431 seats [1].",
        "It has 12,431 seats, 5,000 m of track and a hall of 20 metres [1].",
        "It has about 3.1 miles of track [1].",
        "In 1990 about a third of the trams were blue [1].",
        "Two trams were lost [1].",
        "The drivers mostly did not approve the plan; most of the drivers did not approve it [1].",
        "The shed weighs 3,000 kg [1].",
        "The shed cost €2 million [1].",
        "It is heated to 68 °F [1].",
        "It is heated to 20 °C for 1.5 hours [1].",
        "All of the gates must be closed at night [1].",
        "The hall is longer than the shed [1].",
        "Berger praised Novak for the new line [1].",
        "Novak was praised by Berger for the new line [1].",
        "*The hall* is **longer** than the shed [1].",
        "The hall [1] is longer than the shed.",
        "The hall is longer than the shed. [1]",
        "Das Depot wurde am 3. Mai 1953 eröffnet [2].",
        "Das Depot ist 12,5 km lang [2].",
        "Das Depot wurde 1953 eröffnet und ist 12.500 m lang [2].",
        "Le dépôt a été ouvert le 3 mai 1953 [3].",
        "Le dépôt a été ouvert en mai 1953 [3].",
        "El depósito se abrió el 3 de mayo de 1953 [4].",
        "The museum was opened 71 years before 2024, the depot in 1953 [1].",
        "The Red line had 1,500 in 2024, 300 more than in 1990 [1].",
        "The Red line grew by 25 % from 1990 to 2024 [1].",
        "The Green line halved from 1990 to 2024: 800 to 400, half as many [1].",
        "Red and Green had 2,000 together in 1990 [1].",
    ],
)
def test_what_a_page_says_or_what_follows_from_it_is_no_false_claim(sentence: str) -> None:
    assert only(sentence, PLACES)["verdict"] in ("supported", "not_checkable")


@pytest.mark.parametrize(
    "sentence",
    [
        "The depot was opened on 4 May 1953 by Anna Berger [1].",
        "The depot was opened on 3 March 1953 by Anna Berger [1].",
        "The depot was opened in 1954 [1].",
        "The depot was opened in the 1960s by Anna Berger [1].",
        "The depot was opened by Karl Murphy [1].",
        "It has about 13,000 seats [1].",
        "It has 12,341 seats [1].",
        "It has 5 miles of track [1].",
        "In 1990 about half of the trams were blue [1].",
        "In 1990 some 33 % of the trams were blue, and 3 trams were lost [1].",
        "Most of the drivers did approve the plan [1].",
        "All of the drivers did not approve the plan [1].",
        "The hall is shorter than the shed [1].",
        "Some of the gates must be closed at night [1].",
        "All of the gates must not be closed at night [1].",
        "All of the gates may be closed at night [1].",
        "The shed weighs 3 grams [1].",
        "The shed cost 2 billion euros [1].",
        "The shed cost 2 million dollars [1].",
        "Novak praised Berger for the new line [1].",
        "It is heated to 20 °F for 90 minutes [1].",
        "It is heated to 20 °C for 90 seconds [1].",
        "The trams of the depot are 97 times as long [1].",
        "Napoleon opened the depot [1].",
        'A driver said "we never wanted this museum" of the depot [1].',
        "The Red line grew by 45 % from 1990 to 2024 [1].",
        "- The hall is shorter than the shed [1]",
        "| what | how |\n|---|---|\n| seats of the depot | 13,431 [1] |",
        "Das Depot wurde am 3. März 1953 eröffnet [2].",
        "Das Depot ist 13,5 km lang [2].",
        "Es ist geheizt [2].",
        "Le dépôt a été ouvert le 4 mai 1953 [3].",
        "El depósito se abrió el 3 de junio de 1953 [4].",
        "El depósito se abrió el 3 de mayo de 1953 y tiene 300 asientos [4].",
    ],
)
def test_a_claim_that_no_cited_page_holds_is_told(sentence: str) -> None:
    assert only(sentence, PLACES)["verdict"] in ("contradicted", "unsupported")


@pytest.mark.parametrize(
    "sentence",
    [
        "A fine place to spend an afternoon [1].",
        "The depot was shut in by its neighbours for a while [1].",
        "Nobody read the page of 1822 [9].",
    ],
)
def test_what_code_cannot_tell_is_not_told_as_true_or_false(sentence: str) -> None:
    claim = only(sentence, {**PLACES})
    assert claim["verdict"] == "not_checkable"
    assert claim["missing"] == []


def test_sentences_that_cite_nothing_headings_and_code_hold_no_claims() -> None:
    answer = (
        "# 97 depots [1]\n\n97 depots. `97 [1]`\n\n```\n97 depots [1]\n```\n\n    97 depots [1]\n"
    )
    assert check_claims(answer, PLACES) == []


def test_any_cited_page_may_support_a_claim_and_a_missing_one_might_have() -> None:
    assert only("The depot was opened in 1953 [9][1].", PLACES)["verdict"] == "supported"
    assert only("The depot was sold for 77 francs [1][9].", PLACES)["verdict"] == "not_checkable"


def test_a_citation_after_the_full_stop_belongs_to_the_sentence_before_it() -> None:
    first, second = check_claims(
        "It has 12,431 seats. [1] The hall is of steel. [2] reports 1953.", PLACES
    )
    assert (first["sentence"], first["sources"]) == ("It has 12,431 seats.", [1])
    assert second["sources"] == [2]


# Reading the texts of others alone takes five seconds; each kind of fault has its cases above.
@pytest.mark.slow
def test_of_many_faults_planted_into_texts_of_others_nearly_all_are_told() -> None:
    tally = planted_claims.measure(seed=7, per_kind=20, honest=15, untouched=60)
    for kind in planted_claims.KINDS:
        assert tally.share(kind) >= 0.9, tally.wrong
    for kind in ("untouched", *planted_claims.HONEST, *planted_claims.DERIVED):
        assert tally.share(kind) >= 0.93, tally.wrong


def test_a_page_with_a_mark_that_stands_alone_is_read_like_any_other() -> None:
    page = METRE + "\nน \u0e48 น and \u0e38 again.\n"
    assert only("The prototype bar was made in 1889 [1].", {1: page})["verdict"] == "supported"


@pytest.mark.parametrize("size", [20_000, pytest.param(200_000, marks=pytest.mark.slow)])
def test_a_hostile_answer_of_tens_of_thousands_of_characters_is_checked_to_its_end(
    size: int,
) -> None:
    for piece in (" ", "[", '"a b ', "| a [1] ", "- It has 12,431 seats [1]\n", ". "):
        answer = "It has 12,431 seats [1].\n\n" + piece * (size // len(piece))
        claims = check_claims(answer, {1: DEPOT, 2: answer})
        assert claims[0]["verdict"] == "supported"


@pytest.mark.parametrize(
    ("answer", "page"),
    [
        (
            "Marta Kos followed Jan Blaha as head of the museum [1].",
            "Jan Blaha followed Marta Kos as head of the museum.",
        ),
        ("The cable carries 30–60 amperes [1].", "The cable carries 30–45 amperes."),
        (
            "The coating stops rust [1].",
            "The makers were unable to show that the coating stops rust.",
        ),
    ],
)
def test_words_of_the_page_in_another_order_range_or_frame_are_no_support(answer, page):
    (claim,) = check_claims(answer, {1: page})
    assert claim["verdict"] in ("contradicted", "unsupported")
