"""The graph on a LangGraph server, told over the wire as it is told at home."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections import Counter
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.pregel.remote import RemoteGraph

from fusion_graph import (
    ConfigurationError,
    FusionConfig,
    FusionReport,
    RemoteRunFailed,
    create_fusion_graph,
    follow,
    resumable,
)
from fusion_graph.faces.follow import afusion_events, event_of, fusion_events
from tests.examples import run_page

pytestmark = pytest.mark.slow  # a server of LangGraph, 10 s of a processor

QUESTION = {"messages": [{"role": "user", "content": "How wet is water?"}]}
ASKED = [HumanMessage("How wet is water?")]
ANSWER = "The final answer of the writer."


@pytest.fixture
def remote(server: str) -> RemoteGraph:
    """The server's graph, as LangGraph's users take it."""
    return RemoteGraph("fusion", url=server)


def new_thread() -> Any:
    return {"configurable": {"thread_id": str(uuid4())}}


async def told(graph: Any, messages: Any = ASKED, **options: Any) -> list[dict[str, Any]]:
    return [event async for event in follow(graph, messages, **options)]


def kinds(events: list[dict[str, Any]]) -> Counter[str]:
    return Counter(event["type"] for event in events if event["type"] != "panel.delta")


def words(events: list[dict[str, Any]]) -> str:
    return "".join(event["text"] for event in events if event["type"] == "answer.delta")


# Followed


@pytest.mark.parametrize("shape", ["fields", "FusionConfig"])
async def test_a_run_on_a_server_is_told_as_one_at_home(remote, panel_config, shape):
    fields = panel_config()
    context = fields if shape == "fields" else FusionConfig(**fields)
    home = await told(create_fusion_graph(fields))

    away = await told(remote, context=context)

    assert kinds(away) == kinds(home)
    assert [away[0]["type"], away[-2]["type"]] == ["fusion.started", "fusion.completed"]
    assert words(away) == words(home) == ANSWER
    for name in ("panel.completed", "analysis.completed", "fusion.started"):
        here, there = ({key for e in events if e["type"] == name for key in e}
                       for events in (home, away))  # fmt: skip
        assert here == there
    message, report = away[-1]["message"], FusionReport.model_validate(away[-1]["report"])
    assert isinstance(message, AIMessage)
    assert message.text == report.answer == ANSWER
    assert {e["message_id"] for e in away if e["type"] == "answer.delta"} == {message.id}
    assert report.seed == 7


async def test_a_thread_on_a_server_is_gone_on_with(remote, models, panel_config):
    thread, context = new_thread(), panel_config()
    await remote.ainvoke(QUESTION, thread, context=context, interrupt_before=["judge"])

    events = await told(remote, None, config=thread, context=context)

    assert words(events) == ANSWER
    assert [call.model for call in models.calls()[3:]] == ["j", "w"]
    # Told again, and nobody asked.
    again = await told(remote, [], config=thread, context=context)
    assert [event["type"] for event in again] == ["fusion.result"]
    assert len(models.calls()) == 5


async def test_leaving_early_stops_the_models_of_the_server(remote, models, panel_config):
    models.script("a", {"hang": True})
    stream = follow(remote, ASKED, context=panel_config())
    async for event in stream:
        if event["type"] == "panel.completed":
            break
    await asyncio.to_thread(models.calls, "a", arrived=1)
    await stream.aclose()

    (call,) = await asyncio.to_thread(models.calls, "a", arrived=1, ended=1)
    assert call.disconnected


async def test_what_fails_on_the_server_is_told_in_its_words(remote, models, panel_config):
    for name in "abc":
        models.script(name, {"status": 401})

    with pytest.raises(RemoteRunFailed, match=r"No panelist answered.*a: auth") as caught:
        await told(remote, context=panel_config())
    assert caught.value.kind == "AllPanelistsFailed"


async def test_what_the_server_refuses_says_what_to_do(remote, server):
    with pytest.raises(RemoteRunFailed, match="Threads of a LangGraph server are named by UUIDs"):
        await told(remote, config={"configurable": {"thread_id": "monday"}})
    with pytest.raises(RemoteRunFailed, match="fission"):
        await told(RemoteGraph("fission", url=server))
    with pytest.raises(RemoteRunFailed, match="UnknownPreset: There is no preset 'nonsense'"):
        await told(remote, context={"preset": "nonsense"})


async def test_a_server_that_is_not_there_is_an_error_of_ours():
    with pytest.raises(RemoteRunFailed, match="ConnectError"):
        await told(RemoteGraph("fusion", url="http://127.0.0.1:9"))


# Streams

MODES: Any = ["custom", "messages"]
SHAPES: list[dict[str, Any]] = [
    {"stream_mode": MODES},
    {"stream_mode": MODES, "subgraphs": True},
    {"stream_mode": [*MODES, "updates", "values"], "subgraphs": True},
    {"stream_mode": MODES, "version": "v2"},
    {"stream_mode": MODES, "subgraphs": True, "version": "v2"},
]


def each(shapes: list[dict[str, Any]]) -> Any:
    """A stream's shapes by face."""
    return pytest.mark.parametrize(
        ("face", "shape"),
        [(face, shape) for face in ("astream", "stream") for shape in shapes],
        ids=str,
    )


