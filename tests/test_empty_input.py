"""An input that says nothing new goes on with an unfinished thread, and pays for nobody twice."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from fusion_graph import (
    AllPanelistsFailed,
    ConfigurationError,
    EmptyQuestion,
    create_fusion_graph,
    resumable,
)
from tests.children import end
from tests.commands import PATIENCE
from tests.conftest import VERDICT
from tests.depth import in_depth

QUESTION = {"messages": [{"role": "user", "content": "How wet is water?", "id": "q"}]}
THREAD: Any = {"configurable": {"thread_id": "t"}}
ANSWER = "The final answer of the writer."
NOTHING: list[Any] = [None, {}, {"messages": []}, {"messages": None}, QUESTION]
nothing_new = pytest.mark.parametrize("given", NOTHING, ids=str)
faces = pytest.mark.parametrize("face", ["invoke", "ainvoke"])


async def run(graph: Any, face: str, given: Any, **options: Any) -> Any:
    if face == "invoke":
        return graph.invoke(given, THREAD, **options)
    return await graph.ainvoke(given, THREAD, **options)


def asked(models: Any) -> str:
    return "".join(call.model for call in models.calls()[3:])


@faces
@nothing_new
async def test_a_run_that_stood_still_is_finished(models, panel_config, given, face):
    graph = create_fusion_graph(panel_config(), checkpointer=InMemorySaver())
    await run(graph, face, QUESTION, interrupt_before=["judge"])

    result = await run(graph, face, given)

    assert result["messages"][-1].text == ANSWER
    assert asked(models) == "jw"
    assert [message.type for message in result["messages"]] == ["human", "ai"]


@nothing_new
async def test_a_finished_run_is_told_again_and_nobody_is_asked(models, panel_config, given):
    graph = create_fusion_graph(panel_config(), checkpointer=InMemorySaver())
    first = await graph.ainvoke(QUESTION, THREAD)

    again = await graph.ainvoke(given, THREAD)

    assert again == first
    assert asked(models) == "jw"


@pytest.mark.parametrize(
    "given",
    [
        {"messages": [{"role": "user", "content": "How wet is water?"}]},
        {"messages": [{"role": "user", "content": "How dry is sand?", "id": "q"}]},
        {"messages": [{"role": "user", "content": "How wet is water?", "id": "other"}]},
    ],
    ids=["no id", "edited", "another"],
)
async def test_a_message_that_is_new_is_a_new_question(models, panel_config, given):
    graph = create_fusion_graph(panel_config(), checkpointer=InMemorySaver())
    await graph.ainvoke(QUESTION, THREAD)

    await graph.ainvoke(given, THREAD)

    assert Counter(asked(models)) == Counter("jwabcjw")


@pytest.mark.parametrize("as_node", [None, in_depth("__start__")])
@nothing_new
async def test_a_question_that_was_put_into_the_thread_is_answered(
    models, panel_config, given, as_node
):
    graph = create_fusion_graph(panel_config(), checkpointer=InMemorySaver())
    await graph.ainvoke(QUESTION, THREAD)
    await graph.aupdate_state(THREAD, {"messages": [HumanMessage("And how dry?")]}, as_node)

    result = await graph.ainvoke(given, THREAD)

    assert result["fusion"]["question"] == "And how dry?"


@nothing_new
async def test_a_panel_that_failed_whole_is_asked_again(models, panel_config, given):
    graph = create_fusion_graph(panel_config(), checkpointer=InMemorySaver())
    for name in "abc":
        models.script(name, {"status": 401}, "Back again.")
    with pytest.raises(AllPanelistsFailed):
        await graph.ainvoke(QUESTION, THREAD)

    result = await graph.ainvoke(given, THREAD)

    assert [answer["content"] for answer in result["fusion"]["answers"]] == ["Back again."] * 3
    assert len(result["messages"]) == 2


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("given", NOTHING[:-1], ids=str)
@faces
async def test_where_there_is_nothing_to_go_on_with_the_question_is_missed(
    models, panel_config, given, face, kept
):
    graph = create_fusion_graph(panel_config(), checkpointer=InMemorySaver() if kept else None)

    with pytest.raises(EmptyQuestion, match="nothing to answer"):
        await run(graph, face, given)
    assert models.calls() == []


# In a graph of one's own


def around(fusion: Any, seen: list[str]) -> Any:
    def before(state: MessagesState) -> dict[str, Any]:
        seen.append("before")
        return {}

    builder = StateGraph(MessagesState)
    builder.add_node("before", before)
    builder.add_node("fusion", fusion)
    builder.add_edge(START, "before")
    builder.add_edge("before", "fusion")
    return builder.compile(checkpointer=InMemorySaver())


async def test_a_parent_that_is_resumable_goes_on_within_the_fusion(models, panel_config):
    models.script("j", {"hang": True}, json.dumps(VERDICT))
    seen: list[str] = []
    graph = resumable(around(create_fusion_graph(panel_config()), seen))
    running = asyncio.create_task(graph.ainvoke(QUESTION, THREAD))
    await asyncio.to_thread(models.calls, "j", arrived=1)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running

    result = await graph.ainvoke({}, THREAD)

    assert result["messages"][-1].text == ANSWER
    assert (seen, asked(models)) == (["before"], "jjw")


def test_a_graph_made_resumable_twice_is_the_same_and_what_is_none_is_refused(panel_config):
    fusion = create_fusion_graph(panel_config())
    graph = around(fusion, [])

    assert resumable(resumable(graph)) is graph
    assert resumable(fusion) is fusion
    with pytest.raises(ConfigurationError, match="given a StateGraph"):
        resumable(StateGraph(MessagesState))  # type: ignore[arg-type]


# Killed for real

PROGRAM = """
import json, sys
from langgraph.checkpoint.sqlite import SqliteSaver
from fusion_graph import create_fusion_graph

