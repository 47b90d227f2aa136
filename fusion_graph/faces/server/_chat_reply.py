"""A run as chat completions: in one piece, or as a stream of chunks."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

from langchain_core.messages import AIMessage

from fusion_graph.errors import ApiError
from fusion_graph.faces.server._chat_request import ChatRequest
from fusion_graph.faces.server._conversion import PendingCalls
from fusion_graph.faces.server.runs import Run

BEGINS_AGAIN = "\n\n---\n\n*The answer above broke off and does not count. It begins again:*\n\n"
"""Put between a draft that broke off and the next: what a client has been sent stays sent."""

UNTOLD = frozenset({"answer.delta", "panel.delta", "fusion.result"})
"""Events that are no progress to tell here: the answer has its own place, and the panelists' texts
come whole with `panel.completed`."""

FINISHES = frozenset({"stop", "length", "content_filter"})
"""Reasons to finish that OpenAI's clients know, besides `tool_calls`."""


class Reply:
    """What a finished run says, in OpenAI's terms.

    Args:
        run: The run.
        request: What was asked.
        pending: Where the answer's tool calls are handed out.

    Raises:
        ApiError: The run failed.
    """

    def __init__(self, run: Run, request: ChatRequest, pending: PendingCalls) -> None:
        if run.failure is not None:
            raise run.failure
        assert run.message is not None
        assert run.report is not None
        self._run = run
        self.report = run.report
        self.text = run.message.text
        self.tool_calls = _calls(run.message, request, pending, run.report)
        finish = str(run.message.response_metadata.get("finish_reason"))
        self.finish_reason = finish if finish in FINISHES else "stop"
        if self.tool_calls:
            self.finish_reason = "tool_calls"

    @property
    def usage(self) -> dict[str, Any]:
        """Tokens of the whole run, all models together, and its cost in US dollars if known."""
        total = self.report["usage"]["total"]
        read, written = total["input_tokens"], total["output_tokens"]
        usage = {
            "prompt_tokens": read,
            "completion_tokens": written,
            "total_tokens": read + written,
        }
        return usage if total["cost_usd"] is None else {**usage, "cost": total["cost_usd"]}

    def completion(self) -> dict[str, Any]:
        """The `chat.completion`, with the run's report under `fusion`."""
        message: dict[str, Any] = {
            "role": "assistant",
            "content": self.text or None,
            "refusal": None,
        }
        if self.tool_calls:
            message["tool_calls"] = self.tool_calls
        choice = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": self.finish_reason,
        }
        envelope = _envelope(self._run, "chat.completion")
        return {**envelope, "choices": [choice], "usage": self.usage, "fusion": self.report}


def _calls(
    message: AIMessage, request: ChatRequest, pending: PendingCalls, report: dict[str, Any]
) -> list[dict[str, Any]]:
    made = [
        (call["id"], call["name"], json.dumps(call["args"], ensure_ascii=False))
        for call in message.tool_calls
    ]
    # Arguments that are no JSON are the caller's to judge, as with OpenAI.
    made += [
        (call["id"], call["name"] or "", call["args"] or "") for call in message.invalid_tool_calls
    ]
    if request.body.parallel_tool_calls is False:
        made = made[:1]
    ids = pending.hand_out([id or "" for id, _, _ in made], report) if made else []
    return [
        {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
        for id, (_, name, arguments) in zip(ids, made, strict=True)
    ]


async def chunks(
    run: Run, request: ChatRequest, pending: PendingCalls
) -> AsyncIterator[dict[str, Any]]:
    """A run as `chat.completion.chunk` objects, told as it happens.

    Progress comes as chunks whose delta is empty, with the event under `fusion`. A run that fails
    ends with an error object.

    Args:
        run: The run.
        request: What was asked.
        pending: Where the answer's tool calls are handed out.
    """
    envelope = _envelope(run, "chat.completion.chunk")
    if request.wants_usage:
        envelope["usage"] = None
    draft = _Draft(held="response_format" in request.beside)

    def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {**envelope, "choices": [choice], **more}

    yield chunk({"role": "assistant", "content": ""})
    async with aclosing(run.follow()) as events:  # type: ignore[type-var]
        async for _, event in events:
            if event["type"] == "answer.delta":
                for piece in draft.take(event["message_id"], event["text"]):
                    yield chunk({"content": piece})
            elif event["type"] not in UNTOLD:
                yield chunk({}, fusion=event)
    try:
        reply = Reply(run, request, pending)
    except ApiError as error:
        yield error.body()
        return
    if rest := draft.rest(reply.text):
        yield chunk({"content": rest})
    if reply.tool_calls:
        indexed = [{"index": index, **call} for index, call in enumerate(reply.tool_calls)]
        yield chunk({"tool_calls": indexed})
    result = {"type": "fusion.result", "content": reply.text, "report": reply.report}
    yield chunk({}, reply.finish_reason, fusion=result)
    if request.wants_usage:
        yield {**envelope, "choices": [], "usage": reply.usage}


class _Draft:
    """The answer as far as a client has been sent it.

    Args:
        held: Whether nothing is sent before the answer is whole: one in a format could not be
            read with a broken draft in front of it.
    """

    def __init__(self, *, held: bool) -> None:
        self._held = held
        self._id: str | None = None
        self._sent = ""

    def take(self, message_id: str, text: str) -> Sequence[str]:
        """The next piece of a message: what of it to send."""
        if self._held:
            return ()
        again = self._sent != "" and message_id != self._id
        if message_id != self._id:
            self._id, self._sent = message_id, ""
        self._sent += text
        return (BEGINS_AGAIN, text) if again else (text,)

    def rest(self, content: str) -> str:
        """What of the finished text is still to be sent; of one that was corrected, nothing."""
        return content.removeprefix(self._sent) if content.startswith(self._sent) else ""


def _envelope(run: Run, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{run.id}",
        "object": kind,
        "created": int(run.started),
        "model": run.model,
    }
