"""A panel in a supervisor or a swarm: it is asked the user's question, in the user's words."""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from fusion_graph import ChatFusion, create_fusion_graph

QUESTION = "How wet is water?"
SECOND = "And how dry is sand?"
ANSWER = "The final answer of the writer."
THREAD: Any = {"configurable": {"thread_id": "t"}}
OVER = {"name": "transfer_to_experts", "args": {}}


def ask(question: str = QUESTION) -> Any:
    return {"messages": [HumanMessage(question)]}


def supervised(fusion: Any, model: Any, **options: Any) -> Any:
    with warnings.catch_warnings():
        # langgraph-supervisor still builds on langgraph's own create_react_agent.
        warnings.filterwarnings("ignore", message=".*moved to `langchain.agents`.*")
        supervisor = pytest.importorskip(
            "langgraph_supervisor", reason="langgraph-supervisor is not installed"
        )
        graph = supervisor.create_supervisor([fusion], model=model, **options)
        return graph.compile(checkpointer=InMemorySaver())


def swarm_of(fusion: Any, model: Any, *tools: Any, **handoff: Any) -> Any:
    swarm = pytest.importorskip("langgraph_swarm", reason="langgraph-swarm is not installed")
    over = swarm.create_handoff_tool(agent_name="experts", **handoff)
    alice = create_agent(model, tools=[over, *tools], name="alice")
    graph = swarm.create_swarm([alice, fusion], default_active_agent="alice")
    return graph.compile(checkpointer=InMemorySaver())


def heard(models: Any, name: str) -> list[tuple[str, str]]:
    """What a model was told last, the system message aside."""
    messages = models.calls(name)[-1].body["messages"][1:]
    assert not [message for message in messages if "name" in message or "tool_calls" in message]
    return [(message["role"], message["content"]) for message in messages]


def experts(panel_config: Any) -> Any:
    return create_fusion_graph(panel_config(), name="experts")


async def test_a_supervisors_panel_hears_the_question_and_nothing_of_the_hand_over(
    models, panel_config, outer
):
    model = outer({"tool_calls": [OVER]}, "They have spoken.", {"tool_calls": [OVER]}, "Again.")
    graph = supervised(experts(panel_config), model)

    await graph.ainvoke(ask(), THREAD)
    assert heard(models, "a") == [("user", QUESTION)]
    assert heard(models, "w")[0] == ("user", QUESTION)
    assert "ransferr" not in json.dumps([call.body for call in models.calls("j")])

    result = await graph.ainvoke(ask(SECOND), THREAD)
    assert result["messages"][-1].text == "Again."
    assert heard(models, "b") == [
        ("user", QUESTION),
        ("assistant", ANSWER),
        ("assistant", "They have spoken."),
        ("user", SECOND),
    ]


async def test_what_a_supervisor_says_beside_handing_over_is_told(models, panel_config, outer):
    model = outer({"text": "Sea water, I think.", "tool_calls": [OVER]}, "They have spoken.")
    await supervised(experts(panel_config), model).ainvoke(ask(), THREAD)

    question, beside, carry_on = heard(models, "a")
    assert (question, beside) == (("user", QUESTION), ("assistant", "Sea water, I think."))
    assert carry_on[0] == "user"
    assert "my request above" in carry_on[1]


async def test_a_supervisor_forwards_the_panels_answer_by_its_name(models, panel_config, outer):
    pytest.importorskip("langgraph_supervisor", reason="langgraph-supervisor is not installed")
    from langgraph_supervisor.handoff import create_forward_message_tool

    forward = {"name": "forward_message", "args": {"from_agent": "experts"}}
    model = outer({"tool_calls": [OVER]}, {"tool_calls": [forward]})
    graph = supervised(experts(panel_config), model, tools=[create_forward_message_tool()])

    result = await graph.ainvoke(ask(), THREAD)

    assert result["messages"][-1].text == ANSWER
    assert result["messages"][-1].name == "supervisor"
    assert len(models.calls("outer")) == 2


async def test_a_panel_that_supervises_does_not_stand_in_for_the_experts_panel(
    models, panel_config
):
    """Its report comes with the call that hands over, and looks like a call to go on from."""
    models.script("s", "Sent on.")
    models.script("boss", {"tool_calls": [OVER]}, "They have spoken.")
    fields = panel_config(panel=["scripted:s", "scripted:s"], synthesizer="scripted:boss")
    graph = supervised(experts(panel_config), ChatFusion(config=fields))

    result = await graph.ainvoke(ask(), THREAD)

    assert result["messages"][-1].text == "They have spoken."
    assert heard(models, "a") == [("user", QUESTION)]
    assert [len(models.calls(name)) for name in "abc"] == [1, 1, 1]


@pytest.mark.parametrize("handoff", [{}, {"name": "delegate"}], ids=["usual name", "own name"])
async def test_a_swarms_panel_hears_the_question_and_nothing_of_the_hand_over(
    models, panel_config, outer, handoff
):
    call = {"name": handoff.get("name", "transfer_to_experts"), "args": {}}
    graph = swarm_of(experts(panel_config), outer({"tool_calls": [call]}), **handoff)

    result = await graph.ainvoke(ask(), THREAD)
    assert result["messages"][-1].text == ANSWER
    assert heard(models, "a") == [("user", QUESTION)]

    result = await graph.ainvoke(ask(SECOND), THREAD)
    assert result["messages"][-1].name == "experts"
    assert heard(models, "a") == [("user", QUESTION), ("assistant", ANSWER), ("user", SECOND)]


@tool
def tide(place: str) -> str:
    """How high the tide is."""
    return f"Three metres at {place}."


async def test_what_a_swarms_agent_found_out_before_it_handed_over_is_told(
    models, panel_config, outer
):
    look = {"name": "tide", "args": {"place": "Bergen"}}
    model = outer({"tool_calls": [look]}, {"tool_calls": [OVER]})
    await swarm_of(experts(panel_config), model, tide).ainvoke(ask(), THREAD)

    question, found, carry_on = heard(models, "a")
    assert question == ("user", QUESTION)
    assert "Three metres at Bergen." in found[1]
    assert "ransferr" not in str(found)
    assert "my request above" in carry_on[1]


async def test_code_searches_for_the_users_question_in_a_swarm(outer):
    """The keyless panel, and the first search of small models, look for what the user asked."""
    pytest.importorskip("langgraph_swarm", reason="langgraph-swarm is not installed")
    look = {"name": "tide", "args": {"place": "Bergen"}}
    fusion = create_fusion_graph({"preset": "offline", "seed": 1}, name="experts")
    graph = swarm_of(fusion, outer({"tool_calls": [look]}, {"tool_calls": [OVER]}), tide)

    result = await graph.ainvoke(ask("What is self-fusion?"), THREAD)

    assert result["messages"][-1].text.startswith("Self-fusion is a panel in which")
