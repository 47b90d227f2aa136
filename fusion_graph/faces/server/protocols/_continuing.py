"""Going on within a user's turn: from which deliberation, where tools have brought results."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage

from fusion_graph.errors import ApiError
from fusion_graph.faces.server._signing import PREFIX, Forged, Signer
from fusion_graph.faces.server.protocols._asked import Asked, carried_by, settled
from fusion_graph.faces.server.protocols._pending import PendingCalls, digest_of
from fusion_graph.nodes.tool_results import REPORT_KEY, split_at_question

SHOWN = "fusion-graph-progress"
"""The signature of thoughts that only show what the panel does: nothing is read from them."""

OURS = re.compile(r"(?:call|toolu)_[0-9a-f]{32}")
"""Ids of calls as this server hands them out."""

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
    messages = [_restored(message, pending) for message in said]
    if not since or not isinstance(since[-1], ToolMessage):
        return Continued(messages)
    place = max((i for i, m in enumerate(said) if isinstance(m, AIMessage)), default=-1)
    if place < len(before):
        return Continued(messages)
    sealed = _sealed(since, asked, signer)
    report = _remembered(said, len(before), asked.model, pending) or sealed
    if report is None:
        return Continued(messages, "lost")
    found: Found = "memory" if sealed is None else "conversation"
    alone = not report["invoked"]
    if not alone:
        answer = messages[place]
        metadata = {**answer.response_metadata, REPORT_KEY: report}
        messages[place] = answer.model_copy(update={"response_metadata": metadata})
    return Continued(messages, found, alone, sealed is not None)


def _restored(message: AnyMessage, pending: PendingCalls) -> AnyMessage:
    """A message with the model's own ids."""
    if isinstance(message, AIMessage):
        return pending.as_written(message)
    if isinstance(message, ToolMessage):
        id = pending.original(message.tool_call_id)
        return message.model_copy(update={"tool_call_id": id})
    return message


def _sealed(since: Sequence[AnyMessage], asked: Asked, signer: Signer) -> dict[str, Any] | None:
    """The latest deliberation that the turn carries; every one of them is checked."""
    found = None
    for message in since:
        if not isinstance(message, AIMessage):
            continue
        ours = any(OURS.fullmatch(call["id"] or "") for call in message.tool_calls)
        for text, readable in carried_by(message):
            if not (text.startswith(PREFIX) or readable) and (text == SHOWN or not ours):
                continue  # another server's thoughts, or what only shows the panel at work
            try:
                data = signer.open(text)
            except Forged:
                raise _forged(asked.where) from None
            if any(data.get(key) != value for key, value in readable.items()):
                raise _forged(asked.where)
            found = data
    return found


def _forged(where: str) -> ApiError:
    said = (
        f"`{where}` carries a deliberation that was edited, or that another server sealed. Send "
        "answers back as they came; or leave it out, and the panel is asked anew. Servers that "
        "share clients need the same FUSION_SIGNING_KEY."
    )
    return ApiError(400, said, "invalid_deliberation", param=where)


def _remembered(
    said: Sequence[AnyMessage], start: int, model: str, pending: PendingCalls
) -> dict[str, Any] | None:
    """The report that the latest answer of the turn goes on from, if it is remembered."""
    for place in range(len(said) - 1, start - 1, -1):
        message = said[place]
        if isinstance(message, AIMessage):
            calls = [*message.tool_calls, *message.invalid_tool_calls]
            ids = [call["id"] or "" for call in calls]
            if (report := pending.report(ids, digest_of(model, said[: place + 1]))) is not None:
                return report
    return None
