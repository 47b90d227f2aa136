"""The conversation as the panel is given it: whole, in words that need no parent's tools."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolMessage

from fusion_graph.errors import EmptyQuestion

TOLD_CHARACTERS = 8_000
"""How much of one tool result of the parent is told, in characters (about 2,000 tokens)."""


CARRY_ON = "Answer my request above, with what has been found out since."
"""Asks for the answer where the conversation ends with the parent's own model or its tools."""


def question_of(messages: Sequence[AnyMessage]) -> str:
    """Text of the last human message; a picture without words counts as a question.

    Raises:
        EmptyQuestion: There is no human message, or the last one is blank.
    """
    last = next((m for m in reversed(messages) if isinstance(m, HumanMessage)), None)
    if last is None:
        raise EmptyQuestion("There is nothing to answer: the messages hold no human message.")
    if text := last.text.strip():
        return text
    if modalities([last]):
        return "(see the attachment)"
    raise EmptyQuestion("There is nothing to answer: the last human message is blank.")


def modalities(messages: Iterable[AnyMessage]) -> set[str]:
    """What the conversation holds besides text: `image`, `audio`, `file`, `video`."""
    found: set[str] = set()
    for message in messages:
        for block in message.content if isinstance(message.content, list) else ():
            kind = block.get("type", "") if isinstance(block, dict) else ""
            for name in ("image", "audio", "file", "video"):
                if name in kind:
                    found.add(name)
    return found


def told(messages: Sequence[AnyMessage]) -> list[AnyMessage]:
    """The conversation with the parent's tool calls and results told as text.

    The panel has other tools: a call to one it does not know, or a result without its call, is
    refused by providers. System messages, earlier turns and attachments stay as they are.
    """
    results = {m.tool_call_id: m for m in messages if isinstance(m, ToolMessage)}
    called = {call["id"] for m in messages for call in _calls(m)}
    out: list[AnyMessage] = []
    for message in messages:
        if isinstance(message, ToolMessage):
            if message.tool_call_id not in called:
                out.append(HumanMessage(f"(A tool returned: {_shortened(message.text)})"))
        elif calls := _calls(message):
            lines = [str(message.text)] if message.text else []
            lines += [_tell(call, results.get(call["id"] or "")) for call in calls]
            out.append(AIMessage("\n\n".join(lines)))
        else:
            out.append(_bare(message))
    if out and isinstance(out[-1], AIMessage):
        # Providers take a last assistant message as the beginning of the answer, or refuse it.
        out.append(HumanMessage(CARRY_ON))
    return out


def transcript(messages: Sequence[AnyMessage]) -> str:
    """The conversation as plain text, for the judge: who said what, attachments named."""
    names = {HumanMessage: "User", AIMessage: "Assistant", SystemMessage: "Instructions"}
    lines = []
    for message in messages:
        who = next((n for kind, n in names.items() if isinstance(message, kind)), "Other")
        attached = "".join(f" [{kind} attached]" for kind in sorted(modalities([message])))
        lines.append(f"{who}: {message.text}{attached}")
    return "\n\n".join(lines)


def _calls(message: AnyMessage) -> list[Any]:
    if not isinstance(message, AIMessage):
        return []
    return [*message.tool_calls, *message.invalid_tool_calls]


def _bare(message: AnyMessage) -> AnyMessage:
    """An answer without the provider's own baggage (reasoning items, refusals, tool stubs)."""
    if isinstance(message, AIMessage) and message.additional_kwargs:
        return AIMessage(message.content, id=message.id)
    return message


def _tell(call: Any, result: ToolMessage | None) -> str:
    args = call["args"]
    said = args if isinstance(args, str) else json.dumps(args, ensure_ascii=False, default=str)
    returned = _shortened(result.text) if result is not None else "(no result yet)"
    return f"(Called {call['name']} with {said}. It returned: {returned})"


def _shortened(said: str) -> str:
    if len(said) <= TOLD_CHARACTERS:
        return said
    return f"{said[:TOLD_CHARACTERS]} […{len(said) - TOLD_CHARACTERS} characters left out]"
