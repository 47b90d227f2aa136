"""An answer as OpenAI's Responses: in one piece, or as a stream of numbered events."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from fusion_graph.errors import ApiError
from fusion_graph.faces.server.protocols._asked import Asked
from fusion_graph.faces.server.protocols._fusion_items import FusionItem
from fusion_graph.faces.server.protocols._protocol import Frame
from fusion_graph.faces.server.protocols._reply import Call, Reply
from fusion_graph.faces.server.protocols._told import (
    Failed,
    Finished,
    Progress,
    Silence,
    Text,
    Told,
)
from fusion_graph.faces.server.run import Run

FAILURES = {
    "rate_limited": "rate_limit_exceeded",
    "insufficient_credits": "insufficient_quota",
    "context_length_exceeded": "context_length_exceeded",
    "too_many_runs": "rate_limit_exceeded",
}
"""Codes of a failed response that Codex and others act on."""

FINAL, PASSING = "invalid_prompt", "server_error"
"""Codes for all else: where asking again does not help, and where it may. OpenAI has no code of its
own for the former. At this one Codex 0.171 shows the message and gives up; after another it asks
five times more, each time a whole panel."""

INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""Why a response is incomplete."""


def response(reply: Reply, asked: Asked) -> dict[str, Any]:
    """The whole `response`, with the run's report under `fusion`."""
    output: list[dict[str, Any]] = []
    if asked.events:
        output.append(FusionItem(reply.run_id).whole(reply.report))
    elif reply.thoughts:
        output.append(_reasoning(f"rs_{reply.run_id}", reply.thoughts, None))
    output += [item for _, item in _items(reply)]
    return _finished(_envelope(reply.run_id, reply.created, reply.model, asked), reply, output)


class ResponsesStream:
    """A stream of Responses' events: each with its number, items with their places.

    What the panel does comes as one reasoning item before the answer, and, for clients that know
    OpenRouter's fusion, as its item and events. A run that fails ends with `response.failed`.

    Args:
        run: The run.
        asked: What was asked.
    """

    def __init__(self, run: Run, asked: Asked) -> None:
        self._run, self._asked = run, asked
        self._envelope = _envelope(run.id, int(run.started), run.model, asked)
        self._number = -1
        self._output: list[dict[str, Any]] = []
        self._thoughts: str | None = None
        self._text: str | None = None
        self._fusion: FusionItem | None = None

    def begin(self) -> Iterator[Frame]:
        """The response as it begins."""
        yield self._event("response.created", response=self._envelope)
        yield self._event("response.in_progress", response=self._envelope)

    def take(self, told: Told) -> Iterator[Frame]:
        """The events that tell the next thing."""
        match told:
            case Text(text):
                yield from self._say(text)
            case Progress(event, words):
                if self._asked.events:
                    yield from self._fusion_event(event)
                elif words and self._asked.progress and self._text is None:
                    yield from self._think(words)
            case Silence(words):
                if self._asked.progress and self._text is None and self._fusion is None:
                    yield from self._think(words)
                else:  # a sign of life that means nothing else
                    yield self._event("response.in_progress", response=self._envelope)
            case Finished(reply):
                yield from self._end(reply)
            case Failed(error):
                yield from self._fail(error)

    def _think(self, words: str) -> Iterator[Frame]:
        id, place = f"rs_{self._run.id}", len(self._output)
        at = {"item_id": id, "output_index": place, "summary_index": 0}
        if self._thoughts is None:
            self._thoughts = ""
            empty = {"type": "summary_text", "text": ""}
            yield self._added(_reasoning(id, None, None, "in_progress"))
            yield self._event("response.reasoning_summary_part.added", **at, part=empty)
        self._thoughts += words
        yield self._event("response.reasoning_summary_text.delta", **at, delta=words)

    def _thought(self) -> Iterator[Frame]:
        """End the reasoning item, if there is one."""
        if self._thoughts is None:
            return
        id, text = f"rs_{self._run.id}", self._thoughts
        at = {"item_id": id, "output_index": len(self._output), "summary_index": 0}
        part = {"type": "summary_text", "text": text}
        yield self._event("response.reasoning_summary_text.done", **at, text=text)
        yield self._event("response.reasoning_summary_part.done", **at, part=part)
        yield self._done(_reasoning(id, text, None))
        self._thoughts = None

    def _fusion_event(self, event: Mapping[str, Any]) -> Iterator[Frame]:
        if self._fusion is None:
            if event["type"] != "panel.added":
                return  # a run without a panel has no such item
            self._fusion = FusionItem(self._run.id)
            yield self._added(self._fusion.begun())
            yield self._at_fusion("response.fusion_call.in_progress", {})
        for type, data in self._fusion.take(event):
            yield self._at_fusion(type, data)

    def _at_fusion(self, type: str, data: Mapping[str, Any]) -> Frame:
        assert self._fusion is not None
        return self._event(type, item_id=self._fusion.id, output_index=len(self._output), **data)

    def _say(self, text: str) -> Iterator[Frame]:
        if self._text is None:
            yield from self._before_answer()
            self._text = ""
            yield self._added(_message(self._run.id, None, "in_progress"))
            yield self._event("response.content_part.added", **self._here(), part=_text_part(""))
        self._text += text
        yield self._event("response.output_text.delta", **self._here(), delta=text, logprobs=[])

    def _before_answer(self) -> Iterator[Frame]:
        yield from self._thought()
        if self._fusion is not None and not self._fusion.ended:
            # With what is known so far: its report comes with the end, its item goes before.
            yield self._at_fusion("response.fusion_call.completed", {})
            yield self._done(self._fusion.end())

    def _here(self) -> dict[str, Any]:
        id = f"msg_{self._run.id}"
        return {"item_id": id, "output_index": len(self._output), "content_index": 0}

    def _end(self, reply: Reply) -> Iterator[Frame]:
        if self._text is None and (reply.text or not reply.calls):
            yield from self._say(reply.text)
        yield from self._before_answer()
        for kind, item in _items(reply):
            if kind == "message":
                text, part = reply.text, item["content"][0]
                yield self._event(
                    "response.output_text.done", **self._here(), text=text, logprobs=[]
                )
                yield self._event("response.content_part.done", **self._here(), part=part)
                yield self._done(item)
            else:
                yield from self._at_once(kind, item)
        whole = _finished(self._envelope, reply, self._output)
        kind = "incomplete" if whole["status"] == "incomplete" else "completed"
        yield self._event(f"response.{kind}", response=whole)

    def _at_once(self, kind: str, item: dict[str, Any]) -> Iterator[Frame]:
        """An item that comes whole: a sealed deliberation, or a call."""
        at = {"item_id": item["id"], "output_index": len(self._output)}
        if kind == "function_call":
            text = item["arguments"]
            yield self._added({**item, "arguments": "", "status": "in_progress"})
            yield self._event("response.function_call_arguments.delta", **at, delta=text)
            yield self._event(
                "response.function_call_arguments.done", **at, name=item["name"], arguments=text
            )
        elif kind == "custom_tool_call":
            text = item["input"]
            yield self._added({**item, "input": ""})
            yield self._event("response.custom_tool_call_input.delta", **at, delta=text)
            yield self._event("response.custom_tool_call_input.done", **at, input=text)
        else:
            yield self._added({**item, "status": "in_progress"})
        yield self._done(item)

    def _fail(self, error: ApiError) -> Iterator[Frame]:
        code = FAILURES.get(error.code, PASSING if error.may_pass else FINAL)
        whole = {
            **self._envelope,
            "status": "failed",
            "error": {"code": code, "message": error.message},
            "output": self._output,
        }
        report = {"fusion": error.report} if error.report else {}
        yield self._event("response.failed", response={**whole, **report})

    def _added(self, item: Mapping[str, Any]) -> Frame:
        place = len(self._output)
        return self._event("response.output_item.added", output_index=place, item=item)

    def _done(self, item: dict[str, Any]) -> Frame:
        place = len(self._output)
        self._output.append(item)
        return self._event("response.output_item.done", output_index=place, item=item)

    def _event(self, type: str, **data: Any) -> Frame:
        self._number += 1
        return Frame({"type": type, "sequence_number": self._number, **data}, type)


