"""The scripted server, seen through the official OpenAI client and through bare sockets."""

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from tests.children import Child
from tests.scripted_models import ModelServer, start_server
from tests.scripted_models.client import Scope

ASK: list[Any] = [{"role": "user", "content": "What is it? MARK-x7"}]
TOOLS: list[Any] = [{"type": "function", "function": {"name": "web_search"}}]
SEARCH = {"name": "web_search", "args": {"query": "how tall is the tower"}}


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with start_server() as running:
        yield running


@pytest.fixture
def scope(server: ModelServer) -> Scope:
    return server.scope()


@pytest.fixture(scope="module")
def shared_client() -> Iterator[OpenAI]:
    with OpenAI(api_key="key-of-the-test", base_url="http://unused", max_retries=0) as client:
        yield client


@pytest.fixture
def client(shared_client: OpenAI, scope: Scope) -> OpenAI:
    return shared_client.with_options(base_url=scope.base_url)


def ask(client: OpenAI, model: str = "m", **options: Any) -> Any:
    return client.chat.completions.create(model=model, messages=ASK, **options)


def text_of(completion: Any) -> str:
    return str(completion.choices[0].message.content)


def deltas(stream: Any) -> list[Any]:
    return [chunk.choices[0].delta for chunk in stream if chunk.choices]


# Answers


def test_a_completion_carries_every_field(client: OpenAI, scope: Scope) -> None:
    scope.script("m", "forty two")
    completion = ask(client)
    assert completion.id.startswith("chatcmpl-")
    assert completion.object == "chat.completion"
    assert completion.created > 0
    assert completion.model == "m"
    assert completion.system_fingerprint
    assert completion.choices[0].finish_reason == "stop"
    assert text_of(completion) == "forty two"
    assert completion.usage.completion_tokens == 2


def test_steps_are_taken_in_turn_and_the_last_one_repeats(client: OpenAI, scope: Scope) -> None:
    scope.script("m", "first", "second", "then {n}")
    assert [text_of(ask(client)) for _ in range(4)] == ["first", "second", "then 3", "then 4"]
    assert [call.step for call in scope.calls()] == [0, 1, 2, 2]


def test_placeholders_are_filled_in_and_other_braces_left_alone(
    client: OpenAI, scope: Scope
) -> None:
    scope.script("m", '{"by": "{model}", "call": {n}, "mark": "{marker}", "rest": {}}')
    assert text_of(ask(client)) == '{"by": "m", "call": 1, "mark": "MARK-x7", "rest": {}}'


def test_a_new_script_starts_at_its_first_step(client: OpenAI, scope: Scope) -> None:
    scope.script("m", "old", "older")
    ask(client)
    scope.script("m", "new", "newer")
    assert text_of(ask(client)) == "new"


@pytest.mark.parametrize(
    ("chunks", "pieces"), [("word", ["one ", "two  ", "three"]), (6, ["one tw", "o  thr", "ee"])]
)
def test_a_streamed_answer_comes_in_pieces(
    client: OpenAI, scope: Scope, chunks: str | int, pieces: list[str]
) -> None:
    scope.script("m", {"text": "one two  three", "chunks": chunks})
    chunks_seen = list(ask(client, stream=True))
    assert [c.choices[0].delta.content for c in chunks_seen] == [*pieces, None]
    assert chunks_seen[0].choices[0].delta.role == "assistant"
    assert chunks_seen[-1].choices[0].finish_reason == "stop"
    assert {c.object for c in chunks_seen} == {"chat.completion.chunk"}
    assert len({c.id for c in chunks_seen}) == 1
    assert scope.calls()[0].stream


def test_an_empty_answer_can_be_streamed(client: OpenAI, scope: Scope) -> None:
    scope.script("m", "")
    assert [delta.content for delta in deltas(ask(client, stream=True))] == ["", None]


def test_reasoning_comes_beside_the_answer(client: OpenAI, scope: Scope) -> None:
    scope.script("m", {"reasoning": "let me think", "text": "done"})
    assert ask(client).choices[0].message.reasoning == "let me think"
    pieces = deltas(ask(client, stream=True))
    assert "".join(getattr(delta, "reasoning", "") for delta in pieces) == "let me think"
    assert "".join(delta.content or "" for delta in pieces) == "done"


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_the_finish_reason_can_be_set(client: OpenAI, scope: Scope, reason: str) -> None:
    scope.script("m", {"text": "cut", "finish_reason": reason})
    assert ask(client).choices[0].finish_reason == reason
    assert [c.choices[0].finish_reason for c in ask(client, stream=True)] == [None, reason]


