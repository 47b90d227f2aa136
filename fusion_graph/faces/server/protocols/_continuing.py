"""Going on within a user's turn: from which deliberation, where tools have brought results."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage

from fusion_graph.errors import ApiError
from fusion_graph.faces.server._signing import PREFIX, Signer
from fusion_graph.faces.server.protocols._asked import Asked, carried_by, settled
from fusion_graph.faces.server.protocols._baggage import with_baggage
from fusion_graph.faces.server.protocols._pending import PendingCalls, digest_of
from fusion_graph.nodes.tool_results import REPORT_KEY, split_at_question

SHOWN = "fusion-graph-progress"
"""The signature of thoughts that only show what the panel does: nothing is read from them."""

OURS = re.compile(r"(?:call|toolu)_[0-9a-f]{32}")
"""Ids of calls as this server hands them out."""

Sealed = list[dict[str, Any]]
"""What one message carried: a deliberation, what its provider wants to see again, or both."""

Found = Literal["none", "conversation", "memory", "lost"]
"""Where a deliberation was found: nothing to go on from; sealed in the conversation; remembered by
this server; neither, so that the panel is asked anew."""


@dataclass(frozen=True)
class Continued:
    """A conversation as the graph gets it.

    Attributes:
        messages: The conversation; the answer that it goes on from carries its report.
        found: Where the deliberation was found.
        alone: Whether the turn began without a panel, and goes on without one.
        carried: Whether the conversation holds the deliberation already.
    """

    messages: list[AnyMessage]
    found: Found = "none"
    alone: bool = False
    carried: bool = False


def continued(asked: Asked, pending: PendingCalls, signer: Signer) -> Continued:
    """Find what a conversation goes on from.

    Args:
        asked: What was asked.
        pending: The calls that were handed out.
        signer: Opens what the conversation carries.

    Raises:
        ApiError: 400, what it carries was not sealed by this server, or was edited.
    """
    said = settled(asked.conversation)
    before, since = split_at_question(said)
    opened = [_opened(message, asked, signer) for message in since]
    carried: list[Sealed] = [*([] for _ in before), *opened]
    messages = _restored(said, carried, pending)
    if not since or not isinstance(since[-1], ToolMessage):
        return Continued(messages)
    place = max((i for i, m in enumerate(said) if isinstance(m, AIMessage)), default=-1)
    if place < len(before):
        return Continued(messages)
    sealed = next((data for one in reversed(opened) for data in one if "invoked" in data), None)
    report = _remembered(said, len(before), asked.asker, pending) or sealed
    if report is None:
        return Continued(messages, "lost")
    found: Found = "memory" if sealed is None else "conversation"
    alone = not report["invoked"]
    if not alone:
        answer = messages[place]
        metadata = {**answer.response_metadata, REPORT_KEY: report}
        messages[place] = answer.model_copy(update={"response_metadata": metadata})
    return Continued(messages, found, alone, sealed is not None)


def _restored(
    said: Sequence[AnyMessage], carried: Sequence[Sealed], pending: PendingCalls
) -> list[AnyMessage]:
    """The conversation with answers as their writers gave them, and the writers' own ids."""
    own: dict[str, str] = {}
    messages: list[AnyMessage] = []
    for message, sealed in zip(said, carried, strict=True):
        restored = message
        if isinstance(message, AIMessage):
            restored = pending.as_written(message)
            kept = next((data["answer"] for data in sealed if "answer" in data), None)
            if kept is not None and not pending.knows(message):
                restored = with_baggage(restored, kept)
            own |= _renamings(message, restored)
        elif isinstance(message, ToolMessage):
            id = own.get(message.tool_call_id) or pending.original(message.tool_call_id)
            restored = message.model_copy(update={"tool_call_id": id})
        messages.append(restored)
    return messages


def _renamings(message: AIMessage, restored: AIMessage) -> dict[str, str]:
    """The writer's own ids of an answer's calls by those that the client has."""
    before = [call["id"] for call in (*message.tool_calls, *message.invalid_tool_calls)]
    after = [call["id"] for call in (*restored.tool_calls, *restored.invalid_tool_calls)]
    return {old: new for old, new in zip(before, after, strict=False) if old and new}


def _opened(message: AnyMessage, asked: Asked, signer: Signer) -> Sealed:
    """What a message of the turn carries, opened; every piece of it is checked."""
    if not isinstance(message, AIMessage):
        return []
    ours = any(OURS.fullmatch(call["id"] or "") for call in message.tool_calls)
    opened: Sealed = []
    for text, readable in carried_by(message):
        if not (text.startswith(PREFIX) or readable) and (text == SHOWN or not ours):
            continue  # another server's thoughts, or what only shows the panel at work
        data = signer.open(text)
        if data is None or any(data.get(key) != value for key, value in readable.items()):
            raise _forged(asked.where)
        opened.append(data)
    return opened


def _forged(where: str) -> ApiError:
    said = (
        f"`{where}` carries a deliberation that was edited, or that another server sealed. Send "
        "answers back as they came; or leave it out, and the panel is asked anew. Servers that "
        "share clients need the same FUSION_SIGNING_KEY."
    )
    return ApiError(400, said, "invalid_deliberation", param=where)


def _remembered(
    said: Sequence[AnyMessage], start: int, asker: str, pending: PendingCalls
) -> dict[str, Any] | None:
    """The report that the latest answer of the turn goes on from, if it is remembered."""
    for place in range(len(said) - 1, start - 1, -1):
        message = said[place]
        if isinstance(message, AIMessage):
            calls = [*message.tool_calls, *message.invalid_tool_calls]
            ids = [call["id"] or "" for call in calls]
            if (report := pending.report(ids, digest_of(asker, said[: place + 1]))) is not None:
                return report
    return None
