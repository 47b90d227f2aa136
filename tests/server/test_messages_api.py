"""Messages as Anthropic's own client sees them, and as Claude Code speaks them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter

from tests.server.conftest import MESSAGES, Server, running
from tests.server.streams import events_of

FINAL = "The final answer of the writer."
WEATHER: Any = {
    "name": "get_weather",
    "description": "The weather somewhere.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}
CALL = {"name": "get_weather", "args": {"city": "Oslo"}, "id": "call_0"}
ADAPTIVE: Any = {"type": "adaptive"}


@pytest.fixture(scope="module")
def anthropic() -> Any:
    """Anthropic's own package, whose import takes seconds."""
    return pytest.importorskip("anthropic")


@pytest.fixture
def claude(anthropic, server: Server) -> Iterator[Any]:
    """Anthropic's own client of the shared server."""
    with anthropic.Anthropic(base_url=server.url, api_key="unused", max_retries=0) as client:
        yield client


def body(model: str, **more: Any) -> dict[str, Any]:
    return {"model": model, "max_tokens": 1000, "messages": MESSAGES, **more}


def test_an_answer_comes_with_usage_and_the_report(anthropic, claude, offer):
    model = offer()
    done = claude.messages.create(**body(model))
    assert (done.type, done.role, done.model) == ("message", "assistant", model)
    assert [block.type for block in done.content] == ["text"]
    assert done.content[0].text == FINAL
    assert done.stop_reason == "end_turn"
    assert 0 < done.usage.output_tokens < done.usage.input_tokens < 100
    assert done.fusion["status"] == "ok"
    anthropic.types.Message.model_validate(done.model_dump())


def test_every_event_of_a_stream_is_one_of_anthropics(anthropic, server: Server, models, offer):
    model = offer()
    models.script("w", {"text": "Let me look.", "tool_calls": [CALL]})
    told = events_of(server, "/v1/messages?beta=true", body(model, stream=True, tools=[WEATHER]))
    reads: TypeAdapter[Any] = TypeAdapter(anthropic.types.RawMessageStreamEvent)
    for event in told:
        if event["type"] != "ping":
            reads.validate_python(event)
    types = [event["type"] for event in told]
    assert types[0] == "message_start"
    assert types[-2:] == ["message_delta", "message_stop"]
    begun = [e for e in told if e["type"] == "content_block_start"]
    ended = [e["index"] for e in told if e["type"] == "content_block_stop"]
    assert [e["content_block"]["type"] for e in begun] == [
        "thinking",
        "text",
        "redacted_thinking",
        "tool_use",
    ]
    assert [e["index"] for e in begun] == ended == [0, 1, 2, 3]
    assert told[-2]["delta"]["stop_reason"] == "tool_use"
    assert told[-2]["usage"]["output_tokens"] > 1


def test_the_official_client_puts_a_stream_together(claude, offer):
    with claude.messages.stream(**body(offer(), thinking=ADAPTIVE)) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == FINAL
    thoughts, answer = final.content
    assert "a: answered" in thoughts.thinking
    assert thoughts.signature
    assert answer.text == FINAL
    assert final.usage.output_tokens > 1


def test_who_wants_no_thoughts_gets_none(claude, offer):
    model = offer()
    for more in (
        {"thinking": {"type": "disabled"}},
        {"extra_body": {"fusion": {"progress": False}}},
    ):
        with claude.messages.stream(**body(model, **more)) as stream:
            assert [block.type for block in stream.get_final_message().content] == ["text"]
    shown = claude.messages.create(**body(model, thinking=ADAPTIVE))
    assert [block.type for block in shown.content] == ["thinking", "text"]


