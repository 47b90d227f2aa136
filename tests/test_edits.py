"""An analysis edited by hand: what may stand in it, and how a wrong one is told."""

from __future__ import annotations

import copy

import pytest

from fusion_graph import FusionError
from fusion_graph.errors import InvalidEdit
from fusion_graph.nodes.edited_state import checked_judgement

JOINED = {
    "answers": [
        {"name": "ann", "status": "ok"},
        {"name": "bob", "status": "ok"},
        {"name": "late", "status": "failed"},
    ],
    "sources": [{"id": 1}, {"id": 2}],
    "degradations": [],
}
POINT = {"point": "Water is wet.", "models": ["ann", "bob"], "sources": [1, 2]}
CALL = {
    "stage": "judge",
    "name": "judge",
    "model": "x:j",
    "input_tokens": 1,
    "output_tokens": None,
    "cost_usd": None,
    "start": 0.5,
    "end": 1.0,
    "outcome": "ok",
    "left_out": [],
}
ANALYSIS = {
    "consensus": [POINT],
    "contradictions": [
        {"topic": "t", "stances": [{"model": "ann", "stance": "yes", "sources": [1]}]}
    ],
    "partial_coverage": [],
    "unique_insights": [{"insight": "i", "model": "", "sources": []}],
    "blind_spots": ["Salt"],
}
FULL = {
    "analysis": ANALYSIS,
    "calls": [CALL],
    "degradations": [{"code": "single_survivor", "detail": "d"}],
}


def with_(path: list[str | int], value: object) -> dict:
    """The full judgement with one thing in its analysis changed."""
    changed = copy.deepcopy(FULL)
    place = changed["analysis"]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return changed


def test_what_the_judge_wrote_stays_as_it_is():
    assert checked_judgement(FULL, JOINED) == FULL


def test_no_analysis_is_a_judgement_too():
    nothing = {"analysis": None, "calls": [], "degradations": []}

    assert checked_judgement(nothing, JOINED) == nothing


def test_lists_that_an_edit_leaves_out_are_empty():
    assert checked_judgement({"analysis": {"blind_spots": ["x"]}}, JOINED) == {
        "analysis": {
            "consensus": [],
            "contradictions": [],
            "partial_coverage": [],
            "unique_insights": [],
            "blind_spots": ["x"],
        },
        "calls": [],
        "degradations": [],
    }


def test_a_point_may_be_nobodys():
    edited = with_(["consensus", 0, "models"], [])

    assert checked_judgement(edited, JOINED)["analysis"] == edited["analysis"]


WRONG = {
    "no object": (None, "judgement", "an object was expected"),
    "the analysis alone": (ANALYSIS, "judgement.analysis", "field required"),
    "a typo": (
        {"analysis": {"concensus": []}},
        "judgement.analysis.concensus",
        "there is no such field",
    ),
    "a typo in a point": (
        with_(["consensus", 0], POINT | {"sauces": []}),
        "judgement.analysis.consensus.0.sauces",
        "there is no such field",
    ),
    "a text for a list": (
        with_(["consensus"], "all agree"),
        "judgement.analysis.consensus",
        "input should be a valid list",
    ),
    "a text for a point": (
        with_(["consensus", 0], "all agree"),
        "judgement.analysis.consensus.0",
        "an object was expected",
    ),
    "half a point": (
        with_(["consensus", 0], {"point": "p"}),
        "judgement.analysis.consensus.0.models",
        "field required",
    ),
    "a number for a text": (
        with_(["blind_spots", 0], 3),
        "judgement.analysis.blind_spots.0",
        "input should be a valid string",
    ),
    "a stranger": (
        with_(["unique_insights", 0, "model"], "zoe"),
        "judgement.analysis.unique_insights.0",
        "'zoe' gave no answer; those who did: ann, bob",
    ),
    "one who failed": (
        with_(["contradictions", 0, "stances", 0, "model"], "late"),
        "judgement.analysis.contradictions.0.stances.0",
        "'late' gave no answer; those who did: ann, bob",
    ),
    "a source that is not there": (
        with_(["consensus", 0, "sources"], [1, 9]),
        "judgement.analysis.consensus.0",
        "there is no source [9]; there are [1, 2]",
    ),
    "half a call": ({**FULL, "calls": [{"stage": "judge"}]}, "judgement.calls.0.name", "required"),
}


@pytest.mark.parametrize(("value", "where", "problem"), WRONG.values(), ids=WRONG)
def test_a_wrong_edit_is_one_line_that_names_the_field(value, where, problem):
    with pytest.raises(InvalidEdit) as caught:
        checked_judgement(value, JOINED)

    assert f"field '{where}'" in str(caught.value)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, FusionError)
    assert isinstance(caught.value, ValueError)  # or the LangGraph server would not tell it
