"""An answer as Anthropic's Messages: in one piece, or as a stream of blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fusion_graph.errors import ApiError
from fusion_graph.faces.server.protocols._asked import Asked
from fusion_graph.faces.server.protocols._continuing import SHOWN
from fusion_graph.faces.server.protocols._protocol import Frame
from fusion_graph.faces.server.protocols._reply import Call, Reply
from fusion_graph.faces.server.protocols._told import (
    Failed,
    Finished,
    Progress,
    Silence,
    Text,
    Told,
)
from fusion_graph.faces.server.run import Run

STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "content_filter": "refusal",
    "tool_calls": "tool_use",
}

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""Anthropic's kinds of error by HTTP status; `invalid_request_error` for other 4xx, `api_error` for
other 5xx."""

PING = Frame({"type": "ping"}, "ping")


def message(reply: Reply, _asked: Asked) -> dict[str, Any]:
    """The whole `message`, with the run's report under `fusion`."""
    content: list[dict[str, Any]] = []
    if reply.thoughts:
        content.append({"type": "thinking", "thinking": reply.thoughts, "signature": SHOWN})
    if reply.text or not reply.calls:
        content.append({"type": "text", "text": reply.text, "citations": None})
    if reply.carried is not None:
        content.append(_sealed(reply.carried))
    content += [_tool_use(call, call.args) for call in reply.calls]
    told = _envelope(reply.run_id, reply.model, content, _usage(reply.usage.read, reply))
    return {**told, **_ending(reply), "fusion": reply.report}


class MessagesStream:
    """A stream of Anthropic's events, from `message_start` to `message_stop`.

    What the panel does comes as one block of thoughts before the answer. A run that fails ends
    with an `error` event.

    Args:
        run: The run.
        asked: What was asked.
    """

    def __init__(self, run: Run, asked: Asked) -> None:
        self._run, self._asked = run, asked
        self._read = asked.tokens()
        self._index = -1
        self._open: str | None = None

    def begin(self) -> Iterator[Frame]:
        """The beginning of the message."""
        usage = _usage(self._read, None)
        envelope = _envelope(self._run.id, self._run.model, [], usage)
        yield _frame("message_start", message=envelope)

    def take(self, told: Told) -> Iterator[Frame]:
        """The events that tell the next thing."""
        match told:
            case Text(text):
                yield from self._in("text")
                yield self._delta({"type": "text_delta", "text": text})
            case Progress(_, words) | Silence(words):
                # After the answer has begun thoughts would stand in the middle of it.
                if words and self._asked.progress and self._open != "text":
                    yield from self._in("thinking")
                    yield self._delta({"type": "thinking_delta", "thinking": words})
            case Finished(reply):
                yield from self._end(reply)
            case Failed(error):
                yield Frame(error_body(error), "error")

    def _end(self, reply: Reply) -> Iterator[Frame]:
        if self._index < 0 and not reply.calls:
            yield from self._in("text")  # an answer has a block, if an empty one
        yield from self._close()
        if reply.carried is not None:
            yield from self._block(_sealed(reply.carried))
        for call in reply.calls:
            delta = {"type": "input_json_delta", "partial_json": call.arguments or "{}"}
            yield from self._block(_tool_use(call, {}), delta)
        usage = _usage(self._read, reply)
        yield _frame("message_delta", delta=_ending(reply), usage=usage, fusion=reply.report)
        yield _frame("message_stop")

    def _in(self, kind: str) -> Iterator[Frame]:
        """Go on in a block of a kind, or begin one."""
        if self._open == kind:
            return
        yield from self._close()
        empty: dict[str, Any] = {"type": "text", "text": "", "citations": None}
        if kind == "thinking":
            empty = {"type": "thinking", "thinking": "", "signature": ""}
        self._index, self._open = self._index + 1, kind
        yield _frame("content_block_start", index=self._index, content_block=empty)

    def _block(
        self, block: Mapping[str, Any], delta: Mapping[str, Any] | None = None
    ) -> Iterator[Frame]:
        """A block that comes at once."""
        self._index += 1
        yield _frame("content_block_start", index=self._index, content_block=block)
        if delta is not None:
            yield self._delta(delta)
        yield _frame("content_block_stop", index=self._index)

    def _close(self) -> Iterator[Frame]:
        if self._open == "thinking":  # clients send no thought back that has no signature
            yield self._delta({"type": "signature_delta", "signature": SHOWN})
        if self._open is not None:
            yield _frame("content_block_stop", index=self._index)
        self._open = None

    def _delta(self, delta: Mapping[str, Any]) -> Frame:
        return _frame("content_block_delta", index=self._index, delta=delta)


def error_body(error: ApiError) -> dict[str, Any]:
    """An error in Anthropic's shape; the code and the field stand beside its type."""
    otherwise = "api_error" if error.status >= 500 else "invalid_request_error"
    kind = ERROR_TYPES.get(error.status, otherwise)
    told = {"type": kind, "message": error.message, "code": error.code, "param": error.param}
    report = {"fusion": error.report} if error.report else {}
    return {"type": "error", "error": told, "request_id": None, **report}


def _frame(type: str, **data: Any) -> Frame:
    return Frame({"type": type, **data}, type)


def _envelope(
    run_id: str, model: str, content: list[dict[str, Any]], usage: dict[str, Any]
) -> dict[str, Any]:
    return {
        "id": f"msg_{run_id}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }


def _ending(reply: Reply) -> dict[str, Any]:
    reason = STOP_REASONS[reply.finish]
    if reply.stopped_by is not None and not reply.calls:
        reason = "stop_sequence"
    return {"stop_reason": reason, "stop_sequence": reply.stopped_by}


def _usage(read: int, reply: Reply | None) -> dict[str, Any]:
    usage = {
        "input_tokens": read,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": 1 if reply is None else reply.usage.written,
    }
    if reply is not None and reply.usage.cost is not None:
        return {**usage, "cost": reply.usage.cost}
    return usage


def _tool_use(call: Call, args: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "tool_use", "id": call.id, "name": call.tool.name, "input": args}


def _sealed(carried: str) -> dict[str, Any]:
    return {"type": "redacted_thinking", "data": carried}
