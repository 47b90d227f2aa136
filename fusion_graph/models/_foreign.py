"""LangChain's integrations: what they lose of a provider's turn, and how they want to be asked.

Most of them keep their provider's turn in the message they return, and send it back whole if that
message comes back. Where one does not, its class is mended here; and what is the same for all
providers in OpenAI's words (`tool_choice`, a cache that works by itself) is put into theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from fusion_graph.langgraph_seams.integrations import change_class, mistral_turns, openai_turns
from fusion_graph.models.reply import items_for, with_turn


def kept_whole(chat: BaseChatModel) -> BaseChatModel:
    """The chat model, keeping every turn whole where its integration would lose something.

    Args:
        chat: A copy that belongs to us; the class of this very object is changed.
    """
    for name, mend in _MENDED.items():
        if _is_a(chat, name) and not _is_a(chat, "ProtocolChat"):
            change_class(chat, mend(type(chat)))
            break
    return chat


def _is_a(chat: BaseChatModel, *names: str) -> bool:
    """Tell whether a chat model's class, or one above it, has one of these names.

    By name, since importing an integration to ask takes a second, and most are not installed.
    """
    return any(cls.__name__ in names for cls in type(chat).__mro__)


def is_anthropic(chat: BaseChatModel) -> bool:
    """Tell whether a chat model speaks Anthropic's protocol through LangChain's integration."""
    return _is_a(chat, "ChatAnthropic", "ChatAnthropicVertex")


def _with_fields(message: AIMessage, reply: Any, model: str) -> AIMessage:
    """The message, carrying the fields of the reply that LangChain does not know.

    LangChain drops them in both directions: DeepSeek's `reasoning_content`, without which its
    thinking models refuse the next request, OpenRouter's `reasoning_details`, Google's
    `extra_content`. (langchain-openai 1.7.4, langchain-deepseek 1.1.1)
    """
    raw = _raw_message(reply)
    return with_turn(message, "chat", [raw], model) if raw else message


def _own_turn(message: BaseMessage, built: dict[str, Any], model: str) -> dict[str, Any]:
    """A model's own turn as it sent it, in place of what LangChain built."""
    items = items_for(message, "chat", model)
    return items[0] if items else built


def _raw_message(response: Any) -> dict[str, Any] | None:
    """The assistant message of a chat completion as it came, of the SDK's object or plain JSON."""
    if not isinstance(response, Mapping):
        choices = getattr(response, "choices", None)
        message = getattr(choices[0], "message", None) if choices else None
        if message is None:
            return None
        return cast("dict[str, Any]", message.model_dump(exclude_unset=True, exclude={"parsed"}))
    choices = response.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, Mapping) else None
    return dict(message) if isinstance(message, Mapping) else None


def _own_content(message: BaseMessage, built: dict[str, Any], _: str) -> dict[str, Any]:
    """A Mistral turn with what it said and thought besides its calls.

    LangChain empties the content of every turn with calls, for the sake of other providers'
    messages. (langchain-mistralai 1.1.6)
    """
    own = message.response_metadata.get("model_provider") == "mistralai"
    if own and isinstance(message, AIMessage) and built.get("tool_calls"):
        return {**built, "content": _without_indices(message.content)}
    return built


def _without_indices(content: Any) -> Any:
    """Content without the `index` that LangChain gives a stream's parts; Mistral refuses it."""
    if isinstance(content, list):
        return [_without_indices(part) for part in content]
    if isinstance(content, Mapping):
        return {name: _without_indices(part) for name, part in content.items() if name != "index"}
    return content


_MENDED: dict[str, Callable[..., type[Any]]] = {
    "BaseChatOpenAI": lambda cls: openai_turns(cls, _with_fields, _own_turn),
    "ChatMistralAI": lambda cls: mistral_turns(cls, _own_content),
}


@dataclass(frozen=True)
class _Words:
    """Word a tool choice as an integration wants it.

    Attributes:
        none: Forbids calls; None where there is no word for it.
        required: Demands one.
        named: Demands a call of the tool of this name.
    """

    none: Any
    required: Any
    named: Callable[[str], Any]


