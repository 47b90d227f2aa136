"""OpenAI's Responses API: what is sent, what comes back, and what is done where there is none.

The scripted server refuses what OpenAI refuses: a call without the reasoning that led to it,
reasoning that is not sealed, results without calls, parameters of chat completions. Whether it
speaks the API at all, the openai SDK says.
"""

from __future__ import annotations

import base64
import json
from itertools import pairwise
from typing import Any

import httpx2
import openai
import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from openai import AsyncOpenAI
from openai.types.responses import (
    FunctionToolParam,
    ResponseInputItemParam,
    ResponseStreamEvent,
)
from pydantic import TypeAdapter

from fusion_graph import AllPanelistsFailed, FusionReport, create_fusion_graph
from fusion_graph.config import Provider
from fusion_graph.models.open import open_model
from fusion_graph.models.reply import turn_of

QUESTION = {"messages": [("user", "How wet is water?")]}
ANSWER = {"text": "Water is wet.", "reasoning": "It flows.", "cost": 0.001}
LOOK = {
    "tool_calls": [{"name": "lookup", "args": {"query": "water"}}],
    "reasoning": "I shall look.",
    "cost": 0.001,
}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "lookup",
            "description": "Look something up.",
            "parameters": {"type": "object", "properties": {"query": {"type": "string"}}},
        },
    }
]
AT_ONCE = {"Retry-After": "0"}
OLD_NAMES = {"messages", "response_format", "max_tokens", "reasoning_effort"}


@tool
async def lookup(query: str) -> str:
    """Look something up."""
    return f"{query} is wet."


@pytest.fixture
def over(models, panel_config):
    """`over(**fields)`: the panel's configuration, all models asked through /responses."""

    def make(**fields: Any) -> dict[str, Any]:
        provider = {"base_url": models.base_url, "api": "responses"}
        return panel_config(providers={"scripted": provider}, **fields)

    return make


@pytest.fixture
def chat(models):
    """`await chat(sink)`: a client of /responses for the model `a`."""

    async def make(sink: Any = None, model: str = "a") -> Any:
        provider = Provider(base_url=models.base_url, api="responses")
        client = (await open_model(f"scripted:{model}", {"scripted": provider})).client()
        return client if sink is None else client.model_copy(update={"sink": sink})

    return make


async def ask(config: dict[str, Any], tools: Any = (), **fields: Any) -> FusionReport:
    graph = create_fusion_graph(config, tools=list(tools))
    return FusionReport.model_validate((await graph.ainvoke(fields or QUESTION))["fusion"])


# Rounds with tools


@pytest.mark.parametrize("watched", [False, True], ids=["in one piece", "streamed"])
async def test_eight_rounds_of_tools_come_back_as_they_were_sent(models, over, watched):
    models.script("a", *[LOOK] * 8, ANSWER)
    graph = create_fusion_graph(over(), tools=[lookup])

    if watched:  # the members' words are told as they come: every reply is streamed
        async for _ in graph.astream(QUESTION, stream_mode="custom"):
            pass
    else:
        report = FusionReport.model_validate((await graph.ainvoke(QUESTION))["fusion"])
        assert report.status == "ok"
        assert [a.status for a in report.answers] == ["ok"] * 3

    calls = models.calls("a")
    assert [call.status for call in calls] == [200] * 9
    assert {call.api for call in models.calls()} == {"responses"}
    items = calls[-1].body["input"]
    assert [i["type"] for i in items if "type" in i] == [
        "reasoning",
        "function_call",
        "function_call_output",
    ] * 8
    assert all(i["encrypted_content"] for i in items if i.get("type") == "reasoning")
    for earlier, later in pairwise(calls):
        assert later.body["input"][: len(earlier.body["input"])] == earlier.body["input"]


async def test_nothing_is_kept_at_the_provider_and_reasoning_is_asked_for(models, over):
    await ask(over(reasoning_effort="high", max_completion_tokens=321), [lookup])

    for call in models.calls():
        assert call.body["store"] is False
        assert call.body["include"] == ["reasoning.encrypted_content"]
        assert call.body["reasoning"] == {"effort": "high"}
        assert call.body["max_output_tokens"] == 321
        assert not OLD_NAMES & call.body.keys()
    (offered,) = models.calls("a")[0].body["tools"]
    assert offered["name"] == "lookup"
    assert offered["strict"] is False  # or every optional argument would be asked for


