"""OpenAI's Responses API, for the models that take tools and reasoning together there alone.

The model's own turn goes back as its `output` items, verbatim, with reasoning encrypted in them:
nothing is kept at the provider (`store: false`), so a run can be resumed anywhere.

langchain-openai speaks this API too (`use_responses_api`, `output_version="responses/v1"`). It
is not used, because it loses and hides what this package must keep:
- it rebuilds turns from content blocks: ids of messages and every kind of item and field that it
  does not know are gone (langchain-openai 1.7.4, `_construct_responses_api_input`);
- it drops a temperature, and parts of a message that it does not know, without a word;
- streams and replies go through the SDK's typed models and LangChain's merging of chunks, with
  their own errors for what a server of another kind sends; here that is noticed, and the model is
  asked through chat completions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any, cast

import httpx2
from langchain_core.messages import AIMessage, BaseMessage, InvalidToolCall, ToolCall
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult
from openai import APIConnectionError, APIStatusError

from fusion_graph.cost.counts import usable_usage
from fusion_graph.errors import ErrorReply, NotResponses, ReplyTooLarge
from fusion_graph.models._completion import readable_arguments
from fusion_graph.models._http import (
    MOST_BODY_BYTES,
    body_of,
    events_of,
    is_stream,
    opened,
    read_out,
)
from fusion_graph.models._responses_input import input_of, parameters_of
from fusion_graph.models.failures import words_of
from fusion_graph.models.openai_protocol import ProtocolChat, TokenSink
from fusion_graph.models.reply import with_turn
from fusion_graph.text.json_data import encodable

PATH = "/responses"
"""Where the API stands below the base URL."""

_ERROR_STATUSES = (
    (re.compile(r"rate_limit|quota"), 429),
    (re.compile(r"server_error|overloaded|timeout"), 500),
    (re.compile(r"invalid|image|unsupported|context_length|polic|content|mismatch"), 400),
)
"""Codes of failed responses (openai 3.57, `ResponseError`) as the statuses they would have had."""

FINISHED = ("response.completed", "response.incomplete", "response.failed")
"""Events that hold the whole response and end its stream."""


class ResponsesChat(ProtocolChat):
    """`ProtocolChat` for the Responses API: the same parameters, the same message back."""

    async def _reply(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,  # noqa: ARG002  # the API has no such parameter
        **kwargs: Any,
    ) -> ChatResult:
        payload = {"model": self.model_name, "store": False, **parameters_of(kwargs)}
        try:
            body = await self._respond({**payload, "input": input_of(messages, self.model_name)})
        except APIStatusError as error:
            if not refuses_own_items(error):
                raise
            rebuilt = input_of(messages, self.model_name, verbatim=False)
            body = await self._respond({**payload, "input": rebuilt})
        message = message_of(body, self.model_name)
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _respond(self, payload: dict[str, Any]) -> dict[str, Any]:
        streamed = {"stream": True} if self.sink is not None else {}
        async with opened(self._endpoint, PATH, payload | streamed) as response:
            if is_stream(response):
                return await self._events(response)
            body = checked_response(self._read(await body_of(response)))
        if self.sink is not None:
            self.sink(text_of(body["output"]))
        return body

    async def _events(self, response: httpx2.Response) -> dict[str, Any]:
        events = ResponseEvents(self.sink or _nobody)
        async with aclosing(events_of(response)) as arriving:
            async for event in arriving:
                if not event.data:
                    events.alive()
                elif event.data != "[DONE]":
                    events.take(self._read(event.data))
                if events.whole is not None:
                    await read_out(arriving)
                    return checked_response(events.whole)
        raise APIConnectionError(
            message="The stream ended before the reply did.", request=response.request
        )

    def _read(self, said: str | bytes) -> Any:
        try:
            return json.loads(said)
        except (ValueError, RecursionError):
            text = said if isinstance(said, str) else said.decode("utf-8", "replace")
            raise ErrorReply(f"The reply is not JSON: {self._excerpt(text)}") from None


def _nobody(_: str) -> None:
    """Takes what was streamed without being asked for."""


class ResponseEvents:
    """The events of one streamed response, put together as they come.

    Args:
        sink: Takes the text of the answer. Every other event is a sign of life to it.

    Attributes:
        whole: The response, once its last event was taken.
    """

    def __init__(self, sink: TokenSink) -> None:
        self.whole: dict[str, Any] | None = None
        self._sink = sink
        self._items: dict[int, dict[str, Any]] = {}
        self._aside: set[int] = set()
        self._said: int | None = None
        self._kept = 0

    def alive(self) -> None:
        """Pass on that the connection lives."""
        self._sink("")

    def take(self, event: Any) -> None:
        """Take one event.

        Raises:
            NotResponses: It is a piece of a chat completion.
            ErrorReply: The provider broke off.
            ReplyTooLarge: There is more of it than of any reply.
        """
        if not isinstance(event, dict):
            return
        event = encodable(event)
        kind = event.get("type")
        if not isinstance(kind, str):
            if "choices" in event:
                raise NotResponses("pieces of a chat completion")
            if event.get("error"):
                raise _error_reply(event["error"])
            return
        index = event.get("output_index")
        at = index if isinstance(index, int) else 0
        item = event.get("item")
        if kind == "error":
            raise _error_reply(event.get("error") or event)
        if kind == "response.output_text.delta" and at not in self._aside:
            self._say(at, str(event.get("delta") or ""))
            return
        if kind == "response.output_item.added" and isinstance(item, dict):
            if item.get("phase") == "commentary":
                self._aside.add(at)
        elif kind == "response.output_item.done" and isinstance(item, dict):
            self._keep(json.dumps(item))
            self._items[at] = item
        elif kind in FINISHED:
            self._finish(event.get("response"))
        self.alive()

    def _keep(self, text: str) -> None:
        self._kept += len(text)
        if self._kept > 2 * MOST_BODY_BYTES:
            raise ReplyTooLarge("streamed reply", f"{2 * MOST_BODY_BYTES // 2**20} MiB")

    def _say(self, at: int, piece: str) -> None:
        if not piece:
            self.alive()
            return
        self._keep(piece)
        if self._said not in (None, at):
            self._sink(BETWEEN_MESSAGES)
        self._said = at
        self._sink(piece)

    def _finish(self, response: Any) -> None:
        """Some gateways send the last event without the items, some send no items but there."""
        whole = dict(response) if isinstance(response, dict) else {}
        output = whole.get("output")
        last = dict(enumerate(output if isinstance(output, list) else ()))
        items = {**last, **self._items}
        whole["output"] = [items[at] for at in sorted(items)]
        self.whole = whole
        if self._said is None and whole.get("status") != "failed":
            self._sink(text_of(whole["output"]))


BETWEEN_MESSAGES = "\n\n"
"""What stands between two messages of one turn."""


def checked_response(found: Any) -> dict[str, Any]:
    """The body, if it is a response of a model, whole or cut off.

    Args:
        found: The JSON that came.

    Raises:
        NotResponses: It is something else.
        ErrorReply: The provider failed, and says so in an HTTP 200.
    """
    if not isinstance(found, dict):
        raise NotResponses("JSON that is no object")
    body: dict[str, Any] = encodable(found)
    if error := body.get("error"):
        raise _error_reply(error)
    output, status = body.get("output"), body.get("status")
    if not (isinstance(output, list) and all(isinstance(item, dict) for item in output)):
        raise NotResponses("a chat completion" if "choices" in body else "no output items")
    if status in ("failed", "cancelled", "queued", "in_progress"):
        raise ErrorReply(f"The response ended as '{status}', and does not say why.")
    return body


def message_of(body: Mapping[str, Any], model: str) -> AIMessage:
    """Read a response, with its items for the way back.

    Args:
        body: A checked response.
        model: Who was asked.
    """
    output = body["output"]
    calls: list[ToolCall] = []
    invalid: list[InvalidToolCall] = []
    for item in output:
        if item.get("type") == "function_call":
            _add_call(item, calls, invalid)
    refusal, usage = _refusal(output), _usage(body)
    message = AIMessage(
        text_of(output),
        tool_calls=calls,
        invalid_tool_calls=invalid,
        additional_kwargs={"refusal": refusal} if refusal else {},
        usage_metadata=_usage_metadata(usage),
        response_metadata={
            "id": str(body.get("id") or ""),
            "model_name": str(body.get("model") or model),
            "model_provider": "openai",
            "finish_reason": _finish_reason(body, bool(calls or invalid), bool(refusal)),
            "token_usage": usage,
        },
    )
    return with_turn(message, "responses", output, model) if output else message


def text_of(output: list[dict[str, Any]]) -> str:
    """The text of an answer; remarks made on the way to it, where there is an answer, are none."""
    messages = [item for item in output if item.get("type") == "message"]
    final = [item for item in messages if item.get("phase") != "commentary"]
    texts = [_text(item) for item in final or messages]
    return BETWEEN_MESSAGES.join(text for text in texts if text)


def refuses_own_items(error: BaseException) -> bool:
    """Tell whether an endpoint will not take back what it sent itself.

    Keys of encryption change, gateways send a round to another account, and some drop the
    encrypted part (openai/codex#8145, maximhq/bifrost#5410).
    """
    if getattr(error, "status_code", None) not in (400, 404):
        return False
    words = words_of(error).lower()
    return getattr(error, "code", None) == "invalid_encrypted_content" or any(
        said in words
        for said in (
            "encrypted content",
            "items are not persisted",
            "without its required",
        )
    )


def _parts(item: Mapping[str, Any]) -> list[dict[str, Any]]:
    content = item.get("content")
    if isinstance(content, str):
        return [{"type": "output_text", "text": content}]
    return [p for p in content if isinstance(p, dict)] if isinstance(content, list) else []


def _text(item: Mapping[str, Any]) -> str:
    parts = [p for p in _parts(item) if p.get("type") in ("output_text", "text")]
    return "".join(str(part.get("text") or "") for part in parts)


def _refusal(output: list[dict[str, Any]]) -> str:
    parts = [p for i in output if i.get("type") == "message" for p in _parts(i)]
    return "".join(str(p.get("refusal") or "") for p in parts if p.get("type") == "refusal")


def _add_call(
    item: Mapping[str, Any], calls: list[ToolCall], invalid: list[InvalidToolCall]
) -> None:
    call_id = str(item.get("call_id") or item.get("id") or "")
    name = str(item.get("name") or "")
    said = item.get("arguments") or "{}"
    arguments = readable_arguments(said if isinstance(said, str) else json.dumps(said))
    try:
        args = json.loads(arguments)
    except (TypeError, ValueError, RecursionError):
        args = None
    if isinstance(args, dict) and name:
        calls.append(ToolCall(name=name, args=args, id=call_id, type="tool_call"))
    else:
        invalid.append(
            InvalidToolCall(
                name=name or None,
                args=str(arguments),
                id=call_id,
                error="The arguments are not a JSON object.",
                type="invalid_tool_call",
            )
        )


def _finish_reason(body: Mapping[str, Any], calls: bool, refusal: bool) -> str:
    if body.get("status") == "incomplete":
        details = body.get("incomplete_details")
        why = details.get("reason") if isinstance(details, dict) else None
        return "content_filter" if why == "content_filter" else "length"
    if refusal:
        return "content_filter"
    return "tool_calls" if calls else "stop"


def _usage_metadata(usage: Mapping[str, Any]) -> UsageMetadata | None:
    """Usable counts as LangChain calls them; None where nobody counted."""
    read, written = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if read is None or written is None:
        return None
    details = {
        "cached_tokens": "cache_read",
        "cache_write_tokens": "cache_creation",
        "reasoning_tokens": "reasoning",
    }
    of_read, of_written = (
        {details[name]: n for name, n in (usage.get(part) or {}).items() if name in details}
        for part in ("prompt_tokens_details", "completion_tokens_details")
    )
    return UsageMetadata(
        input_tokens=read,
        output_tokens=written,
        total_tokens=usage.get("total_tokens", read + written),
        input_token_details=cast("InputTokenDetails", of_read),
        output_token_details=cast("OutputTokenDetails", of_written),
    )


_USAGE_NAMES = {
    "input_tokens": "prompt_tokens",
    "output_tokens": "completion_tokens",
    "input_tokens_details": "prompt_tokens_details",
    "output_tokens_details": "completion_tokens_details",
}
"""What this API counts, and what chat completions call it."""


def _usage(body: Mapping[str, Any]) -> dict[str, Any]:
    """The counts of a response in the words of chat completions, without those that are none."""
    usage = body.get("usage")
    if not isinstance(usage, dict):
        return {}
    renamed = {_USAGE_NAMES.get(name, name): value for name, value in usage.items()}
    return usable_usage(renamed, str(body.get("model")))


def _error_reply(error: Any) -> ErrorReply:
    if not isinstance(error, dict):
        return ErrorReply(str(error))
    code = str(error.get("code") or "")
    known = (status for pattern, status in _ERROR_STATUSES if pattern.search(code))
    status = int(code) if re.fullmatch(r"\d{3}", code) else next(known, None)
    return ErrorReply(str(error.get("message") or error), status, error)