async def events_of(graph: Any, face: str, **options: Any) -> list[dict[str, Any]]:
    if face == "stream":
        return await asyncio.to_thread(
            lambda: list(fusion_events(graph.stream(QUESTION, **options)))
        )
    return [event async for event in afusion_events(graph.astream(QUESTION, **options))]


@each(SHAPES)
async def test_its_own_stream_holds_the_same_events(remote, panel_config, face, shape):
    events = await events_of(remote, face, context=panel_config(), **shape)

    assert (events[0]["type"], events[-1]["type"]) == ("fusion.started", "fusion.completed")
    assert kinds(events)["panel.completed"] == 3
    assert words(events) == ANSWER


async def test_a_stream_of_one_mode_will_do(remote, panel_config):
    context = panel_config()

    events = await events_of(remote, "astream", context=context, stream_mode="custom")
    pieces = await events_of(remote, "astream", context=context, stream_mode="messages")

    assert events[-1]["type"] == "fusion.completed"
    assert words(pieces) == ANSWER


def parent(fusion: Any, schema: Any = MessagesState) -> Any:
    builder = StateGraph(schema)
    builder.add_node("fusion", fusion)
    builder.add_edge(START, "fusion")
    return builder.compile()


@pytest.fixture
async def configured(server: str, panel_config: Any) -> RemoteGraph:
    """An assistant of the server: LangGraph hands no context of a parent's to a RemoteGraph."""
    from langgraph_sdk import get_client

    async with get_client(url=server, api_key=None) as client:
        assistant = await client.assistants.create("fusion", context=panel_config())
    return RemoteGraph(assistant["assistant_id"], url=server)


@each([shape for shape in SHAPES if "subgraphs" in shape])
async def test_as_a_node_of_another_graph_it_tells_what_it_tells_at_home(
    configured, panel_config, face, shape
):
    home = await events_of(parent(create_fusion_graph(panel_config())), face, **shape)

    away = await events_of(parent(configured), face, **shape)

    assert kinds(away) == kinds(home)
    assert words(away) == words(home) == ANSWER
    assert {event["namespace"][0].partition(":")[0] for event in away} == {"fusion"}


async def test_as_a_node_it_takes_its_settings_from_configurable(remote, panel_config):
    stream = parent(remote).astream(
        QUESTION, {"configurable": panel_config()}, stream_mode=MODES, subgraphs=True
    )

    assert words([event async for event in afusion_events(stream)]) == ANSWER


async def test_the_sdks_stream_holds_them_too(server, panel_config):
    from langgraph_sdk import get_client

    async with get_client(url=server, api_key=None) as client:
        stream = client.runs.stream(
            None, "fusion", input=QUESTION, context=panel_config(),
            stream_mode=["custom", "messages-tuple"],
        )  # fmt: skip
        events = [event async for event in afusion_events(stream)]

    assert events[-1]["type"] == "fusion.completed"
    assert words(events) == ANSWER


def test_the_event_of_a_fusion_inside_the_servers_graph_says_where():
    from langgraph_sdk.schema import StreamPart

    part: Any = StreamPart("custom|experts:1|fusion:2", {"type": "synthesis.in_progress"})

    event = event_of(part)

    assert event is not None
    assert event["namespace"] == ("experts:1", "fusion:2")
    assert event_of(StreamPart("messages|x:1", [{"type": "AIMessageChunk"}])) is None  # type: ignore[arg-type]


