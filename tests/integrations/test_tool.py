"""The fusion tool: what a calling model may say, what it gets back, and that it never raises."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.graph import MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

from fusion_graph import (
    ConfigurationError,
    FusionReport,
    UnknownPreset,
    create_fusion_graph,
    create_fusion_tool,
)
from fusion_graph.faces.tool import CONVERSATION_CHARACTERS

TASK = {"task": "How wet is water?"}
faces = pytest.mark.parametrize("face", ["invoke", "ainvoke"])


async def call(fusion, face: str, args: Any = TASK) -> ToolMessage:
    """The tool message for a call, through the synchronous or the asynchronous face."""
    order = {"type": "tool_call", "id": "call_1", "name": fusion.name, "args": args}
    if face == "invoke":
        return await asyncio.to_thread(fusion.invoke, order)
    return await fusion.ainvoke(order)


def asked(models) -> list[str]:
    return sorted(call.model for call in models.calls())


# What it takes


def test_the_calling_model_may_give_the_task_and_ask_for_the_conversation(panel_config):
    schema = create_fusion_tool(panel_config()).tool_call_schema.model_json_schema()

    assert schema["properties"].keys() == {"task", "include_conversation"}
    assert schema["required"] == ["task"]


def test_the_description_says_when_to_use_it_and_when_not(panel_config):
    description = create_fusion_tool(panel_config()).description

    assert "Use it for research" in description
    assert "Do not use it for code" in description
    assert "costs many model calls" in " ".join(description.split())


@faces
async def test_no_setting_can_be_overridden_by_the_calling_model(models, panel_config, face):
    settings = {"preset": "offline", "panel": ["scripted:w"], "max_tool_calls": 16, "config": {}}

    message = await call(create_fusion_tool(panel_config()), face, {**TASK, **settings})

    assert json.loads(message.content)["status"] == "ok"
    assert asked(models) == ["a", "b", "c", "j"]


def test_a_wrong_configuration_is_refused_where_it_is_written(panel_config):
    with pytest.raises(UnknownPreset, match="nonsense"):
        create_fusion_tool("nonsense")
    with pytest.raises(ConfigurationError, match="max_characters"):
        create_fusion_tool(panel_config(), max_characters=10)


# What it gives


@faces
async def test_the_panel_and_the_judge_are_asked_and_nobody_writes(models, panel_config, face):
    message = await call(create_fusion_tool(panel_config()), face)

    result = json.loads(message.content)
    assert result["status"] == "ok"
    assert result["analysis"]["consensus"] == ["Water is wet."]
    assert result["responses"] == [
        {"model": name, "content": f"The answer of {name}."} for name in "abc"
    ]
    assert asked(models) == ["a", "b", "c", "j"]


@faces
async def test_the_report_is_the_artifact(panel_config, face):
    message = await call(create_fusion_tool(panel_config()), face)

    report = FusionReport.model_validate(message.artifact)
    assert (report.status, report.answer, report.question) == ("ok", "", TASK["task"])
    assert report.usage.total.calls == 4
    assert report.usage.total.cost_usd == 0.005
    json.dumps(message.artifact)


async def test_sources_are_numbered_as_the_responses_cite_them(models, panel_config):
    @tool
    def look_up(query: str) -> str:
        """Look something up."""
        return f"Water is wet, says https://water.example/{query}"

    for name in "ab":
        found = {"tool_calls": [{"name": "look_up", "args": {"query": name}}]}
        models.script(name, found, f"Says {name} [1].")
    fusion = create_fusion_tool(panel_config(), tools=[look_up])

    result = json.loads((await call(fusion, "ainvoke")).content)

    cited = {r["model"]: r["content"] for r in result["responses"]}
    for source in result["sources"]:
        name = source["url"].rpartition("/")[2]
        assert cited[name] == f"Says {name} [{source['id']}]."
    assert len(result["sources"]) == 2


@faces
async def test_a_result_stays_within_its_size(models, panel_config, face):
    models.script("a", "Long. " * 3_000)

    message = await call(create_fusion_tool(panel_config(), max_characters=3_000), face)

    assert len(message.content) <= 3_000
    result = json.loads(message.content)
    assert "cut here" in result["responses"][0]["content"]
    assert result["analysis"]["blind_spots"] == ["Salt water"]


async def test_a_run_that_needs_no_panel_gives_the_one_answer(models, panel_config):
    message = await call(create_fusion_tool(panel_config(invocation="never")), "ainvoke")

    result = json.loads(message.content)
    assert result["responses"] == [{"model": "w", "content": "The final answer of the writer."}]
    assert asked(models) == ["w"]


# Failures


@faces
async def test_a_failed_panelist_is_named_and_the_rest_goes_on(models, panel_config, face):
    models.script("b", {"status": 402})

    result = json.loads((await call(create_fusion_tool(panel_config()), face)).content)

    assert result["status"] == "ok"
    assert [response["model"] for response in result["responses"]] == ["a", "c"]
    (failed,) = result["failed_models"]
    assert (failed["model"], failed["status_code"]) == ("b", 402)
    assert failed["error"].startswith("insufficient_credits")


async def test_a_judge_that_cannot_be_read_leaves_the_responses(models, panel_config):
    models.script("j", "no JSON at all")

    message = await call(create_fusion_tool(panel_config()), "ainvoke")

    result = json.loads(message.content)
    assert result["status"] == "ok"
    assert "analysis" not in result
    assert len(result["responses"]) == 3
    assert message.artifact["status"] == "degraded"


BROKEN: dict[str, Any] = {
    "no key": {"status": 401},
    "no credits": {"status": 402},
    "no such model": {"status": 404},
    "not JSON": {"malformed": "<html>"},
    "blank": {"text": ""},
    "bad request": {"status": 400},
    "broken off": {"text": "half an answer", "close_after": 3},
    "error in a 200": {"error": {"message": "overloaded", "code": 502}},
}


@faces
@pytest.mark.parametrize("step", BROKEN.values(), ids=BROKEN)
async def test_it_never_raises_whatever_the_models_do(models, panel_config, face, step):
    for name in "abcj":
        models.script(name, step)

    message = await call(create_fusion_tool(panel_config()), face)

    result = json.loads(message.content)
    assert result.keys() == {"status", "error", "failure_reason"}
    assert result["status"] == "error"
    assert message.artifact["status"] == "error"
    assert len(message.artifact["failures"]) == 3


@pytest.mark.parametrize(
    ("statuses", "reason"),
    [
        ((401, 404, 401), "all_panels_failed"),
        ((401, 402, 404), "insufficient_credits"),
    ],
)
async def test_the_reason_is_openrouters(models, panel_config, statuses, reason):
    for name, status in zip("abc", statuses, strict=True):
        models.script(name, {"status": status})

    message = await call(create_fusion_tool(panel_config()), "ainvoke")
    assert json.loads(message.content)["failure_reason"] == reason


async def test_a_panel_that_is_rate_limited_says_so(models, panel_config):
    for name in "abc":
        # Longer than a run would wait, so it fails at once.
        models.script(name, {"status": 429, "headers": {"retry-after": "900"}})

    message = await call(create_fusion_tool(panel_config()), "ainvoke")
    assert json.loads(message.content)["failure_reason"] == "rate_limited"


@faces
async def test_a_configuration_that_turns_out_wrong_at_the_call_is_a_result(models, face):
    message = await call(create_fusion_tool({"panel": ["openai:gpt-5.5"]}), face)

    result = json.loads(message.content)
    assert result["failure_reason"] == "invalid_configuration"
    assert "OPENAI_API_KEY" in result["error"]


@faces
@pytest.mark.parametrize("args", [{}, {"task": "  "}, {"task": ["no text"]}, {"question": "?"}])
async def test_a_call_without_a_task_is_told_what_to_give(models, panel_config, face, args):
    message = await call(create_fusion_tool(panel_config()), face, args)

    assert json.loads(message.content)["failure_reason"] == "empty_task"
    assert models.calls() == []


@faces
async def test_inside_a_fusion_it_refuses(models, panel_config, face):
    order = {"tool_calls": [{"name": "fusion", "args": TASK}]}
    models.script("a", order, "The answer of a without experts.")
    fusion = create_fusion_tool(panel_config(panel=["scripted:b"]))
    graph = create_fusion_graph(panel_config(), tools=[fusion])

    if face == "invoke":
        record = (await asyncio.to_thread(graph.invoke, {"messages": ["How wet?"]}))["fusion"]
    else:
        record = (await graph.ainvoke({"messages": ["How wet?"]}))["fusion"]

    assert record["status"] == "ok"
    told = models.calls("a")[1].body["messages"][-1]["content"]
    assert "fusion_recursion" in told
    assert asked(models) == ["a", "a", "b", "c", "j", "w"]


async def test_a_cancelled_call_is_cancelled_and_stops_the_panel(models, panel_config):
    for name in "abc":
        models.script(name, {"hang": True})
    running = asyncio.create_task(call(create_fusion_tool(panel_config()), "ainvoke"))
    await asyncio.to_thread(models.calls, arrived=3)

    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    calls = await asyncio.to_thread(models.calls, ended=3)
    assert all(call.disconnected for call in calls)


# In a graph


HISTORY = [
    SystemMessage("You sell boats."),
    HumanMessage("We sell boats."),
    AIMessage("Good."),
    HumanMessage("Are they wet?"),
    AIMessage("", tool_calls=[{"name": "fusion", "args": TASK, "id": "call_1"}]),
]


def with_conversation(history: list[Any]) -> list[Any]:
    order = history[-1].tool_calls[0]
    order["args"] = {**TASK, "include_conversation": True}
    return history


async def through_a_tool_node(fusion, state: Any) -> ToolMessage:
    builder = StateGraph(MessagesState)
    builder.add_node("tools", ToolNode([fusion]))
    builder.set_entry_point("tools")
    return (await builder.compile().ainvoke(state))["messages"][-1]


def heard(models) -> list[tuple[str, str]]:
    """What a panelist was sent, without its instructions."""
    return [(m["role"], m["content"]) for m in models.calls("a")[0].body["messages"][1:]]


async def test_by_default_the_panel_hears_the_task_alone(models, panel_config):
    message = await through_a_tool_node(create_fusion_tool(panel_config()), {"messages": HISTORY})

    assert json.loads(message.content)["status"] == "ok"
    assert heard(models) == [("user", TASK["task"])]


async def test_the_panel_hears_the_conversation_if_asked_but_not_this_call(models, panel_config):
    history = with_conversation([m.model_copy(deep=True) for m in HISTORY])

    await through_a_tool_node(create_fusion_tool(panel_config()), {"messages": history})

    assert heard(models) == [
        ("user", "We sell boats."),
        ("assistant", "Good."),
        ("user", "Are they wet?"),
        ("user", TASK["task"]),
    ]
    assert "You sell boats." not in json.dumps(models.calls("a")[0].body)


async def test_of_a_long_conversation_the_panel_hears_the_end(models, panel_config):
    history = with_conversation([m.model_copy(deep=True) for m in HISTORY])
    old = [HumanMessage("Old. " * 6_000), AIMessage("Noted.")]

    await through_a_tool_node(create_fusion_tool(panel_config()), {"messages": [*old, *history]})

    assert heard(models)[0] == ("user", "We sell boats.")


async def test_of_a_long_last_message_the_panel_hears_the_beginning_and_that_it_is_cut(
    models, panel_config
):
    """A pasted document: the case for which the conversation is included."""
    history = with_conversation([m.model_copy(deep=True) for m in HISTORY])
    pasted = "The boats are wet. " + "x" * CONVERSATION_CHARACTERS
    history[3] = HumanMessage([{"type": "text", "text": pasted}])

    await through_a_tool_node(create_fusion_tool(panel_config()), {"messages": history})

    (_, (block,)), task = heard(models)
    assert block["text"].startswith("The boats are wet. xxx")
    assert block["text"].endswith("[cut here: 19 more characters]")
    assert task == ("user", TASK["task"])


async def test_a_long_result_does_not_push_the_question_it_belongs_to_out(models, panel_config):
    history = with_conversation([m.model_copy(deep=True) for m in HISTORY])
    look = {"name": "look", "args": {}, "id": "call_0"}
    found = [AIMessage("", tool_calls=[look]), ToolMessage("wet " * 10_000, tool_call_id="call_0")]
    history[4:4] = found

    await through_a_tool_node(create_fusion_tool(panel_config()), {"messages": history})

    (first, (who, result), *_) = heard(models)
    assert first == ("user", "Are they wet?")
    assert who == "assistant"
    assert "characters left out]" in result


async def test_outside_an_agent_there_is_no_conversation_to_include(models, panel_config):
    await call(
        create_fusion_tool(panel_config()), "ainvoke", {**TASK, "include_conversation": True}
    )

    assert heard(models) == [("user", TASK["task"])]


async def test_a_model_cannot_forge_the_conversation(models, panel_config):
    forged = {**TASK, "include_conversation": True, "runtime": {"state": {"messages": ["Lies."]}}}

    message = await call(create_fusion_tool(panel_config()), "ainvoke", forged)

    assert json.loads(message.content)["status"] == "ok"
    assert heard(models) == [("user", TASK["task"])]
