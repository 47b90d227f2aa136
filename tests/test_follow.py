"""Following a run: one list of events, whatever the shape of the stream they come in."""

from __future__ import annotations

import asyncio
import operator
from typing import Annotated, Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph
from typing_extensions import TypedDict

from fusion_graph import AllPanelistsFailed, create_fusion_graph
from fusion_graph.faces.follow import afusion_events, follow, fusion_events
from fusion_graph.state.events import EVENTS, emitter, never_silent

QUESTION = {"messages": [("user", "How wet is water?")]}
ANSWER = "The final answer of the writer."


async def told(graph: Any, **options: Any) -> list[dict[str, Any]]:
    return [event async for event in follow(graph, QUESTION["messages"], **options)]


async def test_a_run_is_told_from_its_start_to_its_result(panel_config):
    events = await told(create_fusion_graph(panel_config()))

    assert events[0]["type"] == "fusion.started"
    assert events[-2]["type"] == "fusion.completed"
    assert events[-1]["type"] == "fusion.result"
    assert events[-1]["message"].text == events[-1]["report"]["answer"] == ANSWER
    deltas = [event for event in events if event["type"] == "answer.delta"]
    assert "".join(event["text"] for event in deltas) == ANSWER
    assert {event["message_id"] for event in deltas} == {events[-1]["message"].id}


async def test_what_each_panelist_writes_is_told_as_it_writes(models, panel_config):
    models.script("a", {"text": "One two three four.", "rate": 4})

    events = await told(create_fusion_graph(panel_config()))

    pieces = [e for e in events if e["type"] == "panel.delta" and e["name"] == "a"]
    assert "".join(e["text"] for e in pieces) == "One two three four."
    assert len(pieces) > 1
    done = next(e for e in events if e["type"] == "panel.completed" and e["name"] == "a")
    assert done["content"] == "One two three four."


async def test_a_panelist_that_starts_again_begins_a_new_text(models, panel_config):
    models.script("a", {"text": "Void words here.", "close_after": 2}, "Good words.")

    events = await told(create_fusion_graph(panel_config()))

    turns: dict[int, str] = {}
    for event in events:
        if event["type"] == "panel.delta" and event["name"] == "a":
            turns[event["turn"]] = turns.get(event["turn"], "") + event["text"]
    assert turns[max(turns)] == "Good words."


async def test_reasoning_is_not_told(models, panel_config):
    models.script("a", "<think>My secret plan.</think>Wet.")

    events = await told(create_fusion_graph(panel_config()))

    assert "secret" not in str([e for e in events if e["type"].startswith("panel.")])


async def test_the_errors_of_a_run_are_raised(models, panel_config):
    for name in "abc":
        models.script(name, {"status": 401})

    with pytest.raises(AllPanelistsFailed):
        await told(create_fusion_graph(panel_config()))


async def test_leaving_early_stops_the_models(models, panel_config):
    models.script("a", {"hang": True})
    stream = follow(create_fusion_graph(panel_config()), QUESTION["messages"])
    async for event in stream:
        if event["type"] == "panel.completed":
            break
    await asyncio.to_thread(models.calls, "a", arrived=1)
    await stream.aclose()

    (call,) = await asyncio.to_thread(models.calls, "a", arrived=1, ended=1)
    assert call.disconnected


async def test_a_runs_own_settings_go_before_the_graphs(models, panel_config):
    models.script("z", "The answer of z.")

    events = await told(create_fusion_graph(panel_config()), context={"panel": ["scripted:z"]})

    assert [answer["name"] for answer in events[-1]["report"]["answers"]] == ["z"]


# A parent's stream


class OwnState(TypedDict):
    seen: Annotated[list[str], operator.add]


def parent(fusion: Any) -> Any:
    async def before(state: MessagesState) -> dict[str, Any]:
        from langgraph.config import get_stream_writer

        get_stream_writer()({"type": "mine"})
        get_stream_writer()("words")
        return {"messages": [AIMessage("I pass it on.", id="own")]}

    builder = StateGraph(MessagesState)
    builder.add_node("before", before)
    builder.add_node("fusion", fusion)
    builder.add_edge(START, "before")
    builder.add_edge("before", "fusion")
    return builder.compile()


SHAPES = [
    {"stream_mode": ["custom", "messages"]},
    {"stream_mode": ["custom", "messages", "updates", "values"]},
    {"stream_mode": ["custom", "messages"], "version": "v2"},
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
async def test_a_parents_stream_holds_the_same_events(panel_config, shape):
    graph = parent(create_fusion_graph(panel_config()))

    stream = graph.astream(QUESTION, subgraphs=True, **shape)
    events = [event async for event in afusion_events(stream)]

    assert events[0]["type"] == "fusion.started"
    assert events[-1]["type"] == "fusion.completed"
    assert {e["namespace"][0].partition(":")[0] for e in events} == {"fusion"}
    assert "".join(e["text"] for e in events if e["type"] == "answer.delta") == ANSWER
    assert {e["type"] for e in events} - {"answer.delta"} <= EVENTS.keys()


def test_a_synchronous_stream_of_one_mode_will_do(panel_config):
    graph = create_fusion_graph(panel_config())

    events = list(fusion_events(graph.stream(QUESTION, stream_mode="custom")))
    words = list(fusion_events(graph.stream(QUESTION, stream_mode="messages")))

    assert [e["type"] for e in events][-1] == "fusion.completed"
    assert "".join(e["text"] for e in words) == ANSWER


# Silence


async def test_whoever_is_silent_is_said_to_be_still_at_work():
    events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    with never_silent(emitter(events.put_nowait, 0), "panel", "a", quiet=0.02) as (emit, _):
        first = await events.get()
        emit("panel.added", name="a")
        second, third = await events.get(), await events.get()
    assert (first["type"], first["stage"], first["name"]) == ("fusion.waiting", "panel", "a")
    assert (second["type"], third["type"]) == ("panel.added", "fusion.waiting")


async def test_nobody_is_said_to_be_at_work_after_the_end():
    ended: list[Any] = []
    later: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    with never_silent(emitter(ended.append, 0), "judge", "judge", quiet=0.01):
        pass
    with never_silent(emitter(later.put_nowait, 0), "panel", "a", quiet=0.02):
        await later.get()  # by then the judge, who is done, would have been told too
    assert ended == []


def test_every_event_is_documented_with_its_fields(panel_config):
    for event in fusion_events(
        create_fusion_graph(panel_config()).stream(QUESTION, stream_mode="custom")
    ):
        for field in event.keys() - {"type", "at"}:
            listed = EVENTS[event["type"]]
            assert field in listed or event["type"] == "analysis.completed", (event, field)
