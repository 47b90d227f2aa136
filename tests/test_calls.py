"""One question to one model over HTTP: what is retried, left out, recorded and given up."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from dataclasses import dataclass, field
from typing import Any

import pytest
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import Field

from fusion_graph import create_fusion_graph
from fusion_graph.config import Price, Provider
from fusion_graph.cost.usage import total
from fusion_graph.errors import CallFailed
from fusion_graph.models.calls import Caller
from fusion_graph.models.clients import DEPTH_HEADER
from fusion_graph.models.model import Model
from fusion_graph.models.model_reply import ModelReply
from fusion_graph.models.open import open_model
from fusion_graph.models.request import Options

AT_ONCE = {"Retry-After": "0"}
PLAIN = Options()
SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}
FORMATS = (SCHEMA, {"type": "json_object"})
TOOLS = [
    {
        "type": "function",
        "function": {"name": "lookup", "parameters": {"type": "object", "properties": {}}},
    }
]


@dataclass
class Conversation:
    """A caller with its model `m`, and what it was told.

    Attributes:
        events: `(type, data)` in order.
        heard: What a streamed reply's sink was given; a restart is `None`.
    """

    caller: Caller
    model: Model
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    heard: list[str | None] = field(default_factory=list)

    async def ask(self, options: Options = PLAIN, *, stream: bool = False) -> ModelReply:
        sink, restart = (self._hear, self._restart) if stream else (None, None)
        messages = [SystemMessage("Be brief."), HumanMessage("How wet is water?")]
        return await self.caller.ask(self.model, messages, options, sink, restart)

    def _hear(self, text: str) -> None:
        if text:  # an empty piece is a sign of life
            self.heard.append(text)

    def _restart(self, reason: str) -> None:
        assert reason
        self.heard.append(None)

    def outcomes(self) -> list[str]:
        return [call["outcome"] for call in self.caller.calls]


@pytest.fixture
def opened(models):
    """`await opened(*steps)`: a conversation with a model scripted so."""

    async def make(*steps: Any, name: str = "m", **provider: Any) -> Conversation:
        models.script(name, *steps)
        known = {"scripted": Provider(base_url=models.base_url, **provider)}
        model = await open_model(f"scripted:{name}", known)
        events: list[tuple[str, dict[str, Any]]] = []
        caller = Caller("panel", "m", time.time(), lambda type, **data: events.append((type, data)))
        return Conversation(caller, model, events)

    return make


# Replies and their cost


@pytest.mark.parametrize("stream", [False, True])
async def test_a_reply_comes_with_its_tokens_and_its_cost(models, opened, stream):
    step = {"text": "Very wet.", "cost": 0.0125, "usage": {"prompt_tokens": 70}}
    asked = await opened(step)

    reply = await asked.ask(stream=stream)

    assert (reply.text, reply.finish_reason) == ("Very wet.", "stop")
    (record,) = asked.caller.calls
    assert (record["input_tokens"], record["output_tokens"]) == (70, 2)
    assert (record["cost_usd"], record["outcome"], record["left_out"]) == (0.0125, "ok", [])
    assert 0 <= record["start"] <= record["end"]
    (call,) = models.calls()
    assert call.stream is stream
    assert "".join(asked.heard) == ("Very wet." if stream else "")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_price_of_the_users_own_is_used_where_the_provider_names_no_cost(opened, stream):
    usage = {"prompt_tokens": 1_000_000, "completion_tokens": 500_000}
    asked = await opened({"text": "Wet.", "usage": usage}, prices={"m": Price(input=2, output=4)})

    await asked.ask(stream=stream)

    assert asked.caller.calls[0]["cost_usd"] == 4.0


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("step", [{"text": "Wet."}, {"text": "Wet.", "no_usage": True}])
async def test_a_cost_nobody_knows_stays_unknown(opened, step, stream):
    asked = await opened(step)

    await asked.ask(stream=stream)

    assert asked.caller.calls[0]["cost_usd"] is None
    assert total(asked.caller.calls)["cost_usd"] is None


@pytest.mark.parametrize("uncounted", ["prompt_tokens", "completion_tokens"])
async def test_a_cost_is_unknown_where_half_of_the_tokens_were_not_counted(opened, uncounted):
    price = {"m": Price(input=1, output=10)}
    asked = await opened({"text": "wet", "usage": {uncounted: 0}}, prices=price)

    await asked.ask()

    assert asked.caller.calls[0]["cost_usd"] is None


async def test_thinking_is_kept_out_of_the_text(opened):
    asked = await opened("<think>Hm.</think>Wet.")

    reply = await asked.ask()

    assert reply.text == "Wet."
    assert reply.message.text == "<think>Hm.</think>Wet."


async def test_reasoning_beside_the_text_is_not_streamed(opened):
    asked = await opened({"text": "Wet.", "reasoning": "Is it? It is."})

    reply = await asked.ask(stream=True)

    assert (reply.text, asked.heard) == ("Wet.", ["Wet."])


@pytest.mark.parametrize("stream", [False, True])
async def test_tool_calls_arrive_whole(opened, stream):
    calls = [{"name": "lookup", "args": {"query": f"a long query, number {n}"}} for n in range(3)]
    asked = await opened({"text": "Let me see.", "tool_calls": calls})

    reply = await asked.ask(Options(tools=TOOLS), stream=stream)

    assert [call["args"] for call in reply.message.tool_calls] == [c["args"] for c in calls]
    assert len({call["id"] for call in reply.message.tool_calls}) == 3


async def test_only_what_is_set_is_sent(models, opened):
    asked = await opened("Wet.")

    await asked.ask()
    await asked.ask(
        Options(
            tools=TOOLS,
            tool_choice="none",
            temperature=0.0,
            reasoning_effort="low",
            max_tokens=50,
            response_formats=FORMATS,
        )
    )

    bare, full = (call.body for call in models.calls())
    assert bare.keys() == {"model", "messages"}
    assert full == bare | {
        "tools": TOOLS,
        "tool_choice": "none",
        "temperature": 0.0,
        "reasoning_effort": "low",
        "max_tokens": 50,
        "response_format": FORMATS[0],
    }


async def test_every_call_says_that_it_comes_from_a_fusion(models, opened):
    asked = await opened("Wet.", headers={"X-Team": "water"})

    await asked.ask()

    (call,) = models.calls()
    assert (call.headers[DEPTH_HEADER], call.headers["x-team"]) == ("1", "water")


# What is tried again


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (408, "upstream_error"),
        (409, "upstream_error"),
        (429, "rate_limited"),
        (500, "upstream_error"),
        (502, "upstream_error"),
        (503, "upstream_error"),
        (529, "upstream_error"),
    ],
)
async def test_a_passing_status_is_tried_three_times(models, opened, status, reason, stream):
    asked = await opened({"status": status, "headers": AT_ONCE})

    with pytest.raises(CallFailed) as caught:
        await asked.ask(stream=stream)

    failure = caught.value.failure
    assert (failure["reason"], failure["http_status"], failure["attempts"]) == (reason, status, 3)
    assert len(models.calls()) == 3
    assert asked.outcomes() == [reason] * 3
    assert [type for type, _ in asked.events] == ["call.retried"] * 2


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (400, "bad_request"),
        (401, "auth"),
        (402, "insufficient_credits"),
        (403, "auth"),
        (404, "invalid_model"),
        (413, "context_length"),
        (422, "bad_request"),
    ],
)
async def test_a_lasting_status_is_tried_once(models, opened, status, reason, stream):
    asked = await opened({"status": status, "headers": AT_ONCE})

    with pytest.raises(CallFailed) as caught:
        await asked.ask(stream=stream)

    failure = caught.value.failure
    assert (failure["reason"], failure["http_status"], failure["attempts"]) == (reason, status, 1)
    assert len(models.calls()) == 1
    assert asked.events == []


async def test_a_rate_limit_that_is_an_empty_account_is_not_tried_again(models, opened):
    error = {"message": "You exceeded your current quota", "code": "insufficient_quota"}
    asked = await opened({"status": 429, "error": error, "headers": AT_ONCE})

    with pytest.raises(CallFailed) as caught:
        await asked.ask()

    assert caught.value.failure["reason"] == "insufficient_credits"
    assert len(models.calls()) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_a_passing_status_costs_one_call_more(opened, stream):
    asked = await opened({"status": 500, "headers": AT_ONCE}, {"text": "Wet.", "cost": 0.5})

    reply = await asked.ask(stream=stream)

    assert reply.text == "Wet."
    assert asked.outcomes() == ["upstream_error", "ok"]
    assert total(asked.caller.calls)["cost_usd"] == 0.5
    assert asked.heard == ([None, "Wet."] if stream else [])


@pytest.mark.parametrize("asks", ["0", "0.05"])
async def test_the_provider_says_how_long_to_wait(opened, asks):
    asked = await opened({"status": 429, "headers": {"Retry-After": asks}}, "Wet.")

    await asked.ask()

    ((type, data),) = asked.events
    assert (type, data["seconds"]) == ("call.retried", float(asks))
    assert (data["stage"], data["name"], data["reason"]) == ("panel", "m", "rate_limited")
    assert data["model"] == "scripted:m"


@pytest.mark.parametrize("asks", ["61", "86400", "inf"])
async def test_a_wait_beyond_a_minute_is_not_waited(models, opened, asks):
    asked = await opened({"status": 429, "headers": {"Retry-After": asks}})

    with pytest.raises(CallFailed) as caught:
        await asked.ask()

    assert caught.value.failure["attempts"] == 1
    assert len(models.calls()) == 1


@pytest.mark.parametrize("asks", ["soon", "Wed, 21 Oct 2015 07:28:00 GMT", "nan", "-5"])
async def test_a_wait_that_cannot_be_read_is_short(opened, asks):
    asked = await opened({"status": 429, "headers": {"Retry-After": asks}}, "Wet.")

    await asked.ask()

    ((_, data),) = asked.events
    assert 0 <= data["seconds"] <= 1


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "error",
    [{"message": "overloaded"}, {"message": "overloaded", "code": 502}, "overloaded"],
    ids=["an object", "an object with a code", "a string"],
)
async def test_an_error_inside_a_200_is_an_error_that_may_pass(models, opened, error, stream):
    asked = await opened({"error": error}, "Wet.")

    reply = await asked.ask(stream=stream)

    assert reply.text == "Wet."
    assert asked.outcomes() == ["upstream_error", "ok"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ({"message": "Insufficient credits", "code": 402}, "insufficient_credits"),
        ({"message": "No auth credentials found", "code": 401}, "auth"),
        ({"message": "x is not a valid model ID", "code": 400}, "invalid_model"),
    ],
)
async def test_an_error_inside_a_200_keeps_its_reason(models, opened, error, reason, stream):
    asked = await opened({"error": error})

    with pytest.raises(CallFailed) as caught:
        await asked.ask(stream=stream)

    failure = caught.value.failure
    assert (failure["reason"], failure["http_status"]) == (reason, error["code"])
    assert error["message"] in failure["detail"]
    assert len(models.calls()) == 1


async def test_a_200_that_is_no_completion_is_an_error_that_may_pass(opened):
    bodies = [
        "",
        "<html>Bad gateway</html>",
        '{"choices": [{"mess',
        "[]",
        "null",
        "{}",
        '{"choices": []}',
        '{"choices": null}',
        '{"choices": [null]}',
        '{"choices": [{"message": null}]}',
        '{"choices": [{"error": {"message": "upstream", "code": 502}, "message": {}}]}',
    ]
    asked = {body: await opened({"malformed": body}, "Wet.", name=body or "-") for body in bodies}

    # Together, so that their waits between two tries are one.
    replies = await asyncio.gather(*(one.ask() for one in asked.values()))

    assert [reply.text for reply in replies] == ["Wet."] * len(bodies)
    outcomes = {body: one.outcomes() for body, one in asked.items()}
    assert outcomes == {body: ["upstream_error", "ok"] for body in bodies}


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"role": "assistant"},
        {"role": "assistant", "content": 7},
        {"role": "assistant", "content": {"text": "Wet."}},
        {"role": "assistant", "content": [{"type": "text", "text": "Wet."}]},
        {"role": "assistant", "content": "Wet.", "tool_calls": None},
        {"role": "assistant", "content": "Wet.", "tool_calls": {}},
        {"role": "assistant", "content": "Wet.", "tool_calls": [None]},
        {"role": "assistant", "content": "Wet.", "tool_calls": [{"id": "x"}]},
        {"role": "assistant", "content": "Wet.", "tool_calls": [{"function": {"name": "x"}}]},
        {"role": "parrot", "content": "Wet."},
    ],
)
async def test_a_message_of_any_shape_is_a_reply_or_a_typed_failure(opened, message):
    body = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    asked = await opened({"malformed": json.dumps(body)})

    try:
        became = (await asked.ask()).text
    except CallFailed as failed:
        became = failed.failure["reason"]

    assert became in {"", "Wet.", "upstream_error"}


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": None, "completion_tokens": None, "total_tokens": None},
        {"prompt_tokens": "7", "completion_tokens": "2", "total_tokens": "9"},
        {"cost": "0.5"},
        {"cost": None},
        [],
        "none",
    ],
)
async def test_usage_of_any_shape_does_not_cost_the_reply(opened, usage):
    message = {"role": "assistant", "content": "Wet."}
    body = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage}
    asked = await opened({"malformed": json.dumps(body)})

    reply = await asked.ask()

    assert reply.text == "Wet."
    assert asked.caller.calls[0]["cost_usd"] is None


async def test_a_connection_closed_in_the_middle_is_tried_again(opened):
    asked = await opened({"text": "Very wet.", "close_after": 20}, "Wet.")

    reply = await asked.ask()

    assert reply.text == "Wet."
    assert asked.outcomes() == ["upstream_error", "ok"]


async def test_a_server_that_does_not_stream_when_asked_to_is_understood(opened):
    message = {"role": "assistant", "content": "Very wet."}
    whole = {"choices": [{"message": message, "finish_reason": "stop"}]}
    asked = await opened({"malformed": json.dumps(whole)})

    reply = await asked.ask(stream=True)

    assert (reply.text, asked.heard) == ("Very wet.", ["Very wet."])


async def test_a_stream_closed_in_the_middle_is_void_and_tried_again(models, opened):
    asked = await opened({"text": "Very wet and more.", "close_after": 2}, "Very wet.")

    reply = await asked.ask(stream=True)

    assert reply.text == "Very wet."
    assert asked.heard == ["Very ", "wet ", None, "Very ", "wet."]
    assert len(models.calls()) == 2


async def test_a_stream_without_its_end_is_not_taken_for_whole(models, opened):
    # Four words, then the connection closes before the finish reason.
    asked = await opened({"text": "Very wet and more.", "close_after": 4}, "Very wet.")

    reply = await asked.ask(stream=True)

    assert reply.text == "Very wet."
    assert len(models.calls()) == 2


async def test_a_server_that_is_not_there_is_an_upstream_error(deaf_port):
    url = f"http://127.0.0.1:{deaf_port}/v1"
    model = await open_model("gone:m", {"gone": Provider(base_url=url)})
    caller = Caller("panel", "m", time.time(), lambda type, **data: None)

    with pytest.raises(CallFailed) as caught:
        await caller.ask(model, [HumanMessage("How wet is water?")], Options())

    failure = caught.value.failure
    assert (failure["reason"], failure["http_status"], failure["attempts"]) == (
        "upstream_error",
        None,
        3,
    )
    assert f"127.0.0.1:{deaf_port}/v1" in failure["detail"]
    assert "is the server running" in failure["detail"]


@pytest.fixture
def deaf_port():
    # Held but not listening, so that nobody else takes it and every connection is refused.
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


async def test_a_call_that_is_given_up_is_on_record_and_off_the_line(models, opened):
    asked = await opened({"hang": True})

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await asked.ask()

    assert asked.outcomes() == ["timed_out"]
    assert asked.caller.calls[0]["end"] >= asked.caller.calls[0]["start"]
    assert models.calls(ended=1)[0].disconnected


# What a model refuses


async def test_a_refused_parameter_is_remembered(models, opened):
    asked = await opened({"text": "Wet.", "refuse": ["temperature"]})

    await asked.ask(Options(temperature=0.7))
    await asked.ask(Options(temperature=0.7, max_tokens=50))

    assert [call.status for call in models.calls()] == [400, 200, 200]
    assert asked.model.refused == {"temperature"}
    assert [call["left_out"] for call in asked.caller.calls] == [["temperature"], [], []]
    assert [call["outcome"] for call in asked.caller.calls][1:] == ["ok", "ok"]


async def test_a_stream_is_asked_for_again_without_what_was_refused(models, opened):
    asked = await opened({"text": "Wet.", "refuse": ["reasoning_effort"]})

    reply = await asked.ask(Options(reasoning_effort="low"), stream=True)

    assert reply.text == "Wet."
    assert [(call.status, call.stream) for call in models.calls()] == [(400, True), (200, True)]


@pytest.mark.parametrize(
    "words",
    [
        "Unsupported value: 'temperature' does not support 0.7 with this model.",
        "`temperature` is deprecated for this model.",
        "temperature: Extra inputs are not permitted",
    ],
)
async def test_a_refusal_is_understood_from_its_words(opened, words):
    refusal = {"status": 400, "error": {"message": words}}
    asked = await opened({"when_contains": {"temperature": refusal}, "text": "Wet."})

    assert (await asked.ask(Options(temperature=0.7))).text == "Wet."
    assert asked.model.refused == {"temperature"}


async def test_what_was_not_sent_cannot_be_left_out(models, opened):
    asked = await opened({"status": 400, "error": {"message": "bad temperature"}})

    with pytest.raises(CallFailed) as caught:
        await asked.ask()

    assert caught.value.failure["reason"] == "bad_request"
    assert len(models.calls()) == 1


async def test_a_conversation_too_long_is_not_taken_for_a_refused_parameter(models, opened):
    words = "maximum context length is 8192 tokens; reduce the messages or max_tokens"
    asked = await opened({"status": 400, "error": {"message": words}})

    with pytest.raises(CallFailed) as caught:
        await asked.ask(Options(max_tokens=50))

    assert caught.value.failure["reason"] == "context_length"
    assert len(models.calls()) == 1


async def test_response_formats_are_a_ladder(models, opened):
    asked = await opened({"text": "{}", "refuse": ["response_format"]})

    await asked.ask(Options(response_formats=FORMATS))

    assert [format_of(call) for call in models.calls()] == ["json_schema", "json_object", None]


async def test_the_ladder_is_climbed_once(models, opened):
    asked = await opened({"text": "{}", "refuse": ["response_format"]})

    await asked.ask(Options(response_formats=FORMATS))
    await asked.ask(Options(response_formats=FORMATS))

    assert [format_of(call) for call in models.calls()] == [
        "json_schema",
        "json_object",
        None,
        None,
    ]


async def test_the_ladder_is_remembered_at_the_rung_that_held(models, opened):
    refusal = {"status": 400, "error": {"message": "response_format json_schema: not supported"}}
    asked = await opened({"text": "{}", "when_contains": {"json_schema": refusal}})

    await asked.ask(Options(response_formats=FORMATS))
    await asked.ask(Options(response_formats=FORMATS))

    assert [format_of(call) for call in models.calls()] == [
        "json_schema",
        "json_object",
        "json_object",
    ]


def format_of(call) -> str | None:
    return call.body.get("response_format", {}).get("type")


# Secrets


async def test_a_key_never_reaches_a_failure(models, opened, monkeypatch):
    monkeypatch.setenv("SCRIPTED_KEY", "sk-secret-1234567890")
    words = "Incorrect API key provided: sk-secret-1234567890. Find yours in the settings."
    asked = await opened({"status": 401, "error": {"message": words}}, api_key_env="SCRIPTED_KEY")

    with pytest.raises(CallFailed) as caught:
        await asked.ask()

    assert models.calls()[0].headers["authorization"] == "Bearer sk-secret-1234567890"
    assert "1234567890" not in str(caught.value)
    assert "Find yours in the settings." in caught.value.failure["detail"]


async def test_a_callback_is_told_of_every_call_with_its_stage_and_member(panel_config):
    class Watcher(AsyncCallbackHandler):
        def __init__(self) -> None:
            self.started: list[tuple[str, str]] = []
            self.tokens: list[int] = []

        async def on_chat_model_start(self, serialized, messages, *, metadata, **kwargs):
            self.started.append((metadata["fusion_stage"], metadata["fusion_name"]))

        async def on_llm_end(self, response, **kwargs):
            self.tokens.append(response.generations[0][0].message.usage_metadata["output_tokens"])

    watcher = Watcher()
    question = {"messages": [("user", "How wet is water?")]}
    await create_fusion_graph(panel_config()).ainvoke(question, {"callbacks": [watcher]})

    panel = [("panel", name) for name in "abc"]
    assert sorted(watcher.started) == [("judge", "judge"), *panel, ("synthesis", "writer")]
    assert all(watcher.tokens)
    assert len(watcher.tokens) == 5


class Integration(BaseChatModel):
    """A chat model as LangChain's integrations are made: parameters are fields of it."""

    temperature: float | None = None
    max_output_tokens: int | None = None
    seen: list[tuple[float | None, int | None]]
    says: dict[str, str] = Field(default={})

    @property
    def _llm_type(self) -> str:
        return "integration"

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        self.seen.append((self.temperature, self.max_output_tokens))
        message = AIMessage("Quite wet.", response_metadata=self.says)
        return ChatResult(generations=[ChatGeneration(message=message)])