path, config, given = sys.argv[1], *map(json.loads, sys.argv[2:])
with SqliteSaver.from_conn_string(path) as saver:
    graph = create_fusion_graph(config, checkpointer=saver)
    result = graph.invoke(given, {"configurable": {"thread_id": "t"}}, durability="sync")
    print(json.dumps([result["fusion"], len(result["messages"])]))
"""


def program(path: Path, config: Any, given: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, str(path), json.dumps(config), json.dumps(given)]
    return subprocess.Popen(
        command, cwd=Path(__file__).parents[1], env={**os.environ}, text=True, stdout=-1
    )


def panelists_kept(path: Path) -> int:
    """How many panelists' work the file holds."""
    with suppress(sqlite3.OperationalError), closing(sqlite3.connect(path)) as file:
        (found,) = file.execute("SELECT count(*) FROM writes WHERE channel = 'answers'").fetchone()
        return int(found)
    return 0


@pytest.mark.slow
@pytest.mark.parametrize(("hanging", "paid"), [("c", "cjw"), ("j", "jw"), ("w", "w")])
def test_a_killed_process_is_followed_by_one_that_finishes_with_an_empty_input(
    models, panel_config, tmp_path, hanging, paid
):
    path, config = tmp_path / "threads.sqlite", panel_config()
    answer = json.dumps(VERDICT) if hanging == "j" else f"The answer of {hanging}."
    models.script(hanging, {"hang": True}, answer)
    first = program(path, config, QUESTION)
    models.calls(hanging, arrived=1)
    for _ in range(10 * PATIENCE):
        if panelists_kept(path) >= (2 if hanging == "c" else 3):
            break
        time.sleep(0.1)  # between two looks at the file
    first.kill()
    end(first)
    before = len(models.calls())

    second = program(path, config, {})
    told, _ = second.communicate(timeout=PATIENCE)

    report, messages = json.loads(told)
    assert "".join(call.model for call in models.calls()[before:]) == paid
    assert (report["status"], messages) == ("ok", 2)
    assert [answer["status"] for answer in report["answers"]] == ["ok"] * 3