async def test_tools_stay_listed_when_they_may_not_be_used_any_more(models, over):
    models.script("a", LOOK | {"when_tool_choice_none": ANSWER})

    report = await ask(over(max_tool_calls=2), [lookup])

    assert report.answers[0].content == "Water is wet."
    last = models.calls("a")[-1].body
    assert last["tool_choice"] == "none"
    assert last["tools"] == models.calls("a")[0].body["tools"]


async def test_parallel_calls_under_one_id_are_told_apart(models, over):
    twice = [{"name": "lookup", "args": {"query": q}, "id": "same"} for q in ("ice", "steam")]
    models.script("a", LOOK | {"tool_calls": twice}, LOOK | {"tool_calls": twice}, ANSWER)

    report = await ask(over(), [lookup])

    assert report.answers[0].content == "Water is wet."
    ids = [i["call_id"] for i in models.calls("a")[-1].body["input"] if "arguments" in i]
    assert len(set(ids)) == 4


async def test_arguments_that_are_not_json_are_answered_and_the_turn_goes_back(models, over):
    models.script("a", LOOK | {"tool_calls": [{"name": "lookup", "args": "{nonsense"}]}, ANSWER)

    report = await ask(over(), [lookup])

    assert report.answers[0].content == "Water is wet."
    assert report.answers[0].tool_calls[0].status == "invalid_input"
    assert [call.status for call in models.calls("a")] == [200, 200]


async def test_a_model_whose_own_items_are_refused_goes_on_without_its_reasoning(models, over):
    gone = {"status": 400, "error": {"message": "no", "code": "invalid_encrypted_content"}}
    models.script("a", LOOK, LOOK | {"when_contains": {'encrypted_content":': gone}}, ANSWER)

    report = await ask(over(), [lookup])

    assert report.answers[0].content == "Water is wet."
    assert [call.status for call in models.calls("a")] == [200, 400, 200]
    rebuilt = models.calls("a")[-1].body["input"]
    assert [i["type"] for i in rebuilt if "type" in i] == ["function_call", "function_call_output"]


# What a reply says


@pytest.mark.parametrize("sink", [None, []], ids=["in one piece", "streamed"])
async def test_tokens_are_counted_by_kind_and_the_served_model_is_told(models, chat, sink):
    usage = {
        "input_tokens": 1000,
        "input_tokens_details": {"cached_tokens": 800, "cache_write_tokens": 50},
        "output_tokens": 70,
        "output_tokens_details": {"reasoning_tokens": 60},
    }
    models.script("a", ANSWER | {"usage": usage, "served": "a-2026-11-01"})

    client = await chat(None if sink is None else sink.append)
    message = await client.complete([HumanMessage("How wet?")])

    assert message.text == "Water is wet."
    assert message.usage_metadata == {
        "input_tokens": 1000,
        "output_tokens": 70,
        "total_tokens": 1070,
        "input_token_details": {"cache_read": 800, "cache_creation": 50},
        "output_token_details": {"reasoning": 60},
    }
    assert message.response_metadata["model_name"] == "a-2026-11-01"
    assert message.response_metadata["finish_reason"] == "stop"
    if sink is not None:
        assert "".join(sink) == "Water is wet."
        assert sink.count("") > 5  # signs of life while it thinks


@pytest.mark.parametrize("sink", [None, []], ids=["in one piece", "streamed"])
@pytest.mark.parametrize(
    ("step", "reason"),
    [
        ({"text": "Water is", "finish_reason": "length"}, "length"),
        ({"text": "Water is", "finish_reason": "content_filter"}, "content_filter"),
        ({"refusal": "I will not say."}, "content_filter"),
        ({"tool_calls": [{"name": "lookup"}]}, "tool_calls"),
    ],
    ids=["cap", "filter", "refusal", "tools"],
)
async def test_why_a_model_stopped_has_the_words_of_chat_completions(
    models, chat, sink, step, reason
):
    models.script("a", step)

    client = await chat(None if sink is None else sink.append)
    message = await client.complete([HumanMessage("How wet?")], tools=TOOLS)

    assert message.response_metadata["finish_reason"] == reason


async def test_a_refusal_is_told_in_the_models_words(models, over):
    models.script("a", {"refusal": "I do not talk about water."})

    report = await ask(over())

    assert report.answers[0].failure.reason == "content_filter"
    assert "I do not talk about water." in report.answers[0].failure.detail


