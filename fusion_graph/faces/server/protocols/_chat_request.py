"""A chat completion's request: OpenAI's fields checked, and what of them a fusion can do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from fusion_graph.errors import ApiError
from fusion_graph.faces.server.protocols._asked import Asked, ClientTool
from fusion_graph.faces.server.protocols._chat_messages import Message, conversation_message
from fusion_graph.faces.server.protocols._fields import (
    MAX_MESSAGES,
    MAX_TOOLS,
    Part,
    answer_format,
    checked,
    shown,
    stops,
    tool_choice,
)
from fusion_graph.faces.server.protocols._openrouter import plugin_settings

_NAME = r"^[a-zA-Z0-9_-]{1,64}$"


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
    fusion = {**plugin_settings(data), **(body.fusion or {})}
    quiet = body.include_reasoning is False or bool(body.reasoning and body.reasoning.exclude)
    progress = shown(fusion, not quiet)
    return Asked(
        model=body.model,
        conversation=[
            conversation_message(message, f"messages.{index}")
            for index, message in enumerate(body.messages)
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
