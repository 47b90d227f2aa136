"""Responses as OpenAI's own client sees them, and as Codex speaks them."""

from __future__ import annotations

import base64
import json
from typing import Any

import openai
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from fusion_graph import FusionReport
from tests.server.conftest import Server, async_client, running
from tests.server.streams import events_of

FINAL = "The final answer of the writer."
EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather somewhere.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": False,
}
CALL = {"name": "get_weather", "args": {"city": "Oslo"}, "id": "call_0"}


def asked(**more: Any) -> dict[str, Any]:
    return {"input": "How wet is water?", **more}


def test_an_answer_comes_with_usage_and_the_report(client, offer):
    model = offer()
    done = client.responses.create(model=model, input="How wet is water?", instructions="Brief.")

    assert done.output_text == FINAL
    assert (done.object, done.status, done.model) == ("response", "completed", model)
    assert [item.type for item in done.output] == ["message"]
    assert done.usage.input_tokens < 100
    assert done.usage.total_tokens == done.usage.input_tokens + done.usage.output_tokens
    assert done.usage.cost == pytest.approx(0.008)
    assert FusionReport.model_validate(done.fusion).status == "ok"
    Response.model_validate(done.model_dump())


def test_every_event_of_a_stream_is_one_of_openais(server: Server, models, offer):
    model = offer()
    models.script("w", {"text": "Let me look.", "tool_calls": [CALL]})
    told = events_of(server, "/v1/responses", asked(model=model, stream=True, tools=[WEATHER]))

    for number, event in enumerate(told):
        EVENTS.validate_python(event)
        assert event["sequence_number"] == number
    types = [event["type"] for event in told]
    assert types[:2] == ["response.created", "response.in_progress"]
    assert types[-1] == "response.completed"
    done = told[-1]["response"]
    Response.model_validate(done)
    kinds = [item["type"] for item in done["output"]]
    assert kinds == ["reasoning", "message", "reasoning", "function_call"]
    # Every item is added and done once, at the place that it has in the end.
    for when in ("added", "done"):
        places = [
            (event["output_index"], event["item"]["type"])
            for event in told
            if event["type"] == f"response.output_item.{when}"
        ]
        assert places == list(enumerate(kinds))
    pieces = [event["delta"] for event in told if event["type"] == "response.output_text.delta"]
    assert "".join(pieces) == "Let me look."
    assert len(pieces) > 1


def test_the_official_client_puts_a_stream_together(client, offer):
    with client.responses.stream(model=offer(), input="How wet is water?") as stream:
        text = "".join(e.delta for e in stream if e.type == "response.output_text.delta")
        final = stream.get_final_response()
    assert text == final.output_text == FINAL
    thoughts = next(item for item in final.output if item.type == "reasoning")
    assert "a: answered" in thoughts.summary[0].text
    assert final.usage.output_tokens > 0


async def test_the_asynchronous_client_gets_the_same(server: Server, offer):
    async with async_client(server) as client:
        stream = await client.responses.create(
            model=offer(), input="How wet is water?", stream=True
        )
        types = [event.type async for event in stream]
    assert types[-1] == "response.completed"


def test_the_conversation_reaches_the_panel_whole(client, models, offer):
    picture = "data:image/png;base64,iVBORw0KGgo="
    text = base64.b64encode(b"The file's own words.").decode()
    client.responses.create(
        model=offer(),
        instructions="Be brief.",
        input=[
            {"role": "developer", "content": "Use SI units."},
            {"role": "user", "content": "First question"},
            {"role": "assistant", "content": "First answer"},
            {
                "type": "message",
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "What is this?"},
                    {"type": "input_image", "image_url": picture, "detail": "low"},
                    {
                        "type": "input_file",
                        "filename": "a.txt",
                        "file_data": f"data:text/plain;base64,{text}",
                    },
                ],
            },
        ],
        temperature=0.3,
        max_output_tokens=400,
        reasoning={"effort": "low"},
    )
    for name in "abc":
        body = models.calls(name)[0].body
        sent = json.dumps(body["messages"])
        for words in ("Be brief.", "Use SI units.", "First answer", picture, "The file's own"):
            assert words in sent
        assert (body["temperature"], body["reasoning_effort"]) == (0.3, "low")
    assert models.calls("w")[0].body["max_tokens"] == 400