async def test_an_answer_cut_by_the_cap_is_an_answer_that_says_so(models, over):
    models.script("a", {"text": "Water is", "finish_reason": "length"})

    report = await ask(over())

    assert report.answers[0].content == "Water is"
    (loss,) = [loss for loss in report.degradations if loss.code == "answer_truncated"]
    # Far fewer tokens were written than asked for: it was not our cap that ended it.
    assert loss.detail.startswith("a was cut off by the token limit of its server (")


async def test_a_reply_that_is_all_reasoning_names_the_cap(models, over):
    models.script("a", {"reasoning": "Hm.", "finish_reason": "length"})

    report = await ask(over())

    assert report.answers[0].failure.reason == "empty_answer"
    assert "max_completion_tokens" in report.answers[0].failure.detail


COMMENTED = [
    {"type": "message", "phase": "commentary", "content": "Let me see."},
    {"type": "message", "content": [{"type": "output_text", "text": "Wet."}]},
    {"type": "message", "content": [{"type": "output_text", "text": "Very."}]},
]


async def test_remarks_on_the_way_are_no_part_of_the_answer(models, chat):
    body = {"object": "response", "status": "completed", "output": COMMENTED, "future": 1}
    models.script("a", {"malformed": json.dumps(body)})

    message = await (await chat()).complete([HumanMessage("How wet?")])

    assert message.text == "Wet.\n\nVery."
    assert turn_of(message)["items"] == COMMENTED


async def test_remarks_on_the_way_are_not_streamed_either(models, chat):
    events = [
        {"type": "response.created", "response": {}},
        *(
            {"type": "response.output_item.added", "output_index": n, "item": i | {"content": []}}
            for n, i in enumerate(COMMENTED)
        ),
        *(
            {"type": "response.output_text.delta", "output_index": n, "delta": text}
            for n, text in enumerate(("Let me see.", "Wet.", "Very."))
        ),
        *(
            {"type": "response.output_item.done", "output_index": n, "item": i}
            for n, i in enumerate(COMMENTED)
        ),
        {"type": "response.completed", "response": {"status": "completed", "output": []}},
    ]
    models.script("a", raw(*events))
    heard: list[str] = []

    message = await (await chat(heard.append)).complete([HumanMessage("How wet?")])

    assert "".join(heard) == message.text == "Wet.\n\nVery."
    assert turn_of(message)["items"] == COMMENTED


def raw(*events: dict[str, Any]) -> dict[str, Any]:
    """A step that sends these events and nothing else."""
    lines = "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in events)
    return {
        "malformed": f": keep-alive\n\n{lines}",
        "headers": {"content-type": "text/event-stream"},
    }


# Judge and writer


async def test_the_judge_is_held_to_its_schema_in_the_apis_own_form(models, over):
    report = await ask(over())

    format = models.calls("j")[0].body["text"]["format"]
    assert format["type"] == "json_schema"
    assert format["name"]
    assert format["schema"]["properties"].keys() >= {"consensus", "contradictions"}
    assert report.analysis is not None


async def test_a_judge_that_takes_no_schema_is_asked_for_json_and_then_for_text(models, over):
    verdict = json.dumps({"consensus": [], "contradictions": []})
    refused = {"status": 400, "error": {"message": "Not so.", "param": "text.format"}}
    models.script("j", {"text": verdict, "when_contains": {'"format"': refused}})

    report = await ask(over())

    formats = [call.body.get("text") for call in models.calls("j")]
    assert formats[0]["format"]["type"] == "json_schema"
    assert formats[1:] == [{"format": {"type": "json_object"}}, None]
    assert report.analysis is not None


async def test_the_writers_words_are_streamed(models, over):
    graph = create_fusion_graph(over())

    chunks = [chunk.content async for chunk, _ in graph.astream(QUESTION, stream_mode="messages")]

    assert "".join(chunks) == "The final answer of the writer."
    assert len(chunks) > 3
    assert models.calls("w")[0].stream


async def test_a_temperature_that_is_refused_is_left_out_from_then_on(models, over):
    models.script("a", LOOK | {"refuse": ["temperature"]}, ANSWER)

    report = await ask(over(temperature=0.5), [lookup])

    assert ["temperature" in call.body for call in models.calls("a")] == [True, False, False]
    assert ("parameter_refused", "a does not take temperature.") in [
        (loss.code, loss.detail) for loss in report.degradations
    ]


BOOK = {"type": "function", "function": {"name": "book", "parameters": {"type": "object"}}}


