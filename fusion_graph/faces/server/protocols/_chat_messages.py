"""Messages of a chat completion as a conversation: text, pictures, files, calls and results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from pydantic import BeforeValidator, Field

from fusion_graph.errors import ApiError
from fusion_graph.faces.server.protocols._asked import CARRIED
from fusion_graph.faces.server.protocols._fields import Part, arguments, check_picture, wrong
from fusion_graph.faces.server.protocols._files import file_block
from fusion_graph.faces.server.protocols._openrouter import FUSION_TOOL


class ImageUrl(Part):
    """Where a picture is: a `data:` address, or one its model's provider fetches."""

    url: str
    detail: Literal["auto", "low", "high"] | None = None


class FileData(Part):
    """A file in the question: PDF or text, as a `data:` address."""

    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class ContentPart(Part):
    """A part of a message's content."""

    type: Literal["text", "image_url", "file", "refusal"]
    text: str = ""
    refusal: str = ""
    image_url: ImageUrl | None = None
    file: FileData | None = None


class CalledFunction(Part):
    """What a tool call calls."""

    name: str
    arguments: str


class ToolCall(Part):
    """A tool call of an earlier answer."""

    id: str
    type: Literal["function"] = "function"
    function: CalledFunction


def _parts(content: Any) -> Any:
    if content is None:
        return []
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


class Message(Part):
    """One message of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Annotated[list[ContentPart], BeforeValidator(_parts)] = Field(default=[])
    name: str | None = Field(default=None, pattern=r"^[^\s<|\\/>]{1,64}$")
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    reasoning_details: list[Any] | None = None


def conversation_message(message: Message, where: str) -> AnyMessage:
    """Read a message as LangChain's, with the ids that its client has for calls.

    Args:
        message: The request's.
        where: Its place in the request.

    Raises:
        ApiError: 400, naming the field.
    """
    if message.role == "tool" and not message.tool_call_id:
        said = f"`{where}` is a tool's result: it needs `tool_call_id`."
        raise ApiError(400, said, "missing_parameter", param=f"{where}.tool_call_id")
    match message.role:
        case "system" | "developer":
            return SystemMessage(_text(message.content))
        case "user":
            return HumanMessage(_content(message.content, where), name=message.name)
        case "tool":
            _content(message.content, where, pictures=False)
            return ToolMessage(_text(message.content), tool_call_id=message.tool_call_id or "")
        case "assistant":
            return _answer(message, where)


def _answer(message: Message, where: str) -> AIMessage:
    _content(message.content, where, pictures=False)
    read = [(call, arguments(call.function.arguments)) for call in message.tool_calls or []]
    carried = [_carried(item) for item in message.reasoning_details or ()]
    return AIMessage(
        _text(message.content),
        tool_calls=[
            {"name": call.function.name, "args": args, "id": call.id}
            for call, args in read
            if args is not None
        ],
        invalid_tool_calls=[
            {
                "name": call.function.name,
                "args": call.function.arguments,
                "id": call.id,
                "error": "not a JSON object",
            }
            for call, args in read
            if args is None
        ],
        response_metadata={CARRIED: [item for item in carried if item is not None]},
    )


def _carried(item: Any) -> tuple[str, dict[str, Any]] | None:
    """The deliberation in an item of ours, with what stands readable beside it."""
    if not isinstance(item, dict) or item.get("tool_name") != FUSION_TOOL:
        return None
    ours = str(item.get("id", "")).startswith("fusion_") or item.get("format") == "fusion-graph-v1"
    result, given = _object(item.get("result")), _object(item.get("arguments"))
    sealed = result.get("deliberation")
    if not ours and not isinstance(sealed, str):
        return None  # OpenRouter's own, from before the conversation came here
    return str(sealed), {"model": given.get("model"), "models": result.get("models")}


def _object(text: Any) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _text(parts: Sequence[ContentPart]) -> str:
    return "".join(part.text or part.refusal for part in parts)


def _content(
    parts: Sequence[ContentPart], where: str, *, pictures: bool = True
) -> str | list[str | dict[str, Any]]:
    blocks: list[str | dict[str, Any]] = []
    for index, part in enumerate(parts):
        place = f"{where}.content.{index}"
        if part.type in ("image_url", "file") and not pictures:
            raise wrong(place, "only users send pictures and files.")
        if part.type == "image_url":
            image = part.image_url or ImageUrl(url="")
            check_picture(image.url, f"{place}.image_url.url")
            blocks.append({"type": "image_url", "image_url": image.model_dump(exclude_none=True)})
        elif part.type == "file":
            file = part.file or FileData()
            if file.file_id is not None:
                raise wrong(place, "this server keeps no files: send `file_data`.")
            blocks.append(file_block(file.file_data or "", file.filename, place))
        else:
            blocks.append({"type": "text", "text": part.text or part.refusal})
    if len(parts) <= 1 and all(part.type in ("text", "refusal") for part in parts):
        return _text(parts)
    return blocks