@pytest.mark.parametrize("stream", [False, True])
def test_tools_go_on_from_one_panel_with_what_the_client_sends_back(client, models, offer, stream):
    model = offer()
    models.script("w", {"text": "", "tool_calls": [CALL]}, {"text": "It rains."})
    items: list[Any] = [{"role": "user", "content": "How wet is Oslo?"}]

    def ask() -> tuple[Any, Any]:
        raw = client.responses.with_raw_response.create(
            model=model, input=items, tools=[WEATHER], store=False, stream=stream
        )
        done = raw.parse()
        if stream:
            done = next(e.response for e in done if e.type == "response.completed")
        return done, raw.headers

    done, _ = ask()
    call = next(item for item in done.output if item.type == "function_call")
    assert (call.name, json.loads(call.arguments)) == ("get_weather", {"city": "Oslo"})
    items += [item.model_dump(exclude_none=True) for item in done.output]
    items.append({"type": "function_call_output", "call_id": call.call_id, "output": "Rain."})
    final, headers = ask()
    assert final.output_text == "It rains."
    assert headers["x-fusion-deliberation"] == "conversation"
    assert [len(models.calls(name)) for name in "abcj"] == [1, 1, 1, 1]
    *_, made, returned = models.calls("w")[-1].body["messages"]
    assert made["tool_calls"][0]["id"] == returned["tool_call_id"] == "call_0"


@pytest.mark.parametrize("suffix", ["", ":direct"])
def test_a_picture_that_a_tool_returned_is_shown_to_the_writer(client, models, offer, suffix):
    # As Codex's own view_image gives it.
    model = f"{offer()}{suffix}"
    models.script("w", {"text": "", "tool_calls": [CALL]}, {"text": "It is red."})
    items: list[Any] = [{"role": "user", "content": "What is in wet.png?"}]
    done = client.responses.create(model=model, input=items, tools=[WEATHER], store=False)
    picture = "data:image/png;base64,iVBORw0KGgo="
    output = [{"type": "input_image", "image_url": picture}]
    items += [item.model_dump(exclude_none=True) for item in done.output]
    id = done.output[-1].call_id
    items.append({"type": "function_call_output", "call_id": id, "output": output})
    final = client.responses.create(model=model, input=items, tools=[WEATHER], store=False)
    assert final.output_text == "It is red."
    *_, returned, shown = models.calls("w")[-1].body["messages"]
    assert (returned["role"], returned["content"]) == ("tool", "[a picture]")
    assert (shown["role"], shown["content"][1]["image_url"]["url"]) == ("user", picture)


@pytest.mark.slow
def test_a_restart_in_the_middle_of_a_tool_loop_costs_no_panel(models, offer, tmp_path):
    model = offer(tmp_path)
    models.script("w", {"text": "", "tool_calls": [CALL]}, {"text": "It rains."})
    body: Any = {"model": model, "input": [{"role": "user", "content": "Oslo?"}], "store": False}
    body["tools"] = [WEATHER]
    with running(tmp_path) as server:
        done = server.request("POST", "/v1/responses", json=body).json()
    sealed = next(item for item in done["output"] if item["type"] == "reasoning")
    id = done["output"][-1]["call_id"]
    result = {"type": "function_call_output", "call_id": id, "output": "Rain."}
    body["input"] += [*done["output"], result]
    with running(tmp_path) as server:
        final = server.request("POST", "/v1/responses", json=body).json()
        sealed["encrypted_content"] = f"x{sealed['encrypted_content'][1:]}"
        refused = server.request("POST", "/v1/responses", json=body)
    assert final["output"][-1]["content"][0]["text"] == "It rains."
    assert len(models.calls("a")) == 1
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "invalid_deliberation"


