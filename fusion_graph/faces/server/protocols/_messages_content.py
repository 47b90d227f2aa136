"""Messages of Anthropic's: their blocks as a conversation."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from pydantic import BeforeValidator

from fusion_graph.faces.server.protocols._asked import CARRIED
from fusion_graph.faces.server.protocols._fields import (
    PICTURE,
    Part,
    check_picture,
    checked,
    result_content,
    wire_name,
    wrong,
)
from fusion_graph.faces.server.protocols._files import file_block, text_block

BILLING = "x-anthropic-billing-header:"
"""Claude Code's first system block begins so: counters of its own, no instruction, and different
with every request, so that no provider could cache what follows it."""

REMINDER = re.compile(r"\s*<system-reminder>.*</system-reminder>\s*", re.DOTALL)
"""Claude Code's notes to the model, which it puts beside tool results; no words of the user's."""


def blocks(content: Any) -> Any:
    """A message's content as blocks."""
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
    content: Annotated[list[Block], BeforeValidator(blocks)]


def system_text(blocks: Sequence[Block]) -> str:
    """The words of system blocks, without what Claude Code counts in the first of them.

    Args:
        blocks: The request's.
    """
    texts = [block.text or "" for block in blocks]
    return "\n\n".join(text for text in texts if text and not text.startswith(BILLING))


def conversation_of(message: Message, where: str) -> Iterator[AnyMessage]:
    """Read a message: tool results are messages of their own, before what the user says.

    Args:
        message: The request's.
        where: Its place in the request.

    Raises:
        ApiError: 400, naming the field.
    """
    if message.role == "assistant":
        yield _answer(message)
        return
    if message.role == "system":
        yield SystemMessage(system_text(message.content))
        return
    results: list[ToolMessage] = []
    said: list[str | dict[str, Any]] = []
    for index, block in enumerate(message.content):
        place = f"{where}.content.{index}"
        if block.type == "tool_result":
            if not block.tool_use_id:
                raise wrong(place, "a tool's result needs `tool_use_id`.", "missing_parameter")
            text, pictures = _result(block.content, f"{place}.content")
            text = f"Error: {text}" if block.is_error else text
            content = result_content([text], pictures)
            results.append(ToolMessage(content, tool_call_id=block.tool_use_id))
        elif results and block.type == "text" and REMINDER.fullmatch(block.text or ""):
            results[-1] = _with_note(results[-1], block.text or "")
        else:
            said += _told(block, place)
    yield from results
    if said or not results:
        yield HumanMessage(_plain(said))


def _with_note(result: ToolMessage, note: str) -> ToolMessage:
    pictures = result.content[1:] if isinstance(result.content, list) else ()
    content = result_content([result.text, "", note.strip()], pictures)
    return result.model_copy(update={"content": content})


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
        return [text_block(_result(block.content, where)[0], block.title)]
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
        return [text_block(_result(source.content, where)[0], block.title)]
    if source.type == "base64":
        kind = source.media_type or "application/pdf"
        return [file_block(source.data or "", block.title, where, kind)]
    raise wrong(where, "send the document itself: this server fetches and keeps none.")


def _result(content: Any, where: str) -> tuple[str, list[dict[str, Any]]]:
    """What a tool returned: its texts as one, and the pictures among them."""
    if content is None or isinstance(content, str):
        return content or "", []
    if not isinstance(content, list):
        raise wrong(where, "a text or a list of blocks is meant.")
    texts: list[str] = []
    pictures: list[dict[str, Any]] = []
    for index, item in enumerate(content):
        place = f"{where}.{index}"
        if not isinstance(item, dict):
            raise wrong(place, "a block is an object.")
        kind = item.get("type")
        if kind == "text":
            texts.append(str(item.get("text", "")))
        elif kind == "image":
            pictures.append(_picture(checked(Block, item).source, f"{place}.source"))
            texts.append(PICTURE)
        elif kind == "document":
            found = _document(checked(Block, item), place)
            texts += [str(b.get("text", "[a PDF, which cannot be shown here]")) for b in found]
        elif kind == "search_result":
            title = str(item.get("title") or item.get("source") or "")
            text, beside = _result(item.get("content"), place)
            texts.append(f"{title}\n{text}")
            pictures += beside
        elif kind == "tool_reference":
            texts.append(f"[tool: {item.get('tool_name', '')}]")
        else:
            texts.append(f"[a block of the type {str(kind)[:40]}, which cannot be shown here]")
    return "\n".join(texts), pictures


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
