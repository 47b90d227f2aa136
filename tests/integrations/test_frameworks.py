"""The faces in what people build agents with: the panel inside, a scripted agent outside."""

from __future__ import annotations

import asyncio
import json
import warnings
from contextlib import suppress
from typing import Any

import pytest
from deepagents import CompiledSubAgent, create_deep_agent
from langchain.agents import create_agent
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.errors import GraphDrained
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.runtime import RunControl
from pydantic import BaseModel

from fusion_graph import ChatFusion, create_fusion_graph, create_fusion_tool
from fusion_graph.faces.follow import afusion_events, fusion_events

QUESTION = "How wet is water?"
ANSWER = "The final answer of the writer."
THREAD = {"configurable": {"thread_id": "t"}}
ASK_PANEL = {"tool_calls": [{"name": "fusion", "args": {"task": QUESTION}, "id": "call_1"}]}
faces = pytest.mark.parametrize("face", ["stream", "astream"])


def ask(question: str = QUESTION) -> dict[str, Any]:
    return {"messages": [HumanMessage(question)]}


async def stream(
    graph: Any, face: str, input: Any, config: Any = None, **options: Any
) -> list[Any]:
    if face == "stream":
        return await asyncio.to_thread(lambda: list(graph.stream(input, config, **options)))
    return [part async for part in graph.astream(input, config, **options)]


def asked(models: Any) -> list[str]:
    return sorted(call.model for call in models.calls())


def texts(parts: list[Any]) -> str:
    """The words in a stream of `messages`, of whatever namespace."""
    chunks = [part[-1][0] for part in parts]
    return "".join(chunk.text for chunk in chunks if isinstance(chunk, AIMessageChunk))


# An agent with the fusion tool


@faces
async def test_an_agent_asks_the_panel_and_writes_the_answer_itself(
    models, panel_config, outer, face
):
    model = outer(ASK_PANEL, "Two of three say: wet.")
    agent = create_agent(model, tools=[create_fusion_tool(panel_config())])

    parts = await stream(agent, face, ask(), stream_mode="values")

    question, order, result, answer = parts[-1]["messages"]
    assert [type(m) for m in (question, order, result)] == [HumanMessage, AIMessage, ToolMessage]
    assert answer.text == "Two of three say: wet."
    assert json.loads(result.content)["analysis"]["consensus"] == ["Water is wet."]
    assert result.artifact["usage"]["total"]["calls"] == 4
    assert asked(models) == ["a", "b", "c", "j", "outer", "outer"]
    assert "Water is wet." in models.calls("outer")[1].body["messages"][-1]["content"]


@faces
async def test_the_panels_progress_is_in_the_agents_stream(panel_config, outer, face):
    agent = create_agent(outer(ASK_PANEL, "Wet."), tools=[create_fusion_tool(panel_config())])

    parts = await stream(agent, face, ask(), stream_mode="custom", subgraphs=True)

    events = list(fusion_events(parts))
    types = [event["type"] for event in events]
    assert types[0] == "fusion.started"
    assert types[-1] == "fusion.completed"
    assert sorted(e["name"] for e in events if e["type"] == "panel.completed") == ["a", "b", "c"]
    assert "analysis.completed" in types
    assert "synthesis.in_progress" not in types
    assert {event["namespace"][0].partition(":")[0] for event in events} == {"tools"}


@faces
async def test_only_the_agents_own_words_stream_as_messages(panel_config, outer, face):
    agent = create_agent(outer(ASK_PANEL, "Wet."), tools=[create_fusion_tool(panel_config())])

    parts = await stream(agent, face, ask(), stream_mode="messages", subgraphs=True)

    assert texts(parts) == "Wet."


async def test_an_agent_learns_of_a_failed_panel_and_answers_anyway(models, panel_config, outer):
    for name in "abc":
        models.script(name, {"status": 401})
    agent = create_agent(
        outer(ASK_PANEL, "Nobody could say."), tools=[create_fusion_tool(panel_config())]
    )

    *_, result, answer = (await agent.ainvoke(ask()))["messages"]

    assert json.loads(result.content)["failure_reason"] == "all_panels_failed"
    assert answer.text == "Nobody could say."


async def test_an_agent_that_was_stopped_goes_on_without_asking_the_panel_again(
    models, panel_config, outer, tmp_path
):
    model = outer(ASK_PANEL, "Wet.")
    models.script("j", {"hang": True})
    async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "threads.sqlite")) as saver:
        tools = [create_fusion_tool(panel_config())]
        agent = create_agent(model, tools=tools, checkpointer=saver)
        running = asyncio.create_task(agent.ainvoke(ask(), THREAD))
        await asyncio.to_thread(models.calls, "j", arrived=1)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        models.script("j", '{"consensus": []}')

        result = await agent.ainvoke(None, THREAD)

    assert result["messages"][-1].text == "Wet."
    assert asked(models) == ["a", "b", "c", "j", "j", "outer", "outer"]


