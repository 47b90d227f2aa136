"""Streams as providers send them: every oddity is read, and what was meant is what comes out."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from fusion_graph.config import Provider
from fusion_graph.errors import CallFailed, ReplyTooLarge
from fusion_graph.models._stream import StreamedReply
from fusion_graph.models.calls import Caller
from fusion_graph.models.model_reply import ModelReply
from fusion_graph.models.open import open_model
from fusion_graph.models.request import Options
from tests.benchmarks.hostile_replies import child
from tests.hostile_server import HostileServer
from tests.test_turns import STREAM, stream_of, whole

TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
    for name in ("web_search", "web_fetch")
]
ASKED = [HumanMessage("How wet is water?")]


@pytest.fixture
def ask(models):
    """`ask(body)`: the reply that a stream, or a body, is read as; `ask.heard` what was heard."""
    heard: list[str] = []

    async def ask(body: str, stream: bool = True) -> ModelReply:
        models.script("m", {"malformed": body, "headers": STREAM if stream else {}})
        model = await open_model("scripted:m", {"scripted": Provider(base_url=models.base_url)})
        caller = Caller("panel", "m", 0.0, lambda *_, **__: None)
        ask.calls = caller.calls
        return await caller.ask(model, ASKED, Options(tools=TOOLS), sink=heard.append)

    ask.heard = heard
    return ask


def part(index: int | None = 0, **fields: Any) -> dict[str, Any]:
    """A delta with one piece of a call."""
    function = {k: v for k, v in fields.items() if k in ("name", "arguments")}
    rest = {k: v for k, v in fields.items() if k not in function}
    call = {"index": index, **rest, "function": function}
    return {"tool_calls": [{k: v for k, v in call.items() if v is not None}]}


def calls_in(reply: ModelReply) -> list[tuple[str, Any]]:
    return [(call["name"], call["args"]) for call in reply.message.tool_calls]


A, B = '{"query": "a"}', '{"query": "b"}'
SEARCH_A, SEARCH_B = ("web_search", {"query": "a"}), ("web_search", {"query": "b"})
NAMED = {"name": "web_search"}


@pytest.mark.parametrize(
    ("deltas", "expected"),
    [
        ([part(**NAMED, id="1", arguments=A), part(**NAMED, id="2", arguments=B)], "ab"),
        ([part(**NAMED, arguments=A), part(**NAMED, arguments=B)], "ab"),
        (
            [part(None, **NAMED, id="1", arguments=A), part(None, **NAMED, id="2", arguments=B)],
            "ab",
        ),
        ([part(0, **NAMED, id="1", arguments=A), part(1, **NAMED, id="1", arguments=B)], "ab"),
        ([part(**NAMED, id="1", arguments=A[:5]), part(**NAMED, id="1", arguments=A[5:])], "a"),
        ([part(**NAMED, id="1", arguments=A[:5]), part(name="", id="", arguments=A[5:])], "a"),
        ([part(name="web_", id="1"), part(name="search"), part(arguments=A)], "a"),
        ([part(1, **NAMED, id="1"), part(1, arguments=A)], "a"),
        ([part(**NAMED, id="1", arguments={"query": "a"})], "a"),
        ([part(**NAMED, id="1", arguments="{}"), part(arguments=A)], "a"),
        ([part(name="functions.web_search", id="1", arguments=A)], "a"),
        ([part(name="default_api:web_search", id="1", arguments=A)], "a"),
        ([part(name="web_search<|channel|>commentary", id="1", arguments=A)], "a"),
        ([part(**NAMED, id="1"), part(name="<|constrain|>json"), part(arguments=A)], "a"),
    ],
)
async def test_the_calls_that_were_meant_are_made(ask, deltas, expected):
    reply = await ask(stream_of(*deltas))

    assert calls_in(reply) == [{"a": SEARCH_A, "b": SEARCH_B}[letter] for letter in expected]
    ids = [call["id"] for call in reply.message.tool_calls]
    assert len({*ids}) == len(ids)


@pytest.mark.parametrize("arguments", ["", "{}", None, " "])
@pytest.mark.parametrize("stream", [True, False])
async def test_no_arguments_are_none(ask, arguments, stream):
    delta = part(name="web_search", id="1", arguments=arguments)

    reply = await ask(stream_of(delta) if stream else whole(delta), stream)

    assert calls_in(reply) == [("web_search", {})]


@pytest.mark.parametrize("finish", ["stop", None])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_reply_with_calls_ended_for_its_calls(ask, finish, stream):
    delta = part(name="web_search", id="1", arguments=A)

    reply = await ask(stream_of(delta, finish=finish) if stream else whole(delta, finish), stream)

    assert calls_in(reply) == [SEARCH_A]
    assert reply.finish_reason == "tool_calls"


async def test_a_stream_without_a_reason_to_stop_is_over_when_it_says_so(ask):
    reply = await ask(stream_of({"content": "Wet."}, finish=None))

    assert reply.text == "Wet."


async def test_a_stream_that_was_counted_is_over(ask):
    usage = {"prompt_tokens": 5, "completion_tokens": 2}
    events = [{"choices": [{"delta": {"content": "Wet."}}]}, {"choices": [], "usage": usage}]

    reply = await ask("".join(f"data: {json.dumps(event)}\n\n" for event in events))

    assert reply.text == "Wet."
    assert ask.calls[0]["output_tokens"] == 2


PARTS = [
    {"type": "thinking", "thinking": [{"type": "text", "text": "Hm, "}]},
    {"type": "thinking", "thinking": [{"type": "text", "text": "wet."}]},
    {"type": "text", "text": "Very "},
    {"type": "text", "text": "wet."},
]


async def test_content_in_parts_shows_its_text_and_keeps_its_thinking(ask):
    reply = await ask(stream_of(*({"content": [p]} for p in PARTS), {"content": ""}))

    assert reply.text == "Very wet."
    assert "".join(ask.heard) == "Very wet."
    assert put_together(PARTS) == [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hm, wet."}]},
        {"type": "text", "text": "Very wet."},
    ]


def put_together(parts: list[Any]) -> Any:
    reply = StreamedReply()
    for piece in parts:
        reply.take({"choices": [{"index": 0, "delta": {"content": [piece]}}]})
    return reply.body()["choices"][0]["message"]["content"]


async def test_content_in_parts_is_read_in_one_piece_too(ask):
    reply = await ask(whole({"role": "assistant", "content": PARTS}, "stop"), stream=False)

    assert reply.text == "Very wet."


async def test_a_comment_is_a_sign_of_life(ask):
    reply = await ask(": PROCESSING\n\n: PROCESSING\n\n" + stream_of({"content": "Wet."}))

    assert reply.text == "Wet."
    assert ask.heard[:2] == ["", ""]


def cut_and_told(**delta: Any) -> str:
    cut = {"choices": [{"index": 0, "delta": delta, "finish_reason": "length"}]}
    told = {"error": {"code": 400, "message": "Token limit reached"}, "choices": [{"delta": {}}]}
    return "".join(f"data: {json.dumps(event)}\n\n" for event in (cut, told)) + "data: [DONE]\n\n"


async def test_a_blank_reply_that_was_cut_is_one_failure_about_the_limit(ask):
    with pytest.raises(CallFailed) as caught:
        await ask(cut_and_told(reasoning="Hm"))

    said = caught.value.failure["detail"].lower()
    assert "token limit" in said
    assert "max_completion_tokens" in said
    assert caught.value.failure["attempts"] == 1


async def test_an_answer_that_was_cut_is_one_though_an_error_says_so_again(ask):
    reply = await ask(cut_and_told(content="Wet, and"))

    assert reply.text == "Wet, and"
    assert reply.finish_reason == "length"


async def test_an_error_in_mid_stream_is_an_error_beside_choices_too(ask):
    events = [
        {"choices": [{"index": 0, "delta": {"content": "Wet"}}]},
        {"choices": [{"index": 0, "delta": {}}], "error": {"code": 402, "message": "No credits."}},
    ]

    with pytest.raises(CallFailed) as caught:
        await ask("".join(f"data: {json.dumps(event)}\n\n" for event in events))

    assert caught.value.failure["reason"] == "insufficient_credits"


@pytest.mark.parametrize(
    ("kind", "bound"),
    [
        ("text", "1,000,000 characters"),
        ("reasoning", "4 MiB"),
        ("items", "50,000 objects"),
        ("arguments", "4 MiB"),
        ("bomb", "4 MiB"),
        ("error", "1 MiB"),
    ],
)
async def test_a_reply_without_end_is_one_typed_failure(kind, bound):
    with HostileServer() as server:
        given = {"hostile": Provider(base_url=f"{server.url}/{kind}/v1")}
        model = await open_model("hostile:m", given)
        caller = Caller("panel", "m", 0.0, lambda *_, **__: None)
        with pytest.raises(CallFailed) as caught:
            await caller.ask(model, ASKED, Options(tools=TOOLS), sink=lambda _: None)

        assert caught.value.failure["reason"] == "upstream_error"
        assert bound in caught.value.failure["detail"]
        assert len(server.close()) == 1


def test_signed_text_is_not_added_to():
    reply = StreamedReply()
    for item in (
        {"type": "reasoning.text", "index": 0, "text": "One"},
        {"type": "reasoning.text", "index": 0, "text": " two.", "signature": "s"},
        {"type": "reasoning.text", "index": 0, "text": "Three."},
        {"type": "reasoning.encrypted", "index": 0, "data": "x", "id": "1"},
        {"type": "reasoning.encrypted", "index": 0, "data": "y", "id": "2"},
        {"type": "reasoning.text", "text": "No index."},
    ):
        reply.take({"choices": [{"index": 0, "delta": {"reasoning_details": [item]}}]})

    assert reply.body()["choices"][0]["message"]["reasoning_details"] == [
        {"type": "reasoning.text", "index": 0, "text": "One two.", "signature": "s"},
        {"type": "reasoning.text", "index": 0, "text": "Three."},
        {"type": "reasoning.encrypted", "index": 0, "data": "x", "id": "1"},
        {"type": "reasoning.encrypted", "index": 0, "data": "y", "id": "2"},
        {"type": "reasoning.text", "text": "No index."},
    ]


def test_a_flood_of_text_is_stopped_while_it_comes():
    reply = StreamedReply()
    event = {"choices": [{"index": 0, "delta": {"content": "x" * 500_000}}]}
    reply.take(event)
    reply.take(event)

    with pytest.raises(ReplyTooLarge, match="1,000,000 characters"):
        reply.take(event)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    ["bomb-in-stream", "tokens", "parts"],
)
def test_a_hostile_member_takes_no_memory_and_harms_no_other(models, panel_config, kind):
    panel_config()
    with HostileServer() as server:
        seen = child(f"{server.url}/{kind}/v1", models.base_url)

    assert seen["rise"] < 64
    assert seen["others"]
    assert seen["status"] == "degraded"
    assert seen["failure"]["reason"] == "upstream_error"
    assert seen["failure"]["attempts"] == 1


async def test_half_an_emoji_in_arguments_is_in_no_record(ask):
    reply = await ask(stream_of(part(**NAMED, id="1", arguments='{"query": "a \\ud83d b"}')))

    assert calls_in(reply) == [("web_search", {"query": "a \ufffd b"})]


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_a_stream_leaves_its_connection_to_the_next_call(models, api):
    models.script("m", "Very wet.", apis=[api])
    model = await open_model("s:m", {"s": Provider(base_url=models.base_url, api=api)})
    caller = Caller("panel", "m", 0.0, lambda *_, **__: None)

    for _ in range(3):
        await caller.ask(model, ASKED, Options(), sink=lambda _: None)

    calls = models.calls()
    assert [call.stream for call in calls] == [True] * 3
    assert len({call.port for call in calls}) == 1


async def test_a_burst_of_events_leaves_others_their_turns(models):
    burst = "".join(
        f'data: {{"choices": [{{"delta": {{"content": "{n} "}}}}]}}\n\n' for n in range(60)
    )
    ended = 'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
    models.script("m", {"malformed": burst + ended, "headers": STREAM})
    model = await open_model("scripted:m", {"scripted": Provider(base_url=models.base_url)})
    turns, at = 0, []

    def heard(_text: str) -> None:
        at.append(turns)
        time.sleep(0.003)  # what a slow machine takes for an event

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(others())
    reply = await Caller("panel", "m", 0.0, lambda *_, **__: None).ask(
        model, ASKED, Options(), sink=heard
    )
    beside.cancel()

    assert reply.text.split() == [str(n) for n in range(60)]
    assert at[59] - at[0] >= 58, "one after each event, though all came at once"