def test_a_timed_answer_takes_its_time_streamed_or_not(client: OpenAI, scope: Scope) -> None:
    scope.script("m", {"text": "a b c d", "delay": 0.05, "ttft": 0.05, "rate": 40})
    assert text_of(ask(client)) == "a b c d"
    assert "".join(delta.content or "" for delta in deltas(ask(client, stream=True))) == "a b c d"
    for call in scope.calls():
        assert call.ended is not None
        assert call.ended - call.started >= 0.19


# Tool calls


def test_tool_calls_come_whole(client: OpenAI, scope: Scope) -> None:
    broken = {"name": "web_fetch", "args": '{"url": ', "id": "mine"}
    scope.script("m", {"tool_calls": [SEARCH, SEARCH, broken]})
    choice = ask(client, tools=TOOLS).choices[0]
    first, second, third = choice.message.tool_calls
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    assert json.loads(first.function.arguments) == SEARCH["args"]
    assert first.id != second.id
    assert (third.id, third.function.arguments) == ("mine", '{"url": ')


def test_streamed_tool_calls_open_with_a_name_and_go_on_with_arguments(
    client: OpenAI, scope: Scope
) -> None:
    scope.script("m", {"text": "searching", "tool_calls": [SEARCH, {"name": "now", "args": {}}]})
    chunks = list(ask(client, stream=True, tools=TOOLS))
    parts = [part for c in chunks for part in c.choices[0].delta.tool_calls or []]
    for index, (name, arguments) in enumerate([("web_search", SEARCH["args"]), ("now", {})]):
        opening, *others = [part for part in parts if part.index == index]
        assert (opening.function.name, opening.function.arguments) == (name, "")
        assert opening.id
        assert len(others) > 1
        assert json.loads("".join(part.function.arguments for part in others)) == arguments
    assert chunks[0].choices[0].delta.content == "searching"
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_a_polite_model_answers_once_it_may_not_call_tools(client: OpenAI, scope: Scope) -> None:
    polite = {"when_tool_choice_none": "told not to", "when_no_tools": "cannot"}
    scope.script("m", {"tool_calls": [SEARCH]} | polite)
    assert ask(client, tools=TOOLS).choices[0].message.tool_calls
    assert text_of(ask(client, tools=TOOLS, tool_choice="none")) == "told not to"
    assert text_of(ask(client)) == "cannot"


def test_a_step_can_depend_on_what_the_request_contains(client: OpenAI, scope: Scope) -> None:
    scope.script("m", {"text": "else", "when_contains": {"What is it": "asked", "Why": "why"}})
    assert text_of(ask(client)) == "asked"
    scope.script("m", {"text": "else", "when_contains": {"Why": "why"}})
    assert text_of(ask(client)) == "else"


# Usage and cost


def test_usage_is_computed_set_or_left_out(client: OpenAI, scope: Scope) -> None:
    scope.script(
        "m",
        "three short words",
        {"usage": {"prompt_tokens": 1000, "completion_tokens": 50}, "cost": 0.0125},
        {"no_usage": True},
    )
    usage = ask(client).usage
    assert usage.prompt_tokens > 10
    assert usage.total_tokens == usage.prompt_tokens + 3
    usage = ask(client).usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (1000, 50, 1050)
    assert usage.cost == 0.0125
    assert ask(client).usage is None


def test_streamed_usage_comes_last_and_only_when_asked_for(client: OpenAI, scope: Scope) -> None:
    scope.script("m", "two words")
    assert all(chunk.usage is None for chunk in ask(client, stream=True))
    *others, last = ask(client, stream=True, stream_options={"include_usage": True})
    assert all(chunk.usage is None for chunk in others)
    assert last.choices == []
    assert last.usage.completion_tokens == 2


def test_a_streamed_cost_comes_unasked(client: OpenAI, scope: Scope) -> None:
    scope.script("m", {"text": "two words", "cost": 0.5})
    assert list(ask(client, stream=True))[-1].usage.cost == 0.5


