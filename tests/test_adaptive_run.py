"""A panel of four that asks two first, against scripted models over HTTP."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver

from fusion_graph import (
    AllPanelistsFailed,
    ConfigurationError,
    FusionReport,
    create_fusion_graph,
)
from fusion_graph.cost.track_record import Entry, append, record_file
from fusion_graph.estimate import estimate
from fusion_graph.run.settings import GraphConfig
from tests.benchmarks.kills import CALLS_OF, Point, kill_and_resume, script
from tests.conftest import VERDICT
from tests.scripted_models.client import Scope

QUESTION = {"messages": [("user", "When did the depot in Leuven open?")]}
THREAD: Any = {"configurable": {"thread_id": "t"}}
SAID = "The depot in Leuven opened in 1953."

AGREED = json.dumps({"consensus": [{"point": SAID, "labels": ["A", "B"], "sources": []}]})
DIFFER = json.dumps(
    {
        "contradictions": [
            {
                "topic": "The year",
                "stances": [
                    {"label": "A", "stance": "1953", "sources": []},
                    {"label": "B", "stance": "1955", "sources": []},
                ],
            }
        ]
    }
)

Config = Callable[..., dict[str, Any]]


@pytest.fixture
def adaptive(models: Scope, panel_config: Config) -> Config:
    """`adaptive(*verdicts, **fields)`: panelists a to d, of which a and b are the scouts."""

    def make(*verdicts: str, **fields: Any) -> dict[str, Any]:
        config = panel_config(
            panel=[f"scripted:{name}" for name in "abcd"], panel_policy="adaptive", **fields
        )
        for name in "abcd":
            models.script(name, {"text": SAID, "cost": 0.001})
        models.script("j", *[{"text": verdict, "cost": 0.002} for verdict in verdicts])
        return config

    return make


def asked(models: Scope) -> dict[str, int]:
    """How often each model was called."""
    return dict(Counter(call.model for call in models.calls()))


async def test_two_who_agree_are_the_whole_panel_and_their_comparison_is_the_writers(
    models, adaptive
):
    result = await create_fusion_graph(adaptive(AGREED)).ainvoke(QUESTION)

    assert asked(models) == {"a": 1, "b": 1, "j": 1, "w": 1}
    report = FusionReport.from_state(result)
    assert report.status == "ok"
    assert [answer.name for answer in report.answers] == ["a", "b"]
    assert report.scouting is not None
    assert report.scouting.scouts == ["a", "b"]
    assert [(m.name, m.model) for m in report.scouting.not_asked] == [
        ("c", "scripted:c"),
        ("d", "scripted:d"),
    ]
    assert report.scouting.reason == "agreed"
    assert report.analysis is not None
    assert report.analysis.consensus[0].models == ["a", "b"]
    assert report.usage.total.cost_usd == pytest.approx(0.007)
    told = report.to_text()
    assert "asked first: a, b. The scouts agree on 1 point" in told
    assert "not asked: c, d" in told
    assert "Not asked: <bdi>c</bdi>, <bdi>d</bdi>." in report.to_html()


async def test_two_who_differ_have_the_others_asked_and_everybody_compared(models, adaptive):
    result = await create_fusion_graph(adaptive(DIFFER, json.dumps(VERDICT))).ainvoke(QUESTION)

    assert asked(models) == {"a": 1, "b": 1, "c": 1, "d": 1, "j": 2, "w": 1}
    report = FusionReport.from_state(result)
    assert report.status == "ok"
    assert [answer.name for answer in report.answers] == ["a", "b", "c", "d"]
    assert sorted(str(answer.label) for answer in report.answers) == ["A", "B", "C", "D"]
    assert report.scouting is not None
    assert (report.scouting.not_asked, report.scouting.reason) == ([], "contradiction")
    assert report.scouting.detail == "The scouts differ on: The year"
    assert report.usage.stages["judge"].calls == 2, "the first comparison is paid for and told"
    assert report.usage.total.cost_usd == pytest.approx(0.011)
    first, second = models.calls("j")
    assert json.dumps(first.body).count(SAID) == 2
    assert json.dumps(second.body).count(SAID) == 4


async def test_the_events_say_who_is_asked_when_and_why(models, adaptive):
    for verdict, type_, names in (
        (AGREED, "panel.stopped", ["c", "d"]),
        (DIFFER, "panel.extended", ["c", "d"]),
    ):
        graph = create_fusion_graph(adaptive(verdict))
        events = [event async for event in graph.astream(QUESTION, stream_mode="custom")]
        (told,) = [e for e in events if e["type"] in ("panel.stopped", "panel.extended")]
        assert (told["type"], told["names"]) == (type_, names)
        assert told["reason"] in ("agreed", "contradiction")
        assert told["detail"]


async def test_scouts_who_fail_are_replaced_by_the_rest_of_the_panel(models, adaptive):
    config = adaptive(AGREED, fallbacks=["scripted:f"])
    for name in "ab":
        models.script(name, {"status": 401})
    models.script("f", SAID)

    result = await create_fusion_graph(config).ainvoke(QUESTION)

    report = FusionReport.from_state(result)
    assert {answer.name: answer.status for answer in report.answers} == {
        "a": "failed",
        "b": "failed",
        "c": "ok",
        "d": "ok",
    }
    assert report.scouting is not None
    assert report.scouting.reason == "too_few_answers"
    assert "f" not in asked(models)
    assert asked(models)["j"] == 1, "nobody compares what nobody said"


async def test_a_fallback_stands_in_where_the_second_wave_leaves_too_few(models, adaptive):
    config = adaptive(AGREED, fallbacks=["scripted:f"])
    for name in "abc":
        models.script(name, {"status": 401})
    models.script("f", SAID)

    result = await create_fusion_graph(config).ainvoke(QUESTION)

    answered = {a["name"]: a["model"] for a in result["fusion"]["answers"] if a["status"] == "ok"}
    assert answered == {"c": "scripted:f", "d": "scripted:d"}


async def test_a_run_that_nobody_answers_in_either_wave_says_why_of_all(models, adaptive):
    config = adaptive(AGREED)
    for name in "abcd":
        models.script(name, {"status": 401})

    with pytest.raises(AllPanelistsFailed) as caught:
        await create_fusion_graph(config).ainvoke(QUESTION)

    assert [answer["name"] for answer in caught.value.report["answers"]] == ["a", "b", "c", "d"]


async def test_a_comparison_stands_where_the_second_wave_adds_nothing(models, adaptive):
    config = adaptive(DIFFER)
    for name in "cd":
        models.script(name, {"status": 401})

    result = await create_fusion_graph(config).ainvoke(QUESTION)

    assert asked(models)["j"] == 1
    assert result["fusion"]["analysis"]["contradictions"][0]["topic"] == "The year"
    assert result["fusion"]["usage"]["stages"]["judge"]["calls"] == 1


async def test_the_budget_counts_both_waves(models, adaptive):
    config = adaptive(DIFFER, max_cost_usd=0.004)

    result = await create_fusion_graph(config).ainvoke(QUESTION)

    # The scouts and the judge's call took all of it.
    assert {"c", "d"}.isdisjoint(asked(models))
    statuses = {a["name"]: a["status"] for a in result["fusion"]["answers"]}
    assert statuses == {"a": "ok", "b": "ok", "c": "failed", "d": "failed"}


async def test_a_quorum_that_the_scouts_reached_still_waits_for_the_second_wave(models, adaptive):
    config = adaptive(DIFFER, json.dumps(VERDICT), quorum=2, grace=0, max_concurrency=1)

    result = await create_fusion_graph(config).ainvoke(QUESTION)

    answers = {
        a["name"]: a["failure"] and a["failure"]["reason"] for a in result["fusion"]["answers"]
    }
    # One by one: c answers, and then d gets its grace of none.
    assert answers == {"a": None, "b": None, "c": None, "d": "timed_out"}


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`record(c=19, d=18)`: of twenty questions each model got so many right in evaluations."""
    monkeypatch.setenv("FUSION_GRAPH_DATA_DIR", str(tmp_path))

    def write(**right: int) -> None:
        made = {"made": "2026-11-27", "dataset": "d", "sha256": "0", "arm": "x", "kind": "solo"}
        append(
            [
                Entry(
                    **made,
                    question=f"q{number}",
                    stack=name,
                    models=(f"scripted:{name}",),
                    points=100 if number < count else 0,
                    cost_usd=0.02,
                    tokens=2_000,
                    seconds=3,
                )
                for name, count in right.items()
                for number in range(20)
            ],
            record_file(),
        )

    return write