def test_codexs_tools_are_called_by_the_names_that_it_has_for_them(client, models, offer):
    model = offer()
    patch = {"name": "apply_patch", "args": {"input": "*** Begin Patch"}, "id": "call_1"}
    spaced = {"name": "mcp__fusion__fusion", "args": {"task": "x"}, "id": "call_2"}
    models.script("w", {"text": "", "tool_calls": [patch, spaced]}, {"text": "Done."})
    tools: Any = [
        {
            "type": "custom",
            "name": "apply_patch",
            "description": "Edits files.",
            "format": {"type": "grammar", "syntax": "lark", "definition": "start: begin"},
        },
        {
            "type": "namespace",
            "name": "mcp__fusion",
            "description": "A panel.",
            "tools": [{"type": "function", "name": "fusion", "parameters": {"type": "object"}}],
        },
        {"type": "web_search"},
    ]
    items: list[Any] = [{"role": "user", "content": "Mend it."}]
    raw = client.responses.with_raw_response.create(
        model=model, input=items, tools=tools, stream=True, parallel_tool_calls=True
    )
    assert raw.headers["x-fusion-ignored-parameters"] == "tools.web_search"
    told = list(raw.parse())
    done = told[-1].response
    custom, grouped = [item for item in done.output if item.type.endswith("_call")]
    assert (custom.type, custom.name, custom.input) == (
        "custom_tool_call",
        "apply_patch",
        "*** Begin Patch",
    )
    assert (grouped.type, grouped.name, grouped.namespace) == (
        "function_call",
        "fusion",
        "mcp__fusion",
    )
    offered = [tool["function"] for tool in models.calls("w")[0].body["tools"]]
    assert [tool["name"] for tool in offered] == ["apply_patch", "mcp__fusion__fusion"]
    assert "start: begin" in offered[0]["description"]

    items += [item.model_dump(exclude_none=True) for item in done.output]
    for item, kind in ((custom, "custom_tool_call_output"), (grouped, "function_call_output")):
        items.append({"type": kind, "call_id": item.call_id, "output": "ok"})
    items.append({"role": "developer", "content": "Mind the tests."})
    final = client.responses.create(model=model, input=items, tools=tools)
    assert final.output_text == "Done."
    assert len(models.calls("a")) == 1
    assert "Mind the tests." in json.dumps(models.calls("w")[-1].body["messages"])


def test_an_earlier_response_may_be_referred_to_while_it_is_kept(client, models, offer):
    model = offer()
    first = client.responses.create(model=model, input="My name is Ada.")
    client.responses.create(model=model, input="My name?", previous_response_id=first.id)
    sent = json.dumps(models.calls("a")[-1].body["messages"])
    assert "My name is Ada." in sent
    assert FINAL in sent

    for change in (
        {"previous_response_id": "resp_gone"},
        {"input": [{"type": "item_reference", "id": "rs_gone"}]},
    ):
        with pytest.raises(openai.APIStatusError, match="send"):
            client.responses.create(**{"model": model, "input": "Hm?", **change})
    kept_not = client.responses.create(model=model, input="Hm?", store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model=model, input="?", previous_response_id=kept_not.id)


def test_an_answer_in_a_format_parses(client, models, offer):
    from pydantic import BaseModel

    class Wetness(BaseModel):
        wet: bool

    models.script("w", {"text": '{"wet": true}'})
    done = client.responses.parse(model=offer(), input="How wet?", text_format=Wetness)
    assert done.output_parsed == Wetness(wet=True)
    wanted = models.calls("w")[0].body["response_format"]
    assert wanted["json_schema"]["name"] == "Wetness"


def test_a_cut_answer_is_incomplete(client, models, offer):
    model = offer()
    models.script("w", {"text": "Too lo", "finish_reason": "length"})
    done = client.responses.create(model=model, input="How wet?")
    assert done.status == "incomplete"
    assert done.incomplete_details.reason == "max_output_tokens"
    *_, last = client.responses.create(model=model, input="How wet?", stream=True)
    assert last.type == "response.incomplete"


def test_a_writer_that_breaks_off_is_told_inline_and_the_end_holds_the_answer(
    client, models, offer
):
    model = offer()
    models.script("w", {"text": "Half of an ans", "close_after": 2}, {"text": "The whole answer."})
    told = list(client.responses.create(model=model, input="How wet?", stream=True))
    pieces = "".join(e.delta for e in told if e.type == "response.output_text.delta")
    assert "does not count" in pieces
    assert told[-1].response.output_text == "The whole answer."


def test_when_nobody_answers_a_stream_ends_with_a_failed_response(server, client, models, offer):
    model = offer()
    for name in "abc":
        models.script(name, {"status": 429, "headers": {"retry-after": "999"}})
    told = events_of(server, "/v1/responses", asked(model=model, stream=True))
    failed = told[-1]
    EVENTS.validate_python(failed)
    assert failed["type"] == "response.failed"
    assert failed["response"]["error"]["code"] == "rate_limit_exceeded"
    assert "a: " in failed["response"]["error"]["message"]
    with pytest.raises(openai.RateLimitError) as caught:
        client.responses.create(model=model, input="How wet?")
    assert caught.value.code == "rate_limited"


