"""ChatOpenAI on a short path: one POST, plain JSON, nothing lost on the way.

What it changes, and why:
- The OpenAI SDK re-walks and re-validates the whole history on every call (28-30 % of a panel
  run with tools), and its client's plain `post` still builds a request out of models (8 %).
  Here one HTTP client is asked, and what it answers is told in the SDK's typed errors.
- Streaming through LangChain costs a callback round a token; here tokens go to a plain
  function while the caller awaits one reply.
- `usage.cost`, which OpenRouter reports, survives streaming.
- HTTP 200 with an error body, and a stream that stops half-way, are errors.
- A turn that goes back is the one that came, whole (`reply.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import aclosing
from typing import Any

import httpx2
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatResult
from openai import APIConnectionError, APIStatusError
from pydantic import Field, PrivateAttr

from fusion_graph.errors import ErrorReply
from fusion_graph.langgraph_seams.openai_chat import OpenAIChat
from fusion_graph.models._caching import with_marks
from fusion_graph.models._completion import (
    checked,
    error_in,
    text_of,
    turn_in,
)
from fusion_graph.models._endpoint import Endpoint
from fusion_graph.models._http import body_of, events_of, is_stream, opened, read_out
from fusion_graph.models._stream import StreamedReply
from fusion_graph.models.reply import items_for, with_turn
from fusion_graph.models.secrets import conceal, scrub
from fusion_graph.text.json_data import whole_characters

TokenSink = Callable[[str], None]
"""Takes text as it arrives; an empty piece is a sign of life: reasoning, a call's arguments, or a
comment that only keeps the connection open."""


class ProtocolChat(OpenAIChat):
    """`ChatOpenAI` for the panel's calls; streams only into `sink`, when there is one."""

    sink: TokenSink | None = Field(default=None, exclude=True)
    """Where the text of a streamed reply goes; None asks for the reply in one piece."""
    tokens_field: str = "max_completion_tokens"
    """What the endpoint calls the token limit; only OpenAI's own wants the new name."""
    _secrets: tuple[str, ...] = PrivateAttr(default=())
    _endpoint: Endpoint = PrivateAttr()
    _unwanted: set[str] = PrivateAttr(default_factory=set)
    """Fields of turns that the endpoint sent and does not take back."""

    @property
    def endpoint(self) -> Endpoint:
        """Whom it asks."""
        return self._endpoint

    def connect(self, endpoint: Endpoint, secrets: Iterable[str]) -> None:
        """Ask an endpoint, and tell of errors without secrets.

        Args:
            endpoint: Whom to ask, with headers that no `repr` and no trace shows: fields of the
                model, as `default_headers` is one, are in every trace.
            secrets: What no exception may repeat.
        """
        self._endpoint = endpoint.with_headers_under(self.sdk_headers)
        self._secrets = tuple(secrets)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002  # LangChain's
        **kwargs: Any,
    ) -> ChatResult:
        try:
            return await self._reply(messages, stop, **kwargs)
        except Exception as error:
            conceal(error, self._secrets)
            if isinstance(error, APIStatusError):
                error.response = _concealed_response(error.response, self._secrets)
            raise

    async def _reply(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        **kwargs: Any,
    ) -> ChatResult:
        payload = self.payload_of(messages, stop, **kwargs)
        payload["messages"] = self._own_turns(messages, payload["messages"])
        payload.pop("stream", None)
        if payload.pop("cache_control", None):
            goes_on = payload.get("tool_choice") != "none"
            payload["messages"] = with_marks(payload["messages"], goes_on=goes_on)
        payload.update(payload.pop("extra_body", None) or {})
        if "max_completion_tokens" in payload:
            payload[self.tokens_field] = payload.pop("max_completion_tokens")
        if self.sink is not None:
            payload |= {"stream": True, "stream_options": {"include_usage": True}}
        _leave_out(self._unwanted, payload)
        try:
            body = await self._completion(payload)
        except APIStatusError as error:
            unwanted = _unwanted_fields(error, payload)
            if not unwanted:
                raise
            self._unwanted.update(unwanted)
            _leave_out(self._unwanted, payload)
            body = await self._completion(payload)
        return self._result(body)

    def _own_turns(
        self, messages: list[BaseMessage], built: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """Build the messages as LangChain does, with this model's own turns as it sent them."""
        return [
            items[0] if (items := items_for(message, "chat", self.model_name)) else item
            for message, item in zip(messages, built, strict=True)
        ]

    def _result(self, body: dict[str, Any]) -> ChatResult:
        """The reply as LangChain knows it, carrying the provider's own turn."""
        choice = body["choices"][0]
        turn = turn_in(choice["message"])
        read = {**choice["message"], "content": text_of(choice["message"])}
        result = self.result_of({**body, "choices": [{**choice, "message": read}]})
        generation = result.generations[0]
        if isinstance(provider := body.get("provider"), str) and result.llm_output is not None:
            result.llm_output["provider"] = provider  # OpenRouter's word for who ran the model
        if turn.keys() > {"role", "content"} and isinstance(generation.message, AIMessage):
            generation.message = with_turn(generation.message, "chat", [turn], self.model_name)
        return result

    async def complete(self, messages: list[BaseMessage], **parameters: Any) -> AIMessage:
        """A reply past LangChain's callbacks, rate limiter and cache: a third less work a call.

        Args:
            messages: The conversation.
            parameters: As `ainvoke` takes them.
        """
        result = await self._agenerate(messages, **parameters)
        generation = result.generations[0]
        message = generation.message
        assert isinstance(message, AIMessage)
        message.response_metadata = {
            **(result.llm_output or {}),
            **(generation.generation_info or {}),
            **message.response_metadata,
        }
        return message

    async def _completion(self, payload: dict[str, Any]) -> dict[str, Any]:
        """A completion, checked; its text goes into the sink as it comes, if there is one."""
        offered = _names_of(payload.get("tools"))
        async with opened(self._endpoint, "/chat/completions", payload) as response:
            if self.sink is not None and is_stream(response):
                return self._checked(await self._streamed(response, self.sink, offered), offered)
            body = self._checked(self._read(await body_of(response)), offered)
        if self.sink is not None:  # a server that was asked to stream and answered in one piece
            self.sink(text_of(body["choices"][0]["message"]))
        return body

    async def _streamed(
        self, response: httpx2.Response, sink: TokenSink, offered: tuple[str, ...]
    ) -> dict[str, Any]:
        """Read a streamed completion, passing text on, and put the whole reply together."""
        reply = StreamedReply(offered)
        over = False
        async with aclosing(events_of(response)) as events:
            async for event in events:
                if not event.data:
                    sink("")
                    continue
                if over := event.data.strip() == "[DONE]":
                    await read_out(events)
                    break
                for piece in self._pieces(event.data):
                    if error := error_in(piece, reply.finish_reason if reply.says else None):
                        raise error
                    sink(whole_characters(reply.take(piece)))
        if not (reply.ended or over):
            raise APIConnectionError(
                message="The stream ended before the reply did.", request=response.request
            )
        return reply.body()

    def _pieces(self, data: str) -> list[dict[str, Any]]:
        """The objects in an event; some servers send no blank line between two events."""
        try:
            found = [json.loads(data)]
        except (ValueError, RecursionError):
            try:
                found = [json.loads(line) for line in data.split("\n")]
            except (ValueError, RecursionError):
                said = self._excerpt(data)
                raise ErrorReply(f"The stream holds what is not JSON: {said}") from None
        return [piece for piece in found if isinstance(piece, dict)]

    def _read(self, body: bytes) -> Any:
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            said = self._excerpt(body.decode("utf-8", "replace"))
            raise ErrorReply(f"The reply is not JSON: {said}") from None

    def _checked(self, body: Any, offered: tuple[str, ...]) -> dict[str, Any]:
        if not isinstance(body, dict):
            raise ErrorReply(f"The reply is not a completion: {self._excerpt(str(body))}")
        return checked(body, offered)

    def _excerpt(self, text: str) -> str:
        """The beginning of a reply; a key is cut out before it could be cut in two."""
        return repr(scrub(text[:4_000], self._secrets)[:200])


def _names_of(tools: Any) -> tuple[str, ...]:
    functions = [tool.get("function") for tool in tools or () if isinstance(tool, Mapping)]
    return tuple(str(f["name"]) for f in functions if isinstance(f, Mapping) and f.get("name"))


_KNOWN = frozenset({"role", "content", "tool_calls", "name", "id", "type", "function"})
"""Fields of an assistant's message and of its calls that every server takes."""

_REFUSED_FIELD = re.compile(
    r"(un|not )support|unknown|unexpected|unrecogni[sz]ed|not (permitted|allowed)"
    r"|additional propert|extra[_ ](inputs|fields|forbidden)|forbidden",
    re.IGNORECASE,
)
_MISSED_FIELD = re.compile(r"missing|required?\b|must (be|have|include|contain)", re.IGNORECASE)


def _extra_fields(payload: Mapping[str, Any]) -> set[str]:
    """Fields of the turns in a request that not every server takes."""
    turns = [m for m in payload.get("messages") or () if m.get("role") == "assistant"]
    calls = [call for turn in turns for call in turn.get("tool_calls") or ()]
    return {name for item in (*turns, *calls) for name in item} - _KNOWN


def _unwanted_fields(error: APIStatusError, payload: Mapping[str, Any]) -> set[str]:
    """Fields of turns that the endpoint refuses to take back, if that is what its error says.

    Strict ones (Groq, Mistral, vLLM's `extra_forbidden`) refuse a message for a field that they
    or a gateway before them sent.
    """
    if error.status_code not in (400, 422):
        return set()
    said = error.response.text[:4_000]
    if not _REFUSED_FIELD.search(said) or _MISSED_FIELD.search(said):
        return set()
    return {name for name in _extra_fields(payload) if re.search(rf"\b{re.escape(name)}\b", said)}


def _leave_out(names: set[str], payload: dict[str, Any]) -> None:
    """Take fields out of the turns of a request."""
    if not names:
        return
    for at, message in enumerate(payload["messages"]):
        if message.get("role") != "assistant":
            continue
        kept = {k: v for k, v in message.items() if k not in names}
        if calls := kept.get("tool_calls"):
            kept["tool_calls"] = [
                {k: v for k, v in call.items() if k not in names} for call in calls
            ]
        payload["messages"][at] = kept


def _concealed_response(response: httpx2.Response, secrets: tuple[str, ...]) -> httpx2.Response:
    """The response of a failed call without keys: LangChain puts headers and body into traces."""
    encoding = ("content-encoding", "content-length", "transfer-encoding")
    headers = [(k, scrub(v, secrets)) for k, v in response.headers.items() if k not in encoding]
    return httpx2.Response(
        response.status_code,
        headers=headers,
        content=scrub(response.text, secrets).encode(),
        request=httpx2.Request(response.request.method, response.request.url),
    )