def test_what_claude_code_sends_is_taken(server: Server, models, offer):
    model = offer()
    request = body(
        model,
        stream=True,
        max_tokens=64_000,
        system=[
            {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1; cch=1f2e3;"},
            {"type": "text", "text": "You are a coding agent.", "cache_control": {"type": "e"}},
        ],
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "<system-reminder>Mind it.</system-reminder>"},
                    {"type": "text", "text": "Mend it.", "cache_control": {"type": "ephemeral"}},
                ],
            }
        ],
        tools=[
            {**WEATHER, "eager_input_streaming": True},
            {"type": "web_search_20250305", "name": "web_search"},
        ],
        thinking=ADAPTIVE,
        output_config={"effort": "high"},
        context_management={"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        metadata={"user_id": "u"},
        temperature=1,
        diagnostics={"previous_message_id": None},
    )
    assert server.request("HEAD", "/").status_code == 200
    told = events_of(server, "/v1/messages?beta=true", request, **{"anthropic-beta": "x-1"})
    assert told[-1]["type"] == "message_stop"
    sent = models.calls("w")[0].body
    assert "billing" not in json.dumps(sent)
    assert sent["reasoning_effort"] == "high"
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["get_weather"]
    for name in "abc":
        told_to = json.dumps(models.calls(name)[0].body["messages"])
        assert "You are a coding agent." in told_to
        assert "Mend it." in told_to


def test_ten_steps_of_tools_take_one_panel_also_with_reminders_in_between(claude, models, offer):
    model = offer()
    steps = [{"text": "", "tool_calls": [{**CALL, "id": f"call_{n}"}]} for n in range(10)]
    models.script("w", *steps, {"text": "It rains."})
    messages: list[Any] = list(MESSAGES)
    for _ in range(10):
        with claude.messages.stream(
            **body(model, messages=messages, tools=[WEATHER], thinking=ADAPTIVE)
        ) as stream:
            done = stream.get_final_message()
        assert done.stop_reason == "tool_use"
        use = done.content[-1]
        assert (use.name, use.input) == ("get_weather", {"city": "Oslo"})
        assert use.id.startswith("toolu_")
        result = {"type": "tool_result", "tool_use_id": use.id, "content": "Rain."}
        note = {"type": "text", "text": "<system-reminder>\nUse the list.\n</system-reminder>"}
        content = [block.model_dump(exclude_none=True) for block in done.content]
        messages += [
            {"role": "assistant", "content": content},
            {"role": "user", "content": [result, note]},
        ]
    raw = claude.messages.with_raw_response.create(
        **body(model, messages=messages, tools=[WEATHER])
    )
    assert raw.headers["x-fusion-deliberation"] == "conversation"
    assert raw.parse().content[-1].text == "It rains."
    assert [len(models.calls(name)) for name in "abcj"] == [1, 1, 1, 1]
    assert "Use the list." in json.dumps(models.calls("w")[-1].body["messages"])


@pytest.mark.parametrize("sees", [True, False])
def test_pictures_that_a_tool_returned_are_shown_to_a_writer_that_sees(claude, models, offer, sees):
    # As Claude Code's own tool gives a picture that it read.
    model = offer()
    blind = {"status": 404, "error": {"message": "No endpoints found that support image input"}}
    last = {"text": "It is red."}
    steps = [last] if sees else [blind, last]
    models.script("w", {"text": "", "tool_calls": [CALL]}, *steps)
    first = claude.messages.create(**body(model, tools=[WEATHER]))
    source = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
    result = {
        "type": "tool_result",
        "tool_use_id": first.content[-1].id,
        "content": [{"type": "text", "text": "wet.png:"}, {"type": "image", "source": source}],
    }
    note = {"type": "text", "text": "<system-reminder>\nUse the list.\n</system-reminder>"}
    said = [
        *MESSAGES,
        {"role": "assistant", "content": [b.model_dump(exclude_none=True) for b in first.content]},
        {"role": "user", "content": [result, note]},
    ]
    done = claude.messages.create(**body(model, messages=said, tools=[WEATHER]))
    assert done.content[-1].text == "It is red."
    assert [len(models.calls(name)) for name in "abcj"] == [1, 1, 1, 1]
    assert done.usage.input_tokens > 1_600  # of which the picture is most
    tried = models.calls("w")[1].body["messages"]
    assert tried[-1]["role"] == "user"
    assert tried[-1]["content"][1]["image_url"]["url"] == "data:image/png;base64,iVBORw0KGgo="
    assert tried[-2]["role"] == "tool"
    assert tried[-2]["content"].startswith("wet.png:\n[a picture]")
    assert "Use the list." in tried[-2]["content"]
    codes = [one["code"] for one in done.fusion["degradations"]]
    assert ("pictures_unseen" in codes) is not sees
    if not sees:
        told = json.dumps(models.calls("w")[-1].body["messages"])
        assert "cannot be shown to this model" in told
        assert "iVBORw0KGgo=" not in told