async def test_a_writers_turn_survives_a_checkpoint_and_goes_back_with_the_callers_result(
    models, over
):
    booking = {"tool_calls": [{"name": "book", "id": "call_1"}], "reasoning": "Book it."}
    models.script("w", booking, "Booked.")
    graph = create_fusion_graph(over())
    first = await graph.ainvoke(QUESTION, context={"writer_tools": [BOOK]})
    called = first["messages"][-1]
    called.response_metadata["fusion"] = first["fusion"]
    stored = AIMessage.model_validate(json.loads(called.model_dump_json()))

    second = await graph.ainvoke(
        {
            "messages": [
                *first["messages"][:-1],
                stored,
                ToolMessage("Done.", tool_call_id="call_1"),
            ]
        },
        context={"writer_tools": [BOOK]},
    )

    assert second["messages"][-1].text == "Booked."
    sent = models.calls("w")[-1].body["input"]
    assert [item["type"] for item in sent if "type" in item] == [
        "reasoning",
        "function_call",
        "function_call_output",
    ]


# What a conversation may hold


async def test_pictures_and_files_go_in_the_apis_own_form(models, chat):
    models.script("a", ANSWER)
    data = base64.b64encode(b"wet").decode()
    question = HumanMessage(
        [
            {"type": "text", "text": "What is this?"},
            {
                "type": "image_url",
                "image_url": {"url": "https://example.org/a.png", "detail": "low"},
            },
            {"type": "image", "base64": data, "mime_type": "image/png"},
            {"type": "file", "base64": data, "mime_type": "application/pdf", "filename": "a.pdf"},
        ]
    )

    await (await chat()).complete([SystemMessage("Be brief."), question])

    system, user = models.calls("a")[0].body["input"]
    assert system == {"role": "system", "content": "Be brief."}
    assert user["content"] == [
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_image", "image_url": "https://example.org/a.png", "detail": "low"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{data}", "detail": "auto"},
        {
            "type": "input_file",
            "file_data": f"data:application/pdf;base64,{data}",
            "filename": "a.pdf",
        },
    ]
    accepted_by_the_sdk(models.calls("a")[0].body)


async def test_somebody_elses_turn_is_told_as_it_can_be_read(models, chat):
    models.script("a", ANSWER)
    call = {"name": "lookup", "args": {"query": "ice"}, "id": "call_9"}
    history = [
        HumanMessage("How cold?"),
        AIMessage("I look.", tool_calls=[call]),
        ToolMessage([{"type": "text", "text": "Cold."}], tool_call_id="call_9"),
    ]

    await (await chat()).complete(history, tools=TOOLS, tool_choice="auto")

    assert models.calls("a")[0].body["input"][1:] == [
        {"role": "assistant", "content": "I look."},
        {
            "type": "function_call",
            "call_id": "call_9",
            "name": "lookup",
            "arguments": '{"query": "ice"}',
        },
        {
            "type": "function_call_output",
            "call_id": "call_9",
            "output": [{"type": "input_text", "text": "Cold."}],
        },
    ]
    accepted_by_the_sdk(models.calls("a")[0].body)


def accepted_by_the_sdk(body: dict[str, Any]) -> None:
    """Whether the items and tools of a request have the types that the openai SDK declares."""
    for item in body["input"]:
        TypeAdapter(ResponseInputItemParam).validate_python(item)
    for offered in body.get("tools", ()):
        TypeAdapter(FunctionToolParam).validate_python(offered)


# When it goes wrong


@pytest.mark.parametrize("sink", [None, []], ids=["in one piece", "streamed"])
async def test_a_response_that_failed_is_tried_again(models, over, sink):
    broken = {"error": {"code": "server_error", "message": "It broke."}, "headers": AT_ONCE}
    models.script("w" if sink is not None else "a", broken, ANSWER)

    report = await ask(over())

    assert len(models.calls("w" if sink is not None else "a")) == 2
    assert not report.failures


async def test_a_failure_that_repeats_is_told_in_the_providers_words(models, over):
    models.script("a", {"error": {"code": "invalid_image_url", "message": "Not this picture."}})

    report = await ask(over())

    failure = report.answers[0].failure
    assert (failure.reason, failure.attempts) == ("bad_request", 1)
    assert "Not this picture." in failure.detail


async def test_an_error_in_the_middle_of_a_stream_is_tried_again(models, over):
    begun = {"type": "response.output_text.delta", "output_index": 0, "delta": "Wat"}
    error = {"type": "error", "code": "server_error", "message": "It broke.", "param": None}
    models.script("w", raw(begun, error), ANSWER)

    report = await ask(over())

    assert report.answer == "Water is wet."
    assert len(models.calls("w")) == 2


