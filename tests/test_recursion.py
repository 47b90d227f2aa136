"""A fusion inside a fusion is refused; one after it, or beside it, is not.

Over HTTP: tests/server/test_refusals.py.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.runnables.config import run_in_executor
from langchain_core.tools import tool
from langgraph.graph import END, START, MessagesState, StateGraph

from fusion_graph import FusionRecursion, FusionReport, create_fusion_graph
from fusion_graph.run.recursion import DEPTH_VARIABLE, inside_fusion, refuse_recursion
from tests.depth import in_depth

QUESTION = {"messages": [("user", "How wet is water?")]}
CALL = {"tool_calls": [{"name": "ask_experts", "args": {"question": "How wet?"}}]}
ROOT = Path(__file__).parents[1]


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


def in_a_task(graph):
    @tool
    async def ask_experts(question: str) -> str:
        """Ask a panel."""
        return (await asyncio.create_task(graph.ainvoke(QUESTION)))["messages"][-1].content

    return ask_experts


def in_langchains_executor(graph):
    @tool
    async def ask_experts(question: str) -> str:
        """Ask a panel."""
        return (await run_in_executor(None, graph.invoke, QUESTION))["messages"][-1].content

    return ask_experts


def in_the_loops_executor(graph):
    @tool
    async def ask_experts(question: str) -> str:
        """Ask a panel."""
        loop = asyncio.get_running_loop()
        return (await loop.run_in_executor(None, graph.invoke, QUESTION))["messages"][-1].content

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


KINDS = (in_sync, in_async, in_a_task, in_a_thread, in_langchains_executor, in_a_parent)


@pytest.mark.parametrize(
    ("kind", "face"),
    [
        *((kind, "invoke") for kind in KINDS),
        (in_async, "ainvoke"),
        *(in_depth(kind, "ainvoke") for kind in KINDS if kind is not in_async),
        (in_the_loops_executor, "invoke"),  # with `ainvoke` the loop is the caller's
    ],
)
async def test_a_tool_that_runs_a_fusion_is_refused_and_the_run_survives(
    models, panel_config, kind, face
):
    models.script("a", CALL, "The answer of a without experts.")
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


@pytest.mark.slow
def test_an_async_tool_that_blocks_on_a_fusion_does_not_hang_the_run(models, panel_config):
    models.script("a", CALL, "The answer of a without experts.")
    # In a process of its own: what would hang is the loop that all synchronous runs share.
    try:
        run = subprocess.run(
            [sys.executable, "-c", BLOCKING_TOOL, json.dumps(panel_config())],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )
    except subprocess.TimeoutExpired:
        pytest.fail("the run waits for itself")
    assert run.stdout == '"unavailable"\n', run.stderr


async def test_the_judges_tools_are_refused_as_well(models, panel_config):
    models.script("j", CALL, '{"consensus": []}')
    inner = create_fusion_graph(panel_config())
    graph = create_fusion_graph(panel_config(judge_tools=True), tools=[in_async(inner)])

    await graph.ainvoke(QUESTION)

    assert "fusion_recursion" in json.dumps(models.calls("j")[1].body)


async def test_the_one_model_of_a_run_without_panel_is_refused_as_well(models, panel_config):
    models.script("w", CALL, "The answer.")
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


# Beside a fusion, and after it


async def test_a_fusion_of_another_thread_is_none_of_its_business(models, panel_config):
    graph = create_fusion_graph(panel_config())
    results = []

    @tool
    async def ask_experts(question: str) -> str:
        """Something that takes as long as an independent fusion in a thread that was there."""
        begin.set()
        await asyncio.to_thread(other.join)
        return "Wet."

    def independent() -> None:
        begin.wait()
        results.append(graph.invoke(QUESTION))

    models.script("a", CALL, "The answer of a.")
    begin = threading.Event()
    other = threading.Thread(target=independent)
    other.start()
    around = await create_fusion_graph(panel_config(), tools=[ask_experts]).ainvoke(QUESTION)

    assert [result["fusion"]["status"] for result in (around, *results)] == ["ok", "ok"]


async def test_what_a_tool_left_running_may_start_a_fusion_once_the_other_is_over(
    models, panel_config
):
    """A tool that opens a queue or a pool when first used, and shares it with the application."""
    graph = create_fusion_graph(panel_config())
    over = asyncio.Event()
    left = []

    @tool
    async def ask_experts(question: str) -> str:
        """Start a worker that outlives the run."""

        async def worker():
            await over.wait()
            return await graph.ainvoke(QUESTION)

        left.append(asyncio.create_task(worker()))
        return "Wet."

    models.script("a", CALL, "The answer of a.")
    await create_fusion_graph(panel_config(), tools=[ask_experts]).ainvoke(QUESTION)
    over.set()

    assert (await left[0])["fusion"]["status"] == "ok"


# Other processes


SHELL_MODEL = """
import subprocess, sys
from langchain_core.language_models.chat_models import SimpleChatModel

class ChatUpstage(SimpleChatModel):
    "A model that is a program: it asks the command line."
    model: str = ""

    @property
    def _llm_type(self):
        return "shell"

    def _call(self, *_, **__):
        command = [sys.executable, "-m", "fusion_graph", "ask", "--preset", "offline", "How wet?"]
        done = subprocess.run(command, capture_output=True, text=True)
        return f"exit {done.returncode}: {done.stdout}{done.stderr}"
"""


@pytest.mark.slow
def test_a_process_that_the_command_line_leads_to_is_refused(tmp_path):
    package = tmp_path / "langchain_upstage"
    package.mkdir()
    (package / "__init__.py").write_text(SHELL_MODEL, "utf-8")
    command = ("ask", "--panel", "upstage:shell", "--search", "none", "How wet is water?")

    done = subprocess.run(
        [sys.executable, "-m", "fusion_graph", *command],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    assert "exit 2: error: A fusion was started by a process that runs one" in done.stdout
    assert DEPTH_VARIABLE in done.stdout


IN_A_CHILD = """
from fusion_graph.run.recursion import FusionRecursion, mark_children, refuse_recursion
mark_children()  # for its own children: not for itself
try:
    refuse_recursion()
    print("begun")
except FusionRecursion as refused:
    print(refused.code)
"""


@pytest.mark.parametrize(("depth", "said"), [("1", "fusion_recursion"), ("0", "begun")])
def test_a_program_that_is_told_that_it_is_inside_a_fusion_refuses_too(depth, said):
    done = subprocess.run(
        [sys.executable, "-c", IN_A_CHILD],
        cwd=ROOT,
        env={**os.environ, DEPTH_VARIABLE: depth},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout == f"{said}\n", done.stderr
