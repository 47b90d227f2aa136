"""The calls of tools that a reply wants, and the reply as providers take it back."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolCall, ToolMessage
from typing_extensions import TypedDict

from fusion_graph.models.reply import new_call_id, with_call_ids


class WantedCall(TypedDict):
    """One call of a tool. `problem` says why it cannot be run, if so."""

    id: str
    name: str
    args: dict[str, Any]
    problem: str | None


def wanted_calls(
    message: AIMessage, turns: list[list[BaseMessage]]
) -> tuple[AIMessage, list[WantedCall]]:
    """Read the calls in a reply, and make the reply one that can be sent back.

    The reply stays the message that the provider sent, with everything that it wants back. But
    providers refuse a history in which a call has no id or another's, arguments that are not
    JSON, or no result; so ids are made up where they are missing or taken, and malformed
    arguments become empty ones.

    Args:
        message: The reply.
        turns: What was said since the conversation, whose calls' ids are taken.
    """
    wanted: list[WantedCall] = [
        {"id": call["id"] or "", "name": call["name"], "args": call["args"], "problem": None}
        for call in message.tool_calls
    ]
    for bad in message.invalid_tool_calls:
        written = (bad["args"] or "")[:200]
        wanted.append(
            {
                "id": bad["id"] or "",
                "name": bad["name"] or "unknown",
                "args": {},
                "problem": f"The arguments are not a JSON object: {written!r}",
            }
        )
    taken = {m.tool_call_id for turn in turns for m in turn if isinstance(m, ToolMessage)}
    for call in wanted:
        if call["id"] in ("", "null") or call["id"] in taken:  # "null": Mistral's streams
            call["id"] = new_call_id()
        taken.add(call["id"])
    calls = [ToolCall(name=w["name"], args=w["args"], id=w["id"]) for w in wanted]
    sendable = with_call_ids(message, [call["id"] for call in wanted])
    return sendable.model_copy(update={"tool_calls": calls, "invalid_tool_calls": []}), wanted