async def test_who_was_right_in_your_own_evaluations_is_asked_first(models, adaptive, record):
    record(a=3, b=19, c=4, d=18)

    result = await create_fusion_graph(adaptive(AGREED)).ainvoke(QUESTION)

    assert asked(models) == {"b": 1, "d": 1, "j": 1, "w": 1}
    assert result["fusion"]["scouting"]["scouts"] == ["b", "d"]


async def test_a_record_that_cannot_be_opened_is_told_and_costs_no_answer(
    models, adaptive, tmp_path, monkeypatch
):
    monkeypatch.setenv("FUSION_GRAPH_DATA_DIR", str(tmp_path))
    record_file().mkdir(parents=True)

    result = await create_fusion_graph(adaptive(AGREED)).ainvoke(QUESTION)

    assert result["fusion"]["scouting"]["scouts"] == ["a", "b"]
    (lost,) = result["fusion"]["degradations"]
    assert lost["code"] == "record_unreadable"
    assert "track-record.jsonl cannot be read" in lost["detail"]


async def test_the_members_that_you_name_are_asked_first(models, adaptive, record):
    record(a=3, b=19, c=4, d=18)

    result = await create_fusion_graph(adaptive(AGREED, scouts=["d", "a"])).ainvoke(QUESTION)

    assert asked(models) == {"a": 1, "d": 1, "j": 1, "w": 1}
    assert result["fusion"]["scouting"]["scouts"] == ["a", "d"]


