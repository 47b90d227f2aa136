"""OpenAI's Responses API over the same steps: what it sends, and what it refuses to take back.

Shapes of replies and events follow the types of the openai SDK (3.57), which the tests parse them
with. Reasoning is only taken back as it was sent: each item is sealed with its own id.
"""

import base64
import hashlib
import math
import time
from collections.abc import Iterator
from itertools import count
from typing import Any

from .behaviour import Chat, Step, chunk_text, filled_text, own_headers, place
from .protocol import Reply, chunked, head, json_reply, to_json

_ids = count(1)

_MOVED = {
    "messages": "input",
    "response_format": "text.format",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "reasoning_effort": "reasoning.effort",
}
_DELTAS = 4
"""Arguments come in this many pieces."""


def refusal_of(body: dict[str, Any]) -> Reply | None:
    """The 400 for a request that OpenAI would refuse, whatever the model."""
    for old, new in _MOVED.items():
        if old in body:
            return _refused(
                f"Unsupported parameter: '{old}'. In the Responses API, this parameter has moved "
                f"to '{new}'.",
                old,
                "unsupported_parameter",
            )
    for n, tool in enumerate(body.get("tools") or ()):
        if not tool.get("name") and tool.get("type") != "web_search":
            return _refused(f"Missing required parameter: 'tools[{n}].name'.", f"tools[{n}].name")
    items = body.get("input")
    if not isinstance(items, list):
        return None
    return _items_refused(items, stored=body.get("store") is not False)


def _items_refused(items: list[dict[str, Any]], *, stored: bool) -> Reply | None:
    reasoned: set[str] = set()
    called: set[str] = set()
    answered = {i.get("call_id") for i in items if i.get("type") == "function_call_output"}
    for n, item in enumerate(items):
        kind, name = item.get("type"), str(item.get("id") or "")
        if kind == "reasoning":
            sealed = item.get("encrypted_content")
            if not stored and not sealed:
                return _refused(
                    f"Item with id '{name}' not found. Items are not persisted when `store` is "
                    "set to false.",
                    "input",
                )
            if sealed and sealed != _sealed(name):
                return _refused(
                    "The encrypted content could not be verified.", code="invalid_encrypted_content"
                )
            reasoned.add(name.removeprefix("rs_"))
        elif kind == "web_search_call":
            turn = name.removeprefix("ws_").partition("x")[0]
            if turn != "0" and turn not in reasoned:
                return _refused(
                    f"Item '{name}' of type 'web_search_call' was provided without its required "
                    f"'reasoning' item: 'rs_{turn}'.",
                    "input",
                )
            if "action" not in item or "status" not in item:
                return _refused(f"Missing required parameter: 'input[{n}].action'.", "input")
        elif kind == "function_call":
            turn = name.removeprefix("fc_").partition("x")[0]
            if turn != "0" and name and turn not in reasoned:
                return _refused(
                    f"Item '{name}' of type 'function_call' was provided without its required "
                    f"'reasoning' item: 'rs_{turn}'.",
                    "input",
                )
            if item.get("call_id") not in answered:
                return _refused(
                    f"No tool output found for function call {item.get('call_id')}.", "input"
                )
            called.add(item["call_id"])
        elif kind == "function_call_output" and item.get("call_id") not in called:
            return _refused(
                f"No tool call found for function call output with call_id {item.get('call_id')}.",
                f"input[{n}]",
            )
    return None


def points_to_responses(model: str) -> Reply:
    """How chat completions refuse tools together with reasoning."""
    return _refused(
        f"Function tools with reasoning_effort are not supported for {model} in "
        "/v1/chat/completions. Please use /v1/responses instead.",
        "reasoning_effort",
    )


def respond(step: Step, chat: Chat) -> Reply:
    """Plays a step that is a reply, or a failure inside of one."""
    response = _response(step, chat)
    words = len(step.text.split()) if step.rate < math.inf else 0
    first = step.delay + step.ttft
    last = first + words / step.rate
    close = step.close_after is not None
    usage = None if close else response["usage"]
    if not chat.stream:
        body = to_json(response).encode()
        data = head(step.status, {"content-length": str(len(body))} | own_headers(step))
        writes = [(last, data + body[: step.close_after])]
        return Reply(step.status, writes, close=close, usage=usage)
    events = [
        f"event: {event['type']}\ndata: {to_json(event | {'sequence_number': n})}\n\n".encode()
        for n, event in enumerate(_events(step, response))
    ]
    fields = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
    pause = (last - first) / len(events)
    timed = [(first + n * pause, part) for n, part in enumerate(chunked(events))]
    writes = [
        (step.delay, head(step.status, fields | own_headers(step))),
        *timed[: step.close_after],
    ]
    if not close:
        writes.append((last, b"".join(chunked([b""]))))
    return Reply(step.status, writes, close=close, usage=usage)


def _refused(message: str, param: str | None = None, code: str | None = None) -> Reply:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return json_reply(400, {"error": error})


def _sealed(name: str) -> str:
    return base64.b64encode(hashlib.sha256(f"sealed {name}".encode()).digest()).decode()


def _response(step: Step, chat: Chat) -> dict[str, Any]:
    """The whole response, as it is at the end."""
    text = filled_text(step, chat)
    status, cut = "completed", None
    if step.error is not None:
        status = "failed"
    elif step.finish_reason in ("length", "content_filter"):
        status = "incomplete"
        reason = step.finish_reason
        cut = {"reason": "max_output_tokens" if reason == "length" else reason}
    body = chat.body
    return {
        "id": f"resp_{next(_ids)}",
        "object": "response",
        "created_at": int(time.time()),
        "status": status,
        "background": False,
        "error": step.error,
        "incomplete_details": cut,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "model": step.served or chat.model,
        "output": [] if status == "failed" else _output(step, chat, text, status),
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": (body.get("reasoning") or {}).get("effort"), "summary": None},
        "store": body.get("store", True),
        "temperature": body.get("temperature", 1.0),
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools", []),
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None if step.no_usage or status == "failed" else _usage(step, chat, text),
        "metadata": {},
    }