def test_claude_codes_search_of_the_web_takes_one_model_that_searches(claude, models, offer):
    model = offer(search="corpus", max_tool_calls=2)
    raw = claude.messages.with_raw_response.create(
        **body(
            model,
            messages=[
                {"role": "user", "content": "Perform a web search for the query: panels of models"}
            ],
            tools=[{"type": "web_search_20250305", "name": "web_search", "max_uses": 8}],
            tool_choice={"type": "tool", "name": "web_search"},
        )
    )
    assert raw.headers["x-fusion-invoked"] == "direct"
    assert raw.parse().content[0].text == FINAL
    (call,) = models.calls()
    assert "web_search" in [tool["function"]["name"] for tool in call.body["tools"]]


def test_what_an_application_says_in_the_midst_stands_where_it_was_said(claude, models, offer):
    model = offer()
    models.script("w", {"text": "", "tool_calls": [CALL]}, {"text": "Done."})
    said: list[Any] = [
        {"role": "user", "content": "How wet is water?"},
        {"role": "system", "content": "Be terse."},
    ]
    done = claude.messages.create(**body(model, messages=said, tools=[WEATHER]))
    use = done.content[-1]
    result = {"type": "tool_result", "tool_use_id": use.id, "content": "Rain."}
    said += [
        {"role": "assistant", "content": [b.model_dump(exclude_none=True) for b in done.content]},
        {"role": "user", "content": [result]},
        {"role": "system", "content": "Be kind."},
    ]
    claude.messages.create(**body(model, messages=said, tools=[WEATHER]))
    for name, index in (("a", 0), ("w", 0), ("w", 1)):
        sent = models.calls(name)[index].body["messages"]
        # Anthropic's, Google's and many a local model's templates refuse a second one.
        assert [m["role"] for m in sent].count("system") <= 1
        assert "Be terse." in json.dumps([m for m in sent if m["role"] == "user"])
    assert "Be kind." in models.calls("w")[1].body["messages"][-1]["content"]
    assert len(models.calls("a")) == 1


def test_new_words_beside_a_result_are_a_new_question(claude, models, offer):
    model = offer()
    models.script("w", {"text": "", "tool_calls": [CALL]}, {"text": "Done."})
    done = claude.messages.create(**body(model, tools=[WEATHER]))
    content = [block.model_dump(exclude_none=True) for block in done.content]
    result = {"type": "tool_result", "tool_use_id": done.content[-1].id, "content": "Stopped."}
    said = [result, {"type": "text", "text": "Rather look at Rome."}]
    turn = [{"role": "assistant", "content": content}, {"role": "user", "content": said}]
    claude.messages.create(**body(model, messages=[*MESSAGES, *turn], tools=[WEATHER]))
    assert len(models.calls("a")) == 2
    assert "Rather look at Rome." in json.dumps(models.calls("a")[-1].body["messages"])


def test_a_restart_costs_no_panel_and_an_edited_block_is_refused(models, offer, tmp_path):
    model = offer(tmp_path)
    models.script("w", {"text": "", "tool_calls": [CALL]}, {"text": "It rains."})
    with running(tmp_path) as server:
        done = server.request("POST", "/v1/messages", json=body(model, tools=[WEATHER])).json()
    sealed, use = done["content"]
    assert sealed["type"] == "redacted_thinking"
    result = {"type": "tool_result", "tool_use_id": use["id"], "content": "Rain."}

    def turn(block: Any) -> Any:
        said = [
            {"role": "assistant", "content": [block, use]},
            {"role": "user", "content": [result]},
        ]
        return body(model, messages=[*MESSAGES, *said], tools=[WEATHER])

    with running(tmp_path) as server:
        for data in (f"{sealed['data'][:-2]}AA", f"A{sealed['data']}", "A", "fg1."):
            edited = turn({**sealed, "data": data})
            reply = server.request("POST", "/v1/messages", json=edited)
            assert reply.status_code == 400, data
            assert reply.json()["error"]["code"] == "invalid_deliberation"
        final = server.request("POST", "/v1/messages", json=turn(sealed))
    assert final.json()["content"][-1]["text"] == "It rains."
    assert len(models.calls("a")) == 1


