"""`ChatOpenAI`, taken apart: the payload it would send, and the message it makes of a reply."""

from __future__ import annotations

from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult
from langchain_openai import ChatOpenAI
from openai import AsyncOpenAI

from fusion_graph.langgraph_seams._presence import demand

demand(
    ChatOpenAI,
    "langchain-openai",
    "no model of the OpenAI protocol can be called",
    "_convert_input",
    "_create_chat_result",
    "_get_request_payload",
)


class OpenAIChat(ChatOpenAI):
    """`ChatOpenAI` with public names for what a caller of the endpoint needs of it.

    If one of the private methods is gone, look for what `ChatOpenAI._agenerate` calls in its
    place: that method is LangChain's own caller of all three.
    """

    @property
    def sdk_headers(self) -> dict[str, str]:
        """The headers that the SDK's client sends with every call, without its key."""
        client: AsyncOpenAI = self.root_async_client
        return {k: v for k, v in client.default_headers.items() if isinstance(v, str)}

    def payload_of(
        self, given: LanguageModelInput, stop: list[str] | None = None, **parameters: Any
    ) -> dict[str, Any]:
        """The JSON that LangChain would send.

        Args:
            given: The conversation.
            stop: Words that end the reply.
            parameters: As `ainvoke` takes them.
        """
        payload: dict[str, Any] = self._get_request_payload(given, stop=stop, **parameters)
        return payload

    def messages_of(self, given: LanguageModelInput) -> list[BaseMessage]:
        """The messages that LangChain reads an input as."""
        return self._convert_input(given).to_messages()

    def result_of(self, body: dict[str, Any]) -> ChatResult:
        """A chat completion as LangChain knows it.

        Args:
            body: The completion, as JSON.
        """
        return self._create_chat_result(body)
