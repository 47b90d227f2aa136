"""A request of Anthropic's Messages: its blocks as a conversation, its options as settings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from langchain_core.messages import (
    AnyMessage,
    SystemMessage,
)
from pydantic import BeforeValidator, Field

from fusion_graph.faces.server.protocols._asked import Asked, ClientTool
from fusion_graph.faces.server.protocols._fields import (
    EFFORTS,
    MAX_MESSAGES,
    MAX_TOOLS,
    Part,
    answer_format,
    checked,
    shown,
    stops,
    tool_choice,
    wire_name,
)
from fusion_graph.faces.server.protocols._messages_content import (
    Block,
    Message,
    blocks,
    conversation_of,
    system_text,
)
from fusion_graph.faces.server.protocols._openrouter import plugin_settings

SEARCH = re.compile(r"web_(?:search|fetch)_\d")
"""Types of Anthropic's own web tools, which run on its servers: here the models have ours."""

NO_EFFECT = frozenset({"metadata", "service_tier", "context_management", "cache_control", "betas"})
"""Fields that ask for nothing a fusion could do otherwise: not told as ignored."""


class Tool(Part):
    """A tool of the caller's application, or one of Anthropic's own by its dated type."""

    type: str | None = None
    name: str = Field(min_length=1, max_length=128)
    description: str | None = None
    input_schema: dict[str, Any] | None = None


def _named_tools(tools: Any) -> Any:
    """Without OpenRouter's server tools, which have no name."""
    if not isinstance(tools, list):
        return tools
    return [
        tool
        for tool in tools
        if not (isinstance(tool, dict) and str(tool.get("type")).startswith("openrouter:"))
    ]


class Body(Part):
    """The fields that are honoured; betas and habits of clients are overlooked."""

    model: str = Field(min_length=1)
    messages: list[Message] = Field(min_length=1, max_length=MAX_MESSAGES)
    system: Annotated[list[Block], BeforeValidator(blocks)] | None = None
    max_tokens: int | None = Field(default=None, ge=0)
    stop_sequences: list[str] | None = None
    stream: bool | None = None
    temperature: float | None = None
    tools: Annotated[list[Tool] | None, BeforeValidator(_named_tools)] = Field(
        default=None, max_length=MAX_TOOLS * 2
    )
    tool_choice: dict[str, Any] | None = None
    thinking: dict[str, Any] | None = None
    output_config: dict[str, Any] | None = None
    output_format: dict[str, Any] | None = None
    plugins: list[dict[str, Any]] | None = None
    fusion: dict[str, Any] | None = None


def read_messages(data: Mapping[str, Any]) -> Asked:
    """Read a request of `/v1/messages`.

    Args:
        data: The body.

    Raises:
        ApiError: 400, naming the field.
    """
    body = checked(Body, data)
    fusion = {**plugin_settings(data), **(body.fusion or {})}
    thinking = (body.thinking or {}).get("type")
    # An answer in one piece is read by its first block, unless thoughts were asked for.
    otherwise = thinking != "disabled" if body.stream else thinking in ("enabled", "adaptive")
    progress = shown(fusion, otherwise)
    if _is_search(body):
        fusion.setdefault("invocation", "never")
    own = [tool for tool in body.tools or () if tool.type in (None, "custom")]
    theirs = [f"tools.{tool.type}" for tool in body.tools or () if tool not in own]
    conversation: list[AnyMessage] = []
    if text := system_text(body.system or ()):
        conversation.append(SystemMessage(text))
    for index, message in enumerate(body.messages):
        conversation += conversation_of(message, f"messages.{index}")
    unknown = [
        name
        for name, value in data.items()
        if name not in Body.model_fields and name not in NO_EFFECT and value is not None
    ]
    return Asked(
        model=body.model,
        conversation=conversation,
        beside=_settings(body, own),
        fusion=fusion,
        stream=bool(body.stream),
        stop=stops(body.stop_sequences, "stop_sequences"),
        one_call=(body.tool_choice or {}).get("disable_parallel_tool_use") is True,
        progress=progress,
        capped=True,
        tools={wire_name(tool.name): ClientTool(tool.name) for tool in own},
        ignored=[*unknown, *theirs],
        body=data,
    )


def _is_search(body: Body) -> bool:
    """Whether it is Claude Code's way to search the web: one model that searches will do."""
    types = [tool.type or "" for tool in body.tools or ()]
    if not types or not all(SEARCH.match(type) for type in types):
        return False
    choice = body.tool_choice or {}
    last = next((b.text or "" for b in body.messages[-1].content if b.type == "text"), "")
    return choice.get("type") == "tool" or last.startswith("Perform a web search for the query:")


def _settings(body: Body, tools: Sequence[Tool]) -> dict[str, tuple[str, Any]]:
    settings: dict[str, tuple[str, Any]] = {}
    if body.max_tokens:
        settings["writer_max_tokens"] = ("max_tokens", body.max_tokens)
    if body.temperature is not None:
        settings["temperature"] = ("temperature", body.temperature)
    config = body.output_config or {}
    if config.get("effort") in EFFORTS:
        settings["reasoning_effort"] = ("output_config.effort", config["effort"])
    if tools:
        settings["writer_tools"] = ("tools", [_offered(tool) for tool in tools])
    if body.tool_choice is not None:
        theirs = [tool.name for tool in body.tools or () if tool not in tools]
        if body.tool_choice.get("name") not in theirs:
            settings |= _choice(body.tool_choice, [wire_name(tool.name) for tool in tools])
    for wanted, where in (
        (body.output_format, "output_format"),
        (config.get("format"), "output_config.format"),
    ):
        if isinstance(wanted, dict):
            schema = {"schema": wanted.get("schema")}
            settings |= answer_format(wanted.get("type"), schema, where)
    return settings


def _offered(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": wire_name(tool.name)}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = tool.input_schema or {"type": "object", "properties": {}}
    return {"type": "function", "function": function}


def _choice(choice: Mapping[str, Any], names: Sequence[str]) -> dict[str, tuple[str, Any]]:
    kind = choice.get("type")
    kind = "required" if kind == "any" else kind
    if kind != "tool":
        return tool_choice(kind, names, None) if names or kind == "required" else {}
    return tool_choice(choice, names, wire_name(str(choice.get("name"))))