@pytest.mark.parametrize("stream", [False, True])
async def test_the_panels_parameters_reach_a_model_of_an_integration(stream):
    chat = Integration(seen=[])
    model = Model("stranger:m", "stranger", chat, protocol=False, ours=True)
    asked = Conversation(Caller("panel", "m", time.time(), lambda type, **data: None), model)

    await asked.ask(Options(temperature=0.5, max_tokens=70, reasoning_effort="low"), stream=stream)

    assert chat.seen == [(0.5, 70)]
    assert model.refused == {"reasoning_effort"}  # so the report tells that it was left out


async def test_a_chat_model_that_a_program_hands_over_keeps_its_own_parameters():
    chat = Integration(seen=[], temperature=1.0)
    asked = Conversation(
        Caller("panel", "m", time.time(), lambda type, **data: None), await open_model(chat, {})
    )

    await asked.ask(Options(temperature=0.5, max_tokens=70))

    assert chat.seen == [(1.0, None)]


@pytest.mark.parametrize(
    ("says", "cut_by"),
    [
        ({"stop_reason": "end_turn"}, ""),
        ({"stop_reason": "max_tokens"}, "max_completion_tokens"),
        ({"finish_reason": "MAX_TOKENS"}, "max_completion_tokens"),
        ({"done_reason": "length"}, "max_completion_tokens"),
        ({"finish_reason": "SAFETY"}, "the provider's filter"),
        ({}, ""),
    ],
)
async def test_every_providers_word_for_a_cut_answer_is_known(says, cut_by):
    chat = Integration(seen=[], says=says)
    asked = Conversation(
        Caller("panel", "m", time.time(), lambda type, **data: None), await open_model(chat, {})
    )

    assert (await asked.ask()).cut_by("max_completion_tokens") == cut_by
