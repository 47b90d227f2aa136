"""ChatFusion: a panel as a LangChain chat model, for anything that takes a model."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, closing
from typing import Any

from langchain_core.callbacks import (
    AsyncCallbackManagerForLLMRun,
    BaseRunManager,
    CallbackManagerForLLMRun,
)
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.language_models.model_profile import ModelProfile
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import ConfigDict, Field, ValidationError

from fusion_graph.config import FusionConfig, coerce, explain
from fusion_graph.errors import ConfigurationError
from fusion_graph.faces._blocking import iterate_blocking
from fusion_graph.faces._chat_message import MODEL_PREFIX, Pieces, whole_message
from fusion_graph.faces._isolated import progress_teller, run_apart
from fusion_graph.faces._structured import FORMAT_FOR_TRACES, Method, structured
from fusion_graph.faces.follow import Event
from fusion_graph.graph import create_fusion_graph
from fusion_graph.run.recursion import refuse_recursion

OTHER_NAMES = {
    "tools": "writer_tools",
    "tool_choice": "writer_tool_choice",
    "max_tokens": "writer_max_tokens",
}
"""What LangChain calls a setting of one call, and the field it is."""


class ChatFusion(BaseChatModel):
    """A panel of models behind the interface of one.

    Every call runs the whole graph: panel, judge, writer. The writer's words stream as they come.
    Tools that are bound are the writer's: the panel deliberates without them, the writer alone
    calls them, and when their results come back it goes on from the same deliberation.

    The message holds the report in `response_metadata["fusion"]`, and the totals of the run in
    `usage_metadata`. Inside a LangGraph node the run's progress events go to the node's `custom`
    stream. Tracers see the run inside the call (where it streams, beside it); other callbacks see
    one model's call.

    What a chat model of one provider may do and this does not: `stop` is not sent to the writer,
    the answer is cut here; `max_tokens` limits the writer, `max_completion_tokens` in `config`
    every call; a stream cannot take back the words of a writer that broke off, so it says that
    they are void and goes on with the next answer.

    Args:
        preset: A preset's name or path.
        config: A `FusionConfig` or a dict of its fields. Every field may also be given to one
            call (`model.invoke(…, max_tool_calls=2)`) or bound (`model.bind(…)`).
        tools: The panelists' tools, in place of web_search and web_fetch.
        temperature: The panel's.
        max_tokens: Most tokens of the answer.
        stop: Texts before the first of which the answer ends.
        streaming: Whether `invoke` too streams to callbacks.

    Raises:
        ConfigurationError: A wrong field or an unknown preset, here or in a call.

    Example:
        >>> from fusion_graph import ChatFusion
        >>> model = ChatFusion(preset="offline")
        >>> message = model.invoke("What is a panel of models?")
        >>> message.response_metadata["fusion"]["status"]
        'ok'
        >>> message.response_metadata["model_name"]
        'fusion/offline'
    """

    model_config = ConfigDict(extra="forbid")

    preset: str | None = None
    config: FusionConfig | None = Field(default=None)
    tools: list[BaseTool] | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    stop: list[str] | None = None
    streaming: bool = False

    def __init__(self, **data: Any) -> None:
        if data.get("config") is not None:
            # Before pydantic sees it: in a field, its error would become pydantic's own.
            data["config"] = FusionConfig(**coerce(data["config"]))
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise ConfigurationError(*explain(error, type(self))) from None
        create_fusion_graph(self._settings(), tools=self.tools)

    @property
    def model_name(self) -> str:
        """`fusion/budget` for a preset, `fusion` for a panel of one's own."""
        preset = self._settings().get("preset")
        return f"{MODEL_PREFIX}{preset}" if preset else MODEL_PREFIX.rstrip("/")

    def _settings(self) -> dict[str, Any]:
        """The fields set here, below those of a call."""
        own = {
            "preset": self.preset,
            "temperature": self.temperature,
            "writer_max_tokens": self.max_tokens,
        }
        given = self.config.given() if self.config is not None else {}
        return {**given, **{name: value for name, value in own.items() if value is not None}}

    @property
    def _llm_type(self) -> str:
        return "fusion"

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        """What makes one panel another, for caches and traces; headers may hold keys."""
        fields = FusionConfig(**self._settings()).model_dump(mode="json", exclude_unset=True)
        for provider in fields.get("providers", {}).values():
            provider.pop("headers", None)
        if self.config is not None and "tools" in fields:  # arguments and addresses may, too
            fields["tools"] = {name: one.shown() for name, one in self.config.tools.items()}
        tools = [tool.name for tool in self.tools] if self.tools is not None else None
        return {"model_name": self.model_name, "config": fields, "tools": tools, "stop": self.stop}

    def __repr_args__(self) -> Any:
        # Tracers send what an object looks like.
        return self._identifying_params.items()

    def _resolve_model_profile(self) -> ModelProfile:
        return {"text_inputs": True, "text_outputs": True, "tool_calling": True}

    def get_num_tokens(self, text: str) -> int:
        """About how many tokens a text has: a panel has no tokenizer of its own."""
        return count_tokens_approximately([("user", text)])

    def get_num_tokens_from_messages(self, messages: list[BaseMessage], tools: Any = None) -> int:
        """About how many tokens a conversation has."""
        return count_tokens_approximately(messages, tools=tools)

    # Runs

    def _run(
        self, messages: list[BaseMessage], call: BaseRunManager | None, settings: Mapping[str, Any]
    ) -> AsyncGenerator[Event]:
        refuse_recursion()
        graph = create_fusion_graph(self._settings(), tools=self.tools)
        return run_apart(graph, messages, self._of_call(settings), call)

    def _of_call(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The fields that one call sets, from LangChain's names for some of them."""
        fields = {OTHER_NAMES.get(name, name): value for name, value in settings.items()}
        fields.pop("stream", None)
        if (model := fields.pop("model", None)) is not None:
            fields["preset"] = str(model).removeprefix(MODEL_PREFIX)
        return coerce({name: value for name, value in fields.items() if value is not None})

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        tell, event = progress_teller(), Event()
        with closing(iterate_blocking(self._run(messages, run_manager, kwargs))) as events:
            for event in events:
                tell(event)
        return _result(whole_message(event, stop or self.stop or ()))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        tell, event = progress_teller(), Event()
        async with aclosing(self._run(messages, run_manager, kwargs)) as events:
            async for event in events:
                tell(event)
        return _result(whole_message(event, stop or self.stop or ()))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        tell, pieces = progress_teller(), self._pieces(stop, kwargs)
        with closing(iterate_blocking(self._run(messages, run_manager, kwargs))) as events:
            for event in events:
                tell(event)
                for chunk in pieces.take(event):
                    yield ChatGenerationChunk(message=chunk)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        tell, pieces = progress_teller(), self._pieces(stop, kwargs)
        async with aclosing(self._run(messages, run_manager, kwargs)) as events:
            async for event in events:
                tell(event)
                for chunk in pieces.take(event):
                    yield ChatGenerationChunk(message=chunk)

    def _pieces(self, stop: list[str] | None, settings: Mapping[str, Any]) -> Pieces:
        fields = {**self._settings(), **self._of_call(settings)}
        return Pieces(stop or self.stop or (), at_once=fields.get("response_format") is not None)

    # Tools and formats

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: dict[str, Any] | str | bool | None = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Give the writer tools; the panel deliberates without them.

        Args:
            tools: Anything LangChain makes a tool of.
            tool_choice: `auto`, `none`, `any` (or `required`, or True), a tool's name, or as
                OpenAI's.
            strict: Whether the provider is to hold the writer to the tools' schemas.
            kwargs: Other settings of the calls, as for one call.

        Raises:
            ConfigurationError: A setting that does not exist.
        """
        kwargs["tools"] = [convert_to_openai_tool(tool, strict=strict) for tool in tools]
        if tool_choice is not None:
            kwargs["tool_choice"] = _choice(tool_choice)
        structured = {key: kwargs.pop(key) for key in [FORMAT_FOR_TRACES] if key in kwargs}
        self._of_call(kwargs)
        return self.bind(**kwargs, **structured)

    def with_structured_output(
        self,
        schema: dict[str, Any] | type,
        *,
        include_raw: bool = False,
        method: Method = "function_calling",
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Have the writer answer in the form of a schema; the panel deliberates in prose.

        Args:
            schema: A pydantic class, a TypedDict or a JSON schema.
            include_raw: Return `{"raw", "parsed", "parsing_error"}` and never raise for the form.
            method: `function_calling` has the writer call a tool of that form; `json_schema` and
                `json_mode` use its provider's `response_format`.
            strict: Whether the provider is to hold the writer to the schema.
            kwargs: Other settings of the calls, as for one call.
        """
        return structured(self, schema, method, strict, include_raw, kwargs)


def _choice(tool_choice: dict[str, Any] | str | bool) -> dict[str, Any] | str:
    if isinstance(tool_choice, dict):
        return tool_choice
    if tool_choice in ("auto", "none", "required"):
        return str(tool_choice)
    if tool_choice in (True, "any"):
        return "required"
    if tool_choice is False:
        return "none"
    return {"type": "function", "function": {"name": tool_choice}}


def _result(message: AIMessage) -> ChatResult:
    return ChatResult(generations=[ChatGeneration(message=message)])