@pytest.mark.parametrize("stream", [False, True])
def test_the_log_keeps_the_usage_that_went_out(client: OpenAI, scope: Scope, stream: bool) -> None:
    scope.script(
        "m",
        {"text": "two words", "cost": 0.5},
        {"text": "two words", "no_usage": True},
        {"text": "two words", "cost": 0.5, "close_after": 1},
        {"status": 500},
    )
    asked: dict[str, Any] = {"stream_options": {"include_usage": True}} if stream else {}
    for _ in range(4):
        with suppress(openai.OpenAIError):
            list(ask(client, stream=stream, **asked))
    first, *others = scope.calls()
    assert first.usage is not None
    assert first.usage["prompt_tokens"] == len(json.dumps(first.body, separators=(",", ":"))) // 4
    assert (first.usage["completion_tokens"], first.usage["cost"]) == (2, 0.5)
    assert [call.usage for call in others] == [None, None, None]


# Errors


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("status", "error", "message"),
    [
        (401, openai.AuthenticationError, "Incorrect API key"),
        (402, openai.APIStatusError, "Insufficient credits"),
        (429, openai.RateLimitError, "Rate limit"),
        (500, openai.InternalServerError, "The server had an error"),
    ],
)
def test_a_status_comes_as_its_error(
    client: OpenAI,
    scope: Scope,
    status: int,
    error: type[openai.APIStatusError],
    message: str,
    stream: bool,
) -> None:
    scope.script("m", {"status": status, "headers": {"Retry-After": "7"}})
    with pytest.raises(error, match=message) as caught:
        ask(client, stream=stream)
    assert caught.value.status_code == status
    assert caught.value.response.headers["retry-after"] == "7"
    assert [call.status for call in scope.calls()] == [status]


def test_an_error_can_be_worded(client: OpenAI, scope: Scope) -> None:
    scope.script("m", {"status": 400, "error": {"message": "too long", "code": "context_length"}})
    with pytest.raises(openai.BadRequestError, match="too long") as caught:
        ask(client)
    assert caught.value.code == "context_length"


def test_an_error_can_come_in_a_200(client: OpenAI, scope: Scope) -> None:
    scope.script("m", {"error": {"message": "upstream failed", "code": 502}})
    completion = ask(client)
    assert completion.choices is None
    assert completion.error["message"] == "upstream failed"
    with pytest.raises(openai.APIError, match="upstream failed"):
        list(ask(client, stream=True))
    assert [call.status for call in scope.calls()] == [200, 200]


def test_a_refused_parameter_does_not_use_up_the_step(client: OpenAI, scope: Scope) -> None:
    scope.script("m", {"text": "first", "refuse": ["temperature"]}, "second")
    for _ in range(2):
        with pytest.raises(openai.BadRequestError, match="'temperature' is not supported") as seen:
            ask(client, temperature=0)
        assert (seen.value.param, seen.value.code) == ("temperature", "unsupported_parameter")
    assert text_of(ask(client, temperature=None)) == "first"
    assert text_of(ask(client, temperature=0)) == "second"
    assert [call.step for call in scope.calls()] == [0, 0, 0, 1]


def test_an_unknown_model_is_not_found(client: OpenAI, scope: Scope) -> None:
    with pytest.raises(openai.NotFoundError, match="The model `x` does not exist") as caught:
        ask(client, "x")
    assert caught.value.code == "model_not_found"
    assert [(call.status, call.step) for call in scope.calls()] == [(404, None)]


def test_a_malformed_body_is_sent_as_it_is(client: OpenAI, scope: Scope) -> None:
    scope.script("m", {"malformed": '{"choices": [{"mess'})
    raw = client.chat.completions.with_raw_response.create(model="m", messages=ASK)
    assert raw.http_response.text == '{"choices": [{"mess'
    assert raw.headers["content-type"] == "application/json"


def test_a_whole_answer_can_break_off(client: OpenAI, scope: Scope) -> None:
    scope.script("m", {"text": "never seen whole", "close_after": 20})
    with pytest.raises(openai.APIConnectionError):
        ask(client)
    (call,) = scope.calls()
    assert (call.status, call.disconnected) == (200, False)


def test_a_streamed_answer_can_break_off(client: OpenAI, scope: Scope) -> None:
    scope.script("m", {"text": "one two three", "close_after": 2})
    seen = []

    def read() -> None:
        seen.extend(chunk.choices[0].delta.content for chunk in ask(client, stream=True))

    with pytest.raises(openai.APIConnectionError):
        read()
    assert seen == ["one ", "two "]


# Clients that leave


@pytest.mark.parametrize("stream", [False, True])
def test_a_hanging_model_never_answers(client: OpenAI, scope: Scope, stream: bool) -> None:
    scope.script("m", {"hang": True})
    with pytest.raises(openai.APITimeoutError):
        ask(client, stream=stream, timeout=0.2)
    (call,) = scope.calls(ended=1)
    assert call.disconnected
    assert call.status is None


