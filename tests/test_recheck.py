"""Which contradiction is worth asking about again, and what the replies decide."""

from __future__ import annotations

from typing import Any

import pytest

from fusion_graph.evidence import SourceRecord
from fusion_graph.judgement import (
    Analysis,
    Held,
    amended,
    point_to_recheck,
    positions,
    read_reply,
    settle,
)
from fusion_graph.judgement.analysis import Contradiction
from tests.test_adaptive import source

QUESTION = "When did the depot in Leuven open?"
ANSWERS = {
    "ada": "The depot in Leuven opened in 1953 [1]. It has two halls [1].",
    "bo": "It opened in 1955 [2]. It has three halls [2].",
    "cy": "The depot opened in 1953 [1].",
}
SOURCES = [source(1, ["ada", "cy"]), source(2, ["bo"])]


def clash(topic: str = "When the depot opened", **stances: tuple[str, list[int]]) -> dict[str, Any]:
    """A contradiction: `ada=("1953", [1])`, …"""
    given = stances or {"ada": ("1953", [1]), "bo": ("1955", [2])}
    sides = [{"model": m, "stance": s, "sources": n} for m, (s, n) in given.items()]
    return {"topic": topic, "stances": sides}


def chosen(
    *clashes: dict[str, Any],
    sources: list[SourceRecord] = SOURCES,
    readable: tuple[int, ...] = (1, 2),
    question: str = QUESTION,
) -> str | None:
    """The topic of the contradiction that is asked about."""
    analysis = Analysis.model_validate({"contradictions": clashes})
    found = point_to_recheck(analysis, ANSWERS, sources, readable, question)
    return None if found is None else found.topic


def test_a_contradiction_with_evidence_on_both_sides_is_asked_about_again() -> None:
    assert chosen(clash()) == "When the depot opened"
    assert point_to_recheck(None, ANSWERS, SOURCES, (1, 2), QUESTION) is None


@pytest.mark.parametrize(
    "why_not",
    [
        {"sources": [source(1, ["ada"], verdict="altered"), source(2, ["bo"])]},
        {"readable": (1,)},
    ],
    ids=["one side misquotes its page", "one side's page is not at hand"],
)
def test_a_side_without_usable_evidence_leaves_nothing_to_weigh(why_not) -> None:
    assert chosen(clash(), **why_not) is None


@pytest.mark.parametrize(
    "not_worth_it",
    [
        clash(ada=("1953", [1]), bo=("1955", [])),
        clash(ada=("1953", [1]), cy=("1953.", [1])),
        clash(ada=("1953", [1]), zoe=("1955", [2])),
        clash(ada=("1953", [1]), bo=("1957", [2])),
        clash("How many halls", ada=("two halls", [1]), bo=("three halls", [2])),
    ],
    ids=[
        "one cites nothing",
        "the same words",
        "nobody of that name answered",
        "the judge misread one",
        "beside the question",
    ],
)
def test_what_is_no_contradiction_that_carries_the_answer_is_not_paid_for(not_worth_it) -> None:
    assert chosen(not_worth_it) is None


def test_of_several_the_first_that_is_worth_it_is_the_only_one() -> None:
    halls = clash("How many halls", ada=("two halls", [1]), bo=("three halls", [2]))
    later = clash("Year of opening of the depot")
    assert chosen(halls, clash(), later) == "When the depot opened"


def test_where_the_question_has_no_telling_word_the_first_counts() -> None:
    assert chosen(clash(), question="Is it?") == "When the depot opened"


THREE = Contradiction.model_validate(clash(ada=("1953", [1]), bo=("1955", [2]), cy=("1953.", [1])))


def test_stances_that_are_worded_alike_are_one_position() -> None:
    assert [[s.model for s in group] for group in positions(THREE)] == [["ada", "cy"], ["bo"]]


@pytest.mark.parametrize(
    ("held", "position"),
    [
        ([(1, True), (1, False), (1, False)], 1),
        ([(2, False), (2, True), (2, False)], 2),
        ([(1, True), (2, True), (1, True)], None),
        ([(1, False), (1, False), (1, False)], None),
        ([(1, True), (0, False), (1, True)], None),
        ([(1, True), (None, False), (1, True)], None),
        ([(7, True), (7, True), (7, True)], None),
        ([], None),
    ],
    ids=[
        "all hold the first",
        "the majority gives in",
        "a majority settles nothing",
        "nobody's words stand on a page",
        "one finds that nothing decides",
        "one did not reply",
        "there is no such position",
        "nobody replied",
    ],
)
def test_a_point_is_settled_by_all_of_them_and_a_page_or_not_at_all(held, position) -> None:
    names = ("ada", "bo", "cy")
    settlement = settle(THREE, [Held(n, p, on) for n, (p, on) in zip(names, held, strict=False)])
    assert settlement.position == position
    assert settlement.detail.startswith("Asked again about this point alone")


def test_a_settled_point_is_agreed_and_one_that_stands_stays_with_what_was_said() -> None:
    analysis = Analysis.model_validate(
        {"contradictions": [clash()], "consensus": [{"point": "P", "models": [], "sources": []}]}
    )
    point = analysis.contradictions[0]
    both = settle(point, [Held("ada", 2, False), Held("bo", 2, True)])
    neither = settle(point, [Held("ada", 1, True), Held("bo", 2, True)])

    agreed = amended(analysis, point, both, SOURCES)
    stands = amended(analysis, point, neither, SOURCES)

    assert agreed.contradictions == []
    assert [p.point for p in agreed.consensus] == ["When the depot opened: 1955", "P"]
    assert agreed.consensus[0].models == ["ada", "bo"]
    assert (agreed.consensus[0].sources, agreed.consensus[0].independent) == ([2], 1)
    assert 'ada said "1953"' in str(agreed.consensus[0].rechecked)
    assert stands.contradictions[0].rechecked == neither.detail
    assert stands.model_dump()["contradictions"][0]["rechecked"] == neither.detail
    assert "rechecked" not in analysis.model_dump()["contradictions"][0]
    elsewhere = Analysis()
    assert amended(elsewhere, point, both, SOURCES) == elsewhere


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ('{"position": 2, "why": "w", "quote": "q"}', 2),
        ('<think>{"position": 1}</think>Well.\n```json\n{"position": "2"}\n```', 2),
        ('{"position": 1, "why": "cut of', 1),
        ('{"position": -1}', None),
        ("Position 2.", None),
        ("", None),
    ],
)
def test_a_reply_is_read_whatever_stands_around_it(text, position) -> None:
    found = read_reply(text)
    assert (None if found is None else found.position) == position
