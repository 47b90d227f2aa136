"""When two scouts are enough, and who they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from fusion_graph.evidence import SourceRecord
from fusion_graph.judgement import Analysis, Candidate, choose_scouts, enough_agreed, family
from tests.benchmarks.adaptive import WORLDS, simulate

QUESTION = "When did the depot in Leuven open?"
POINT = "The depot in Leuven opened in 1953."
ANSWERS = {"ada": "The depot in Leuven opened in 1953 [1].", "bo": "It opened in 1953 [2]."}
FAMILIES = {"ada": "openai", "bo": "google"}


def analysis(**lists: Any) -> Analysis:
    """What a judge says of two that agree, and whatever else it is to say."""
    agreed = {"point": POINT, "models": ["ada", "bo"], "sources": [1, 2]}
    return Analysis.model_validate({"consensus": [agreed], **lists})


def source(
    n: int, by: Sequence[str], origin: int | None = None, verdict: Any = "verified"
) -> SourceRecord:
    """A source that members cite, of an origin; by default of its own."""
    return {
        "id": n,
        "url": f"https://site{n}.test/",
        "title": "",
        "retrieved_at": None,
        "fetched": True,
        "cited_by": list(by),
        "quotes": [{"text": "in 1953", "verdict": verdict, "page_says": "", "note": ""}],
        "origin": origin or n,
    }


OWN = [source(1, ["ada"]), source(2, ["bo"])]


def decided(
    said: Analysis | None,
    sources: Sequence[SourceRecord] = OWN,
    answers: dict[str, str] = ANSWERS,
    **more: Any,
) -> str:
    """Why the panel stops or goes on."""
    given: dict[str, Any] = {"families": FAMILIES, "question": QUESTION, **more}
    return enough_agreed(said, answers, sources, **given).reason


def test_two_scouts_who_agree_on_evidence_of_their_own_stop_the_panel() -> None:
    stopping = enough_agreed(analysis(), ANSWERS, OWN, families=FAMILIES, question=QUESTION)
    assert stopping.stops
    assert stopping.detail == "The scouts agree on 1 point, on evidence of each scout's own."


@pytest.mark.parametrize(
    "sources",
    [
        [source(1, ["ada", "bo"])],
        [source(1, ["ada"]), source(2, ["bo"], origin=1)],
        [source(1, ["ada", "bo"]), source(2, [])],
        [source(1, ["ada", "bo"]), source(2, ["ada", "bo"], origin=1)],
        [source(1, ["ada"]), source(2, ["bo"], verdict="not_found")],
        [source(1, ["ada"]), source(2, ["bo"], verdict="altered")],
        [source(1, ["ada"]), source(3, ["bo"])],
        [source(1, ["ada"]), {**source(2, ["bo"]), "origin": None}],
    ],
    ids=[
        "one page",
        "a copy of it",
        "a page that nobody cites beside it",
        "two pages of one site",
        "words that its page does not say",
        "words that its page says otherwise",
        "a page of another point",
        "nobody looked",
    ],
)
def test_scouts_without_evidence_independent_of_each_other_do_not_stop_it(
    sources: list[SourceRecord],
) -> None:
    assert decided(analysis(), sources) == "shared_evidence"


def test_scouts_who_share_a_page_and_have_one_of_their_own_stop_the_panel() -> None:
    both, own = source(1, ["ada", "bo"]), source(2, ["ada"])
    assert decided(analysis(), [both, own]) == "agreed"


def test_a_contradiction_among_scouts_has_everybody_asked() -> None:
    stances = [
        {"model": "ada", "stance": "In 1953", "sources": []},
        {"model": "bo", "stance": "In 1955", "sources": []},
    ]
    clash = {"topic": "The year", "stances": stances}
    assert decided(analysis(contradictions=[clash])) == "contradiction"
    nobodys = {"topic": "The year", "stances": []}
    assert decided(analysis(contradictions=[nobodys])) == "contradiction"
    own = {"topic": "The year", "stances": [stances[0], stances[0]]}
    assert decided(analysis(contradictions=[own])) == "agreed", "one scout's own wavering"


def test_a_consensus_that_is_not_in_an_answer_has_everybody_asked() -> None:
    other = {"ada": ANSWERS["ada"], "bo": "It opened in 1955 [2]."}
    assert decided(analysis(), answers=other) == "unfounded"


def test_what_only_some_say_must_not_outweigh_what_all_say() -> None:
    alone = {"insight": "Trams were sold", "model": "ada", "sources": [1]}
    assert decided(analysis(unique_insights=[alone])) == "agreed"
    assert decided(analysis(unique_insights=[alone, alone])) == "one_sided"
    half = {"point": POINT, "models": ["ada", "bo"], "sources": [1, 2]}
    assert decided(analysis(unique_insights=[alone], partial_coverage=[half])) == "one_sided"


def test_a_member_not_asked_or_not_answering_never_agrees() -> None:
    assert decided(analysis(), answers={"ada": ANSWERS["ada"]}) == "too_few_answers"
    third = {**ANSWERS, "cy": "It opened in 1953."}
    assert decided(analysis(), answers=third) == "nothing_agreed", "the point is not said by cy"
    assert decided(Analysis(blind_spots=["The year"])) == "nothing_agreed"


def test_a_comparison_that_is_missing_or_broke_off_has_everybody_asked() -> None:
    assert decided(None) == "not_compared"
    assert decided(analysis(), whole=False) == "not_compared"


def test_without_sources_only_scouts_of_different_families_without_a_blind_spot_stop_it() -> None:
    assert decided(analysis(), []) == "agreed"
    assert decided(analysis(), [], families={"ada": "openai", "bo": "openai"}) == "same_family"
    assert decided(analysis(), [], families={"ada": "openai"}) == "same_family"
    assert decided(analysis(blind_spots=["Nobody looked it up"]), []) == "blind_spot"
    assert decided(analysis(blind_spots=["Who built it"])) == "agreed", "evidence goes before"


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("openai:gpt-5.5", "openai"),
        ("openrouter:openai/o3", "openai"),
        ("openrouter:google/gemini-3-flash-preview", "google"),
        ("local:gemma3:4b", "google"),
        ("local:qwen3", "qwen"),
        ("anthropic:claude-haiku-4-5", "anthropic"),
        ("local:smollm2", "smollm"),
        ("local:7b", "7b"),
    ],
)
def test_models_of_one_maker_are_of_one_family(model: str, kind: str) -> None:
    assert family(model) == kind


def test_the_cheapest_two_of_different_families_are_the_scouts() -> None:
    panel = [
        Candidate("large", "openai", 0.3),
        Candidate("small", "openai", 0.01),
        Candidate("tiny", "openai", 0.001),
        Candidate("flash", "google", 0.02),
    ]
    assert choose_scouts(panel) == ["tiny", "flash"]
    assert choose_scouts(panel[:3]) == ["small", "tiny"], "where there is one family only"
    assert choose_scouts(panel[:2]) == ["large", "small"]


def test_a_member_of_unknown_price_is_a_scout_only_where_nobody_else_is() -> None:
    unknown = Candidate("house", "acme", None)
    assert choose_scouts([unknown, Candidate("a", "x", 0.3), Candidate("b", "y", 0.2)]) == [
        "a",
        "b",
    ]
    assert choose_scouts([unknown, Candidate("a", "x", 0.3), Candidate("b", "x", 0.2)]) == [
        "house",
        "b",
    ]


def test_members_that_your_own_evaluations_show_to_be_weak_are_asked_last() -> None:
    weak = [Candidate(name, name, 0.01, 120, 200) for name in ("a", "b")]
    good = [Candidate(name, name, 0.1, 180, 200) for name in ("c", "d")]
    assert choose_scouts([*weak, *good]) == ["c", "d"]
    few = [Candidate(name, name, 0.01, 3, 5) for name in ("a", "b")]
    assert choose_scouts([*few, *good]) == ["a", "b"], "five questions show nothing"


@pytest.mark.slow
def test_a_panel_that_stops_early_keeps_the_lead_and_no_planted_page_stops_it() -> None:
    worlds = {world.name: world for world in WORLDS}
    usual = simulate(worlds["usual: two small, three large"], seeds=4, questions=1_000)
    assert usual.kept >= 0.95
    assert usual.cost <= 0.55, "few seeds; the table has 200"
    planted = simulate(worlds["planted pages on a tenth"], seeds=2, questions=1_000)
    assert planted.total.planted > 100
    assert planted.total.planted_stops == 0
    assert planted.total.stopped > 500
