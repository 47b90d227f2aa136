"""A fusion inside a fusion is refused; a fusion after a fusion is not."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langgraph.graph import END, START, MessagesState, StateGraph

from fusion_graph import FusionRecursion, FusionReport, create_fusion_graph
from fusion_graph.recursion import inside_fusion, refuse_recursion

QUESTION = {"messages": [("user", "How wet is water?")]}


def in_sync(graph):
    @tool
    def ask_experts(question: str) -> str:
        """Ask a panel."""
        return graph.invoke(QUESTION)["messages"][-1].content

    return ask_experts


def in_async(graph):
    @tool
    async def ask_experts(question: str) -> str:
        """Ask a panel."""
        return (await graph.ainvoke(QUESTION))["messages"][-1].content

    return ask_experts


def in_a_thread(graph):
    @tool
    async def ask_experts(question: str) -> str:
        """Ask a panel."""
        return (await asyncio.to_thread(graph.invoke, QUESTION))["messages"][-1].content

    return ask_experts


def in_a_parent(graph):
    """As a node of a graph that the tool runs."""
    builder = StateGraph(MessagesState)
    builder.add_node("before", lambda state: {})
    builder.add_node("fusion", graph)
    builder.add_edge(START, "before")
    builder.add_edge("before", "fusion")
    builder.add_edge("fusion", END)
    return in_async(builder.compile())


@pytest.mark.parametrize("face", ["invoke", "ainvoke"])
@pytest.mark.parametrize("kind", [in_sync, in_async, in_a_thread, in_a_parent])
async def test_a_tool_that_runs_a_fusion_is_refused_and_the_run_survives(
    models, panel_config, kind, face
):
    call = {"tool_calls": [{"name": "ask_experts", "args": {"question": "How wet?"}}]}
    models.script("a", call, "The answer of a without experts.")
    inner = create_fusion_graph(panel_config(panel=["scripted:b"]))
    graph = create_fusion_graph(panel_config(), tools=[kind(inner)])

    if face == "invoke":
        result = await asyncio.to_thread(graph.invoke, QUESTION)
    else:
        result = await graph.ainvoke(QUESTION)

    report = FusionReport.from_state(result)
    assert report.answers[0].status == "ok"
    assert report.answers[0].content == "The answer of a without experts."
    assert [c.status for c in report.answers[0].tool_calls] == ["unavailable"]
    told = models.calls("a")[1].body["messages"][-1]
    assert told["role"] == "tool"
    assert "fusion_recursion" in told["content"]
    # a twice, b, c, j and w once: the inner fusion asked nobody.
    assert len(models.calls()) == 6


BLOCKING_TOOL = """
import json, sys
from langchain_core.tools import tool
from fusion_graph import create_fusion_graph

config, question = json.loads(sys.argv[1]), {"messages": [("user", "How wet is water?")]}

@tool
async def ask_experts(question: str) -> str:
    "Ask a panel."
    result = create_fusion_graph(config).invoke({"messages": [("user", question)]})
    return result["messages"][-1].content

record = create_fusion_graph(config, tools=[ask_experts]).invoke(question)["fusion"]
print(json.dumps(record["answers"][0]["tool_calls"][0]["status"]))
"""


def test_an_async_tool_that_blocks_on_a_fusion_does_not_hang_the_run(models, panel_config):
    call = {"tool_calls": [{"name": "ask_experts", "args": {"question": "How wet?"}}]}
    models.script("a", call, "The answer of a without experts.")
    # In a process of its own: what would hang is the loop that all synchronous runs share.
    try:
        run = subprocess.run(
            [sys.executable, "-c", BLOCKING_TOOL, json.dumps(panel_config())],
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            timeout=60,
        )
    except subprocess.TimeoutExpired:
        pytest.fail("the run waits for itself")
    assert run.stdout == '"unavailable"\n', run.stderr


async def test_the_judges_tools_are_refused_as_well(models, panel_config):
    call = {"tool_calls": [{"name": "ask_experts", "args": {"question": "How wet?"}}]}
    models.script("j", call, '{"consensus": []}')
    inner = create_fusion_graph(panel_config())
    graph = create_fusion_graph(panel_config(judge_tools=True), tools=[in_async(inner)])

    await graph.ainvoke(QUESTION)

    assert "fusion_recursion" in json.dumps(models.calls("j")[1].body)


async def test_the_one_model_of_a_run_without_panel_is_refused_as_well(models, panel_config):
    call = {"tool_calls": [{"name": "ask_experts", "args": {"question": "How wet?"}}]}
    models.script("w", call, "The answer.")
    inner = create_fusion_graph(panel_config())
    graph = create_fusion_graph(panel_config(invocation="never"), tools=[in_async(inner)])

    result = await graph.ainvoke(QUESTION)

    assert result["fusion"]["answer"] == "The answer."
    assert "fusion_recursion" in json.dumps(models.calls("w")[1].body)


@pytest.mark.parametrize("face", ["invoke", "ainvoke"])
async def test_two_fusions_one_after_the_other_in_one_graph_are_fine(models, panel_config, face):
    builder = StateGraph(MessagesState)
    for name in ("first", "second"):
        builder.add_node(name, create_fusion_graph(panel_config(), name=name))
    builder.add_edge(START, "first")
    builder.add_edge("first", "second")
    builder.add_edge("second", END)
    graph = builder.compile()

    result = graph.invoke(QUESTION) if face == "invoke" else await graph.ainvoke(QUESTION)

    assert len(result["messages"]) == 3
    assert len(models.calls()) == 10


async def test_a_run_leaves_no_mark_behind(panel_config):
    graph = create_fusion_graph(panel_config())

    for _ in range(2):
        assert (await graph.ainvoke(QUESTION))["fusion"]["status"] == "ok"
        assert graph.invoke(QUESTION)["fusion"]["status"] == "ok"
    refuse_recursion()


def test_inside_it_is_refused_and_outside_again_not():
    with inside_fusion(), pytest.raises(FusionRecursion, match="fusion_recursion") as caught:
        refuse_recursion()
    assert caught.value.code == "fusion_recursion"
    refuse_recursion()


async def test_a_fusion_started_inside_another_raises_by_itself(models, panel_config):
    graph = create_fusion_graph(panel_config())

    with inside_fusion(), pytest.raises(FusionRecursion):
        await graph.ainvoke({"messages": [HumanMessage("How wet?")]})
    assert models.calls() == []
