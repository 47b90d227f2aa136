"""Streaming: the writer's words as they come, the run's progress, and nobody else's words."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph

from fusion_graph import create_fusion_graph

QUESTION = {"messages": [("user", "How wet is water?")]}
ANSWER = "The final answer of the writer."
THREAD = {"configurable": {"thread_id": "t"}}
MODES: list[Any] = ["values", "updates", "messages", "custom", "debug", "tasks", "checkpoints"]
MODES += [["messages", "custom"], ["updates"], MODES[:]]


def parent(fusion):
    builder = StateGraph(MessagesState)
    builder.add_node("fusion", fusion)
    builder.add_edge(START, "fusion")
    builder.add_edge("fusion", END)
    return builder.compile()


async def collect(graph, face, input=QUESTION, config=None, **options) -> list[Any]:
    """Everything a stream yields, through its synchronous or its asynchronous face."""
    if face == "stream":
        return list(graph.stream(input, config, **options))
    return [item async for item in graph.astream(input, config, **options)]


def streamed(models) -> dict[str, bool]:
    """Which models were asked to stream."""
    calls = models.calls()
    assert len(calls) == 5
    return {call.model: call.stream for call in calls}


ALL_BUT_THE_JUDGE = {"a": True, "b": True, "c": True, "j": False, "w": True}
# On the wire, for signs of life; in `messages` only the writer is heard.

faces = pytest.mark.parametrize("face", ["stream", "astream"])


# Modes


@faces
@pytest.mark.parametrize("subgraphs", [False, True], ids=["flat", "subgraphs"])
@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.slow
async def test_in_every_mode_the_run_is_the_same_and_asked_in_the_same_way(
    models, panel_config, face, mode, subgraphs
):
    graph = create_fusion_graph(panel_config(), checkpointer=InMemorySaver())

    items = await collect(graph, face, config=THREAD, stream_mode=mode, subgraphs=subgraphs)

    assert items
    assert streamed(models) == ALL_BUT_THE_JUDGE
    record = graph.get_state(THREAD).values["fusion"]
    assert (record["status"], record["answer"]) == ("ok", ANSWER)
    assert record["usage"]["total"]["cost_usd"] == 0.008


@faces
@pytest.mark.parametrize("subgraphs", [False, True], ids=["flat", "subgraphs"])
async def test_messages_are_the_writers_tokens_and_nothing_else(panel_config, face, subgraphs):
    graph = create_fusion_graph(panel_config(), checkpointer=InMemorySaver())

    items = await collect(graph, face, config=THREAD, stream_mode="messages", subgraphs=subgraphs)
    chunks = [(item[1] if subgraphs else item) for item in items]

    assert {type(chunk) for chunk, _ in chunks} == {AIMessageChunk}
    assert [chunk.content for chunk, _ in chunks] == [
        "The",
        " final",
        " answer",
        " of",
        " the",
        " writer.",
    ]
    assert {metadata["langgraph_node"] for _, metadata in chunks} == {"synthesis"}
    last = graph.get_state(THREAD).values["messages"][-1]
    assert {chunk.id for chunk, _ in chunks} == {last.id}
    assert last.content == ANSWER


@tool
def look_up(query: str) -> str:
    """Look something up."""
    return f"Water is wet, says https://water.example/{query}"


@faces
async def test_a_panel_at_work_with_tools_says_nothing_in_messages(models, panel_config, face):
    research = {"text": "I search.", "tool_calls": [{"name": "look_up", "args": {"query": "wet"}}]}
    for name in "abc":
        models.script(name, research, f"The answer of {name} [1].")
    graph = create_fusion_graph(panel_config(), tools=[look_up])

    items = await collect(graph, face, stream_mode="messages", subgraphs=True)

    assert "".join(chunk.content for _, (chunk, _) in items) == ANSWER


@faces
async def test_the_source_list_is_part_of_the_streamed_message(models, panel_config, face):
    research = {"tool_calls": [{"name": "look_up", "args": {"query": "wet"}}]}
    models.script("a", research, "Water is wet [1].")
    models.script("w", "Water is wet [1].")
    graph = create_fusion_graph(panel_config(), tools=[look_up], checkpointer=InMemorySaver())

    items = await collect(graph, face, config=THREAD, stream_mode="messages")

    last = graph.get_state(THREAD).values["messages"][-1]
    assert "https://water.example/wet" in last.content
    assert "".join(chunk.content for chunk, _ in items if chunk.id == last.id) == last.content


@faces
async def test_thinking_is_not_shown(models, panel_config, face):
    models.script("w", {"text": "<think>Hm, wet?</think>\n\nIt is <b>wet</b>.", "chunks": 3})
    graph = create_fusion_graph(panel_config())

    items = await collect(graph, face, stream_mode="messages")

    assert "".join(chunk.content for chunk, _ in items) == "It is <b>wet</b>."


@faces
async def test_after_a_broken_stream_the_last_message_id_holds_the_whole_answer(
    models, panel_config, face
):
    models.script("w", {"text": "A first try that breaks.", "close_after": 2}, "The second try.")
    graph = create_fusion_graph(panel_config(), checkpointer=InMemorySaver())

    items = await collect(graph, face, config=THREAD, stream_mode=["messages", "custom"])

    chunks = [item[0] for mode, item in items if mode == "messages"]
    last = graph.get_state(THREAD).values["messages"][-1]
    assert last.content == "The second try."
    assert len({chunk.id for chunk in chunks}) == 2
    assert chunks[-1].id == last.id
    assert "".join(c.content for c in chunks if c.id == last.id) == last.content
    kinds = [item["type"] for mode, item in items if mode == "custom"]
    assert kinds.count("synthesis.restarted") == 1


@faces
async def test_tokens_arrive_while_the_writer_is_still_writing(models, panel_config, face):
    models.script("w", {"text": "One two three.", "rate": 3})
    graph = create_fusion_graph(panel_config())

    async def first_token_then_the_log() -> Any:
        if face == "stream":
            items = graph.stream(QUESTION, stream_mode="messages")
            next(items)
            ended = models.calls("w")[0].ended
            list(items)
            return ended
        items = graph.astream(QUESTION, stream_mode="messages")
        await anext(items)
        ended = models.calls("w")[0].ended
        async for _ in items:
            pass
        return ended

    assert await first_token_then_the_log() is None


async def test_leaving_a_stream_hangs_up_on_the_writer(models, panel_config):
    models.script("w", {"text": "word " * 1000, "rate": 10})
    items = create_fusion_graph(panel_config()).astream(QUESTION, stream_mode="messages")
    await anext(items)
    await items.aclose()

    (call,) = await asyncio.to_thread(models.calls, "w", ended=1)
    assert call.disconnected


async def test_cancelling_a_run_hangs_up_on_the_panel(models, panel_config):
    for name in "abc":
        models.script(name, {"hang": True})
    run = asyncio.create_task(create_fusion_graph(panel_config()).ainvoke(QUESTION))
    await asyncio.to_thread(models.calls, arrived=3)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run

    calls = await asyncio.to_thread(models.calls, ended=3)
    assert [call.disconnected for call in calls] == [True] * 3


@faces
async def test_updates_come_in_the_order_of_the_graph(panel_config, face):
    items = await collect(create_fusion_graph(panel_config()), face, stream_mode="updates")

    assert [name for item in items for name in item] == [
        "fan_out",
        "panelist",
        "panelist",
        "panelist",
        "join",
        "judge",
        "synthesis",
        "verify",
    ]
    last = items[-1]["verify"]
    assert last["messages"][-1].content == last["fusion"]["answer"] == ANSWER


@faces
async def test_the_last_values_are_the_result(panel_config, face):
    items = await collect(create_fusion_graph(panel_config()), face, stream_mode="values")

    assert items[-1]["messages"][-1].content == ANSWER
    assert items[-1]["fusion"]["status"] == "ok"


async def test_typed_stream_parts_carry_their_mode_and_namespace(panel_config):
    graph = parent(create_fusion_graph(panel_config()))

    parts = [
        part
        async for part in graph.astream(
            QUESTION, stream_mode=["messages", "custom"], subgraphs=True, version="v2"
        )
    ]
    assert {part["type"] for part in parts} == {"messages", "custom"}
    assert {part["ns"][0].partition(":")[0] for part in parts} == {"fusion"}


async def test_astream_events_changes_nothing_on_the_wire(models, panel_config):
    graph = create_fusion_graph(panel_config())

    events = [event async for event in graph.astream_events(QUESTION, version="v2")]

    assert streamed(models) == ALL_BUT_THE_JUDGE
    assert events[-1]["data"]["output"]["fusion"]["answer"] == ANSWER


# In a parent


@faces
async def test_a_parent_sees_the_writers_tokens_through_subgraphs(models, panel_config, face):
    items = await collect(
        parent(create_fusion_graph(panel_config())), face, stream_mode="messages", subgraphs=True
    )

    assert {namespace[0].partition(":")[0] for namespace, _ in items} == {"fusion"}
    assert {type(chunk) for _, (chunk, _) in items} == {AIMessageChunk}
    assert "".join(chunk.content for _, (chunk, _) in items) == ANSWER
    assert len(items) == 6
    assert streamed(models) == ALL_BUT_THE_JUDGE


@faces
async def test_a_parent_that_does_not_look_inside_sees_the_answer_once(panel_config, face):
    graph = parent(create_fusion_graph(panel_config()))

    items = await collect(graph, face, stream_mode="messages")
    assert "".join(message.content for message, _ in items) == ANSWER


@faces
async def test_a_parent_sees_the_progress_through_subgraphs(panel_config, face):
    items = await collect(
        parent(create_fusion_graph(panel_config())), face, stream_mode="custom", subgraphs=True
    )

    kinds = [event["type"] for _, event in items]
    assert (kinds[0], kinds[-1]) == ("fusion.started", "fusion.completed")
    assert kinds.count("panel.completed") == 3


# Progress


def check_order(events: list[dict[str, Any]]) -> None:
    """What holds for the events of every run that used a panel."""
    json.dumps(events)
    kinds = [event["type"] for event in events]
    assert (kinds[0], kinds[-1]) == ("fusion.started", "fusion.completed")
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)
    ends = ("panel.completed", "panel.failed")
    for name in events[0]["panel"]:
        about = [event for event in events if event.get("name") == name]
        own = [event["type"] for event in about if event["type"].startswith("panel.")]
        assert own[0] == "panel.added"
        assert own[-1] in ends
        assert sum(kind in ends for kind in own) == 1
    panel = [index for index, kind in enumerate(kinds) if kind.startswith("panel.")]
    rest = [i for i, kind in enumerate(kinds) if kind.startswith(("analysis.", "synthesis."))]
    assert max(panel) < min(rest)


@faces
async def test_events_tell_the_run_in_its_order(panel_config, face):
    events = await collect(create_fusion_graph(panel_config()), face, stream_mode="custom")

    check_order(events)
    assert [event["type"] for event in events if not event["type"].startswith("panel.")] == [
        "fusion.started",
        "analysis.in_progress",
        "analysis.completed",
        "synthesis.in_progress",
        "fusion.completed",
    ]


# The fields that state/events.py promises.
FIELDS = {
    "fusion.started": {
        "run_id",
        "question",
        "preset",
        "preset_reason",
        "panel",
        "invoked",
        "reason",
    },
    "panel.added": {"name", "model"},
    "panel.tool": {"name", "tool", "args"},
    "panel.tool.completed": {"name", "tool", "status", "seconds", "found"},
    "panel.delta": {"name", "turn", "text"},
    "panel.completed": {
        *("name", "model", "content", "characters", "tool_calls", "calls", "cost_usd", "seconds")
    },
    "panel.failed": {"name", "model", "reason", "detail", "calls", "cost_usd", "seconds"},
    "analysis.in_progress": {"model", "answers"},
    "analysis.completed": {
        "analysis",
        "consensus",
        "contradictions",
        "partial_coverage",
        "unique_insights",
        "blind_spots",
    },
    "synthesis.in_progress": {"model"},
    "fusion.completed": {"status", "degradations", "cost_usd", "seconds"},
}


@faces
async def test_every_event_carries_what_is_promised_of_it(models, panel_config, face):
    research = {"tool_calls": [{"name": "look_up", "args": {"query": "wet"}}]}
    models.script("a", research, "Water is wet [1].")
    models.script("b", {"status": 401})
    graph = create_fusion_graph(panel_config(), tools=[look_up])

    events = await collect(graph, face, stream_mode="custom")

    check_order(events)
    assert {event["type"] for event in events} == FIELDS.keys()
    for event in events:
        assert event.keys() >= {"type", "at", *FIELDS[event["type"]]}, event


@faces
async def test_a_failed_member_and_a_failed_judge_are_told(models, panel_config, face):
    models.script("b", {"status": 401})
    models.script("j", {"status": 401})

    events = await collect(create_fusion_graph(panel_config()), face, stream_mode="custom")

    check_order(events)
    by_type = {event["type"]: event for event in events}
    assert (by_type["panel.failed"]["name"], by_type["panel.failed"]["reason"]) == ("b", "auth")
    assert by_type["analysis.failed"]["code"] == "judge_upstream_error"
    assert "analysis.completed" not in by_type
    assert by_type["fusion.completed"]["status"] == "degraded"
    lost = by_type["fusion.completed"]["degradations"]
    assert lost == ["panelist_failed", "judge_upstream_error"]


async def test_who_is_left_behind_after_the_quorum_is_told(models, panel_config):
    models.script("c", {"hang": True})
    graph = create_fusion_graph(panel_config(quorum=2, grace=0.05))

    events = await collect(graph, "astream", stream_mode="custom")

    check_order(events)
    (late,) = [event for event in events if event["type"] == "panel.failed"]
    assert (late["name"], late["reason"]) == ("c", "timed_out")
    assert "Left behind" in late["detail"]


@faces
async def test_events_and_tokens_interleave_as_they_happen(panel_config, face):
    graph = create_fusion_graph(panel_config())

    items = await collect(graph, face, stream_mode=["messages", "custom"])

    kinds = [item["type"] if mode == "custom" else "token" for mode, item in items]
    first, last = kinds.index("token"), len(kinds) - 1 - kinds[::-1].index("token")
    assert kinds[first - 1] == "synthesis.in_progress"
    assert kinds[last + 1] == "fusion.completed"
    assert set(kinds[first : last + 1]) == {"token"}
