"""A request in no protocol's words: what each of them is read into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from fusion_graph.cost.tokens import REQUEST_TOKENS, message_tokens, text_tokens
from fusion_graph.faces.server._wire import to_json

CARRIED = "carried"
"""Key of a message's `response_metadata` with the opaque texts that a client sent back with it."""


@dataclass(frozen=True)
class ClientTool:
    """A tool as its client calls it; the writer knows it by a name that every provider takes.

    Attributes:
        name: The client's name for it.
        kind: `function`, or `custom`, whose only argument is a text (Responses).
        namespace: What it is grouped under (Responses), or None.
    """

    name: str
    kind: Literal["function", "custom"] = "function"
    namespace: str | None = None


@dataclass(frozen=True)
class Asked:
    """A request for an answer, checked.

    Attributes:
        model: `fusion/NAME`, as the client wrote it.
        conversation: Its messages, with the ids that the client has for tool calls.
        beside: Settings that the protocol's own fields stand for: `(name of the field, value)` by
            setting.
        fusion: Settings of the `fusion` object.
        stream: Whether the answer comes in pieces.
        stop: Texts before the first of which the answer ends.
        one_call: Whether at most one tool may be called at a time.
        progress: Whether the client is shown what the panel does, as reasoning.
        events: Whether the client wants the panel's events in OpenRouter's shapes (Responses).
        capped: Whether the client's limit of tokens is one that it always sends: then a lower
            limit of the server's goes before it, instead of an error.
        tools: The client's tools by the name that the writer calls.
        ignored: Fields that changed nothing.
        where: The request's field that holds the conversation.
        body: The request as it came, for what a protocol repeats of it.
        owner: The name of the key that asks; empty for the server owner's.
    """

    model: str
    conversation: list[AnyMessage]
    beside: Mapping[str, tuple[str, Any]]
    fusion: Mapping[str, Any]
    stream: bool
    stop: tuple[str, ...] = ()
    one_call: bool = False
    progress: bool = True
    events: bool = False
    capped: bool = False
    tools: Mapping[str, ClientTool] = field(default_factory=dict)
    ignored: Sequence[str] = ()
    where: str = "messages"
    body: Mapping[str, Any] = field(default_factory=dict)
    owner: str = ""

    @property
    def asker(self) -> str:
        """Who asks which model: what is remembered for one key is not found by another."""
        return f"{self.owner}\n{self.model}" if self.owner else self.model

    @property
    def held(self) -> bool:
        """Whether nothing is sent before the answer is whole, as one in a format has to be."""
        return "response_format" in self.beside

    @property
    def offered(self) -> list[dict[str, Any]]:
        """The tools that the writer is offered, in OpenAI's format."""
        tools: list[dict[str, Any]] = self.beside["writer_tools"][1] if self.has_tools else []
        return tools

    @property
    def has_tools(self) -> bool:
        """Whether the client brings tools."""
        return "writer_tools" in self.beside

    def tokens(self) -> int:
        """Tokens of the conversation as it was sent, by this project's own estimate."""
        tools = text_tokens(to_json(self.offered), "likely") if self.has_tools else 0
        return message_tokens(self.conversation, "likely") + tools + REQUEST_TOKENS["likely"]


def settled(conversation: Sequence[AnyMessage]) -> list[AnyMessage]:
    """The conversation with what an application says in its midst told where it stands.

    Claude Code puts a system message behind the question, Codex a developer's behind tool results.
    Neither is a new question, and several providers take a system message at the beginning alone.

    Args:
        conversation: The messages.
    """
    start = next(
        (i for i, message in enumerate(conversation) if not isinstance(message, SystemMessage)),
        len(conversation),
    )
    told: list[AnyMessage] = []
    waiting: list[str] = []
    for message in conversation[start:]:
        if not isinstance(message, SystemMessage):
            if waiting and isinstance(message, HumanMessage | ToolMessage):
                told.append(_with_note(message, "\n\n".join(waiting), before=True))
                waiting = []
            else:
                told.append(message)
        elif told and isinstance(told[-1], HumanMessage | ToolMessage):
            told[-1] = _with_note(told[-1], message.text)
        else:
            waiting.append(message.text)
    late = [SystemMessage("\n\n".join(waiting))] if waiting else []
    return [*conversation[:start], *late, *told]


def _with_note(
    message: HumanMessage | ToolMessage, note: str, *, before: bool = False
) -> HumanMessage | ToolMessage:
    """A message with an application's words beside its own."""
    marked = f"[The application's instructions: {note.strip()}]"
    content: str | list[str | dict[str, Any]]
    if isinstance(message.content, str):
        parts = [marked, message.content] if before else [message.content, marked]
        content = "\n\n".join(part for part in parts if part)
    else:
        block = {"type": "text", "text": marked}
        content = [block, *message.content] if before else [*message.content, block]
    return message.model_copy(update={"content": content})


def carried_by(message: AIMessage) -> list[tuple[str, dict[str, Any]]]:
    """The opaque texts that a client sent back with an answer, and what stood readable beside."""
    found: list[tuple[str, dict[str, Any]]] = message.response_metadata.get(CARRIED, [])
    return found
