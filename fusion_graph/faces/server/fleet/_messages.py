"""Messages on their way to a fleet: as JSON, of which LangChain makes the same messages there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage, convert_to_messages


def sent_messages(messages: Sequence[Any]) -> list[dict[str, Any]]:
    """Word a conversation as JSON.

    Args:
        messages: In any form that LangChain takes.
    """
    return [_sent(message) for message in convert_to_messages(messages)]


def _sent(message: BaseMessage) -> dict[str, Any]:
    sent: dict[str, Any] = {"type": message.type, "content": message.content}
    for name in ("id", "name", "response_metadata", "additional_kwargs"):
        if value := getattr(message, name):
            sent[name] = value
    if isinstance(message, ToolMessage):
        sent |= {"tool_call_id": message.tool_call_id, "status": message.status}
    if not isinstance(message, AIMessage):
        return sent
    if message.invalid_tool_calls:
        # LangChain takes none of these from JSON, but reads them where OpenAI puts its calls.
        whole = [(call, json.dumps(call["args"])) for call in message.tool_calls]
        broken = [(call, call["args"] or "") for call in message.invalid_tool_calls]
        wire = [
            {
                "id": call["id"],
                "type": "function",
                "function": {"name": call["name"] or "", "arguments": arguments},
            }
            for call, arguments in (*whole, *broken)
        ]
        sent["additional_kwargs"] = {**message.additional_kwargs, "tool_calls": wire}
    elif message.tool_calls:
        sent["tool_calls"] = [dict(call) for call in message.tool_calls]
    return sent