def test_leaving_in_the_middle_of_a_stream_is_logged(client: OpenAI, scope: Scope) -> None:
    scope.script("m", {"text": "one two three", "rate": 0.01})
    with ask(client, stream=True) as stream:
        assert next(iter(stream)).choices[0].delta.content == "one "
        (call,) = scope.calls()
        assert (call.status, call.ended, call.disconnected) == (200, None, False)
    (call,) = scope.calls(ended=1)
    assert call.disconnected


def test_a_cancelled_call_is_logged_and_holds_up_nobody(server: ModelServer, scope: Scope) -> None:
    scope.script("slow", {"hang": True})
    scope.script("quick", "here")

    async def scenario() -> None:
        async with AsyncOpenAI(api_key="k", base_url=scope.base_url, max_retries=0) as client:
            slow = asyncio.create_task(
                client.chat.completions.create(model="slow", messages=ASK), name="slow"
            )
            await asyncio.to_thread(scope.calls, "slow", arrived=1)
            quick = await client.chat.completions.create(model="quick", messages=ASK)
            assert text_of(quick) == "here"
            slow.cancel()
            with pytest.raises(asyncio.CancelledError):
                await slow

    asyncio.run(scenario())
    slow, quick = scope.calls(ended=2)
    assert (slow.model, slow.disconnected) == ("slow", True)
    assert (quick.model, quick.disconnected) == ("quick", False)


@pytest.mark.parametrize("read", [True, False])
def test_a_reply_that_its_client_left_unread_is_logged_so(scope: Scope, read: bool) -> None:
    scope.script("m", "Here.")
    address = urlsplit(scope.base_url)
    body = json.dumps({"model": "m", "messages": ASK})
    head = f"POST {address.path}/chat/completions HTTP/1.1\r\ncontent-length: {len(body)}\r\n\r\n"
    with socket.create_connection((address.hostname, address.port)) as client:
        client.sendall((head + body).encode())
        scope.calls(ended=1)
        client.recv(1 << 20, 0 if read else socket.MSG_PEEK)  # it has come, whole
    (call,) = scope.calls(ended=1)
    assert (call.disconnected, call.unread) == (False, not read)


# Scopes, log and control


def test_the_log_keeps_what_was_sent(client: OpenAI, scope: Scope) -> None:
    scope.script("m", "answer {n}")
    scope.script("other", "answer {n}")
    ask(client, temperature=0.5, extra_headers={"X-Fusion-Depth": "1"})
    ask(client, "other")
    ask(client)
    first, other, last = scope.calls()
    assert [(c.model, c.n) for c in (first, other, last)] == [("m", 1), ("other", 1), ("m", 2)]
    assert first.body == {"model": "m", "messages": ASK, "temperature": 0.5}
    assert first.headers["authorization"] == "Bearer key-of-the-test"
    assert first.headers["x-fusion-depth"] == "1"
    assert (first.stream, first.status, first.disconnected) == (False, 200, False)
    assert first.ended is not None
    assert first.started <= first.ended <= other.started <= last.started
    assert scope.calls("m") == [first, last]


def test_scopes_do_not_see_each_other(server: ModelServer, shared_client: OpenAI) -> None:
    here, there = server.scope(), server.scope("there / with spaces")
    here.script("m", "here")
    there.script("m", "there")
    at_here, at_there = (shared_client.with_options(base_url=s.base_url) for s in (here, there))
    assert text_of(ask(at_here)) == "here"
    assert text_of(ask(at_there)) == "there"
    here.clear()
    assert here.calls() == []
    with pytest.raises(openai.NotFoundError):
        ask(at_here)
    assert len(there.calls()) == 1


def test_the_scripted_models_are_listed(client: OpenAI, scope: Scope) -> None:
    scope.script("a/b", "x")
    scope.script("c", "x")
    assert [model.id for model in client.models.list()] == ["a/b", "c"]


def test_an_instant_scope_needs_no_script(server: ModelServer, shared_client: OpenAI) -> None:
    scope = server.scope("instant-test")
    client = shared_client.with_options(base_url=scope.base_url)
    scope.script("judge", "scripted")
    whole = text_of(ask(client, "any"))
    assert whole
    assert "".join(d.content or "" for d in deltas(ask(client, "any", stream=True))) == whole
    assert text_of(ask(client, "judge")) == "scripted"
    assert len(scope.calls()) == 3


