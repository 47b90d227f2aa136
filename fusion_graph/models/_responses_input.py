"""A conversation and its parameters as the Responses API takes them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    SystemMessage,
    ToolMessage,
    convert_to_openai_data_block,
    is_data_content_block,
)

from fusion_graph.models.reply import items_for


def input_of(
    messages: Iterable[BaseMessage], model: str, *, verbatim: bool = True
) -> list[dict[str, Any]]:
    """The conversation as input items; the model's own turns as they came.

    Args:
        messages: The conversation.
        model: Whom it goes to.
        verbatim: False rebuilds its turns from what can be read of them: for an endpoint that
            does not take its own items back.
    """
    items: list[dict[str, Any]] = []
    for message in messages:
        own = items_for(message, "responses", model) if verbatim else None
        if own is not None:
            items += own
        elif isinstance(message, AIMessage):
            items += _turn(message)
        elif isinstance(message, ToolMessage):
            items.append(
                {
                    "type": "function_call_output",
                    "call_id": message.tool_call_id,
                    "output": _content(message.content),
                }
            )
        else:
            role = "system" if isinstance(message, SystemMessage) else "user"
            items.append({"role": role, "content": _content(message.content)})
    return items


def parameters_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a chat completion by their names in the Responses API.

    Args:
        given: As `ProtocolChat.complete` takes them; what has no other name here stays.
    """
    sent = {**given, **(given.get("extra_body") or {})}
    sent.pop("extra_body", None)
    if effort := sent.pop("reasoning_effort", None):
        sent["reasoning"] = {"effort": effort}
    for name in ("max_tokens", "max_completion_tokens"):
        if name in sent:
            sent["max_output_tokens"] = sent.pop(name)
    if tools := sent.pop("tools", None):
        sent["tools"] = [_tool(tool) for tool in tools]
    if choice := sent.pop("tool_choice", None):
        named = choice.get("function") if isinstance(choice, Mapping) else None
        sent["tool_choice"] = {"type": "function", **named} if named else choice
    if wanted := sent.pop("response_format", None):
        schema = wanted.get("json_schema")
        sent["text"] = {"format": {"type": "json_schema", **schema} if schema else wanted}
    return sent


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    """A tool of chat completions in the flat form.

    `strict` is on by default in this API and off in the other: with it, every optional argument
    of a tool would have to be given.
    """
    function = tool.get("function")
    if not isinstance(function, Mapping):
        return dict(tool)
    return {"type": "function", "strict": False, **function}


def _turn(message: AIMessage) -> list[dict[str, Any]]:
    """Somebody else's turn: what it said and which tools it called."""
    items: list[dict[str, Any]] = []
    if text := message.text:
        items.append({"role": "assistant", "content": text})
    for call in message.tool_calls:
        items.append(_call(call["id"], call["name"], json.dumps(call["args"])))
    for bad in message.invalid_tool_calls:
        items.append(_call(bad["id"], bad["name"], bad["args"] or "{}"))
    return items or [{"role": "assistant", "content": ""}]


def _call(call_id: str | None, name: str | None, arguments: str) -> dict[str, Any]:
    return {
        "type": "function_call",
        "call_id": call_id or "",
        "name": name or "",
        "arguments": arguments,
    }


def _content(content: str | Sequence[Any]) -> str | list[Any]:
    """A message's content; a part of a kind that nobody knows here is the endpoint's to refuse."""
    if isinstance(content, str):
        return content
    return [_part(part) for part in content]


def _part(part: Any) -> Any:
    if isinstance(part, str):
        return {"type": "input_text", "text": part}
    if not isinstance(part, Mapping):
        return part
    if is_data_content_block(dict(part)):
        return _part_of_chat(convert_to_openai_data_block(dict(part), api="responses"))
    return _part_of_chat(part)


def _part_of_chat(part: Mapping[str, Any]) -> dict[str, Any]:
    """A part of chat completions by its name here; one of this API stays as it is."""
    kind = part.get("type")
    if kind == "text":
        return {"type": "input_text", "text": part.get("text", "")}
    if kind == "image_url":
        image = part.get("image_url")
        fields = dict(image) if isinstance(image, Mapping) else {"url": image}
        return _image(fields.get("url"), fields.get("detail"))
    if kind == "file" and isinstance(file := part.get("file"), Mapping):
        return {"type": "input_file", **file}
    source = part.get("source")
    if kind == "image" and isinstance(source, Mapping):  # Anthropic's form
        url = source.get("url") or f"data:{source.get('media_type')};base64,{source.get('data')}"
        return _image(url)
    if kind == "input_image":
        return {"detail": "auto", **part}  # the SDK's types want it (openai 3.57)
    return dict(part)


def _image(url: Any, detail: Any = None) -> dict[str, Any]:
    return {"type": "input_image", "image_url": url, "detail": detail or "auto"}
