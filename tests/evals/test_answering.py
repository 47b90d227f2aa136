"""What an arm answers is what the graph answers, and what arms share is asked and timed once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from fusion_graph import create_fusion_graph
from fusion_graph.config import FusionConfig
from fusion_graph.errors import AllPanelistsFailed
from fusion_graph.evals._answering import Answering, seconds_by_itself
from fusion_graph.evals._questions import Question, Reference
from fusion_graph.evals._recording import RunRecording, Took
from fusion_graph.evals._seeds import reading_seed
from fusion_graph.evals.arms import Arm, open_arms
from fusion_graph.evals.spending import Spending
from fusion_graph.evals.store import Store
from fusion_graph.models.recording import Asked
from tests.conftest import VERDICT
from tests.evals.evaluations import counts, evaluate, question_file, script, stack_file

OFTEN_OTHERWISE = {"seconds", "start", "end", "retrieved_at", "timeline", "config", "preset"}
"""Of a report: the clock's, and that an arm's stack is given by its fields instead of its name."""


def told(report: Any) -> Any:
    """A report without what no two runs agree on."""
    if isinstance(report, Mapping):
        return {k: told(v) for k, v in report.items() if not k.startswith(tuple(OFTEN_OTHERWISE))}
    return [told(item) for item in report] if isinstance(report, list) else report


async def by_arm(arm: Arm, question: Question, folder: Path) -> Mapping[str, Any]:
    store, spending = Store(folder / "store"), Spending(None)
    recording = RunRecording(store, spending, {}, arm, question)
    return await Answering(store, spending).report(arm, question, recording)


async def by_graph(config: str, arm: Arm, question: Question) -> Mapping[str, Any]:
    context = FusionConfig(seed=reading_seed(arm, question))
    asked = {"messages": [HumanMessage(question.text)]}
    try:
        return (await create_fusion_graph(config).ainvoke(asked, context=context))["fusion"]
    except AllPanelistsFailed as failed:
        return failed.report or {}


def question(text: str = "How wet is water?") -> Question:
    return Question("q1", text, Reference("wet"))


@pytest.mark.slow
async def test_an_arm_s_report_is_the_one_that_users_of_its_preset_get(tmp_path):
    (arm,) = open_arms(["offline"])
    asked = question("What is self-fusion, and how much does it gain?")

    report = await by_arm(arm, asked, tmp_path)

    assert report["sources"]
    assert report["claims"]
    assert told(report) == told(await by_graph("offline", arm, asked))


@pytest.mark.parametrize(
    ("fields", "broken", "happens"),
    [
        ({}, "", {"invoked": True, "failures": []}),
        ({"invocation": "never"}, "", {"invoked": False}),
        ({"invocation": "auto"}, "", {"invoked": False, "invocation_reason": "chores"}),
        ({"fallbacks": ["scripted:f"]}, "j", {"status": "degraded"}),
        ({"fallbacks": ["scripted:f"]}, "w", {"answer": "Fallback."}),
        # One at a time: of two that fail at once, either may get the only fallback.
        ({"fallbacks": ["scripted:f"], "max_concurrency": 1}, "ab", {"status": "degraded"}),
        ({"fallbacks": ["scripted:f"], "quorum": 3}, "a", {"status": "degraded"}),
        ({}, "ab", {"status": "degraded", "analysis": None}),
        ({}, "abc", {"status": "error"}),
        ({}, "w", {"status": "degraded"}),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else value or "-",
)
@pytest.mark.slow
async def test_an_arm_decides_falls_back_and_fails_as_its_stack_does_for_users(
    models, tmp_path, fields, broken, happens
):
    script(models)
    # Who decides is the writer's model, which is asked before it is asked to answer.
    route = {"text": '{"use": "one", "reason": "chores"}'}
    models.script("w", {"text": "Wet.", "when_contains": {"Decide how a request": route}})
    models.script("f", "Fallback.")
    for name in broken:
        models.script(name, {"status": 400, "error": {"message": "No such luck."}})
    stack = stack_file(models, tmp_path, **fields)
    (arm,) = open_arms([stack])

    report = await by_arm(arm, question(), tmp_path)

    assert {key: report[key] for key in happens} == happens
    assert told(report) == told(await by_graph(stack, arm, question()))


async def test_everybody_is_waited_for_whatever_the_quorum(models, tmp_path):
    script(models)
    models.script("c", {"text": "Water is dry. Says c.", "delay": 0.5})
    stack = stack_file(models, tmp_path, quorum=1, grace=0)

    outcome = await evaluate(tmp_path, [stack], question_file(tmp_path, 1))

    assert "panelist_failed" not in outcome.marked[0].answer.degradations
    assert counts(models)["c"] == 1
    assert [call["outcome"] for call in outcome.marked[0].answer.calls] == ["ok"] * 5


async def test_nobody_stands_in_for_a_model_that_is_measured_by_itself(models, tmp_path):
    script(models)
    models.script("a", {"status": 400, "error": {"message": "No such luck."}})
    models.script("f", "Water is wet. Says the fallback.")
    stack = stack_file(models, tmp_path, fallbacks=["scripted:f"])
    names = [f"{stack}:solo:a", f"{stack}:self", f"{stack}:best-of-2"]

    outcome = await evaluate(tmp_path, names, question_file(tmp_path, 1))

    assert [item.answer.text for item in outcome.marked] == [None, None, None]
    assert "f" not in counts(models)


async def test_a_panelist_that_was_cut_off_is_cut_off_in_every_arm_and_asked_once(models, tmp_path):
    script(models)
    models.script("c", {"hang": True})
    stack = stack_file(models, tmp_path, panelist_timeout=4)
    arms, dataset = [stack, f"{stack}:solo:c", f"{stack}:no-judge"], question_file(tmp_path, 1)

    outcome = await evaluate(tmp_path, arms, dataset, concurrency=1)

    panel, solo, unjudged = (item.answer for item in outcome.marked)
    assert counts(models)["c"] == 1
    assert "timed_out" in solo.failure
    assert "panelist_failed" in panel.degradations
    assert "panelist_failed" in unjudged.degradations
    (cut,) = solo.calls
    assert (cut["model"], cut["outcome"]) == ("scripted:c", "timed_out")
    assert solo.seconds == pytest.approx(cut["end"] - cut["start"], abs=0.01)

    # More time is another question to it.
    models.script("c", "Water is dry. Says c.")
    stack = stack_file(models, tmp_path, panelist_timeout=30)
    again = await evaluate(tmp_path, [f"{stack}:solo:c"], dataset)
    assert again.marked[0].answer.text == "Water is dry. Says c."


async def test_an_arm_that_waits_for_another_s_panelist_is_not_silent_meanwhile(models, tmp_path):
    """Who streams for long is alive, and so is whoever waits to share what it says."""
    script(models)
    models.script("a", {"text": "Water is wet. " * 40, "rate": 25})  # 120 words: some 5 s
    stack = stack_file(models, tmp_path, panelist_stall=2)

    outcome = await evaluate(
        tmp_path, [f"{stack}:solo:a", stack, f"{stack}:no-judge"], question_file(tmp_path, 1)
    )

    assert counts(models)["a"] == 1
    assert [item.answer.failure for item in outcome.marked] == ["", "", ""]
    assert all("panelist_failed" not in item.answer.degradations for item in outcome.marked)


async def test_an_arm_that_shares_everything_takes_as_long_as_if_it_had_run_alone(models, tmp_path):
    script(models, delay=0.4)
    stack = stack_file(models, tmp_path)
    arms, dataset = [stack, f"{stack}:solo:a"], question_file(tmp_path, 1)

    outcome = await evaluate(tmp_path, arms, dataset, concurrency=1)

    panel, solo = (item.answer for item in outcome.marked)
    assert counts(models)["a"] == 1
    assert solo.seconds >= 0.4
    assert panel.seconds >= 3 * 0.4  # panel, judge, writer
    assert [call["model"] for call in solo.calls] == ["scripted:a"]


async def test_a_search_and_a_page_are_brought_once_for_all_arms_of_a_question(models, tmp_path):
    script(models)
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "water.md").write_text("# Water\n\nWater is wet.\n", "utf-8")
    search = {"name": "web_search", "args": {"query": "water wet"}, "id": "s"}
    models.script("a", {"tool_calls": [search]}, {"text": "Water is wet [1]."})
    stack = stack_file(models, tmp_path, search="corpus", corpus=str(docs))

    outcome = await evaluate(
        tmp_path, [stack, f"{stack}:solo:a"], question_file(tmp_path, 1), concurrency=1
    )

    assert counts(models)["a"] == 2
    solo = outcome.marked[1].answer
    assert (solo.text, solo.sources) == ("Water is wet [1].", ("corpus:///water.md",))


async def test_a_panel_without_a_judge_pays_none_and_one_that_is_chosen_from_no_writer(
    models, tmp_path
):
    script(models)
    models.script("j", {"text": json.dumps(VERDICT)})
    stack = stack_file(models, tmp_path)
    unjudged, chosen = open_arms([f"{stack}:no-judge", f"{stack}:best-of-3"])

    first = await by_arm(unjudged, question(), tmp_path)
    assert first["analysis"] is None
    assert first["usage"]["stages"].keys() == {"panel", "synthesis"}

    second = await by_arm(chosen, question(), tmp_path)
    assert second["analysis"] is not None
    assert second["usage"]["stages"].keys() == {"panel", "judge"}
    assert second["answer"] in {answer["content"] for answer in second["answers"]}


def took(stage: str, name: str, kind: Any, seconds: float) -> Took:
    return Took(Asked(kind, stage, name, "", None), seconds)


def test_tools_of_one_round_count_as_their_longest_and_stages_one_after_another():
    steps = [
        took("route", "router", "call", 1),
        took("panel", "a", "call", 2),
        took("panel", "a", "search", 3),
        took("panel", "a", "page", 5),
        took("panel", "a", "call", 2),
        took("panel", "b", "call", 4),
        took("judge", "judge", "call", 10),
        took("synthesis", "writer", "call", 20),
    ]
    assert seconds_by_itself(steps, [["a", "b"]], None) == 1 + 9 + 10 + 20
    assert seconds_by_itself(steps, [["a", "b"]], 1) == 1 + 9 + 4 + 10 + 20