async def test_a_stream_that_ends_before_the_response_does_is_tried_again(models, over):
    models.script("w", ANSWER | {"close_after": 7}, ANSWER)

    report = await ask(over())

    assert report.answer == "Water is wet."
    assert len(models.calls("w")) == 2


# Where there is no such API, and where there is only this one


@pytest.mark.parametrize("stream", [False, True], ids=["in one piece", "streamed"])
@pytest.mark.parametrize(
    "fake",
    [None, "completion"],
    ids=["no such path", "answered as a chat completion"],
)
async def test_a_gateway_without_responses_is_asked_through_chat_from_then_on(
    models, panel_config, monkeypatch, stream, fake
):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")
    monkeypatch.setenv("OPENAI_BASE_URL", models.base_url)
    models.script("gpt-5.4", LOOK, ANSWER, ANSWER, apis=["chat"])
    if fake:
        models.script("gpt-5.4", LOOK, ANSWER, ANSWER, apis=["chat", "pretended"])
    graph = create_fusion_graph(
        panel_config(panel=["openai:gpt-5.4", "scripted:b"]), tools=[lookup]
    )

    for _ in range(2):
        if stream:
            async for mode, part in graph.astream(QUESTION, stream_mode=["custom", "values"]):
                record = part.get("fusion") if mode == "values" else None
        else:
            record = (await graph.ainvoke(QUESTION))["fusion"]
        report = FusionReport.model_validate(record)
        assert report.answers[0].content == "Water is wet."
        assert any("no Responses API" in loss.detail for loss in report.degradations)

    calls = models.calls("gpt-5.4")
    assert [call.api for call in calls] == ["responses", "chat", "chat", "chat"]
    assert all("tools" in call.body for call in calls)


