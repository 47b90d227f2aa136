"""A run's events as one chat message: whole, or in the pieces of a stream."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk

from fusion_graph.faces.follow import Event
from fusion_graph.nodes.tool_results import REPORT_KEY

MODEL_PREFIX = "fusion/"
"""A preset's name as a model's: `fusion/budget`."""

BROKEN_OFF = "\n\n[The writer broke off. All of the above is void; the answer begins again.]\n\n"
"""Said in a stream between an answer that broke off and the next one: what streamed cannot be
taken back."""


def whole_message(result: Event, stop: Sequence[str]) -> AIMessage:
    """The message of a finished run.

    Args:
        result: The `fusion.result` event.
        stop: Texts before the first of which the answer ends.
    """
    message: AIMessage = result["message"]
    return AIMessage(
        message.text[: _end_of(message.text, stop)],
        id=message.id,
        tool_calls=message.tool_calls,
        invalid_tool_calls=message.invalid_tool_calls,
        usage_metadata=message.usage_metadata,
        response_metadata=_metadata(message, result["report"]),
    )


class Pieces:
    """Turns events into message chunks that add up to the answer.

    Args:
        stop: Texts before the first of which the answer ends.
        at_once: Say nothing before the answer is finished: half a JSON document that turns out
            void cannot be taken back.
    """

    def __init__(self, stop: Sequence[str], at_once: bool) -> None:
        self._stop = [text for text in stop if text]
        self._longest = max(map(len, self._stop), default=1)
        self._at_once = at_once
        self._id: str | None = None
        self._draft: str | None = None
        self._held = ""
        self._stopped = False
        self._said = False

    def take(self, event: Event) -> Iterator[AIMessageChunk]:
        """Take the next event; gives what is to be passed on, if anything."""
        if event["type"] == "answer.delta" and not self._at_once:
            yield from self._begin(event["message_id"])
            yield from self._say(event["text"])
        elif event["type"] == "fusion.result":
            message: AIMessage = event["message"]
            untold = message.text if message.id != self._draft else ""
            yield from self._begin(str(message.id))
            yield from self._say(untold, last=True)
            yield _last_chunk(event, self._id)

    def _begin(self, message_id: str) -> Iterator[AIMessageChunk]:
        if message_id == self._draft:
            return
        # All pieces have one id, or they would not add up to one message.
        self._id = self._id or message_id
        self._draft, self._held, self._stopped = message_id, "", False
        if self._said:
            yield AIMessageChunk(content=BROKEN_OFF, id=self._id)

    def _say(self, text: str, last: bool = False) -> Iterator[AIMessageChunk]:
        """Pass on what cannot be the beginning of a stop text."""
        if self._stopped:
            return
        self._held += text
        end = _end_of(self._held, self._stop)
        self._stopped = end < len(self._held)
        sure = end if last or self._stopped else max(0, end - self._longest + 1)
        if sure:
            self._said = True
            yield AIMessageChunk(content=self._held[:sure], id=self._id)
        self._held = self._held[sure:]


def _last_chunk(result: Event, id: str | None) -> AIMessageChunk:
    message: AIMessage = result["message"]
    calls = [(call, json.dumps(call["args"])) for call in message.tool_calls]
    # As a JSON text, or what adds chunks up would mend broken arguments and make a call of them.
    calls += [(call, json.dumps(call["args"])) for call in message.invalid_tool_calls]  # type: ignore[misc]
    return AIMessageChunk(
        content="",
        id=id,
        tool_call_chunks=[
            tool_call_chunk(name=call["name"], args=args, id=call["id"], index=index)
            for index, (call, args) in enumerate(calls)
        ],
        usage_metadata=message.usage_metadata,
        response_metadata=_metadata(message, result["report"]),
        chunk_position="last",
    )


def _metadata(message: AIMessage, report: Mapping[str, Any]) -> dict[str, Any]:
    # Totals of a run stand beside this name, so it must not be the writer's.
    name = f"{MODEL_PREFIX}{report['preset']}" if report["preset"] else MODEL_PREFIX.rstrip("/")
    return {**message.response_metadata, "model_name": name, REPORT_KEY: report}


def _end_of(text: str, stop: Sequence[str]) -> int:
    """Where the first stop text begins, or the text's length."""
    return min((at for mark in stop if mark and (at := text.find(mark)) >= 0), default=len(text))