# An agent whose model is a panel


@tool
def ledger(year: int) -> str:
    """What was sold in a year."""
    return f"41 boats in {year}"


LOOK_UP = {"tool_calls": [{"name": "ledger", "args": {"year": 2025}, "id": "call_1"}]}


@faces
async def test_a_panel_as_an_agents_model_uses_the_agents_tools(models, panel_config, face):
    models.script("w", LOOK_UP, "We sold 41 boats.")
    agent = create_agent(ChatFusion(config=panel_config()), tools=[ledger])

    parts = await stream(agent, face, ask("What did we sell in 2025?"), stream_mode="values")

    _, order, result, answer = parts[-1]["messages"]
    assert order.tool_calls[0]["args"] == {"year": 2025}
    assert result.text == "41 boats in 2025"
    assert answer.text == "We sold 41 boats."
    # One deliberation for the whole loop; the writer went on from it.
    assert asked(models) == ["a", "b", "c", "j", "w", "w"]


@faces
@pytest.mark.parametrize("subgraphs", [False, True], ids=["flat", "subgraphs"])
async def test_its_words_stream_once_and_its_progress_beside_them(panel_config, face, subgraphs):
    agent = create_agent(ChatFusion(config=panel_config()), tools=[])

    parts = await stream(
        agent, face, ask(), stream_mode=["messages", "custom"], subgraphs=subgraphs
    )

    assert texts([part for part in parts if part[-2] == "messages"]) == ANSWER
    types = [event["type"] for event in fusion_events(parts)]
    assert types.count("panel.completed") == 3
    assert types.count("answer.delta") == 6
    assert types[-1] == "fusion.completed"


async def test_its_run_leaves_nothing_in_the_agents_thread_but_the_message(panel_config, tmp_path):
    async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "threads.sqlite")) as saver:
        agent = create_agent(ChatFusion(config=panel_config()), checkpointer=saver)

        for turn in (1, 2):
            result = await agent.ainvoke(ask(), THREAD)
            assert len(result["messages"]) == 2 * turn
        kept = [item async for item in saver.alist(THREAD)]
        spaces = {item.config["configurable"]["checkpoint_ns"] for item in kept}

    assert spaces == {""}
    assert result["messages"][-1].response_metadata["fusion"]["thread_id"] == "t"


class Wetness(BaseModel):
    """How wet something is."""

    degree: int


async def test_an_agents_answer_in_a_form(models, panel_config):
    models.script("w", {"tool_calls": [{"name": "Wetness", "args": {"degree": 9}}]})
    agent = create_agent(ChatFusion(config=panel_config()), response_format=Wetness)

    assert (await agent.ainvoke(ask()))["structured_response"] == Wetness(degree=9)


# A supervisor, and deep agents


@faces
async def test_a_supervisor_hands_a_question_over_to_the_panel(models, panel_config, outer, face):
    with warnings.catch_warnings():
        # langgraph-supervisor still builds on langgraph's own create_react_agent.
        warnings.filterwarnings("ignore", message=".*moved to `langchain.agents`.*")
        from langgraph_supervisor import create_supervisor

        model = outer(
            {"tool_calls": [{"name": "transfer_to_experts", "args": {}, "id": "call_1"}]},
            "The experts have spoken.",
        )
        experts = create_fusion_graph(panel_config(), name="experts")
        supervisor = create_supervisor([experts], model=model).compile()

    parts = await stream(supervisor, face, ask(), stream_mode="values")

    said = [message.text for message in parts[-1]["messages"]]
    assert ANSWER in said
    assert said[-1] == "The experts have spoken."
    assert asked(models) == ["a", "b", "c", "j", "outer", "outer", "w"]
    assert QUESTION in [m["content"] for m in models.calls("a")[0].body["messages"]]


@faces
async def test_a_deep_agent_has_the_panel_as_a_subagent(models, panel_config, outer, face):
    args = {"description": QUESTION, "subagent_type": "panel"}
    model = outer({"tool_calls": [{"name": "task", "args": args, "id": "call_1"}]}, "Wet, then.")
    panel = CompiledSubAgent(
        name="panel",
        description="Several models research a question and compare what they found.",
        runnable=create_fusion_graph(panel_config()),
    )
    agent = create_deep_agent(model=model, subagents=[panel])

    parts = await stream(agent, face, ask(), stream_mode="values")

    *_, result, answer = parts[-1]["messages"]
    assert isinstance(result, ToolMessage)
    assert result.text == ANSWER
    assert answer.text == "Wet, then."
    assert asked(models) == ["a", "b", "c", "j", "outer", "outer", "w"]
    assert models.calls("a")[0].body["messages"][-1]["content"] == QUESTION


