"""The caller's tools and format: the panel deliberates, the writer alone calls and formats."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from fusion_graph import AllPanelistsFailed, create_fusion_graph
from fusion_graph.faces.follow import follow

BOOK = {
    "type": "function",
    "function": {
        "name": "book",
        "description": "Book a table.",
        "parameters": {"type": "object", "properties": {"seats": {"type": "integer"}}},
    },
}
CALLS = {"tool_calls": [{"name": "book", "args": {"seats": 4}, "id": "call_1"}]}
ASKED = [HumanMessage("Where should we eat? Book it.")]


async def ask(config: dict[str, Any], messages: Any = None, **context: Any) -> dict[str, Any]:
    return await create_fusion_graph(config).ainvoke(
        {"messages": messages or ASKED}, context=context or None
    )


def wire(models: Any, model: str) -> list[dict[str, Any]]:
    return [call.body for call in models.calls(model)]


async def test_the_writer_alone_has_the_callers_tools(models, panel_config):
    models.script("w", CALLS)

    result = await ask(panel_config(), writer_tools=[BOOK], writer_tool_choice="required")

    message = result["messages"][-1]
    assert [(c["name"], c["args"], c["id"]) for c in message.tool_calls] == [
        ("book", {"seats": 4}, "call_1")
    ]
    assert message.content == ""
    assert result["fusion"]["status"] == "ok"
    assert len(models.calls()) == 5
    (body,) = wire(models, "w")
    assert body["tools"] == [BOOK]
    assert body["tool_choice"] == "required"
    for name in "abcj":
        assert not any("tools" in body for body in wire(models, name))


async def test_the_message_tells_what_the_run_used_and_why_the_writer_stopped(models, panel_config):
    models.script("w", CALLS)

    result = await ask(panel_config(), writer_tools=[BOOK])

    message, total = result["messages"][-1], result["fusion"]["usage"]["total"]
    assert message.usage_metadata["input_tokens"] == total["input_tokens"] > 0
    assert message.usage_metadata["output_tokens"] == total["output_tokens"] > 0
    assert message.response_metadata["finish_reason"] == "tool_calls"
    assert message.response_metadata["model_name"] == "w"


async def going_on(models: Any, config: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """A conversation whose writer called a tool, with the result, and the first report."""
    models.script("w", CALLS, "Booked four seats.")
    first = await ask(config, writer_tools=[BOOK])
    called = first["messages"][-1]
    called.response_metadata["fusion"] = first["fusion"]
    return [*ASKED, called, ToolMessage("Table 7.", tool_call_id="call_1")], first["fusion"]


async def test_with_the_results_the_writer_goes_on_and_nobody_else_is_asked(models, panel_config):
    conversation, first = await going_on(models, panel_config())

    result = await ask(panel_config(), conversation, writer_tools=[BOOK])

    assert result["messages"][-1].text == "Booked four seats."
    assert [call.model for call in models.calls()][5:] == ["w"]
    report = result["fusion"]
    assert report["usage"]["total"]["calls"] == 1
    assert report["analysis"] == first["analysis"]
    assert [a["content"] for a in report["answers"]] == [a["content"] for a in first["answers"]]
    assert "earlier work" in report["invocation_reason"]
    roles = [m["role"] for m in wire(models, "w")[1]["messages"]]
    assert roles == ["system", "user", "user", "assistant", "tool"]
    assert "The answer of a." in json.dumps(wire(models, "w")[1])


async def test_a_run_that_goes_on_says_so(models, panel_config):
    conversation, _ = await going_on(models, panel_config())
    graph = create_fusion_graph(panel_config())

    events = [e async for e in follow(graph, conversation, context={"writer_tools": [BOOK]})]

    types = [event["type"] for event in events]
    assert types[:2] == ["fusion.started", "panel.reused"]
    assert not [t for t in types if t.startswith(("panel.a", "panel.c", "analysis."))]


@pytest.mark.parametrize(
    "report",
    [None, {}, "words", {"answers": 5}, {"answers": [], "sources": [], "analysis": None}],
    ids=str,
)
async def test_without_a_report_that_can_be_read_the_panel_is_asked(models, panel_config, report):
    conversation, _ = await going_on(models, panel_config())
    conversation[-2].response_metadata["fusion"] = report

    result = await ask(panel_config(), conversation, writer_tools=[BOOK])

    assert len(models.calls("a")) == 2
    assert "Table 7." in json.dumps(wire(models, "a")[1])
    assert result["messages"][-1].text == "Booked four seats."


async def test_a_new_question_asks_the_panel_again(models, panel_config):
    conversation, _ = await going_on(models, panel_config())

    await ask(panel_config(), [*conversation, HumanMessage("And tomorrow?")], writer_tools=[BOOK])

    assert len(models.calls("a")) == 2


async def test_a_lone_survivors_answer_still_goes_to_the_writer(models, panel_config):
    for name in "ab":
        models.script(name, {"status": 401})
    models.script("w", CALLS)

    result = await ask(panel_config(), writer_tools=[BOOK])

    assert result["messages"][-1].tool_calls
    assert result["fusion"]["status"] == "degraded"


async def test_one_model_alone_gets_the_conversation_and_the_tools_as_they_are(
    models, panel_config
):
    models.script("w", "Done: table 7.")
    conversation = [
        *ASKED,
        AIMessage("", tool_calls=[{"name": "book", "args": {"seats": 4}, "id": "call_1"}]),
        ToolMessage("Table 7.", tool_call_id="call_1"),
    ]

    result = await ask(panel_config(invocation="never"), conversation, writer_tools=[BOOK])

    assert result["messages"][-1].text == "Done: table 7."
    assert [call.model for call in models.calls()] == ["w"]
    (body,) = wire(models, "w")
    assert [m["role"] for m in body["messages"]] == ["user", "assistant", "tool"]
    assert body["tools"] == [BOOK]
    assert result["fusion"]["usage"]["stages"]["direct"]["calls"] == 1


async def test_one_model_alone_that_fails_is_a_failed_panel_of_one(models, panel_config):
    models.script("w", {"status": 401})

    with pytest.raises(AllPanelistsFailed) as caught:
        await ask(panel_config(invocation="never"), writer_tools=[BOOK])

    assert caught.value.report["usage"]["total"]["calls"] == 1


async def test_a_format_is_asked_of_the_writer_and_nothing_is_added_to_its_answer(
    models, panel_config
):
    written = '{"cited": [1, 99], "wet": true}'
    models.script("w", written)
    models.script("j", "not a verdict")
    wanted = {"type": "json_object"}

    result = await ask(panel_config(), response_format=wanted)

    assert result["messages"][-1].text == written
    assert result["fusion"]["status"] == "degraded"
    assert wire(models, "w")[0]["response_format"] == wanted
    assert not any("response_format" in body for body in wire(models, "a"))


async def test_a_writer_that_takes_no_tools_is_reported(models, panel_config):
    models.script("w", {"text": "I cannot book.", "refuse": ["tools", "tool_choice"]})

    result = await ask(panel_config(), writer_tools=[BOOK])

    assert result["messages"][-1].text == "I cannot book."
    details = [d["detail"] for d in result["fusion"]["degradations"]]
    assert any("does not take tools" in detail for detail in details)


async def test_a_writer_that_takes_no_format_is_reported(models, panel_config):
    models.script("w", {"text": "Plain words.", "refuse": ["response_format"]})

    result = await ask(panel_config(), response_format={"type": "json_object"})

    details = [d["detail"] for d in result["fusion"]["degradations"]]
    assert any("response_format" in detail for detail in details)
