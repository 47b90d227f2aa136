"""ChatOpenAI on a short path: one POST, plain JSON, nothing lost on the way.

What it changes, and why:
- The OpenAI SDK re-walks and re-validates the whole history on every call (28-30 % of a panel
  run with tools); its client's `post` keeps auth, timeouts and typed errors without that.
- Streaming through LangChain costs a callback round a token; here tokens go to a plain
  function while the caller awaits one reply.
- `usage.cost`, which OpenRouter reports, survives streaming.
- HTTP 200 with an error body, and a stream that stops half-way, are errors.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import httpx2
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatResult
from langchain_openai import ChatOpenAI
from openai import APIConnectionError, APIStatusError, AsyncStream
from pydantic import Field, PrivateAttr

from fusion_graph.cost.counts import usable_usage
from fusion_graph.models.secrets import conceal, scrub

TokenSink = Callable[[str], None]
"""Takes text as it arrives; an empty piece is a sign of life: reasoning, or a call's arguments."""

DEEPEST = 64
"""Most levels of a call's arguments; a checkpoint holds 256, those of the state included."""


class ErrorReply(Exception):
    """HTTP 200 whose body is an error, or not a completion at all.

    Args:
        message: The provider's words.
        status_code: The status it names in the body, if any.
        body: The error object.
    """

    def __init__(self, message: str, status_code: int | None = None, body: Any = None) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.body = body


