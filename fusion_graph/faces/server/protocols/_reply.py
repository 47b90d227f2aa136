"""What a finished run says to its client, in no protocol's words."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AIMessage

from fusion_graph.cost.tokens import text_tokens
from fusion_graph.faces.server.protocols._asked import Asked, ClientTool

FINISHES = frozenset({"stop", "length", "content_filter"})
"""Reasons to finish that OpenAI's clients know, besides `tool_calls`."""


@dataclass(frozen=True)
class Call:
    """A call of one of the client's tools: its id, the tool, and the arguments as JSON text."""

    id: str
    tool: ClientTool
    arguments: str

    @property
    def args(self) -> dict[str, Any]:
        """The arguments as an object; broken ones as they are, under `arguments`."""
        try:
            args = json.loads(self.arguments or "{}")
        except (ValueError, RecursionError):
            args = None
        return args if isinstance(args, dict) else {"arguments": self.arguments}

    @property
    def text(self) -> str:
        """The one argument of a custom tool."""
        value = self.args.get("input", self.arguments)
        return value if isinstance(value, str) else self.arguments


@dataclass(frozen=True)
class Usage:
    """What the visible answer's conversation comes to, as of a single model.

    Clients cut their conversations down by it: told the sum of a whole panel, they would do so
    after one turn. The sum of the run is in the report.

    Attributes:
        read: Tokens of the conversation as it was sent, estimated.
        written: Tokens of the visible answer, estimated.
        cost: US dollars of the whole run, if known.
    """

    read: int
    written: int
    cost: float | None


@dataclass(frozen=True)
class Reply:
    """An answer.

    Attributes:
        run_id: The run's.
        model: What the client called the model.
        created: Unix time in seconds.
        text: What it says.
        calls: The client's tools that it calls.
        finish: `stop`, `length`, `content_filter` or `tool_calls`.
        stopped_by: The stop text at which it ends, if it does.
        usage: See there.
        report: The run's, as callers see it.
        carried: What the client is to send back with it, sealed; None where nothing goes on from
            it, or the conversation has it already.
        models: Who answered in the deliberation.
        thoughts: What the panel did, in Markdown, where an answer in one piece is to show it.
    """

    run_id: str
    model: str
    created: int
    text: str
    calls: list[Call]
    finish: str
    stopped_by: str | None
    usage: Usage
    report: dict[str, Any]
    carried: str | None = None
    models: list[str] = field(default_factory=list)
    thoughts: str = ""


def made_calls(message: AIMessage, asked: Asked) -> list[tuple[str, str, str]]:
    """The calls that an answer made: id, the writer's name for the tool, arguments as JSON text.

    Args:
        message: The answer as its writer gave it.
        asked: What was asked.
    """
    made = [
        (call["id"] or "", call["name"], json.dumps(call["args"], ensure_ascii=False))
        for call in message.tool_calls
    ]
    # Arguments that are no JSON are the caller's to judge, as with OpenAI.
    made += [
        (call["id"] or "", call["name"] or "", call["args"] or "")
        for call in message.invalid_tool_calls
    ]
    return made[:1] if asked.one_call else made


def written_tokens(text: str, made: list[tuple[str, str, str]]) -> int:
    """Tokens of a visible answer with its calls, by this project's own estimate."""
    return text_tokens(text, "likely") + sum(
        text_tokens(f"{name}{arguments}", "likely") for _, name, arguments in made
    )
