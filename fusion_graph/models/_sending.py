"""One request to one model, by the wire or through LangChain, with everything its call asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.globals import get_llm_cache
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    message_chunk_to_message,
)
from langchain_core.runnables import RunnableConfig

from fusion_graph.langgraph_seams.surroundings import has_watchers
from fusion_graph.models._foreign import tool_choice_for, with_cache_marks
from fusion_graph.models.apis import ENCRYPTED_REASONING
from fusion_graph.models.open import Model
from fusion_graph.models.options import Options


async def send(
    model: Model,
    messages: Sequence[BaseMessage],
    options: Options,
    config: RunnableConfig,
    sink: Callable[[str], None] | None,
) -> AIMessage:
    """Send a conversation to a model, once, and give its reply as one message.

    Args:
        model: Which model. A `tool_choice` that its integration cannot express is noted on it.
        messages: The conversation.
        options: What to ask for.
        config: How the call shows in traces.
        sink: Takes the text as it streams in; None asks for it in one piece.

    Raises:
        Exception: Whatever the provider's client raises.
    """
    if model.protocol:
        return await _send_protocol(model, messages, options, config, sink)
    chat: Any = model.chat
    if model.ours:
        chat = chat.model_copy(update=model.settings(options.parameters()))
    if options.tools:
        messages = with_cache_marks(chat, messages)
        choice = tool_choice_for(chat, options.tool_choice)
        if choice is None and options.tool_choice not in (None, "none"):
            model.note_refused(["tool_choice"])
        chat = chat.bind_tools(list(options.tools), **({"tool_choice": choice} if choice else {}))
    if sink is None or options.tools:
        # LangChain mends the arguments of a streamed call that breaks off, and they would be run.
        reply = _as_message(await chat.ainvoke(list(messages), config))
        if sink is not None:
            sink(reply.text)
        return reply
    # The instance was told not to stream; asking it to is the way to say otherwise.
    yes = {"streaming": True} if "streaming" in type(chat).model_fields else {}
    chat = chat.model_copy(update={"disable_streaming": False, **yes})
    whole: AIMessageChunk | None = None
    async for chunk in chat.astream(list(messages), config):
        if chunk.text:
            sink(chunk.text)
        whole = chunk if whole is None else whole + chunk
    return _as_message(whole)


async def _send_protocol(
    model: Model,
    messages: Sequence[BaseMessage],
    options: Options,
    config: RunnableConfig,
    sink: Callable[[str], None] | None,
) -> AIMessage:
    chat: Any = model.client()
    if sink is not None:
        chat = chat.model_copy(update={"sink": sink})
    parameters = options.parameters()
    if model.api == "responses" and not model.has_refused(ENCRYPTED_REASONING):
        parameters["include"] = ["reasoning.encrypted_content"]
    if model.provider == "openrouter":
        # Asks OpenRouter to put `cost` into the usage; elsewhere it would be refused.
        parameters["extra_body"] = {"usage": {"include": True}}
    if _watched():
        return _as_message(await chat.ainvoke(list(messages), config, **parameters))
    return _as_message(await chat.complete(list(messages), **parameters))


def _watched() -> bool:
    """Whether a tracer, a callback of the user's or a cache is to be told of model calls."""
    return get_llm_cache() is not None or has_watchers()


def _as_message(reply: Any) -> AIMessage:
    if isinstance(reply, AIMessageChunk):
        reply = message_chunk_to_message(reply)
    if not isinstance(reply, AIMessage):
        raise TypeError(f"The model returned {type(reply).__name__}, not a message.")
    return reply
