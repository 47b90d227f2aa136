"""The whole graph against scripted models over HTTP."""

from __future__ import annotations

import asyncio
import gc
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from pydantic import TypeAdapter

from fusion_graph import AllPanelistsFailed, FusionReport, create_fusion_graph
from fusion_graph.state import FusionState
from tests.conftest import VERDICT

QUESTION = {"messages": [("user", "How wet is water?")]}
ANSWER = "The final answer of the writer."


async def test_a_run_of_three_makes_exactly_five_calls(models, panel_config):
    result = await create_fusion_graph(panel_config()).ainvoke(QUESTION)

    assert Counter(call.model for call in models.calls()) == dict.fromkeys("abcjw", 1)
    report = FusionReport.from_state(result)
    assert report.status == "ok"
    assert report.answer == ANSWER
    assert result["messages"][-1].content == report.answer
    assert [answer.content for answer in report.answers] == [
        f"The answer of {name}." for name in "abc"
    ]
    assert report.usage.total.calls == 5
    assert report.usage.total.cost_usd == 0.008


def test_invoke_gives_the_same_as_ainvoke(models, panel_config):
    result = create_fusion_graph(panel_config()).invoke(QUESTION)

    assert result["fusion"]["status"] == "ok"
    assert len(models.calls()) == 5


def test_the_output_is_the_conversation_and_the_report(panel_config):
    result = create_fusion_graph(panel_config()).invoke(QUESTION)

    assert result.keys() == {"messages", "fusion"}
    question, answer = result["messages"]
    assert isinstance(question, HumanMessage)
    assert isinstance(answer, AIMessage)
    assert answer.response_metadata["fusion_status"] == "ok"


def test_a_question_is_taken_in_every_form_that_langgraph_takes(panel_config):
    graph = create_fusion_graph(panel_config())
    forms: list[Any] = [
        [("user", "How wet?")],
        [{"role": "user", "content": "How wet?"}],
        [HumanMessage("How wet?")],
        HumanMessage("How wet?"),
        ["How wet?"],
    ]

    for messages in forms:
        assert graph.invoke({"messages": messages})["fusion"]["question"] == "How wet?"


async def test_judge_and_writer_work_from_what_the_panel_said(models, panel_config):
    await create_fusion_graph(panel_config()).ainvoke(QUESTION)

    judged = json.dumps(models.calls("j")[0].body["messages"])
    written = json.dumps(models.calls("w")[0].body["messages"])
    for name in "abc":
        assert f"The answer of {name}." in judged
        assert f"The answer of {name}." in written
        asked = json.dumps(models.calls(name)[0].body["messages"])
        assert "The answer of" not in asked
    assert "Water is wet." not in judged
    assert "Water is wet." in written


async def test_a_panel_of_one_needs_no_judge_and_no_writer(models, panel_config):
    result = await create_fusion_graph(panel_config(panel=["scripted:a"])).ainvoke(QUESTION)

    assert [call.model for call in models.calls()] == ["a"]
    assert result["messages"][-1].content == "The answer of a."
    assert result["fusion"]["status"] == "ok"


async def test_a_panel_of_sixteen_is_asked_in_full(models, panel_config):
    models.script("a", "The answer {n}.")

    result = await create_fusion_graph(panel_config(panel=["scripted:a"] * 16)).ainvoke(QUESTION)

    answers = result["fusion"]["answers"]
    assert len({answer["content"] for answer in answers}) == 16
    assert len({answer["label"] for answer in answers}) == 16
    assert [answer["name"] for answer in answers][:2] == ["a", "a #2"]


async def test_no_answer_at_all_is_an_error_with_every_reason(models, panel_config):
    for name, status in zip("abc", (401, 402, 404), strict=True):
        models.script(name, {"status": status})

    with pytest.raises(AllPanelistsFailed) as caught:
        await create_fusion_graph(panel_config()).ainvoke(QUESTION)
    assert [failure["reason"] for _, failure in caught.value.members] == [
        "auth",
        "insufficient_credits",
        "invalid_model",
    ]
    assert Counter(call.model for call in models.calls()) == dict.fromkeys("abc", 1)


# Many at once, one after the other, from anywhere


def test_a_batch_answers_every_question(models, panel_config):
    results = create_fusion_graph(panel_config()).batch([QUESTION] * 3)

    assert [result["fusion"]["answer"] for result in results] == [ANSWER] * 3
    assert len(models.calls()) == 15


async def test_an_abatch_answers_every_question(models, panel_config):
    results = await create_fusion_graph(panel_config()).abatch([QUESTION] * 3)

    assert [result["fusion"]["answer"] for result in results] == [ANSWER] * 3
    assert len(models.calls()) == 15