@pytest.mark.parametrize("path", ["/api/tags", "/", "/s/v1/embeddings"])
def test_an_unknown_path_is_not_found_in_openais_shape(server: ModelServer, path: str) -> None:
    with pytest.raises(HTTPError) as caught:
        build_opener(ProxyHandler({})).open(server.url + path)
    with caught.value as reply:
        assert reply.code == 404
        assert json.load(reply)["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "step",
    [{"txt": "typo"}, 5, {"when_no_tools": {"txt": ""}}, {"tool_calls": [{}]}, {"rate": 0}],
)
def test_a_step_that_makes_no_sense_is_refused_at_once(scope: Scope, step: Any) -> None:
    with pytest.raises(ValueError, match="Not a script"):
        scope.script("m", step)


def test_a_script_needs_a_step(scope: Scope) -> None:
    with pytest.raises(ValueError, match="needs a step"):
        scope.script("m")


# Load


@pytest.mark.slow
def test_two_hundred_calls_at_once_each_get_their_own_answer(scope: Scope) -> None:
    scope.script("m", {"text": "for {marker}", "delay": 0.05})

    async def one(client: AsyncOpenAI, number: int) -> str:
        messages: list[Any] = [{"role": "user", "content": f"MARK-{number}"}]
        if number % 2:
            return text_of(await client.chat.completions.create(model="m", messages=messages))
        stream = await client.chat.completions.create(model="m", messages=messages, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    async def all_at_once() -> list[str]:
        async with AsyncOpenAI(api_key="k", base_url=scope.base_url, max_retries=0) as client:
            return await asyncio.gather(*(one(client, number) for number in range(200)))

    assert asyncio.run(all_at_once()) == [f"for MARK-{number}" for number in range(200)]
    calls = scope.calls()
    assert sorted(call.n for call in calls) == list(range(1, 201))
    assert not any(call.disconnected for call in calls)


def test_a_body_of_twenty_megabytes_is_read(client: OpenAI, scope: Scope) -> None:
    scope.script("m", "read {marker}")
    messages: list[Any] = [{"role": "user", "content": "x" * 20_000_000 + " MARK-end"}]
    completion = client.chat.completions.create(model="m", messages=messages)
    assert text_of(completion) == "read MARK-end"
    assert completion.usage is not None
    assert completion.usage.prompt_tokens > 5_000_000


def exchange(server: ModelServer, data: bytes, replies_end: Callable[[bytes], bool]) -> bytes:
    """Sends bytes on one connection and reads until the reply is complete."""
    received = b""
    port = int(server.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=300) as connection:
        connection.sendall(data)
        while not replies_end(received) and (part := connection.recv(65536)):
            received += part
    return received


def test_requests_on_one_connection_are_answered_in_order(
    server: ModelServer, scope: Scope
) -> None:
    scope.script("m", {"text": "reply {n}.", "delay": 0.01}, "reply {n}.")
    body = json.dumps({"model": "m", "messages": []}).encode()
    path = scope.base_url.removeprefix(server.url) + "/chat/completions"
    request = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    received = exchange(server, (request + body) * 3, lambda seen: b"reply 3." in seen)
    assert re.findall(rb"reply \d", received) == [b"reply 1", b"reply 2", b"reply 3"]
    assert received.count(b"HTTP/1.1 200 OK") == 3


def test_what_is_not_http_is_refused(server: ModelServer) -> None:
    assert exchange(server, b"hello\r\n\r\n", lambda _: False).startswith(b"HTTP/1.1 400 ")


# The process


def test_closing_the_server_ends_its_process() -> None:
    with start_server() as server:
        assert server.process.poll() is None
    assert server.process.returncode == 0
    server.close()


def test_a_terminated_server_ends() -> None:
    with start_server() as server:
        server.process.terminate()
        assert server.process.wait(timeout=300) == -signal.SIGTERM


def test_a_server_that_cannot_start_says_so(
    server: ModelServer, capfd: pytest.CaptureFixture[str]
) -> None:
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(RuntimeError, match="did not start"):
        start_server(port)
    assert "address already in use" in capfd.readouterr().err


def test_the_server_does_not_outlive_a_killed_parent() -> None:
    code = (
        "from tests.scripted_models import start_server; s = start_server()\n"
        "s.scope('s').script('m', {'hang': True}); print('up', flush=True); input()"
    )
    with Child(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"up\n"
        parent.kill()
        # The server inherited stderr: its end of file comes when the server, too, is gone.
        parent.communicate(timeout=300)
    assert parent.returncode == -signal.SIGKILL