def _output(step: Step, chat: Chat, text: str, status: str) -> list[dict[str, Any]]:
    turn = next(_ids)
    ended = "incomplete" if status == "incomplete" else "completed"
    items: list[dict[str, Any]] = []
    if step.reasoning:
        summary = [{"type": "summary_text", "text": step.reasoning}]
        item = {"id": f"rs_{turn}", "type": "reasoning", "summary": summary}
        if "reasoning.encrypted_content" in (chat.body.get("include") or ()):
            item["encrypted_content"] = _sealed(item["id"])
        items.append(item)
    for n, search in enumerate(step.searches):
        item = {"id": f"ws_{turn if step.reasoning else 0}x{n}", "type": "web_search_call"}
        items.append(item | {"status": "completed", "action": _action(search, chat)})
    parts: list[dict[str, Any]] = []
    if text:
        cited = [{"type": "url_citation"} | place(one, text) for one in step.annotations]
        parts.append({"type": "output_text", "text": text, "annotations": cited, "logprobs": []})
    if step.refusal:
        parts.append({"type": "refusal", "refusal": step.refusal})
    if parts:
        message = {"id": f"msg_{turn}", "type": "message", "status": ended, "role": "assistant"}
        items.append(message | {"content": parts})
    for n, call in enumerate(step.tool_calls):
        args = call.get("args", {})
        items.append(
            {
                "id": f"fc_{turn if step.reasoning else 0}x{n}",
                "type": "function_call",
                "status": ended,
                "arguments": args if isinstance(args, str) else to_json(args),
                "call_id": call.get("id") or f"call_{next(_ids)}",
                "name": call["name"],
            }
        )
    return items


def _action(search: dict[str, Any], chat: Chat) -> dict[str, Any]:
    if "url" in search:
        return {"type": "open_page", "url": search["url"]}
    action = {"type": "search", "query": search["query"], "queries": [search["query"]]}
    if "web_search_call.action.sources" in (chat.body.get("include") or ()):
        action["sources"] = [{"type": "url", "url": url} for url in search.get("sources", ())]
    return action


def _usage(step: Step, chat: Chat, text: str) -> dict[str, Any]:
    usage = {
        "input_tokens": len(chat.raw) // 4,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": len(text.split()),
        "output_tokens_details": {"reasoning_tokens": len(step.reasoning.split())},
    } | step.usage
    usage.setdefault("total_tokens", usage["input_tokens"] + usage["output_tokens"])
    return usage | ({} if step.cost is None else {"cost": step.cost})


def _events(step: Step, response: dict[str, Any]) -> Iterator[dict[str, Any]]:
    begun = response | {"status": "in_progress", "output": [], "usage": None, "error": None}
    begun["incomplete_details"] = None
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for at, item in enumerate(response["output"]):
        where = {"output_index": at}
        begins = item | {"status": "in_progress"}
        if item["type"] == "reasoning":
            begins = {**item, "summary": []}
            inner = _reasoning_events(item)
        elif item["type"] == "web_search_call":
            inner = _search_events()
        elif item["type"] == "message":
            begins["content"] = []
            inner = _message_events(step, item)
        else:
            begins["arguments"] = ""
            inner = _call_events(item)
        yield {"type": "response.output_item.added", "item": begins} | where
        for event in inner:
            yield event | where | {"item_id": item["id"]}
        yield {"type": "response.output_item.done", "item": item} | where
    yield {"type": f"response.{response['status']}", "response": response}


def _reasoning_events(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    kind = "response.reasoning_summary"
    for n, part in enumerate(item["summary"]):
        where = {"summary_index": n}
        yield {"type": f"{kind}_part.added", "part": part | {"text": ""}} | where
        for piece in chunk_text(part["text"], "word"):
            yield {"type": f"{kind}_text.delta", "delta": piece} | where
        yield {"type": f"{kind}_text.done", "text": part["text"]} | where
        yield {"type": f"{kind}_part.done", "part": part} | where


def _message_events(step: Step, item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for n, part in enumerate(item["content"]):
        where = {"content_index": n}
        name = "text" if part["type"] == "output_text" else "refusal"
        kind = f"response.{part['type']}"
        more: dict[str, Any] = {"logprobs": []} if name == "text" else {}
        yield {"type": "response.content_part.added", "part": part | {name: ""}} | where
        for piece in chunk_text(part[name], step.chunks):
            yield {"type": f"{kind}.delta", "delta": piece} | where | more
        yield {"type": f"{kind}.done", name: part[name]} | where | more
        for at, one in enumerate(part.get("annotations", ())):
            kind = "response.output_text.annotation.added"
            yield {"type": kind, "annotation": one, "annotation_index": at} | where
        yield {"type": "response.content_part.done", "part": part} | where


def _search_events() -> Iterator[dict[str, Any]]:
    for state in ("in_progress", "searching", "completed"):
        yield {"type": f"response.web_search_call.{state}"}


def _call_events(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    kind, arguments = "response.function_call_arguments", item["arguments"]
    for piece in chunk_text(arguments, max(1, math.ceil(len(arguments) / _DELTAS))):
        yield {"type": f"{kind}.delta", "delta": piece}
    yield {"type": f"{kind}.done", "arguments": arguments, "name": item["name"]}
