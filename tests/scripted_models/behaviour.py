"""What a scripted model does with a call: a step and a request in, an HTTP reply out."""

import math
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import count
from typing import Any, Self

from .protocol import Reply, chunked, head, to_json

_ids = count(1)
_MARKER = re.compile(rb"MARK-[A-Za-z0-9]+")
_WORD = re.compile(r"\S+\s*|\s+")
_ARGUMENT_DELTAS = 4
"""Streamed arguments come in this many pieces: enough that a client must join them."""

_ERRORS = {
    401: ("Incorrect API key provided.", "invalid_request_error", "invalid_api_key"),
    402: ("Insufficient credits", "insufficient_credits", 402),
    403: ("You are not allowed to use this model.", "invalid_request_error", None),
    429: ("Rate limit reached for requests", "requests", "rate_limit_exceeded"),
    500: ("The server had an error while processing your request.", "server_error", None),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One scripted turn of a model.

    text: the answer, with {model}, {n} (number of the call) and {marker} (first MARK-… of the
        request) filled in.
    tool_calls: objects with name, args (an object, or a string sent verbatim), optionally id.
    reasoning: sent as the `reasoning` of the message or its deltas.
    finish_reason: instead of "stop" or "tool_calls".
    usage: keys that replace the computed ones (tokens).
    cost: US dollars, sent as usage.cost.
    no_usage: leave the usage out.
    served: the model that the reply names, instead of the one that was asked.
    provider: who is said to have run it, as OpenRouter says it.
    status: HTTP status; any but 200 is an error.
    error: the error, or a whole body that holds an "error"; with status 200 it comes in a 200.
    headers: extra response headers.
    refuse: request parameters answered with 400; the step is not used up.
    when_tool_choice_none, when_no_tools, when_contains: steps played instead; the first that
        applies, in this order. when_contains maps a needle in the raw body to a step.
    at_once, when_busy: with more calls than so many of the scope under way, the step played
        instead; this one is not used up.
    delay: seconds before the first byte.
    clock: the same on the scope's own clock, which stands still but for `Scope.set_clock`.
    hang: never answer.
    ttft, rate: seconds to the first token, then words per second.
    close_after: break off after so many chunks (streamed) or bytes of the body (not streamed).
    chunks: "word", or the number of characters in a streamed delta.
    malformed: the whole body, verbatim.
    searches: calls of the provider's own search: objects with query and sources (addresses), or
        with url for a page that was opened. Chat completions only count them, as OpenRouter does.
    annotations: url_citation annotations of the text: objects with url, title, optionally content;
        at is the part of the text that it is for (chat: none, as where OpenRouter searches).
    refusal: the Responses API's own part of a message that says no.
    served: the model that the reply names instead of the one asked (Responses API).
    tools_need_responses: chat completions refuse tools, unless reasoning_effort is "none", and
        point to the Responses API; the step is not used up.
    """

    text: str = ""
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    reasoning: str = ""
    finish_reason: str | None = None
    usage: dict[str, Any] = field(default_factory=dict)
    cost: float | None = None
    no_usage: bool = False
    served: str | None = None
    provider: str | None = None
    status: int = 200
    error: object = None
    headers: dict[str, str] = field(default_factory=dict)
    refuse: list[str] = field(default_factory=list)
    when_tool_choice_none: "Step | None" = None
    when_no_tools: "Step | None" = None
    when_contains: "dict[str, Step]" = field(default_factory=dict)
    at_once: float = math.inf
    when_busy: "Step | None" = None
    delay: float = 0.0
    clock: float = 0.0
    hang: bool = False
    ttft: float = 0.0
    rate: float = math.inf
    close_after: int | None = None
    chunks: str | int = "word"
    malformed: str | None = None
    searches: list[dict[str, Any]] = field(default_factory=list)
    annotations: list[dict[str, Any]] = field(default_factory=list)
    refusal: str = ""
    served: str | None = None
    tools_need_responses: bool = False

    @classmethod
    def parse(cls, value: object) -> Self:
        """Reads a step from JSON; a string is short for its text.

        Raises ValueError or TypeError for anything else, so that a typo fails where it was made.
        """
        if isinstance(value, str):
            return cls(text=value)
        if not isinstance(value, dict):
            raise TypeError(f"a step is an object or a string, not {value!r}")
        fields = dict(value)
        for name in {"when_tool_choice_none", "when_no_tools", "when_busy"} & fields.keys():
            fields[name] = cls.parse(fields[name])
        if "when_contains" in fields:
            pairs = fields["when_contains"].items()
            fields["when_contains"] = {needle: cls.parse(step) for needle, step in pairs}
        for call in fields.get("tool_calls", ()):
            if "name" not in call:
                raise ValueError(f"a tool call needs a name: {call!r}")
        if unknown := fields.keys() - cls.__dataclass_fields__.keys():
            raise ValueError(f"a step has no {', '.join(sorted(unknown))}")
        step = cls(**fields)
        if step.rate <= 0 or (step.chunks != "word" and int(step.chunks) < 1):
            raise ValueError("rate and chunks must be above 0")
        return step


@dataclass(frozen=True, slots=True)
class Chat:
    """One request for a reply; n is its number among the calls to this model.

    api: "chat" (completions) or "responses".
    """

    model: str
    n: int
    body: dict[str, Any]
    raw: bytes
    api: str = "chat"

    @property
    def stream(self) -> bool:
        """Whether the client asked for a stream."""
        return bool(self.body.get("stream"))


def choose(step: Step, chat: Chat) -> tuple[Step, str | None]:
    """Follows the conditions of a step.

    Returns the step to play, and the request parameter it refuses, if any.
    """
    for name in step.refuse:
        if chat.body.get(name) is not None:
            return step, name
    if step.when_tool_choice_none and chat.body.get("tool_choice") == "none":
        return choose(step.when_tool_choice_none, chat)
    if step.when_no_tools and not chat.body.get("tools"):
        return choose(step.when_no_tools, chat)
    for needle, nested in step.when_contains.items():
        if needle.encode() in chat.raw:
            return choose(nested, chat)
    return step, None


def perform(step: Step, chat: Chat) -> Reply:
    """Plays a step."""
    if step.hang:
        return Reply(step.status, [(math.inf, b"")])
    if step.malformed is not None:
        return _whole(step, step.malformed, step.delay)
    if step.status != HTTPStatus.OK or step.error is not None:
        error = _error_body(step)
        if step.status == HTTPStatus.OK and chat.stream:
            return _streamed(step, [(step.delay, to_json(error))])
        return _whole(step, to_json(error), step.delay)

    text = filled_text(step, chat)
    speaking = len(text.split()) + len(step.reasoning.split()) if step.rate < math.inf else 0
    first = step.delay + step.ttft
    last = first + speaking / step.rate
    if not chat.stream:
        completion = _completion(step, chat, text)
        reply = _whole(step, to_json(completion), last)
        reply.usage = None if reply.close else completion.get("usage")
        return reply
    deltas, closing = _chunks(step, chat, text)
    pause = (last - first) / len(deltas)
    events = [(first + index * pause, to_json(chunk)) for index, chunk in enumerate(deltas)]
    reply = _streamed(step, [*events, *((last, to_json(chunk)) for chunk in closing)])
    reply.usage = None if reply.close else closing[-1].get("usage")
    return reply


def filled_text(step: Step, chat: Chat) -> str:
    """The text of a step for a request."""
    text = step.text
    if "{" in text:
        text = text.replace("{model}", chat.model).replace("{n}", str(chat.n))
        if "{marker}" in text:
            marker = _MARKER.search(chat.raw)
            text = text.replace("{marker}", marker[0].decode() if marker else "")
    return text


def _whole(step: Step, text: str, due: float) -> Reply:
    body = text.encode()
    data = head(step.status, {"content-length": str(len(body))} | own_headers(step))
    return Reply(
        step.status, [(due, data + body[: step.close_after])], close=step.close_after is not None
    )


def _streamed(step: Step, events: list[tuple[float, str]]) -> Reply:
    fields = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
    times = [due for due, _ in events]
    parts = chunked(f"data: {event}\n\n".encode() for _, event in events)
    writes = [(step.delay, head(step.status, fields | own_headers(step)))]
    writes += list(zip(times, parts, strict=True))[: step.close_after]
    if step.close_after is None:
        writes.append((times[-1], b"".join(chunked([b"data: [DONE]\n\n", b""]))))
    return Reply(step.status, writes, close=step.close_after is not None)


def own_headers(step: Step) -> dict[str, str]:
    """The headers that a step asks for."""
    return {name.lower(): value for name, value in step.headers.items()}


def _error_body(step: Step) -> object:
    if isinstance(step.error, dict) and "error" in step.error:
        return step.error
    if step.error is not None:
        return {"error": step.error}
    default = (f"Scripted error {step.status}", "invalid_request_error", None)
    message, kind, code = _ERRORS.get(step.status, _ERRORS[500] if step.status > 500 else default)
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _completion(step: Step, chat: Chat, text: str) -> dict[str, Any]:
    calls = _tool_calls(step)
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if calls and not text else text,
        "refusal": None,
    }
    if step.reasoning:
        message["reasoning"] = step.reasoning
    if calls:
        message["tool_calls"] = calls
    if step.annotations:
        message["annotations"] = [_cited(one, text) for one in step.annotations]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(step)}
    completion = _envelope(step, chat, "chat.completion") | {"choices": [choice]}
    if not step.no_usage:
        completion["usage"] = _usage(step, chat, text)
    return completion


def _chunks(step: Step, chat: Chat, text: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The chunks that carry deltas, and the closing ones (finish reason, usage)."""
    envelope = _envelope(step, chat, "chat.completion.chunk")
    asked = bool((chat.body.get("stream_options") or {}).get("include_usage"))
    if asked:
        envelope["usage"] = None

    def chunk(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return envelope | {"choices": [choice]}

    first, *others = _deltas(step, text)
    closing = [chunk({}, _finish(step))]
    if not step.no_usage and (asked or step.cost is not None):
        closing.append(envelope | {"choices": [], "usage": _usage(step, chat, text)})
    return [chunk({"role": "assistant"} | first), *map(chunk, others)], closing


def _deltas(step: Step, text: str) -> Iterator[dict[str, Any]]:
    for one in step.annotations:  # OpenRouter's come before the text, one a chunk
        yield {"content": "", "annotations": [_cited(one, text)]}
    for piece in chunk_text(step.reasoning, step.chunks):
        yield {"reasoning": piece}
    calls = _tool_calls(step)
    for piece in chunk_text(text, step.chunks) or ([] if calls or step.reasoning else [""]):
        yield {"content": piece}
    for index, call in enumerate(calls):
        arguments = call["function"]["arguments"]
        opening = call | {"function": call["function"] | {"arguments": ""}}
        yield {"tool_calls": [{"index": index} | opening]}
        for piece in chunk_text(arguments, max(1, math.ceil(len(arguments) / _ARGUMENT_DELTAS))):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def place(annotation: dict[str, Any], text: str) -> dict[str, Any]:
    """An annotation's fields, with where its place is in a text; 0 to 0 where it has none."""
    fields = {k: v for k, v in annotation.items() if k != "at"}
    at = annotation.get("at")
    start = text.index(at) if at else 0
    return fields | {"start_index": start, "end_index": start + len(at or "")}


def _cited(annotation: dict[str, Any], text: str) -> dict[str, Any]:
    return {"type": "url_citation", "url_citation": place(annotation, text)}


def chunk_text(text: str, chunks: str | int) -> list[str]:
    """A text in the pieces that a stream sends."""
    if chunks == "word":
        return _WORD.findall(text)
    size = int(chunks)
    return [text[start : start + size] for start in range(0, len(text), size)]


def _tool_calls(step: Step) -> list[dict[str, Any]]:
    calls = []
    for call in step.tool_calls:
        args = call.get("args", {})
        arguments = args if isinstance(args, str) else to_json(args)
        function = {"name": call["name"], "arguments": arguments}
        identity = call.get("id") or f"call_{next(_ids)}"
        calls.append({"id": identity, "type": "function", "function": function})
    return calls


def _finish(step: Step) -> str:
    return step.finish_reason or ("tool_calls" if step.tool_calls else "stop")


def _envelope(step: Step, chat: Chat, kind: str) -> dict[str, Any]:
    named = {} if step.provider is None else {"provider": step.provider}
    return named | {
        "id": f"chatcmpl-{next(_ids)}",
        "object": kind,
        "created": int(time.time()),
        "model": chat.model if step.served is None else step.served,
        "system_fingerprint": "fp_scripted",
    }


def _usage(step: Step, chat: Chat, text: str) -> dict[str, Any]:
    computed = {"prompt_tokens": len(chat.raw) // 4, "completion_tokens": len(text.split())}
    usage = computed | step.usage
    if "total_tokens" not in usage:
        usage["total_tokens"] = usage["prompt_tokens"] + usage["completion_tokens"]
    if step.cost is not None:
        usage["cost"] = step.cost
    if step.searches:
        usage["server_tool_use_details"] = {"web_search_requests": len(step.searches)}
    return usage
