"""A chat completion's request: OpenAI's fields checked, and what of them a fusion can do."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
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
from fusion_graph.faces.server.protocols._asked import CARRIED, Asked, ClientTool
from fusion_graph.faces.server.protocols._fields import (
    MAX_MESSAGES,
    MAX_TOOLS,
    Part,
    answer_format,
    arguments,
    check_picture,
    checked,
    shown,
    stops,
    tool_choice,
    wrong,
)
from fusion_graph.faces.server.protocols._files import file_block
from fusion_graph.faces.server.protocols._openrouter import FUSION_TOOL, plugin_settings

_NAME = r"^[a-zA-Z0-9_-]{1,64}$"


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


class Function(Part):
    """A function of the caller's application."""

    name: str = Field(pattern=_NAME)
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(Part):
    """A tool of the caller's application."""

    type: Literal["function"]
    function: Function


def _own_tools(tools: Any) -> Any:
    """Without OpenRouter's server tools: what of them means something is read elsewhere."""
    if not isinstance(tools, list):
        return tools
    return [tool for tool in tools if not _is_openrouters(tool)]


def _is_openrouters(tool: Any) -> bool:
    return isinstance(tool, dict) and str(tool.get("type")).startswith("openrouter:")


class StreamOptions(Part):
    """Of OpenAI's stream options, the one that matters here."""

    include_usage: bool | None = None


class Reasoning(Part):
    """OpenRouter's way to ask for an effort, or to be shown no reasoning."""

    effort: str | None = None
    exclude: bool | None = None


class Body(Part):
    """The fields that are honoured. OpenAI's others are in `HARMLESS` and `MEANINGFUL`."""

    model: str = Field(min_length=1)
    messages: list[Message] = Field(min_length=1, max_length=MAX_MESSAGES)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    reasoning_effort: str | None = None
    reasoning: Reasoning | None = None
    include_reasoning: bool | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    tools: Annotated[list[Tool] | None, BeforeValidator(_own_tools)] = Field(
        default=None, max_length=MAX_TOOLS
    )
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None
    plugins: list[dict[str, Any]] | None = None
    fusion: dict[str, Any] | None = None


HARMLESS: Mapping[str, Any] = {
    "top_p": 1,
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "n": 1,
    "logprobs": False,
    "top_logprobs": 0,
    "logit_bias": {},
    "modalities": ["text"],
    "store": False,
    "functions": [],
}
"""Values that ask for nothing, of fields that are not honoured: clients send them out of habit."""

MEANINGFUL: Mapping[str, str] = {
    "n": "A fusion gives one answer: leave `n` out.",
    "logprobs": "An answer written from several models' has no token probabilities.",
    "top_logprobs": "An answer written from several models' has no token probabilities.",
    "logit_bias": "Token ids differ between the models of a panel.",
    "modalities": "Answers are text.",
    "audio": "Answers are text.",
    "functions": "Send `tools`: `functions` is the old form.",
    "function_call": "Send `tool_choice`: `function_call` is the old form.",
}
"""Fields that would change what the answer means, and are refused rather than overlooked."""


def read_chat(data: Mapping[str, Any]) -> Asked:
    """Read a chat completion's request.

    Args:
        data: The body.

    Raises:
        ApiError: 400, naming the field.
    """
    refuse_meaningful(data, MEANINGFUL, HARMLESS)
    body = checked(Body, data)
    _check_messages(body.messages)
    fusion = {**plugin_settings(data), **(body.fusion or {})}
    quiet = body.include_reasoning is False or bool(body.reasoning and body.reasoning.exclude)
    progress = shown(fusion, not quiet)
    return Asked(
        model=body.model,
        conversation=[
            _message(message, f"messages.{index}") for index, message in enumerate(body.messages)
        ],
        beside=_settings(body),
        fusion=fusion,
        stream=bool(body.stream),
        stop=stops(body.stop, "stop"),
        one_call=body.parallel_tool_calls is False,
        progress=progress,
        tools={tool.function.name: ClientTool(tool.function.name) for tool in body.tools or ()},
        ignored=ignored(data, Body, HARMLESS),
        body=data,
    )


def refuse_meaningful(
    data: Mapping[str, Any], meaningful: Mapping[str, str], harmless: Mapping[str, Any]
) -> None:
    """Refuse fields that would change what the answer means.

    Args:
        data: The body.
        meaningful: Those fields, with what to do instead.
        harmless: Values that ask for nothing.

    Raises:
        ApiError: 400, naming the field.
    """
    for name, remedy in meaningful.items():
        if name in data and data[name] not in (None, harmless.get(name)):
            said = f"`{name}` is not supported. {remedy}"
            raise ApiError(400, said, "unsupported_parameter", param=name)


def ignored(data: Mapping[str, Any], body: type[Part], harmless: Mapping[str, Any]) -> list[str]:
    """List the fields of a body that changed nothing.

    Args:
        data: The body.
        body: The fields that are honoured.
        harmless: Values that ask for nothing.
    """
    return [
        name
        for name, value in data.items()
        if name not in body.model_fields and value not in (None, harmless.get(name))
    ]


def _check_messages(messages: list[Message]) -> None:
    for index, message in enumerate(messages):
        where = f"messages.{index}"
        if message.role == "tool" and not message.tool_call_id:
            said = f"`{where}` is a tool's result: it needs `tool_call_id`."
            raise ApiError(400, said, "missing_parameter", param=f"{where}.tool_call_id")


def _settings(body: Body) -> dict[str, tuple[str, Any]]:
    settings: dict[str, tuple[str, Any]] = {}
    for field, name in (
        ("writer_max_tokens", "max_tokens"),
        ("writer_max_tokens", "max_completion_tokens"),
        ("temperature", "temperature"),
        ("reasoning_effort", "reasoning_effort"),
        ("seed", "seed"),
    ):
        if (value := getattr(body, name)) is not None:
            settings[field] = (name, value)
    if body.reasoning and body.reasoning.effort is not None:
        settings.setdefault("reasoning_effort", ("reasoning.effort", body.reasoning.effort))
    if body.seed is not None:
        # OpenAI's seeds have 64 bits and a sign; here one orders the answers for the judge.
        settings["seed"] = ("seed", body.seed % 2**32)
    if body.tools:
        tools = [tool.model_dump(exclude_none=True) for tool in body.tools]
        settings["writer_tools"] = ("tools", tools)
    if (choice := body.tool_choice) is not None and not _is_openrouters(choice):
        function = choice.get("function") if isinstance(choice, dict) else None
        named = function.get("name") if isinstance(function, dict) else None
        names = [tool.function.name for tool in body.tools or ()]
        settings |= tool_choice(choice, names, named)
    if (wanted := body.response_format) is not None:
        kind, schema = wanted.get("type"), wanted.get("json_schema")
        settings |= answer_format(kind, schema, "response_format")
    return settings


def _message(message: Message, where: str) -> AnyMessage:
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