async def test_a_model_that_nobody_knows_is_not_asked_for_twice(models, panel_config, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")
    monkeypatch.setenv("OPENAI_BASE_URL", models.base_url)

    report = await ask(panel_config(panel=["openai:gpt-5.9", "scripted:b"]))

    assert report.answers[0].failure.reason == "invalid_model"
    assert [call.api for call in models.calls("gpt-5.9")] == ["responses"]


async def test_a_chat_refusal_that_points_to_responses_is_followed_with_the_tools(
    models, panel_config
):
    models.script("a", LOOK | {"tools_need_responses": True}, ANSWER)

    report = await ask(panel_config(), [lookup])

    calls = models.calls("a")
    assert [(call.api, call.status) for call in calls] == [
        ("chat", 400),
        ("responses", 200),
        ("responses", 200),
    ]
    assert all(call.body["tools"] for call in calls)
    assert report.answers[0].content == "Water is wet."
    assert not any("a " in loss.detail for loss in report.degradations)


async def test_where_neither_way_is_open_tools_are_kept_and_reasoning_given_up_aloud(
    models, panel_config
):
    step = {"tools_need_responses": True}
    models.script("a", LOOK | step, ANSWER | step, apis=["chat"])

    report = await ask(panel_config(reasoning_effort="high"), [lookup])

    calls = models.calls("a")
    assert [call.status for call in calls] == [400, 404, 400, 200, 200]
    assert [call.body.get("reasoning_effort") for call in calls if call.api == "chat"] == [
        "high",
        "high",
        "none",
        "none",
    ]
    assert all(call.body["tools"] for call in calls)
    assert any("without reasoning" in loss.detail for loss in report.degradations)


async def test_chat_that_is_asked_for_stays_chat(models, panel_config, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")
    provider = {"base_url": models.base_url, "api_key_env": "OPENAI_API_KEY", "api": "chat"}
    models.script("gpt-5.5", LOOK | {"tools_need_responses": True}, ANSWER)
    config = panel_config(
        panel=["openai:gpt-5.5", "scripted:b"],
        providers={"openai": provider, "scripted": {"base_url": models.base_url}},
    )

    report = await ask(config, [lookup])

    calls = models.calls("gpt-5.5")
    assert [call.api for call in calls] == ["chat"] * 3
    assert calls[-1].body["reasoning_effort"] == "none"
    assert report.answers[0].content == "Water is wet."


async def test_a_model_that_takes_tools_in_no_way_fails_in_the_providers_words(
    models, panel_config
):
    said = "Function tools are not supported here. Please use /v1/responses instead."
    refused = {"status": 400, "error": {"message": said, "param": "reasoning_effort"}}
    models.script("a", refused, apis=["chat"])

    report = await ask(panel_config(), [lookup])

    assert report.answers[0].failure.reason == "bad_request"
    assert "Function tools are not supported here" in report.answers[0].failure.detail
    assert all(call.body["tools"] for call in models.calls("a"))


async def test_a_model_that_does_not_reason_is_not_asked_for_reasoning_again(models, over):
    models.script("a", LOOK | {"refuse": ["include"], "reasoning": ""}, ANSWER)

    report = await ask(over(), [lookup])

    assert ["include" in call.body for call in models.calls("a")] == [True, False, False]
    assert not any("reasoning" in loss.detail for loss in report.degradations)


# Money


async def test_a_listed_model_has_its_listed_price_here_too(models, panel_config, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", models.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")
    usage = {"input_tokens": 1_000_000, "output_tokens": 1_000}
    models.script("gpt-5.4", {"text": "Wet.", "usage": usage})

    report = await ask(panel_config(panel=["openai:gpt-5.4", "scripted:b"]))

    from fusion_graph.cost.prices import price_of

    price = price_of("openai:gpt-5.4", {}, 1_000_000)
    assert price is not None
    wanted = price.input + price.output / 1_000
    assert report.answers[0].cost_usd == pytest.approx(wanted)


# What is secret, and who says that the server speaks the API


async def test_a_key_in_an_error_of_this_api_is_not_repeated(models, panel_config, monkeypatch):
    monkeypatch.setenv("SCRIPTED_KEY", "sk-very-secret-1234")
    models.script("a", {"status": 400, "error": {"message": "sk-very-secret-1234 is no good"}})
    provider = {
        "base_url": models.base_url,
        "api_key_env": "SCRIPTED_KEY",
        "api": "responses",
    }

    report = await ask(panel_config(providers={"scripted": provider}))

    assert "[key] is no good" in report.answers[0].failure.detail
    assert "very-secret" not in report.model_dump_json()


@pytest.mark.skipif(openai.VERSION < "3", reason="version 2 casts to httpx's own responses")
async def test_the_openai_sdk_reads_what_the_scripted_server_sends(models):
    models.script(
        "a",
        LOOK,
        ANSWER,
        ANSWER | {"finish_reason": "length"},
        {"error": {"code": "server_error", "message": "It broke."}},
    )
    async with AsyncOpenAI(base_url=models.base_url, api_key="k", max_retries=0) as client:
        include: Any = ["reasoning.encrypted_content"]
        tools: Any = [{"type": "function", "strict": False, **TOOLS[0]["function"]}]
        first = await client.responses.create(
            model="a", input="How wet?", include=include, tools=tools, store=False
        )
        kinds: list[str] = []
        async with client.responses.stream(
            model="a", input="How wet?", include=include, store=False
        ) as stream:
            async for event in stream:
                kinds.append(event.type)
            whole = await stream.get_final_response()
        cut = await client.responses.create(model="a", input="How wet?", store=False)
        failed = await client.responses.create(model="a", input="How wet?", store=False)

        body = {"model": "a", "input": "How wet?", "stream": True}
        models.script("a", LOOK | ANSWER | {"tool_calls": LOOK["tool_calls"], "refusal": "No."})
        raw = await client.post("/responses", cast_to=httpx2.Response, body=body)
        models.script("a", {"error": {"code": "server_error", "message": "It broke."}})
        sad = await client.post("/responses", cast_to=httpx2.Response, body=body)

    # The SDK's client takes anything; its types, asked to validate, do not.
    for reply in (raw, sad):
        events = [line[6:] for line in reply.text.splitlines() if line.startswith("data: ")]
        read = [TypeAdapter(ResponseStreamEvent).validate_json(event) for event in events]
        assert [event.sequence_number for event in read] == list(range(len(events)))
        assert not read[-1].model_extra
    assert [type(item).__name__ for item in first.output] == [
        "ResponseReasoningItem",
        "ResponseFunctionToolCall",
    ]
    assert first.output[0].encrypted_content
    assert whole.output_text == "Water is wet."
    assert kinds[:3] == ["response.created", "response.in_progress", "response.output_item.added"]
    assert kinds[-1] == "response.completed"
    assert cut.incomplete_details.reason == "max_output_tokens"
    assert failed.error.message == "It broke."


async def test_all_members_failing_is_told_member_by_member(models, over):
    for name in "abc":
        models.script(name, {"error": {"code": "invalid_prompt", "message": f"Not {name}."}})

    with pytest.raises(AllPanelistsFailed, match="Not b"):
        await ask(over())