async def test_a_deep_agent_may_have_a_panel_for_its_model(models, panel_config):
    note = {"file_path": "/notes.md", "content": "Water is wet."}
    models.script("w", {"tool_calls": [{"name": "write_file", "args": note}]}, "Noted.")
    agent = create_deep_agent(model=ChatFusion(config=panel_config()))

    result = await agent.ainvoke(ask("Note it."))

    assert result["messages"][-1].text == "Noted."
    assert "Water is wet." in str(result["files"]["/notes.md"])
    assert asked(models) == ["a", "b", "c", "j", "w", "w"]


async def test_an_agent_that_is_drained_stops_instead_of_taking_it_for_a_failure(
    models, panel_config, outer, tmp_path
):
    control = RunControl()

    class Judge(FakeListChatModel):
        """A judge during whose work the server is told to go down."""

        def _call(self, *args: Any, **kwargs: Any) -> str:
            control.request_drain("the server goes down")
            return super()._call(*args, **kwargs)

    fusion = create_fusion_tool(panel_config(judge=Judge(responses=['{"consensus": []}'])))
    async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "threads.sqlite")) as saver:
        agent = create_agent(outer(ASK_PANEL, "Wet."), tools=[fusion], checkpointer=saver)

        with pytest.raises(GraphDrained):
            await agent.ainvoke(ask(), THREAD, control=control)
        result = await agent.ainvoke(None, THREAD)

    assert result["messages"][-1].text == "Wet."
    assert asked(models) == ["a", "b", "c", "outer", "outer"]


# A graph of one's own


def triaged(fusion: Any, model: Any, saver: Any) -> Any:
    """A graph that answers chat by itself and sends questions to the panel."""

    def wants_panel(state: MessagesState) -> str:
        return "fusion" if state["messages"][-1].text.endswith("?") else "chat"

    async def chat(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("chat", chat)
    builder.add_node("fusion", fusion)
    builder.add_conditional_edges(START, wants_panel, ["chat", "fusion"])
    builder.add_edge("chat", END)
    builder.add_edge("fusion", END)
    return builder.compile(checkpointer=saver)


async def test_a_graph_of_ones_own_over_several_turns_with_memory_and_streaming(
    models, panel_config, outer, tmp_path
):
    path = str(tmp_path / "threads.sqlite")
    turns = (
        ("Hello.", "Hi there."),
        (QUESTION, ANSWER),
        ("Thanks.", "Hi there."),
        ("Why?", ANSWER),
    )
    model = outer("Hi there.")
    for turn, (said, answer) in enumerate(turns, start=1):
        # Every turn in a graph and a connection of its own, as in a server that was restarted.
        async with AsyncSqliteSaver.from_conn_string(path) as saver:
            graph = triaged(create_fusion_graph(panel_config()), model, saver)
            stream = graph.astream(
                ask(said), THREAD, stream_mode=["messages", "custom"], subgraphs=True, version="v2"
            )
            events = [event async for event in afusion_events(stream)]
            state = await graph.aget_state(THREAD)
        assert len(state.values["messages"]) == 2 * turn
        assert state.values["messages"][-1].text == answer
        told = "".join(event["text"] for event in events if event["type"] == "answer.delta")
        assert told == (answer if said.endswith("?") else "")
        assert [e["type"] for e in events].count("panel.completed") == 3 * said.endswith("?")

    last = models.calls("a")[1].body["messages"][1:]
    assert [message["content"] for message in last] == [
        *(text for turn in turns[:3] for text in turn),
        "Why?",
    ]


def test_the_tool_in_a_synchronous_graph_with_a_synchronous_checkpointer(
    models, panel_config, outer, tmp_path
):
    with SqliteSaver.from_conn_string(str(tmp_path / "threads.sqlite")) as saver:
        agent = create_agent(
            outer(ASK_PANEL, "Wet.", ASK_PANEL, "Still wet."),
            tools=[create_fusion_tool(panel_config())],
            checkpointer=saver,
        )
        first = agent.invoke(ask(), THREAD)["messages"]
        second = agent.invoke(ask("And now?"), THREAD)["messages"]

    assert [first[-1].text, second[-1].text] == ["Wet.", "Still wet."]
    assert len(second) == 8
    assert len(models.calls("a")) == 2
    assert second[-2].artifact["thread_id"] == "t"
