"""What a provider put into an answer that called tools, and wants to see again with it.

No protocol of a client's has room for it (signatures of thoughts, reasoning items): this server
remembers it, and where it is another worker that goes on, the client has carried it, sealed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage

from fusion_graph.models.reply import TURN

MOST_CHARACTERS = 200_000
"""More than this is not carried: clients send it again with every step."""

OF_A_MESSAGE = frozenset({"role", "content", "tool_calls", "refusal", "annotations"})
OF_A_CALL = frozenset({"id", "type", "function", "index"})
"""Fields of chat completions that a client has anyway."""

WHOSE = ("model_provider", "output_version")
"""Metadata that says whose an answer is, and so how an integration reads its blocks."""


def baggage(message: AIMessage) -> dict[str, Any] | None:
    """Gather what of an answer its client has no room for.

    Args:
        message: The answer as its writer gave it.

    Returns:
        JSON-able data; None where there is nothing, or too much.
    """
    kwargs = {**message.additional_kwargs}
    turn = kwargs.get(TURN)
    blocks = message.content if isinstance(message.content, list) else None
    if (turn is None or _is_plain(turn)) and not blocks and kwargs.keys() <= {TURN}:
        return None
    calls = [*message.tool_calls, *message.invalid_tool_calls]
    kept = {
        "ids": [call["id"] or "" for call in calls],
        "kwargs": kwargs,
        "content": blocks,
        "whose": {key: message.response_metadata.get(key) for key in WHOSE},
    }
    try:
        return kept if len(json.dumps(kept)) <= MOST_CHARACTERS else None
    except (TypeError, ValueError):  # an integration's own objects
        return None


def with_baggage(message: AIMessage, kept: Mapping[str, Any]) -> AIMessage:
    """An answer as its writer gave it, with the writer's own ids.

    Args:
        message: The answer as the client has it.
        kept: From `baggage`.
    """
    ids: Sequence[str] = kept["ids"]
    good = len(message.tool_calls)
    if len(ids) < good + len(message.invalid_tool_calls):
        return message
    update: dict[str, Any] = {
        "tool_calls": [{**c, "id": i} for c, i in zip(message.tool_calls, ids, strict=False)],
        "invalid_tool_calls": [
            {**c, "id": i} for c, i in zip(message.invalid_tool_calls, ids[good:], strict=False)
        ],
        "additional_kwargs": kept["kwargs"],
        "response_metadata": {key: v for key, v in kept["whose"].items() if v is not None},
    }
    if kept["content"] is not None:
        update["content"] = kept["content"]
    return message.model_copy(update=update)


def _is_plain(turn: Any) -> bool:
    """Whether a turn holds nothing that a client has not."""
    if not isinstance(turn, Mapping) or turn.get("protocol") != "chat":
        return False
    for item in turn.get("items", ()):
        if {key for key, value in item.items() if value not in (None, "", [])} - OF_A_MESSAGE:
            return False
        for call in item.get("tool_calls") or ():
            if call.keys() - OF_A_CALL or call.get("function", {}).keys() - {"name", "arguments"}:
                return False
    return True