async def test_scouts_that_are_not_in_the_panel_are_refused_by_name(models, adaptive):
    with pytest.raises(ConfigurationError, match="scouts names x: the panel has a, b, c, d"):
        await create_fusion_graph(adaptive(AGREED, scouts=["a", "x"])).ainvoke(QUESTION)
    with pytest.raises(ConfigurationError, match="twice"):
        create_fusion_graph(adaptive(AGREED, scouts=["a", "a"]))
    full = adaptive(AGREED, scouts=["a", "x"]) | {"panel_policy": "full"}
    await create_fusion_graph(full).ainvoke(QUESTION)  # nobody is asked first


def test_an_estimate_takes_what_your_own_evaluations_took(models, adaptive, record):
    settings, _ = GraphConfig(adaptive(AGREED)).begin(None)
    messages = [HumanMessage("When did the depot in Leuven open?")]
    before = estimate(settings, messages)
    record(b=19, d=18, c=1)

    after = estimate(settings, messages)

    assert (before["measured"], before["recorded"]) == ({}, None)
    assert after["measured"] == {"scripted:b": 20, "scripted:c": 20, "scripted:d": 20}
    # No price of these is known; what b and d took is.
    assert before["stages"]["panel"]["likely"]["cost_usd"] is None
    panel = after["stages"]["panel"]["likely"]
    assert panel["cost_usd"] == pytest.approx(0.04)
    assert panel["input_tokens"] + panel["output_tokens"] == pytest.approx(4_000, abs=10)
    long = [HumanMessage("When did the depot open? " + "It is a long story. " * 2_000)]
    assert estimate(settings, long)["measured"] == {}


def test_an_estimate_takes_the_share_of_questions_on_which_two_were_enough(
    models, adaptive, record, tmp_path
):
    config = adaptive(AGREED)
    settings, _ = GraphConfig(config).begin(None)
    made = {"made": "2026-11-27", "dataset": "d", "sha256": "0", "arm": "x", "kind": "panel"}
    of = {"models": [f"scripted:{name}" for name in "abcd"], "judge": "scripted:j"}
    took = {"points": 100, "cost_usd": 0.1, "tokens": 9_000, "seconds": 8}
    entries = [
        Entry(**made, **of, **took, stack="s", writer="scripted:w", question=f"q{n}", stopped=n < 3)
        for n in range(10)
    ]
    messages = [HumanMessage("When did the depot in Leuven open?")]

    assert estimate(settings, messages, record=entries[:4])["stops"] == 0.6, "too few to tell"
    found = estimate(settings, messages, record=entries)

    assert found["stops"] == 0.3
    assert found["recorded"] == {
        "questions": 10,
        "usd_each": pytest.approx(0.1),
        "tokens_each": 9_000,
        "seconds_each": 8,
        "stopped": 3,
    }


async def test_a_scout_left_behind_by_the_quorum_is_made_up_for_by_the_rest(models, adaptive):
    config = adaptive(json.dumps(VERDICT), quorum=1, grace=0)
    models.script("b", {"hang": True})

    result = await create_fusion_graph(config).ainvoke(QUESTION)

    answers = {
        a["name"]: a["failure"] and a["failure"]["reason"] for a in result["fusion"]["answers"]
    }
    assert (answers["a"], answers["b"]) == (None, "timed_out")
    assert set(answers) == set("abcd")
    assert None in (answers["c"], answers["d"]), "the second wave has a quorum of its own"
    assert result["fusion"]["scouting"]["reason"] == "too_few_answers"


async def test_one_model_at_a_time_is_one_at_a_time_in_both_waves(models, adaptive):
    config = adaptive(DIFFER, json.dumps(VERDICT), max_concurrency=1)
    for name in "abcd":
        models.script(name, {"text": SAID, "delay": 0.05})

    await create_fusion_graph(config).ainvoke(QUESTION)

    calls = models.calls()
    assert [call.model for call in calls] == ["a", "b", "j", "c", "d", "j", "w"]
    for call, following in pairwise(calls):
        assert call.ended <= following.started


