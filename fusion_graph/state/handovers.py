"""Hand-overs: messages by which one agent of a supervisor or a swarm passes the word to another.

They say nothing of the question: "Successfully transferred to experts". `langgraph-supervisor` and
`langgraph-swarm` write them, and so do the hand-off tools of LangGraph's documentation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, ToolMessage

_MARKS = ("__handoff_destination", "__is_handoff_back")
"""Keys of `response_metadata` by which langgraph-supervisor (0.0.31) marks them."""

_RESULT = re.compile(r"Successfully transferred (?:back )?to \S[^\n]{0,200}")
_BACK = re.compile(r"Transferring back to \S[^\n]{0,200}")


def without_handovers(messages: Sequence[AnyMessage]) -> list[AnyMessage]:
    """Leave out of a conversation the calls that only hand it over, with their results.

    A call that says more than who is next (a task's description, an amount to transfer) stays, and
    so does what an agent said beside a call.

    Args:
        messages: The conversation.
    """
    turns = [message for message in messages if isinstance(message, AIMessage)]
    says_more = {call["id"] for turn in turns for call in turn.tool_calls if call["args"]}
    results = [m for m in messages if isinstance(m, ToolMessage) and is_handover(m)]
    over = {result.tool_call_id for result in results} - says_more
    kept: list[AnyMessage] = []
    for message in messages:
        if isinstance(message, ToolMessage) and message.tool_call_id in over:
            continue
        if isinstance(message, AIMessage) and any(c["id"] in over for c in message.tool_calls):
            left = [call for call in message.tool_calls if call["id"] not in over]
            text = "" if _BACK.fullmatch(message.text.strip()) else message.text
            if left or message.invalid_tool_calls:
                kept.append(message.model_copy(update={"tool_calls": left}))
            elif text.strip():
                kept.append(AIMessage(text, id=message.id))
        else:
            kept.append(message)
    return kept


def is_handover(message: BaseMessage) -> bool:
    """Whether a message is the result of a call that passed the word to another agent.

    Args:
        message: Any message.
    """
    if not isinstance(message, ToolMessage):
        return False
    said: dict[str, Any] = message.response_metadata
    return any(mark in said for mark in _MARKS) or bool(_RESULT.fullmatch(message.text.strip()))
