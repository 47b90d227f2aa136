"""A request's messages as LangChain's, and the reports that a client's tool results go on from."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from fusion_graph.faces.server._chat_request import Message, Part, ToolCall
from fusion_graph.nodes.tool_results import REPORT_KEY

KEEP_CHARACTERS = 64_000_000
"""Reports waiting for tool results are forgotten, the oldest first, past so much JSON."""


class PendingCalls:
    """Tool calls that clients were handed, and the report of the run that made each.

    A client gets an id that nobody can guess, in place of the model's: some models number their
    calls, so that one client's `call_0` would be another's.
    """

    def __init__(self) -> None:
        self._reports: OrderedDict[str, str] = OrderedDict()
        self._calls: dict[str, tuple[str, str]] = {}
        self._ids: dict[str, list[str]] = {}
        self._characters = 0

    def hand_out(self, calls: Sequence[str], report: Mapping[str, Any]) -> list[str]:
        """New ids for the calls of one answer.

        Args:
            calls: The model's own ids; an empty one where it gave none.
            report: The run's report.
        """
        run, text = uuid4().hex, json.dumps(report)
        self._reports[run] = text
        self._characters += len(text)
        self._ids[run] = [f"call_{uuid4().hex}" for _ in calls]
        for new, own in zip(self._ids[run], calls, strict=True):
            self._calls[new] = (run, own or new)
        while self._characters > KEEP_CHARACTERS and len(self._reports) > 1:
            self._drop_oldest()
        return self._ids[run]

    def original(self, id: str) -> str:
        """The model's own id of a call, or the id itself if it is not known."""
        return self._calls.get(id, ("", id))[1]

    def report(self, ids: Sequence[str]) -> dict[str, Any] | None:
        """The report that one of these calls goes on from, if it is remembered."""
        run = next((self._calls[id][0] for id in ids if id in self._calls), None)
        text = self._reports.get(run) if run is not None else None
        if text is None:
            return None
        report: dict[str, Any] = json.loads(text)
        return report

    def _drop_oldest(self) -> None:
        run, text = self._reports.popitem(last=False)
        self._characters -= len(text)
        for id in self._ids.pop(run):
            del self._calls[id]


def conversation(messages: Sequence[Message], pending: PendingCalls) -> list[AnyMessage]:
    """A request's messages as LangChain's.

    Args:
        messages: The request's, checked.
        pending: The tool calls that were handed out.
    """
    return [_message(message, pending) for message in messages]


def _message(message: Message, pending: PendingCalls) -> AnyMessage:
    match message.role:
        case "system" | "developer":
            return SystemMessage(_text(message.content))
        case "user":
            return HumanMessage(_content(message.content), name=message.name)
        case "tool":
            id = pending.original(message.tool_call_id or "")
            return ToolMessage(_text(message.content), tool_call_id=id)
        case "assistant":
            return _answer(message, pending)


def _answer(message: Message, pending: PendingCalls) -> AIMessage:
    called = message.tool_calls or []
    report = pending.report([call.id for call in called])
    read = [(call, _arguments(call)) for call in called]
    return AIMessage(
        _text(message.content),
        tool_calls=[
            {"name": call.function.name, "args": args, "id": pending.original(call.id)}
            for call, args in read
            if args is not None
        ],
        invalid_tool_calls=[
            {
                "name": call.function.name,
                "args": call.function.arguments,
                "id": pending.original(call.id),
                "error": "not a JSON object",
            }
            for call, args in read
            if args is None
        ],
        response_metadata={REPORT_KEY: report} if report is not None else {},
    )


def _arguments(call: ToolCall) -> dict[str, Any] | None:
    try:
        args = json.loads(call.function.arguments or "{}")
    except (ValueError, RecursionError):
        return None
    return args if isinstance(args, dict) else None


def _text(parts: Sequence[Part]) -> str:
    return "".join(part.text or part.refusal for part in parts)


def _content(parts: Sequence[Part]) -> str | list[str | dict[str, Any]]:
    if all(part.type == "text" for part in parts) and len(parts) <= 1:
        return _text(parts)
    return [
        {"type": "image_url", "image_url": part.image_url.model_dump(exclude_none=True)}
        if part.image_url is not None
        else {"type": "text", "text": part.text}
        for part in parts
    ]