async def test_a_run_stopped_between_the_waves_goes_on_with_the_second_alone(models, adaptive):
    graph = create_fusion_graph(adaptive(DIFFER, json.dumps(VERDICT)), checkpointer=InMemorySaver())

    await graph.ainvoke(QUESTION, THREAD, interrupt_after=["judge"])
    assert asked(models) == {"a": 1, "b": 1, "j": 1}
    result = await graph.ainvoke(None, THREAD)

    assert asked(models) == {"a": 1, "b": 1, "c": 1, "d": 1, "j": 2, "w": 1}
    assert result["fusion"]["status"] == "ok"


async def test_the_next_turn_of_a_conversation_asks_its_scouts_anew(models, adaptive):
    graph = create_fusion_graph(adaptive(DIFFER, DIFFER, AGREED), checkpointer=InMemorySaver())

    await graph.ainvoke(QUESTION, THREAD)
    second = await graph.ainvoke({"messages": [("user", "Are you sure?")]}, THREAD)

    assert asked(models) == {"a": 2, "b": 2, "c": 1, "d": 1, "j": 3, "w": 2}
    assert second["fusion"]["scouting"]["reason"] == "agreed"
    assert second["fusion"]["usage"]["stages"]["judge"]["calls"] == 1


@pytest.mark.parametrize(
    "fields", [{"panel_policy": "full"}, {"panel": ["scripted:a", "scripted:b"]}]
)
async def test_a_full_panel_and_one_of_two_are_asked_whole(models, adaptive, fields):
    config = {**adaptive(DIFFER), **fields}

    result = await create_fusion_graph(config).ainvoke(QUESTION)

    assert result["fusion"]["scouting"] is None
    assert len(result["fusion"]["answers"]) == len(config["panel"])
    assert asked(models)["j"] == 1


def test_an_estimate_tells_what_stopping_and_going_on_cost(models, adaptive):
    prices = {name: {"input": 1.0, "output": 5.0} for name in "abcdjw"}
    config = adaptive(AGREED)
    config["providers"]["scripted"]["prices"] = prices
    settings, _ = GraphConfig(config).begin(None)
    full = settings.model_copy(update={"panel_policy": "full"})
    messages = [HumanMessage("When did the depot in Leuven open?")]

    found, whole = estimate(settings, messages), estimate(full, messages)

    assert [found["total"][case]["calls"] for case in ("low", "likely")] == [4, 4]
    assert found["total"]["high"]["calls"] > whole["total"]["high"]["calls"]
    assert found["goes_on"] is not None
    assert found["goes_on"]["calls"] == whole["total"]["likely"]["calls"] + 1
    assert found["stops"] is not None
    assert (whole["stops"], whole["goes_on"]) == (None, None)


async def test_a_first_comparison_that_fails_has_everybody_asked(models, adaptive):
    config = adaptive(DIFFER)
    models.script("j", {"status": 401}, {"text": json.dumps(VERDICT)})

    result = await create_fusion_graph(config).ainvoke(QUESTION)

    assert result["fusion"]["scouting"]["reason"] == "not_compared"
    assert result["fusion"]["analysis"]["consensus"]
    assert len(result["fusion"]["answers"]) == 4


async def test_a_second_comparison_that_fails_is_told_as_any_other(models, adaptive):
    config = adaptive(DIFFER)
    models.script("j", {"text": DIFFER}, {"status": 401})

    result = await create_fusion_graph(config).ainvoke(QUESTION)

    assert result["fusion"]["analysis"] is None
    codes = [loss["code"] for loss in result["fusion"]["degradations"]]
    assert "judge_upstream_error" in codes
    assert result["fusion"]["answer"] == "The final answer of the writer."


@pytest.mark.slow
@pytest.mark.parametrize(
    "point",
    [
        Point(arrived=5, ended=5, delay=0.02),  # between the waves
        Point(arrived=7, ended=6, delay=0.02),  # in the second
        Point(arrived=CALLS_OF["adaptive"] - 1, ended=9, delay=0.0),  # at the second comparison
    ],
    ids=str,
)
def test_killed_between_the_waves_and_resumed_it_pays_no_member_twice(
    models: Scope, tmp_path: Path, point: Point
):
    preset = script(models, tmp_path, "adaptive")

    outcome = kill_and_resume(models, preset, tmp_path, point, "t", "adaptive")

    assert outcome.finished >= {"a", "b"}
    assert outcome.repeated == set()
    assert [name for name, _, _ in outcome.record[0]] == ["a", "b", "c", "d"]