def mixing(models) -> None:
    """Makes every model answer with the marker of the question it was asked."""
    for name in "abcw":
        models.script(name, f"{name} on {{marker}}.")
    models.script("j", json.dumps(VERDICT).replace("Water is wet.", "{marker}"))


def check_unmixed(results: list[dict[str, Any]], count: int) -> None:
    """Nothing of a run's report or answer came from another's."""
    assert len(results) == count
    for number, result in enumerate(results):
        marker = f"MARK-{number:02}x"
        assert result["messages"][-1].content == f"w on {marker}."
        assert set(re.findall(r"MARK-\w+", json.dumps(result["fusion"]))) == {marker}
        assert [a["content"] for a in result["fusion"]["answers"]] == [
            f"{name} on {marker}." for name in "abc"
        ]
        assert result["fusion"]["analysis"]["consensus"][0]["point"] == marker


def questions(count: int) -> list[dict[str, Any]]:
    return [{"messages": [("user", f"What is MARK-{number:02}x?")]} for number in range(count)]


async def test_twenty_runs_at_once_do_not_mix(models, panel_config):
    graph = create_fusion_graph(panel_config())
    mixing(models)

    results = await asyncio.gather(*(graph.ainvoke(question) for question in questions(20)))

    check_unmixed(results, 20)
    assert len(models.calls()) == 100


def test_runs_of_several_threads_do_not_mix(models, panel_config):
    graph = create_fusion_graph(panel_config())
    mixing(models)

    check_unmixed(graph.batch(questions(8)), 8)


async def test_streams_at_once_do_not_mix(models, panel_config):
    graph = create_fusion_graph(panel_config())
    mixing(models)

    async def told(question: dict[str, Any]) -> str:
        chunks = graph.astream(question, stream_mode="messages")
        return "".join([chunk.content async for chunk, _ in chunks])

    answers = await asyncio.gather(*map(told, questions(10)))
    assert answers == [f"w on MARK-{number:02}x." for number in range(10)]


def test_one_graph_works_in_one_event_loop_after_the_other(models, panel_config):
    graph = create_fusion_graph(panel_config())

    # Warnings are errors here: an unclosed connection of the first loop would be one.
    for _ in range(3):
        assert asyncio.run(graph.ainvoke(QUESTION))["fusion"]["status"] == "ok"
        gc.collect()
    assert len(models.calls()) == 15


async def test_invoke_works_where_an_event_loop_is_running(panel_config):
    graph = create_fusion_graph(panel_config())

    assert graph.invoke(QUESTION)["fusion"]["status"] == "ok"
    assert (await graph.ainvoke(QUESTION))["fusion"]["status"] == "ok"


SCRIPT = """
import asyncio, json, sys
from fusion_graph import create_fusion_graph

graph = create_fusion_graph(json.loads(sys.argv[1]))
question = {"messages": [("user", "How wet is water?")]}
for _ in range(2):
    print(asyncio.run(graph.ainvoke(question))["fusion"]["status"])
print(graph.invoke(question)["fusion"]["status"])
print(len(list(graph.stream(question, stream_mode="messages"))))
"""


@pytest.mark.slow
def test_a_program_ends_without_a_warning_or_a_word(panel_config):
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, json.dumps(panel_config())],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert run.stdout.split() == ["ok", "ok", "ok", "6"]
    assert run.stderr == ""
    assert run.returncode == 0


# What others see of the graph


def test_the_drawing_shows_the_stages(panel_config):
    drawing = create_fusion_graph(panel_config()).get_graph()

    assert {"fan_out", "panelist", "join", "judge", "synthesis", "direct"} <= drawing.nodes.keys()
    edges = {(edge.source, edge.target) for edge in drawing.edges}
    assert edges >= {
        ("fan_out", "panelist"),
        ("fan_out", "direct"),
        ("panelist", "join"),
        ("join", "judge"),
        ("judge", "synthesis"),
        ("synthesis", "verify"),
        ("direct", "verify"),
    }
    assert "fan_out" in drawing.draw_mermaid()


def test_its_schemas_can_be_read(panel_config):
    graph = create_fusion_graph(panel_config())

    # As the LangGraph server does for Studio.
    assert graph.get_input_jsonschema()["properties"].keys() == {"messages"}
    assert graph.get_output_jsonschema()["properties"].keys() == {"messages", "fusion"}
    assert TypeAdapter(FusionState).json_schema()["properties"].keys() >= {"messages", "fusion"}


@pytest.mark.parametrize("name", ["fusion", "second_opinion"])
def test_its_name_is_the_callers(panel_config, name):
    given = {} if name == "fusion" else {"name": name}

    assert create_fusion_graph(panel_config(), **given).name == name
