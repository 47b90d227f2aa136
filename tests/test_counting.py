"""Counts that an answer tells of its panel, held against who really says so."""

from __future__ import annotations

import pytest

from fusion_graph.evidence import miscounted, unfounded

POINTS = [
    ("The depot in Leuven was opened in 1953", ["ada", "bo"]),
    ("The trams of Leuven are painted blue", ["ada", "bo", "cy"]),
]


@pytest.mark.parametrize(
    ("answer", "agreeing"),
    [
        ("3 of 3 experts agree that the depot in Leuven was opened in 1953 [1].", 2),
        ("All three models say the depot was opened in 1953.", 2),
        ("Three out of three agree on the depot of 1953.", 2),
        ("Both panelists call the trams blue and well painted.", 3),
        ("The panel unanimously holds that the depot opened in 1953.", 2),
        ("The depot was opened in 1953. All models agree on this.", 2),
        ("2 of 3 models report that the trams are painted blue.", 3),
        ("3 of 3 experts agree that the great wall is 97 times as long.", 0),
        ("4 of 5 agree.", 3),
        ("Drei von drei Modellen sagen, das Depot in Leuven sei von 1953.", 2),
        ("3 modèles sur 3 : non. 3 sur 3 modèles confirment le dépôt de Leuven en 1953.", 2),
        ("3 de 3 expertos coinciden: depot, Leuven, 1953.", 2),
    ],
)
def test_a_count_that_is_not_so_is_told_with_the_real_one(
    answer: str, agreeing: int | None
) -> None:
    (found,) = miscounted(answer, POINTS, asked=3, answered=3)
    assert found.agreeing == agreeing
    assert found.said in answer


@pytest.mark.parametrize(
    "answer",
    [
        "2 of 3 models say that the depot in Leuven was opened in 1953 [1].",
        "All three panelists agree that the trams are blue.",
        "The models unanimously call the trams blue.",
        "Most models say the depot was opened in 1953.",
        "2 of the 3 members say it was opened in 1953; one says nothing of the depot.",
        "The depot of 1953 passed: 3 of 3 tests passed.",
        "All models of that tram were recalled in 1953.",
        "3 of 5 trams in Leuven are blue.",
        "Both trams were opened in Leuven.",
        "```\n3 of 3 models agree on the depot of 1953\n```",
        "Zwei von drei Modellen nennen für das Depot in Leuven 1953.",
    ],
)
def test_a_true_count_and_a_count_of_something_else_are_no_miscount(answer: str) -> None:
    assert miscounted(answer, POINTS, asked=3, answered=3) == []


def test_a_count_may_be_of_those_asked_or_of_those_who_answered() -> None:
    for told in ("2 of 4", "2 of 3"):
        answer = f"{told} models say that the depot in Leuven was opened in 1953."
        assert miscounted(answer, POINTS, asked=4, answered=3) == []
    assert miscounted("4 of 4 models agree on blue trams.", POINTS, asked=4, answered=3)


@pytest.mark.parametrize(
    ("answer", "makes_it"),
    [
        ("It opened in 1953 [1].", True),
        ("1953 saw the first trams leave the new depot.", True),
        ("The depot in Leuven was opened in 1954.", False),
        ("The depot in Leuven was not opened in 1953.", False),
        ("The depot in Linz was opened in 1953.", False),
        ("The trams are blue.", False),
    ],
)
def test_who_does_not_make_a_point_is_told_by_its_facts(answer: str, makes_it: bool) -> None:
    point = "All models agree that the depot in Leuven was opened in 1953."
    question = "When was the depot in Leuven opened?"
    assert unfounded(point, {"ada": answer}, question) == ([] if makes_it else ["ada"])