async def test_as_a_node_it_answers_and_hands_over_its_report(configured):
    class WithReport(MessagesState):
        fusion: dict[str, Any]

    result: Any = await parent(configured, WithReport).ainvoke({"messages": ASKED})

    assert [type(message) for message in result["messages"]] == [HumanMessage, AIMessage]
    assert FusionReport.from_state(result).answer == result["messages"][-1].text == ANSWER


def test_what_is_on_a_server_is_made_resumable_there(remote):
    with pytest.raises(ConfigurationError, match="given a RemoteGraph"):
        resumable(remote)


def test_the_example_follows_a_server(server):
    run_page("docs/how-to/remote-graph.md", port_2024=server)


# As a deep agent's sub-agent that works in the background


async def test_a_deep_agent_starts_the_panel_in_the_background_and_asks_for_its_answer(
    server, configured, models, outer
):
    deepagents = pytest.importorskip("deepagents", reason="deepagents is not installed")
    from langgraph_sdk import get_client

    async with get_client(url=server, api_key=None) as client:
        panel = deepagents.AsyncSubAgent(
            name="panel",
            description="Several models research a question and compare what they found.",
            graph_id=configured.assistant_id,
            url=server,
        )
        order = {"description": "How wet is water?", "subagent_type": "panel"}
        model = outer({"tool_calls": [{"name": "start_async_task", "args": order}]}, "Asked.")
        agent = deepagents.create_deep_agent(model=model, subagents=[panel])

        begun = await agent.ainvoke({"messages": ASKED})
        (task,) = begun["async_tasks"].values()
        await client.runs.join(task["thread_id"], task["run_id"])
        look = {"name": "check_async_task", "args": {"task_id": task["task_id"]}}
        outer({"tool_calls": [look]}, "Wet, they say.")
        messages = [*begun["messages"], HumanMessage("And?")]
        result = await agent.ainvoke({**begun, "messages": messages})

    *_, found, answer = result["messages"]
    assert json.loads(found.text)["result"] == ANSWER
    assert answer.text == "Wet, they say."
    assert models.calls("a")[0].body["messages"][-1]["content"] == "How wet is water?"
    assert len(models.calls("w")) == 1


async def test_a_deep_agent_that_waits_has_it_as_the_node_of_a_graph(configured, outer):
    """Alone, its messages are JSON, of which deepagents 0.7 reads nothing: the result is empty."""
    deepagents = pytest.importorskip("deepagents", reason="deepagents is not installed")
    order = {"description": "How wet is water?", "subagent_type": "panel"}
    model = outer({"tool_calls": [{"name": "task", "args": order}]}, "Wet, then.")
    panel = deepagents.CompiledSubAgent(
        name="panel", description="Several models research.", runnable=parent(configured)
    )

    result = await deepagents.create_deep_agent(model=model, subagents=[panel]).ainvoke(
        {"messages": ASKED}
    )

    *_, found, answer = result["messages"]
    assert (found.text, answer.text) == (ANSWER, "Wet, then.")


# As a supervisor's agent


async def test_a_supervisor_hands_over_to_a_panel_on_a_server(server, configured, models, outer):
    with warnings.catch_warnings():
        # langgraph-supervisor still builds on langgraph's own create_react_agent.
        warnings.filterwarnings("ignore", message=".*moved to `langchain.agents`.*")
        supervisor = pytest.importorskip(
            "langgraph_supervisor", reason="langgraph-supervisor is not installed"
        )
        over = {"tool_calls": [{"name": "transfer_to_experts", "args": {}}]}
        experts = RemoteGraph(configured.assistant_id, url=server, name="experts")
        model = outer(over, "They have spoken.", over, "Again.")
        graph = supervisor.create_supervisor([experts], model=model).compile(
            checkpointer=InMemorySaver()
        )
    thread = new_thread()

    stream = graph.astream(QUESTION, thread, stream_mode=MODES, subgraphs=True)
    events = [event async for event in afusion_events(stream)]
    result = await graph.ainvoke({"messages": [HumanMessage("And sand?")]}, thread)

    assert words(events) == ANSWER
    assert result["messages"][-1].text == "Again."
    said = [message["content"] for message in models.calls("a")[-1].body["messages"][1:]]
    assert said == ["How wet is water?", ANSWER, "They have spoken.", "And sand?"]