_ANTHROPIC = _Words({"type": "none"}, "any", lambda name: {"type": "tool", "name": name})
_GOOGLE = _Words("none", "any", lambda name: name)

_CHOICES = {
    # Takes every word but "any" and "auto" for the name of a tool (langchainjs#8928): `none`
    # and `required` would each be answered with a 400.
    "ChatAnthropic": _ANTHROPIC,
    "ChatAnthropicVertex": _ANTHROPIC,
    # Knows OpenAI's words, and takes OpenAI's object for a `ToolConfig`, which it is not.
    "ChatGoogleGenerativeAI": _GOOGLE,
    "ChatVertexAI": _GOOGLE,
    # Bedrock's Converse has no `none`; its integration takes the word for the name of a tool.
    "ChatBedrockConverse": _Words(None, "any", lambda name: name),
}
"""Integrations that do not take OpenAI's `tool_choice`. The others do (deepseek, mistralai,
openrouter, groq, xai), or have nothing of the kind and ignore it (ollama)."""


def tool_choice_for(chat: BaseChatModel, choice: Any) -> Any:
    """A `tool_choice` of OpenAI's as an integration's `bind_tools` takes it; None leaves it out.

    Args:
        chat: The chat model.
        choice: `none`, `auto`, `required`, an object that names a function, or None.
    """
    words = next((w for name, w in _CHOICES.items() if _is_a(chat, name)), None)
    if words is None or choice in (None, "auto"):
        return choice
    if choice == "none":
        return words.none
    if words is _ANTHROPIC and _thinks(chat):
        return None  # Anthropic refuses to force a thinking model, which may call all the same
    if choice in ("required", "any"):
        return words.required
    function = choice.get("function") if isinstance(choice, Mapping) else None
    name = function.get("name") if isinstance(function, Mapping) else choice
    return words.named(name) if isinstance(name, str) else None


def _thinks(chat: Any) -> bool:
    thinking = getattr(chat, "thinking", None)
    return isinstance(thinking, Mapping) and thinking.get("type") in ("enabled", "adaptive")


CACHED = {"type": "ephemeral"}
"""Anthropic's mark: keep the prompt up to here for five minutes (a write costs 1.25 times the
price, a read a tenth)."""


def with_cache_marks(chat: BaseChatModel, messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """The conversation with Anthropic's cache marks, where a Claude reads it and will again.

    Three of the four marks there may be: after the instructions (and the tools, which come before
    them), where the request before this one ended, and at the end. The second is there because
    Anthropic looks no further back than 20 blocks from a mark for what it has kept, and a round of
    parallel calls is longer. Every text becomes a block, marked or not, so that a message
    is the same bytes in each request.

    Args:
        chat: The chat model; the conversation of any other than Anthropic's stays as it is.
        messages: The conversation. One that has marks of its own keeps them and gets none.
    """
    if not is_anthropic(chat) or any(map(_is_marked, messages)):
        return list(messages)
    turns = [at for at, message in enumerate(messages) if isinstance(message, AIMessage)]
    ends = {len(messages) - 1, *(at - 1 for at in turns[-1:])}
    ends |= {at for at, message in enumerate(messages[:1]) if isinstance(message, SystemMessage)}
    return [_in_blocks(message, mark=at in ends) for at, message in enumerate(messages)]


def _is_marked(message: BaseMessage) -> bool:
    blocks = message.content if isinstance(message.content, list) else []
    return any(isinstance(block, dict) and "cache_control" in block for block in blocks)


def _in_blocks(message: BaseMessage, *, mark: bool) -> BaseMessage:
    """A message that is not the model's own as a list of blocks, the last one marked if wanted."""
    if not isinstance(message, SystemMessage | HumanMessage | ToolMessage):
        return message
    content = message.content
    if isinstance(content, str):
        if not content.strip():
            return message  # Anthropic refuses blank blocks, and takes a result without content
        content = [{"type": "text", "text": content}]
    if mark and content and isinstance(content[-1], dict):
        content = [*content[:-1], {**content[-1], "cache_control": CACHED}]
    return message.model_copy(update={"content": content})
