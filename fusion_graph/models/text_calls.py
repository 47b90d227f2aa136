"""A reply whose calls came as text, made the reply it was meant to be."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, InvalidToolCall, ToolCall

from fusion_graph.models.reply import TURN, new_call_id, turn_of
from fusion_graph.text.written_calls import TextWithCalls


def offered_in(tools: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Names and arguments of tools in OpenAI's format."""
    found: dict[str, Mapping[str, Any]] = {}
    for tool in tools:
        function = tool.get("function") or {}
        if name := function.get("name"):
            found[str(name)] = (function.get("parameters") or {}).get("properties") or {}
    return found


def named_in(messages: Iterable[BaseMessage]) -> dict[str, Mapping[str, Any]]:
    """Tools that a conversation shows were called: offered once, if not now."""
    return {
        call["name"]: {}
        for message in messages
        if isinstance(message, AIMessage)
        for call in message.tool_calls
    }


def with_calls(message: AIMessage, written: TextWithCalls) -> AIMessage:
    """The message as if its calls had come as calls, so that its provider takes it back.

    Args:
        message: As it came, the calls in its text.
        written: What was read of that text.
    """
    good: list[ToolCall] = []
    bad: list[InvalidToolCall] = []
    for call in written.calls:
        made_up = new_call_id()
        if call.args is None:
            said = call.said[:2_000]
            bad.append(
                InvalidToolCall(
                    type="invalid_tool_call", name=call.name, args=said, id=made_up, error=None
                )
            )
        else:
            good.append(ToolCall(name=call.name, args=call.args, id=made_up))
    update: dict[str, Any] = {
        "content": _with_text(message.content, written.rest),
        "tool_calls": [*message.tool_calls, *good],
        "invalid_tool_calls": [*message.invalid_tool_calls, *bad],
    }
    if (turn := turn_of(message)) is not None:
        calls = [(c["id"] or "", c["name"] or "", c["args"]) for c in (*good, *bad)]
        items = _turn_with_calls(turn, calls, written.rest)
        kept = {**message.additional_kwargs, TURN: {**turn, "items": items}}
        update["additional_kwargs"] = kept
    return message.model_copy(update=update)


def _with_text(content: Any, text: str) -> Any:
    """A message's content with other text; blocks that are no text, as reasoning, stay."""
    if not isinstance(content, list):
        return text
    kept: list[Any] = []
    said = False
    for block in content:
        kind = block.get("type") if isinstance(block, Mapping) else "text"
        if kind not in ("text", "output_text"):
            kept.append(block)
        elif text and not said:
            kept.append({**block, "text": text} if isinstance(block, Mapping) else text)
            said = True
    return kept


def _turn_with_calls(
    turn: Mapping[str, Any], calls: Sequence[tuple[str, str, Any]], rest: str
) -> list[dict[str, Any]]:
    """The provider's own turn with the calls where it would have put them."""
    items: list[dict[str, Any]] = []
    functions = [
        (id, {"name": name, "arguments": args if isinstance(args, str) else json.dumps(args)})
        for id, name, args in calls
    ]
    # What is no JSON goes back as an empty object: providers refuse a history that holds it.
    for _, function in functions:
        with suppress(ValueError):
            json.loads(function["arguments"])
            continue
        function["arguments"] = "{}"
    if turn["protocol"] == "chat":
        first, *others = turn["items"]
        added = [{"id": id, "type": "function", "function": f} for id, f in functions]
        content = _with_text(first.get("content"), rest) or None
        tool_calls = [*(first.get("tool_calls") or ()), *added]
        return [{**first, "content": content, "tool_calls": tool_calls}, *map(dict, others)]
    for item in turn["items"]:
        if item.get("type") != "message":
            items.append(dict(item))
        elif kept := _with_text(item.get("content"), rest):
            items.append({**item, "content": kept})
    items += [{"type": "function_call", "call_id": id, **f} for id, f in functions]
    return items
