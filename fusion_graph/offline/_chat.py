"""What the offline models share as LangChain chat models: tools, usage, profile."""

from __future__ import annotations

import asyncio
import json
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.callbacks import (
    AsyncCallbackManagerForLLMRun,
    CallbackManagerForLLMRun,
)
from langchain_core.language_models import BaseChatModel, LanguageModelInput, ModelProfile
from langchain_core.messages import AIMessage, BaseMessage, ToolCall
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from fusion_graph.offline._reading import QUERY_ARGUMENTS, URL_ARGUMENTS

_SEARCH_NAMES = ("search",)
_FETCH_NAMES = ("fetch", "browse", "visit", "read_page", "read_url", "scrape", "open_url")


@dataclass(frozen=True, slots=True)
class Extract:
    """What a model says: text, or tool calls as `(name, args)`."""

    text: str = ""
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()


@dataclass(frozen=True, slots=True)
class OfferedTool:
    """A tool the model may call, with the name of the argument that matters."""

    name: str
    argument: str

    def call(self, value: str) -> tuple[str, dict[str, Any]]:
        """A call of the tool with that value."""
        return self.name, {self.argument: value}


@dataclass(frozen=True, slots=True)
class Offered:
    """The tools of a call as an extractive model sees them: one to search, one to read."""

    search: OfferedTool | None = None
    fetch: OfferedTool | None = None


class ExtractiveModel(BaseChatModel):
    """A chat model whose reply is a plain function of the messages and the tools offered.

    Attributes:
        model_name: As in `offline:keyword`; in the response's metadata and in traces.
    """

    model_name: str

    @abstractmethod
    def reply(self, messages: Sequence[BaseMessage], tools: Sequence[Mapping[str, Any]]) -> Extract:
        """The reply to `messages`, with the OpenAI-format `tools` that may be called."""

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """This model with the tools bound in OpenAI's format.

        Args:
            tools: Whatever LangChain can turn into a tool's description.
            tool_choice: "none" forbids calls, a tool's name allows only that tool.
        """
        if tool_choice is not None:
            kwargs["tool_choice"] = tool_choice
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    def message(self, messages: Sequence[BaseMessage], **kwargs: Any) -> AIMessage:
        """The reply as a message with usage; `tools` and `tool_choice` may be in `kwargs`."""
        reply = self.reply(messages, _callable(kwargs.get("tools"), kwargs.get("tool_choice")))
        done = sum(len(m.tool_calls) for m in messages if isinstance(m, AIMessage))
        label = self.model_name.replace(":", "_")
        calls = [
            ToolCall(name=name, args=args, id=f"{label}_{done + n}", type="tool_call")
            for n, (name, args) in enumerate(reply.calls, start=1)
        ]
        return AIMessage(
            content=reply.text,
            tool_calls=calls,
            usage_metadata=_usage(messages, reply),
            response_metadata={
                "model_name": self.model_name,
                "finish_reason": "tool_calls" if calls else "stop",
            },
        )

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002 - LangChain's signature
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> ChatResult:
        message = self.message(messages, **kwargs)
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002 - LangChain's signature
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> ChatResult:
        # In a thread: ranking long pages must not hold up a server's other runs.
        message = await asyncio.to_thread(self.message, messages, **kwargs)
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _resolve_model_profile(self) -> ModelProfile:
        return {
            "text_inputs": True,
            "image_inputs": False,
            "image_url_inputs": False,
            "audio_inputs": False,
            "pdf_inputs": False,
            "video_inputs": False,
            "image_tool_message": False,
            "pdf_tool_message": False,
            "text_outputs": True,
            "image_outputs": False,
            "audio_outputs": False,
            "video_outputs": False,
            "reasoning_output": False,
            "tool_calling": True,
            "structured_output": False,
        }

    @property
    def _llm_type(self) -> str:
        return "offline"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": self.model_name}


def offered(tools: Sequence[Mapping[str, Any]]) -> Offered:
    """Which of the tools searches and which reads a page; others are never called.

    Going by name and argument alone would be reckless ("query" may run SQL), so both must fit.
    """
    return Offered(
        search=_first(tools, "web_search", _SEARCH_NAMES, QUERY_ARGUMENTS),
        fetch=_first(tools, "web_fetch", _FETCH_NAMES, URL_ARGUMENTS),
    )


def _first(
    tools: Sequence[Mapping[str, Any]],
    usual: str,
    names: tuple[str, ...],
    arguments: tuple[str, ...],
) -> OfferedTool | None:
    found = []
    for tool in tools:
        function = tool.get("function", {})
        name = str(function.get("name", ""))
        properties = (function.get("parameters") or {}).get("properties", {})
        argument = next((a for a in arguments if a in properties), None)
        if argument and any(part in name.lower() for part in names):
            found.append(OfferedTool(name, argument))
    return next((tool for tool in found if tool.name == usual), found[0] if found else None)


def _callable(tools: Any, choice: Any) -> list[Mapping[str, Any]]:
    """The tools that `tool_choice` leaves."""
    if not tools or choice == "none":
        return []
    described: list[Mapping[str, Any]] = [convert_to_openai_tool(tool) for tool in tools]
    wanted = choice["function"]["name"] if _names_function(choice) else choice
    only = [tool for tool in described if tool["function"]["name"] == wanted]
    return only or described


def _names_function(choice: Any) -> bool:
    return isinstance(choice, dict) and isinstance(choice.get("function"), dict)


def _usage(messages: Sequence[BaseMessage], reply: Extract) -> UsageMetadata:
    """Words between spaces as tokens: no tokenizer is involved, so none is pretended."""
    read = sum(len(message.text.split()) for message in messages)
    read += sum(
        _words(call["args"]) for m in messages if isinstance(m, AIMessage) for call in m.tool_calls
    )
    written = len(reply.text.split()) + sum(_words(args) for _, args in reply.calls)
    return UsageMetadata(input_tokens=read, output_tokens=written, total_tokens=read + written)


def _words(args: Mapping[str, Any]) -> int:
    return len(json.dumps(args, ensure_ascii=False, default=str).split())