def _items(reply: Reply) -> Iterator[tuple[str, dict[str, Any]]]:
    """The items of an answer, but for what the panel did."""
    if reply.text or not reply.calls:
        status = "incomplete" if reply.finish in INCOMPLETE else "completed"
        yield "message", _message(reply.run_id, reply.text, status)
    if reply.carried is not None:
        yield "reasoning", _reasoning(f"rs_fusion_{reply.run_id}", None, reply.carried)
    for index, call in enumerate(reply.calls):
        yield _call(f"{reply.run_id}{index:02}", call)


def _call(number: str, call: Call) -> tuple[str, dict[str, Any]]:
    named = {"call_id": call.id, "name": call.tool.name}
    if call.tool.namespace is not None:
        named["namespace"] = call.tool.namespace
    if call.tool.kind == "custom":
        kind, more = "custom_tool_call", {"input": call.text}
        return kind, {"type": kind, "id": f"ctc_{number}", **named, **more}
    kind, more = "function_call", {"arguments": call.arguments}
    return kind, {"type": kind, "id": f"fc_{number}", **named, **more, "status": "completed"}


def _reasoning(
    id: str, text: str | None, sealed: str | None, status: str = "completed"
) -> dict[str, Any]:
    summary = [] if text is None else [{"type": "summary_text", "text": text}]
    return {
        "type": "reasoning",
        "id": id,
        "summary": summary,
        "encrypted_content": sealed,
        "status": status,
    }


def _message(run_id: str, text: str | None, status: str = "completed") -> dict[str, Any]:
    content = [] if text is None else [_text_part(text)]
    return {
        "type": "message",
        "id": f"msg_{run_id}",
        "role": "assistant",
        "status": status,
        "content": content,
    }


def _text_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _finished(
    envelope: Mapping[str, Any], reply: Reply, output: list[dict[str, Any]]
) -> dict[str, Any]:
    why = None if reply.calls else INCOMPLETE.get(reply.finish)
    return {
        **envelope,
        "status": "completed" if why is None else "incomplete",
        "completed_at": int(time.time()),
        "incomplete_details": None if why is None else {"reason": why},
        "output": output,
        "usage": _usage(reply),
        "fusion": reply.report,
    }


def _usage(reply: Reply) -> dict[str, Any]:
    read, written = reply.usage.read, reply.usage.written
    usage = {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": read + written,
    }
    return usage if reply.usage.cost is None else {**usage, "cost": reply.usage.cost}


def _envelope(run_id: str, created: int, model: str, asked: Asked) -> dict[str, Any]:
    """A response before it has an answer, with what was asked as it was."""
    body = asked.body
    return {
        "id": f"resp_{run_id}",
        "object": "response",
        "created_at": created,
        "completed_at": None,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "metadata": body.get("metadata") or {},
        "model": model,
        "output": [],
        "parallel_tool_calls": not asked.one_call,
        "previous_response_id": body.get("previous_response_id"),
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": body.get("store") is not False,
        "temperature": body.get("temperature"),
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": body.get("tools") or [],
        "top_p": None,
        "frequency_penalty": None,
        "presence_penalty": None,
        "truncation": "disabled",
        "usage": None,
    }