class ProtocolChat(ChatOpenAI):
    """`ChatOpenAI` for the panel's calls; streams only into `sink`, when there is one."""

    sink: TokenSink | None = Field(default=None, exclude=True)
    """Where the text of a streamed reply goes; None asks for the reply in one piece."""
    tokens_field: str = "max_completion_tokens"
    """What the endpoint calls the token limit; only OpenAI's own wants the new name."""
    _secrets: tuple[str, ...] = PrivateAttr(default=())

    def keep_secret(self, headers: Mapping[str, str], secrets: Iterable[str]) -> None:
        """Send headers that no `repr` and no trace shows, and tell of errors without secrets.

        Args:
            headers: Sent with every call. Fields of the model, as `default_headers` is one, are
                in every trace.
            secrets: What no exception may repeat.
        """
        self.root_async_client = self.root_async_client.with_options(default_headers=headers)
        self.async_client = self.root_async_client.chat.completions
        self._secrets = tuple(secrets)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        try:
            return await self._reply(messages, stop, run_manager, **kwargs)
        except Exception as error:
            conceal(error, self._secrets)
            if isinstance(error, APIStatusError):
                error.response = _concealed_response(error.response, self._secrets)
            raise

    async def _reply(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        run_manager: AsyncCallbackManagerForLLMRun | None,
        **kwargs: Any,
    ) -> ChatResult:
        payload = self._get_request_payload(messages, stop=stop, **kwargs)
        if self._use_responses_api(payload):
            result = await super()._agenerate(messages, stop, run_manager, **kwargs)
            if self.sink is not None:
                self.sink(result.generations[0].message.text)
            return result
        payload.pop("stream", None)
        payload.update(payload.pop("extra_body", None) or {})
        if "max_completion_tokens" in payload:
            payload[self.tokens_field] = payload.pop("max_completion_tokens")
        body = await (self._complete(payload) if self.sink is None else self._stream_in(payload))
        result = self._create_chat_result(body)
        if isinstance(provider := body.get("provider"), str) and result.llm_output is not None:
            result.llm_output["provider"] = provider  # OpenRouter's word for who ran the model
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

    async def _complete(self, payload: dict[str, Any]) -> dict[str, Any]:
        response = await self.root_async_client.post(
            "/chat/completions", cast_to=httpx2.Response, body=payload
        )
        try:
            body = json.loads(response.content)
        except ValueError:
            raise ErrorReply(f"The reply is not JSON: {self._excerpt(response.text)}") from None
        return self._checked(body)

    def _excerpt(self, text: str) -> str:
        """The beginning of a reply; a key is cut out before it could be cut in two."""
        return repr(scrub(text, self._secrets)[:200])

    def _checked(self, body: Any) -> dict[str, Any]:
        if not isinstance(body, dict):
            raise ErrorReply(f"The reply is not a completion: {self._excerpt(str(body))}")
        return _checked(body)

    async def _stream_in(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Read a streamed completion, passing text on, and put the whole reply together."""
        assert self.sink is not None
        payload |= {"stream": True, "stream_options": {"include_usage": True}}
        stream = await self.root_async_client.post(
            "/chat/completions",
            cast_to=object,
            body=payload,
            stream=True,
            stream_cls=AsyncStream[object],
        )
        text: list[str] = []
        calls: dict[int, dict[str, Any]] = {}
        whole: dict[str, Any] = {}
        finish = None
        if "json" in stream.response.headers.get("content-type", ""):
            return await self._unstreamed(stream.response)
        try:
            async with stream:
                async for event in stream:
                    if not isinstance(event, dict):
                        continue
                    if event.get("usage"):
                        whole["usage"] = event["usage"]
                    for name in ("model", "id", "provider"):
                        if event.get(name):
                            whole.setdefault(name, event[name])
                    for choice in event.get("choices") or ():
                        finish = choice.get("finish_reason") or finish
                        delta = choice.get("delta") or {}
                        piece = _encodable(delta.get("content") or "")
                        text.append(piece)
                        self.sink(piece)
                        for part in delta.get("tool_calls") or ():
                            _add_call_part(calls, part)
        except ValueError as error:
            said = self._excerpt(str(getattr(error, "doc", error)))
            raise ErrorReply(f"The stream holds what is not JSON: {said}") from None
        if finish is None:
            raise APIConnectionError(
                message="The stream ended before the reply did.", request=stream.response.request
            )
        message: dict[str, Any] = {"role": "assistant", "content": "".join(text)}
        if calls:
            message["tool_calls"] = [calls[index] for index in sorted(calls)]
        whole["choices"] = [{"index": 0, "message": message, "finish_reason": finish}]
        return self._checked(whole)

    async def _unstreamed(self, response: httpx2.Response) -> dict[str, Any]:
        """The reply of a server that was asked to stream and answered in one piece."""
        assert self.sink is not None
        try:
            body = self._checked(json.loads(await response.aread()))
        except ValueError:
            raise ErrorReply(f"The reply is not JSON: {self._excerpt(response.text)}") from None
        finally:
            await response.aclose()
        self.sink(body["choices"][0]["message"].get("content") or "")
        return body


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


def _add_call_part(calls: dict[int, dict[str, Any]], part: dict[str, Any]) -> None:
    call = calls.setdefault(
        part.get("index") or 0,
        {"id": None, "type": "function", "function": {"name": "", "arguments": ""}},
    )
    call["id"] = part.get("id") or call["id"]
    said = part.get("function") or {}
    call["function"]["name"] += said.get("name") or ""
    call["function"]["arguments"] += said.get("arguments") or ""


def _checked(body: dict[str, Any]) -> dict[str, Any]:
    """The body, if it is a completion with a choice in it; made harmless where it is odd.

    Raises:
        ErrorReply: It is an error (OpenRouter and others send these with HTTP 200) or nonsense.
    """
    body = _encodable(body)
    if error := body.get("error"):
        raise _error_reply(error)
    choices = body.get("choices")
    if not (isinstance(choices, list) and choices and isinstance(choices[0], dict)):
        raise ErrorReply(f"The reply holds no choices; its keys are {sorted(body)}.")
    # OpenRouter reports an upstream failure inside the choice as well.
    if error := choices[0].get("error"):
        raise _error_reply(error)
    if choices[0].get("finish_reason") == "error":
        raise ErrorReply("The provider ended the reply with an error, and does not say which.")
    message = choices[0].get("message")
    if not isinstance(message, dict):
        raise ErrorReply("The reply's choice holds no message.")
    for call in message.get("tool_calls") or ():
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            function["arguments"] = _arguments(function.get("arguments"))
    body["usage"] = usable_usage(body.get("usage"), str(body.get("model")))
    return body


def _arguments(arguments: Any) -> Any:
    """A call's arguments as LangChain can read them, and as a run can keep them.

    LangChain would refuse the whole reply for a list or a string, and take NaN, which nobody else
    reads; as text that is no JSON they become an invalid tool call.
    """
    try:
        parsed = json.loads(arguments, strict=False)
    except (TypeError, ValueError, RecursionError):
        return arguments  # LangChain's to report
    if not isinstance(parsed, dict):
        return f"not an object: {arguments}"
    return json.dumps(_encodable(parsed)) if _fits(parsed) else f"out of bounds: {arguments}"


def _fits(value: Any, depth: int = 0) -> bool:
    """Whether a report and a checkpoint can hold JSON data."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return depth < DEEPEST and all(_fits(item, depth + 1) for item in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or abs(value) < 2**63


def _encodable(value: Any) -> Any:
    """JSON data without halves of surrogate pairs, which no file and no checkpoint takes."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_encodable(item) for item in value]
    if isinstance(value, dict):
        return {_encodable(key): _encodable(item) for key, item in value.items()}
    return value


def _error_reply(error: Any) -> ErrorReply:
    if not isinstance(error, dict):
        return ErrorReply(str(error))
    code = error.get("code") or error.get("status")
    status = int(str(code)) if str(code).isdigit() else None
    return ErrorReply(str(error.get("message") or error), status, error)