def test_thoughts_of_another_provider_are_passed_over(claude, models, offer):
    said: list[Any] = [
        *MESSAGES,
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "EuYBCkQYBxgC"},
                {"type": "redacted_thinking", "data": "EmwKAhgBEgy3"},
                {
                    "type": "tool_use",
                    "id": "toolu_01A09q90qw90lq917835lq9",
                    "name": "get_weather",
                    "input": {},
                },
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_01A09q90qw90lq917835lq9",
                    "content": "Rain.",
                }
            ],
        },
    ]
    raw = claude.messages.with_raw_response.create(**body(offer(), messages=said, tools=[WEATHER]))
    assert raw.headers["x-fusion-deliberation"] == "lost"
    assert raw.parse().content[-1].text == FINAL


def test_pictures_documents_and_results_of_all_kinds_are_read(claude, models, offer):
    pdf = base64.b64encode(b"%PDF-1.4 of no pages").decode()
    content: list[Any] = [
        {"type": "text", "text": "What is this?"},
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
        },
        {
            "type": "document",
            "title": "a.pdf",
            "source": {"type": "base64", "media_type": "application/pdf", "data": pdf},
        },
        {
            "type": "document",
            "title": "b.txt",
            "source": {"type": "text", "media_type": "text/plain", "data": "Plain words."},
        },
    ]
    claude.messages.create(
        **body(offer(), messages=[{"role": "user", "content": content}], system="Be brief.")
    )
    for name in "abc":
        sent = json.dumps(models.calls(name)[0].body["messages"])
        for words in ("Be brief.", "data:image/png;base64,iVBORw0KGgo=", pdf, "Plain words."):
            assert words in sent


def test_a_panel_that_failed_for_good_is_not_asked_again_at_once(anthropic, claude, models, offer):
    # As Claude Code does, which takes a stream's failure for the stream's own fault.
    model = offer()
    for name in "abc":
        models.script(name, {"status": 401})
    for _ in range(3):
        with (
            pytest.raises(anthropic.APIStatusError) as streamed,
            claude.messages.stream(**body(model)) as stream,
        ):
            stream.until_done()
        with pytest.raises(anthropic.APIStatusError) as whole:
            claude.messages.create(**body(model, max_tokens=500))
        for caught in (streamed, whole):
            assert "check the API key" in str(caught.value)
    assert [len(models.calls(name)) for name in "abc"] == [1, 1, 1]
    other = [{"role": "user", "content": "How dry is it?"}]
    with pytest.raises(anthropic.APIStatusError):
        claude.messages.create(**{**body(model), "messages": other})
    assert len(models.calls("a")) == 2


def test_stop_sequences_end_the_answer_and_are_named(claude, models, offer):
    model = offer()
    models.script("w", {"text": "One two STOP three.", "chunks": 3})
    done = claude.messages.create(**body(model, stop_sequences=["STOP"]))
    assert (done.content[0].text, done.stop_reason) == ("One two ", "stop_sequence")
    with claude.messages.stream(**body(model, stop_sequences=["STOP"])) as stream:
        final = stream.get_final_message()
    assert final.content[-1].text == "One two "
    assert final.stop_sequence == "STOP"


def test_long_names_of_tools_reach_providers_short_and_come_back_long(claude, models, offer):
    name = f"mcp__{'a' * 60}__{'b' * 60}"
    model = offer()
    claude.messages.create(**body(model, tools=[{**WEATHER, "name": name}]))
    (short,) = [tool["function"]["name"] for tool in models.calls("w")[0].body["tools"]]
    assert len(short) <= 64
    models.script("w", {"text": "", "tool_calls": [{**CALL, "name": short}]})
    done = claude.messages.create(**body(model, tools=[{**WEATHER, "name": name}]))
    assert done.content[-1].name == name