def test_a_failure_that_asking_again_will_not_mend_has_a_code_at_which_codex_gives_up(
    server: Server, models, offer
):
    model = offer()
    for name in "abc":
        models.script(name, {"status": 401})
    told = events_of(server, "/v1/responses", asked(model=model, stream=True))
    EVENTS.validate_python(told[-1])
    assert told[-1]["response"]["error"]["code"] == "invalid_prompt"
    assert "check the API key" in told[-1]["response"]["error"]["message"]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"model": 7}, "model"),
        ({"input": None}, "input"),
        ({"input": 7}, "input"),
        ({"input": []}, "input"),
        ({"input": "  "}, "input"),
        ({"input": [7]}, "input.0"),
        ({"input": [{"role": "robot", "content": "x"}]}, "input.0.role"),
        ({"input": [{"role": "user", "content": 7}]}, "input.0.content"),
        ({"input": [{"role": "user", "content": [{"type": "x"}]}]}, "input.0.content.0.type"),
        ({"input": [{"type": "function_call", "name": "x"}]}, "input.0"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "input.0"),
        ({"input": [{"type": "riddle"}]}, "input.0.type"),
        (
            {
                "input": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "input_image", "image_url": "http://169.254.169.254/"}
                        ],
                    }
                ]
            },
            "input.0.content.0.image_url",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]},
            "input.0.content.0",
        ),
        ({"tools": [{"type": "function"}]}, "tools.0.name"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"reasoning": {"effort": "heroic"}}, "reasoning.effort"),
        ({"text": {"format": {"type": "xml"}}}, "text.format"),
        ({"background": True}, "background"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"fusion": {"corpus": "/"}}, "fusion.corpus"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
    ],
    ids=lambda value: json.dumps(value)[:60],
)
def test_a_wrong_field_is_400_and_named(server: Server, change, param):
    body = {"model": "fusion/offline", **asked(), **change}
    body = {name: value for name, value in body.items() if value is not None}
    reply = server.request("POST", "/v1/responses", json=body)
    assert reply.status_code == 400, reply.text
    assert reply.json()["error"]["param"] == param


ASKS_FOR_FUSION: Any = [
    {"tools": [{"type": "openrouter:fusion"}]},
    {"plugins": [{"id": "fusion"}]},
    {"fusion": {"events": True}},
]


@pytest.mark.parametrize("way", ASKS_FOR_FUSION, ids=lambda way: next(iter(way)))
def test_openrouters_client_reads_the_panel_as_its_own_fusion(server: Server, models, offer, way):
    components = pytest.importorskip("openrouter.components")
    model = offer()
    models.script("b", {"status": 401})
    told = events_of(server, "/v1/responses", asked(model=model, stream=True, **way))
    reads: TypeAdapter[Any] = TypeAdapter(components.StreamEvents)
    for event in told:
        read = reads.validate_python(event)
        assert not type(read).__name__.startswith("Unknown"), event["type"]
    types = [event["type"].removeprefix("response.fusion_call.") for event in told]
    for kind in ("panel.added", "panel.completed", "panel.failed", "analysis.in_progress"):
        assert kind in types
    assert types.index("analysis.completed") < types.index("completed")
    item = told[-1]["response"]["output"][0]
    assert item["type"] == "openrouter:fusion"
    assert item["responses"][0] == {"model": "a", "content": "The answer of a."}
    assert item["failed_models"][0]["model"] == "b"
    assert item["analysis"].keys() >= {"consensus", "contradictions", "blind_spots"}

    whole = server.request("POST", "/v1/responses", json=asked(model=model, **way)).json()
    assert whole["output"][0]["type"] == "openrouter:fusion"
    components.OpenResponsesResult.model_validate(whole)


def test_openrouters_parameters_choose_the_panel(server: Server, models, offer):
    parameters = {"analysis_models": ["scripted:b", "scripted:c"], "model": "scripted:j"}
    body = asked(model=offer(), tools=[{"type": "openrouter:fusion", "parameters": parameters}])
    done = server.request("POST", "/v1/responses", json=body).json()
    assert [answer["model"] for answer in done["fusion"]["answers"]] == ["scripted:b", "scripted:c"]
    assert models.calls("a") == []
