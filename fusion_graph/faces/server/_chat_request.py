"""A chat completion's request: OpenAI's fields checked, and what of them a fusion can do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from fusion_graph.errors import ApiError

MAX_TOOLS = 128
"""Most tools of the caller, as OpenAI's."""

MAX_MESSAGES = 2048
"""Most messages of a conversation, as OpenAI's."""

_NAME = r"^[a-zA-Z0-9_-]{1,64}$"


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class ImageUrl(_Part):
    """Where a picture is: a `data:` address, or one its model's provider fetches."""

    url: str
    detail: Literal["auto", "low", "high"] | None = None


class Part(_Part):
    """A part of a message's content."""

    type: Literal["text", "image_url", "refusal"]
    text: str = ""
    refusal: str = ""
    image_url: ImageUrl | None = None


class CalledFunction(_Part):
    """What a tool call calls."""

    name: str
    arguments: str


class ToolCall(_Part):
    """A tool call of an earlier answer."""

    id: str
    type: Literal["function"] = "function"
    function: CalledFunction


def _parts(content: Any) -> Any:
    if content is None:
        return []
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


class Message(_Part):
    """One message of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Annotated[list[Part], BeforeValidator(_parts)] = []
    name: str | None = Field(default=None, pattern=r"^[^\s<|\\/>]{1,64}$")
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None


class Function(_Part):
    """A function of the caller's application."""

    name: str = Field(pattern=_NAME)
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(_Part):
    """A tool of the caller's application."""

    type: Literal["function"]
    function: Function


class StreamOptions(_Part):
    """Of OpenAI's stream options, the one that matters here."""

    include_usage: bool | None = None


class Body(_Part):
    """The fields that are honoured. OpenAI's others are in `HARMLESS` and `refuse_unsupported`."""

    model: str = Field(min_length=1)
    messages: list[Message] = Field(min_length=1, max_length=MAX_MESSAGES)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    reasoning_effort: str | None = None
    seed: int | None = None
    tools: list[Tool] | None = Field(default=None, max_length=MAX_TOOLS)
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None
    fusion: dict[str, Any] | None = None


HARMLESS: Mapping[str, Any] = {
    "top_p": 1,
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "n": 1,
    "logprobs": False,
    "top_logprobs": 0,
    "logit_bias": {},
    "stop": [],
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
    "stop": "Stop sequences are not supported.",
    "modalities": "Answers are text.",
    "audio": "Answers are text.",
    "functions": "Send `tools`: `functions` is the old form.",
    "function_call": "Send `tool_choice`: `function_call` is the old form.",
}
"""Fields that would change what the answer means, and are refused rather than overlooked."""


@dataclass(frozen=True)
class ChatRequest:
    """A chat completion's request, checked.

    Attributes:
        body: Its fields.
        beside: Settings that OpenAI's fields stand for: `(name of the field, value)` by setting.
        ignored: Fields that changed nothing.
    """

    body: Body
    beside: dict[str, tuple[str, Any]]
    ignored: list[str]

    @property
    def wants_usage(self) -> bool:
        """Whether a stream is to end with the usage."""
        return bool(self.body.stream_options and self.body.stream_options.include_usage)


def chat_request(data: Mapping[str, Any]) -> ChatRequest:
    """A request from its JSON.

    Args:
        data: The body.

    Raises:
        ApiError: 400, naming the field.
    """
    for name, remedy in MEANINGFUL.items():
        if name in data and data[name] not in (None, HARMLESS.get(name)):
            said = f"`{name}` is not supported. {remedy}"
            raise ApiError(400, said, "unsupported_parameter", param=name)
    try:
        body = Body.model_validate(dict(data))
    except ValidationError as error:
        raise _wrong(error) from None
    _check_messages(body.messages)
    beside = _settings(body)
    ignored = [
        name
        for name, value in data.items()
        if name not in Body.model_fields and value not in (None, HARMLESS.get(name))
    ]
    return ChatRequest(body, beside, ignored)


def _wrong(error: ValidationError) -> ApiError:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    # A union's branches are ours, not the client's: `tool_choice.dict[str,any]`.
    path = [str(part) for part in first["loc"] if not re.search(r"[\[(]|^str$", str(part))]
    param = ".".join(path)[:200]
    if first["type"] == "missing":
        return ApiError(400, f"`{param}` is missing.", "missing_parameter", param=param)
    message = first["msg"][:300]
    said = f"`{param}`: {message[:1].lower()}{message[1:]}."
    return ApiError(400, said, "invalid_value", param=param)


def _check_messages(messages: list[Message]) -> None:
    for index, message in enumerate(messages):
        where = f"messages.{index}"
        if message.role == "tool" and not message.tool_call_id:
            said = f"`{where}` is a tool's result: it needs `tool_call_id`."
            raise ApiError(400, said, "missing_parameter", param=f"{where}.tool_call_id")
        for place, part in enumerate(message.content):
            if part.type == "image_url":
                _check_image(part, message.role, f"{where}.content.{place}")


def _check_image(part: Part, role: str, where: str) -> None:
    url = part.image_url.url if part.image_url is not None else ""
    if role != "user":
        raise ApiError(400, f"`{where}`: only users send pictures.", "invalid_value", param=where)
    if re.match(r"data:image/[a-z0-9.+-]+;base64,", url, re.IGNORECASE):
        return
    from fusion_tools.address import check_url
    from fusion_tools.errors import ToolError

    try:
        check_url(url)  # some clients of providers fetch it from this machine
    except ToolError as error:
        said = f"`{where}.image_url.url`: {error}"
        raise ApiError(400, said, "invalid_image_url", param=f"{where}.image_url.url") from None


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
    if body.seed is not None:
        # OpenAI's seeds have 64 bits and a sign; here one orders the answers for the judge.
        settings["seed"] = ("seed", body.seed % 2**32)
    if body.tools:
        tools = [tool.model_dump(exclude_none=True) for tool in body.tools]
        settings["writer_tools"] = ("tools", tools)
    if body.tool_choice is not None:
        settings |= _tool_choice(body.tool_choice, body.tools or [])
    if body.response_format is not None:
        settings |= _response_format(body.response_format)
    return settings


def _tool_choice(choice: str | dict[str, Any], tools: list[Tool]) -> dict[str, tuple[str, Any]]:
    param = "tool_choice"
    if not tools:
        if choice in ("none", "auto"):
            return {}
        said = "`tool_choice` needs `tools` to choose from."
        raise ApiError(400, said, "invalid_value", param=param)
    if choice in ("none", "auto", "required"):
        return {"writer_tool_choice": (param, choice)}
    function = choice.get("function") if isinstance(choice, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    if name not in [tool.function.name for tool in tools]:
        said = "`tool_choice` is 'none', 'auto', 'required', or one function of `tools`."
        raise ApiError(400, said, "invalid_value", param=param)
    return {"writer_tool_choice": (param, {"type": "function", "function": {"name": name}})}


def _response_format(given: dict[str, Any]) -> dict[str, tuple[str, Any]]:
    kind = given.get("type")
    schema = given.get("json_schema")
    if kind == "text":
        return {}
    if kind == "json_object":
        return {"response_format": ("response_format", {"type": kind})}
    if (
        kind == "json_schema"
        and isinstance(schema, dict)
        and isinstance(schema.get("schema"), dict)
    ):
        wanted = {"type": kind, "json_schema": {"name": "answer", **schema}}
        return {"response_format": ("response_format", wanted)}
    said = "`response_format` is {'type': 'text' | 'json_object'}, or 'json_schema' with a schema."
    raise ApiError(400, said, "invalid_value", param="response_format")
