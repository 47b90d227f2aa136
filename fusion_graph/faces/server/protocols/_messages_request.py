"""A request of Anthropic's Messages: its blocks as a conversation, its options as settings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from pydantic import BeforeValidator, Field

from fusion_graph.faces.server.protocols._asked import CARRIED, Asked, ClientTool
from fusion_graph.faces.server.protocols._fields import (
    EFFORTS,
    MAX_MESSAGES,
    MAX_TOOLS,
    Part,
    answer_format,
    check_picture,
    checked,
    shown,
    stops,
    tool_choice,
    wire_name,
    wrong,
)
from fusion_graph.faces.server.protocols._files import file_block, text_block
from fusion_graph.faces.server.protocols._openrouter import plugin_settings

BILLING = "x-anthropic-billing-header:"
"""Claude Code's first system block begins so: counters of its own, no instruction, and different
with every request, so that no provider could cache what follows it."""

REMINDER = re.compile(r"\s*<system-reminder>.*</system-reminder>\s*", re.DOTALL)
"""Claude Code's notes to the model, which it puts beside tool results; no words of the user's."""

SEARCH = re.compile(r"web_(?:search|fetch)_\d")
"""Types of Anthropic's own web tools, which run on its servers: here the models have ours."""

NO_EFFECT = frozenset({"metadata", "service_tier", "context_management", "cache_control", "betas"})
"""Fields that ask for nothing a fusion could do otherwise: not told as ignored."""


def _blocks(content: Any) -> Any:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


class Source(Part):
    """Where the bytes of a picture or document are."""

    type: str
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    content: Any = None


class Block(Part):
    """A block of a message's content, of any type; each type has its own fields."""

    type: str
    text: str | None = None
    source: Source | None = None
    title: str | None = None
    id: str | None = None
    name: str | None = None
    input: dict[str, Any] | None = None
    tool_use_id: str | None = None
    content: Any = None
    is_error: bool | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None


class Message(Part):
    """One message of the conversation."""

    role: Literal["user", "assistant", "system"]
    content: Annotated[list[Block], BeforeValidator(_blocks)]


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
    system: Annotated[list[Block], BeforeValidator(_blocks)] | None = None
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
    if text := _system(body.system or ()):
        conversation.append(SystemMessage(text))
    for index, message in enumerate(body.messages):
        conversation += _read(message, f"messages.{index}")
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


def _system(blocks: Sequence[Block]) -> str:
    texts = [block.text or "" for block in blocks]
    return "\n\n".join(text for text in texts if text and not text.startswith(BILLING))


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


def _read(message: Message, where: str) -> Iterator[AnyMessage]:
    if message.role == "assistant":
        yield _answer(message)
        return
    if message.role == "system":
        yield SystemMessage(_system(message.content))
        return
    results: list[ToolMessage] = []
    said: list[str | dict[str, Any]] = []
    for index, block in enumerate(message.content):
        place = f"{where}.content.{index}"
        if block.type == "tool_result":
            if not block.tool_use_id:
                raise wrong(place, "a tool's result needs `tool_use_id`.", "missing_parameter")
            text = _result(block.content, f"{place}.content")
            text = f"Error: {text}" if block.is_error else text
            results.append(ToolMessage(text, tool_call_id=block.tool_use_id))
        elif results and block.type == "text" and REMINDER.fullmatch(block.text or ""):
            results[-1] = _with_note(results[-1], block.text or "")
        else:
            said += _told(block, place)
    yield from results
    if said or not results:
        yield HumanMessage(_plain(said))


def _with_note(result: ToolMessage, note: str) -> ToolMessage:
    return result.model_copy(update={"content": f"{result.text}\n\n{note.strip()}"})


def _plain(blocks: list[str | dict[str, Any]]) -> str | list[str | dict[str, Any]]:
    """One text as a text; several blocks as they are."""
    if not blocks:
        return ""
    first = blocks[0]
    if len(blocks) == 1 and isinstance(first, dict) and first["type"] == "text":
        return str(first["text"])
    return blocks


def _told(block: Block, where: str) -> list[dict[str, Any]]:
    """A block of the user's as LangChain's."""
    if block.type == "text":
        return [{"type": "text", "text": block.text or ""}]
    if block.type == "image":
        return [_picture(block.source, f"{where}.source")]
    if block.type == "document":
        return _document(block, f"{where}.source")
    if block.type == "search_result":
        return [text_block(_result(block.content, where), block.title)]
    raise wrong(f"{where}.type", f"blocks of the type {block.type[:60]!r} are not known here.")


def _picture(source: Source | None, where: str) -> dict[str, Any]:
    if source is None:
        raise wrong(where, "the picture is missing.", "missing_parameter")
    if source.type == "file":
        raise wrong(where, "this server keeps no files: send the picture itself.")
    url = source.url or f"data:{source.media_type or 'image/png'};base64,{source.data or ''}"
    return {"type": "image_url", "image_url": {"url": check_picture(url, where)}}


def _document(block: Block, where: str) -> list[dict[str, Any]]:
    source = block.source
    if source is None:
        raise wrong(where, "the document is missing.", "missing_parameter")
    if source.type == "text":
        return [text_block(source.data or "", block.title)]
    if source.type == "content":
        return [text_block(_result(source.content, where), block.title)]
    if source.type == "base64":
        kind = source.media_type or "application/pdf"
        return [file_block(source.data or "", block.title, where, kind)]
    raise wrong(where, "send the document itself: this server fetches and keeps none.")


def _result(content: Any, where: str) -> str:
    """What a tool returned, as text: the writer's provider may take no pictures there."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise wrong(where, "a text or a list of blocks is meant.")
    texts = []
    for index, item in enumerate(content):
        place = f"{where}.{index}"
        if not isinstance(item, dict):
            raise wrong(place, "a block is an object.")
        kind = item.get("type")
        if kind == "text":
            texts.append(str(item.get("text", "")))
        elif kind == "document":
            found = _document(checked(Block, item), place)
            texts += [str(b.get("text", "[a PDF, which cannot be shown here]")) for b in found]
        elif kind == "search_result":
            title = str(item.get("title") or item.get("source") or "")
            texts.append(f"{title}\n{_result(item.get('content'), place)}")
        elif kind == "tool_reference":
            texts.append(f"[tool: {item.get('tool_name', '')}]")
        else:
            texts.append(f"[a block of the type {str(kind)[:40]}, which cannot be shown here]")
    return "\n".join(texts)


def _answer(message: Message) -> AIMessage:
    texts, calls = [], []
    carried: list[tuple[str, dict[str, Any]]] = []
    for block in message.content:
        if block.type == "text":
            texts.append(block.text or "")
        elif block.type == "tool_use":
            name = wire_name(block.name or "")
            calls.append({"name": name, "args": block.input or {}, "id": block.id or ""})
        elif block.type == "redacted_thinking" and block.data:
            carried.append((block.data, {}))
        elif block.type == "thinking" and block.signature:
            carried.append((block.signature, {}))
    return AIMessage("".join(texts), tool_calls=calls, response_metadata={CARRIED: carried})
