"""A request to a model: what it asks for besides an answer, and how it is sent, once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
from fusion_graph.models.apis import API_REFUSALS, ENCRYPTED_REASONING, REASONING_WITH_TOOLS
from fusion_graph.models.model import Model
from fusion_graph.models.provider_search import OPENAI_SOURCES


@dataclass(frozen=True)
class Options:
    """The options of one call. None leaves a parameter to the provider.

    Attributes:
        tools: Tools offered, as OpenAI-format dicts.
        tool_choice: As OpenAI's; `none` forbids calls while the tools stay listed.
        temperature: 0 to 2.
        reasoning_effort: As the provider names it.
        max_tokens: Most tokens of the reply.
        response_formats: Ways to ask for JSON, strongest first; a refused one gives way to the
            next, and after the last the call goes without.
        cache_control: Whether what a provider is to keep in its cache is marked.
        search: Its provider's own search, as that wants it listed.
        most_searches: Most calls of it.
        search_instead: Tools offered where the search is refused, as OpenAI-format dicts.
    """

    tools: Sequence[dict[str, Any]] = ()
    tool_choice: str | dict[str, Any] | None = None
    temperature: float | None = None
    reasoning_effort: str | None = None
    max_tokens: int | None = None
    response_formats: tuple[dict[str, Any], ...] = ()
    cache_control: bool | None = None
    search: dict[str, Any] | None = None
    most_searches: int | None = None
    search_instead: Sequence[dict[str, Any]] = ()

    @property
    def calls_tools(self) -> bool:
        """Whether there is anything that the model may call, or have called."""
        return bool(self.tools or self.search)

    def without(self, name: str) -> Options:
        """Drop what was refused, of `failures.PARAMETERS` or `apis.API_REFUSALS`."""
        if name == REASONING_WITH_TOOLS:
            return replace(self, reasoning_effort="none") if self.tools else self
        if name in API_REFUSALS:
            return self
        if name == "response_format":
            return replace(self, response_formats=self.response_formats[1:])
        if name == "tools":
            return replace(self, tools=(), tool_choice=None, search=None)
        if name == "search":
            return replace(self, search=None, tools=[*self.tools, *self.search_instead])
        cleared: dict[str, Any] = {name: None}
        return replace(self, **cleared)

    def parameters(self) -> dict[str, Any]:
        """List the parameters that can be refused and are set, by their wire names."""
        sent: dict[str, Any] = {
            "temperature": self.temperature,
            "reasoning_effort": self.reasoning_effort,
            "tool_choice": self.tool_choice if self.calls_tools else None,
            "tools": list(self.tools) or None,
            "max_tokens": self.max_tokens,
            "response_format": self.response_formats[0] if self.response_formats else None,
            "cache_control": self.cache_control,
            "search": self.search,
        }
        return {name: value for name, value in sent.items() if value is not None}


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
    if model.program:
        return await _ask_program(model, messages, options, config, sink)
    chat: Any = model.chat
    if model.ours:
        chat = chat.model_copy(update=model.settings(options.parameters()))
    if options.calls_tools:
        messages = with_cache_marks(chat, messages)
        choice = tool_choice_for(chat, options.tool_choice)
        if choice is None and options.tool_choice not in (None, "none"):
            model.note_refused(["tool_choice"])
        own = [options.search] if options.search else []
        tools = [*options.tools, *own]
        chat = chat.bind_tools(tools, **({"tool_choice": choice} if choice else {}))
    if sink is None or options.calls_tools:
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


async def _ask_program(
    model: Model,
    messages: Sequence[BaseMessage],
    options: Options,
    config: RunnableConfig,
    sink: Callable[[str], None] | None,
) -> AIMessage:
    if options.tools and model.call_tool is None:
        raise NotImplementedError("A program calls tools itself; it takes none to be called later.")
    parameters = options.parameters()
    if "reasoning_effort" in parameters and not getattr(model.chat, "takes_effort", False):
        model.note_refused(["reasoning_effort"])
    update = model.settings(parameters)
    schemas = [w["json_schema"]["schema"] for w in options.response_formats if "json_schema" in w]
    update |= {"answer_schema": schemas[0] if schemas else None, "sink": sink}
    if options.tool_choice != "none":
        update |= {"offered": list(options.tools), "call_tool": model.call_tool}
    chat: Any = model.chat.model_copy(update=update)
    if _watched():
        return _as_message(await chat.ainvoke(list(messages), config))
    return _as_message(await chat.complete(list(messages)))


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
    if search := parameters.pop("search", None):
        parameters["tools"] = [*options.tools, search]
        if model.api == "responses":
            parameters["include"] = [*parameters.get("include", ()), OPENAI_SOURCES]
            parameters["max_tool_calls"] = options.most_searches
    if model.provider == "openrouter":
        # Asks OpenRouter to put `cost` into the usage; elsewhere it would be refused.
        parameters["extra_body"] = {"usage": {"include": True}}
    if _watched():
        return _as_message(await chat.ainvoke(list(messages), config, **parameters))
    return _as_message(await chat.complete(list(messages), **parameters))


def _watched() -> bool:
    """Tell whether a tracer, a callback of the user's or a cache waits for model calls."""
    return get_llm_cache() is not None or has_watchers()


def _as_message(reply: Any) -> AIMessage:
    if isinstance(reply, AIMessageChunk):
        reply = message_chunk_to_message(reply)
    if not isinstance(reply, AIMessage):
        raise TypeError(f"The model returned {type(reply).__name__}, not a message.")
    return reply
