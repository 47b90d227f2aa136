"""LangChain's integrations with hooks of ours where a turn passes through them.

LangChain has no public place between a message and the JSON of it. So the class of a chat model is
changed for one that overrides the private method where that happens.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatResult

from fusion_graph.langgraph_seams._presence import demand

Received = Callable[[AIMessage, Any, str], AIMessage]
"""Takes a message made of a reply, the reply as it came, and the model's name."""

Sent = Callable[[BaseMessage, dict[str, Any], str], dict[str, Any]]
"""Takes a message, the JSON made of it, and the model's name; gives the JSON to send."""


def change_class(chat: BaseChatModel, cls: type[Any]) -> None:
    """Make an object one of a subclass of its own class.

    Pydantic forbids the plain assignment. If this fails, build a new object of the class from the
    old one's fields.

    Args:
        chat: A copy that belongs to us.
        cls: A subclass without fields of its own.
    """
    object.__setattr__(chat, "__class__", cls)


def _named_like(mended: type[Any], cls: type[Any]) -> type[Any]:
    # Traces and prices go by the class's name.
    for name in ("__name__", "__qualname__", "__module__", "__doc__"):
        setattr(mended, name, getattr(cls, name))
    return mended


@lru_cache
def openai_turns(cls: type[Any], received: Received, sent: Sent) -> type[Any]:
    """A `BaseChatOpenAI` (ChatDeepSeek, ChatXAI, …) whose turns pass functions of ours.

    If `_create_chat_result` or `_get_request_payload` is gone, fields that LangChain does not know
    are lost from turns, and DeepSeek's thinking models refuse the second request: look for what
    `BaseChatOpenAI._agenerate` calls in their place. (langchain-openai 1.7.4)

    Args:
        cls: The integration's class.
        received: What to make of a message that came.
        sent: What to send of a message of the conversation; only for chat completions.

    Raises:
        IncompatibleLibrary: The class has no such methods.
    """
    breaks = f"{cls.__name__} loses fields of its turns"
    hooks = ("_create_chat_result", "_get_request_payload", "_convert_input")
    demand(cls, "langchain-openai", breaks, *hooks)

    class Kept(cls):  # type: ignore[misc]  # known only when it is there
        def _create_chat_result(self, response: Any, generation_info: Any = None) -> ChatResult:
            result: ChatResult = super()._create_chat_result(response, generation_info)
            message = result.generations[0].message if result.generations else None
            if isinstance(message, AIMessage):
                result.generations[0].message = received(message, response, self.model_name)
            return result

        def _get_request_payload(self, input_: Any, **kwargs: Any) -> dict[str, Any]:
            payload: dict[str, Any] = super()._get_request_payload(input_, **kwargs)
            messages = self._convert_input(input_).to_messages()
            built = payload.get("messages")  # the Responses API has `input`
            if isinstance(built, list) and len(built) == len(messages):
                for at, message in enumerate(messages):
                    built[at] = sent(message, built[at], self.model_name)
            return payload

    return _named_like(Kept, cls)


@lru_cache
def mistral_turns(cls: type[Any], sent: Sent) -> type[Any]:
    """A `ChatMistralAI` whose turns pass a function of ours on their way out.

    If `_create_message_dicts` is gone, what a Mistral model said and thought beside its calls is
    lost from the next request: look for what `ChatMistralAI._agenerate` calls in its place.
    (langchain-mistralai 1.1.6)

    Args:
        cls: The integration's class.
        sent: What to send of a message of the conversation.

    Raises:
        IncompatibleLibrary: The class has no such method.
    """
    breaks = f"{cls.__name__} loses what a turn said"
    demand(cls, "langchain-mistralai", breaks, "_create_message_dicts")

    class Kept(cls):  # type: ignore[misc]  # known only when it is there
        def _create_message_dicts(self, messages: list[BaseMessage], stop: Any) -> Any:
            built, parameters = super()._create_message_dicts(messages, stop)
            pairs = zip(messages, built, strict=True)
            return [sent(message, item, self.model) for message, item in pairs], parameters

    return _named_like(Kept, cls)
