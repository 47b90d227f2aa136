"""A reply as its readers get it: text without machinery, and calls as calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage

from fusion_graph.models.text_calls import named_in, offered_in, with_calls
from fusion_graph.text.echoes import without_echoes
from fusion_graph.text.thinking import without_thinking
from fusion_graph.text.written_calls import WEB_TOOLS, TextWithCalls, only_announces, written_calls


def read_text(text: str, nonce: str) -> str:
    """A text without thinking, calls and what only repeats the prompts.

    Args:
        text: What a model wrote.
        nonce: The run's delimiter secret.
    """
    rest = written_calls(without_thinking(text), WEB_TOOLS).rest
    return without_echoes(rest, nonce)[0]


def read_reply(
    message: AIMessage,
    messages: Sequence[BaseMessage],
    tools: Sequence[Mapping[str, Any]],
    allowed: bool,
    nonce: str = "",
) -> tuple[AIMessage, str, list[str]]:
    """The message with the calls it holds as text made calls, and the text that is left.

    Args:
        message: As it came.
        messages: The conversation it answers; tools called there may be called again.
        tools: The tools that were listed, in OpenAI's format.
        allowed: Whether they might be called.
        nonce: The run's delimiter secret.

    Returns:
        The message, what a reader may see of its text, and what was taken out of that because it
        only repeated the prompts.
    """
    text = without_thinking(message.text)
    offered = offered_in(tools)
    written = written_calls(text, {**WEB_TOOLS, **named_in(messages), **offered})
    text = written.rest
    if written.found:
        held = bool(message.tool_calls or message.invalid_tool_calls)
        answers = bool(text) and not only_announces(text)
        if not tools or held or (answers and not allowed):
            text = text if answers or held else ""
        elif written.calls:
            text, echoes = without_echoes(text, nonce)
            return with_calls(message, TextWithCalls(written.calls, text, True)), text, echoes
        elif not answers:
            text = ""
    text, echoes = without_echoes(text, nonce)
    return message, text, echoes