def test_an_answer_in_a_format_is_the_writers_alone(claude, models, offer):
    models.script("w", {"text": '{"wet": true}'})
    schema = {"type": "object", "properties": {"wet": {"type": "boolean"}}}
    done = claude.messages.create(
        **body(offer(), output_config={"format": {"type": "json_schema", "schema": schema}})
    )
    assert json.loads(done.content[0].text) == {"wet": True}
    assert models.calls("w")[0].body["response_format"]["json_schema"]["schema"] == schema


def test_tokens_are_counted_without_asking_anybody(claude, models, offer):
    model = offer()
    few = claude.messages.count_tokens(model=model, messages=MESSAGES)
    many = claude.messages.count_tokens(
        model=model, messages=MESSAGES, tools=[WEATHER], system="word " * 1_000
    )
    assert 0 < few.input_tokens < 50
    assert 1_000 < many.input_tokens < 2_500
    assert models.calls() == []
    assert claude.messages.create(**body(model)).usage.input_tokens == few.input_tokens


@pytest.mark.parametrize(
    ("step", "error", "kind"),
    [
        ({"status": 429, "headers": {"retry-after": "999"}}, "RateLimitError", "rate_limit_error"),
        ({"status": 402}, "APIStatusError", "billing_error"),
        ({"status": 401}, "APIStatusError", "api_error"),
    ],
)
def test_errors_have_anthropics_shape(anthropic, claude, server, models, offer, step, error, kind):
    model = offer()
    for name in "abc":
        models.script(name, step)
    *_, last = events_of(server, "/v1/messages", body(model, stream=True))
    assert (last["type"], last["error"]["type"]) == ("error", kind)
    with pytest.raises(getattr(anthropic, error)) as caught:
        claude.messages.create(**body(model))
    told = caught.value.response.json()
    assert told["type"] == "error"
    assert told["error"]["type"] == kind
    assert "a: " in told["error"]["message"]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages.0.content"),
        (
            {"messages": [{"role": "user", "content": [{"type": "riddle"}]}]},
            "messages.0.content.0.type",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_result"}]}]},
            "messages.0.content.0",
        ),
        ({"tools": [{"input_schema": {}}]}, "tools.0.name"),
        ({"tool_choice": {"type": "any"}}, "tool_choice"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"model": "claude-opus-5"}, "model"),
    ],
    ids=lambda value: json.dumps(value)[:60],
)
def test_a_wrong_field_is_named_in_anthropics_shape(server: Server, change, param):
    reply = server.request("POST", "/v1/messages", json={**body("fusion/offline"), **change})
    assert reply.status_code in (400, 404), reply.text
    told = reply.json()
    assert told["type"] == "error"
    assert told["error"]["param"] == param
    assert param in told["error"]["message"]


def test_anthropics_client_lists_the_models(claude, offer):
    model = offer()
    listed = {item.id: item for item in claude.models.list()}
    assert listed[model].display_name == f"Fusion: {model.removeprefix('fusion/')}"
    assert f"{model}:direct" in listed
    assert claude.models.retrieve(model).created_at.tzinfo is not None


@pytest.mark.slow
def test_the_key_may_come_as_anthropics_clients_send_it(anthropic, tmp_path):
    with running(tmp_path, "--preset", "offline", FUSION_API_KEY="a-key") as server:
        ask = {"json": body("fusion/offline")}
        refused = server.request("POST", "/v1/messages", **ask, headers={"x-api-key": "b"})
        assert refused.status_code == 401
        assert refused.json()["error"]["type"] == "authentication_error"
        with anthropic.Anthropic(base_url=server.url, api_key="a-key", max_retries=0) as client:
            assert client.messages.create(**ask["json"]).content[0].text


@pytest.mark.slow
def test_silence_is_filled_with_pings(server: Server, models, offer):
    model = offer()
    models.script("a", {"text": "Late.", "delay": 7})
    told = events_of(server, "/v1/messages", body(model, stream=True))
    assert {"type": "ping"} in told
    assert told[-1]["type"] == "message_stop"
