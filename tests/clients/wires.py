"""The protocols in which programs talk to their vendors: what is read of a request, what is said.

Each vendor's own documentation is the source of its shapes; what a program needs of them and
nothing else is here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol

Told = dict[str, Any]
"""JSON that goes over a wire."""

_numbers = count(1)


@dataclass(frozen=True)
class Tool:
    """A tool is on offer in a request.

    name: what the program calls it.
    space: the namespace that holds it, where the program has such.
    """

    name: str
    space: str = ""


@dataclass(frozen=True)
class Asked:
    """What a request asks.

    tools: those that the model sees.
    results: what tools have said so far in its conversation.
    searched: whether more tools can be searched for (None), or were (True); False: no such thing.
    """

    tools: list[Tool]
    results: list[str]
    searched: bool | None = False


@dataclass(frozen=True)
class Said:
    """What the vendor says: a text, a call of a tool, or a search for tools in these words."""

    text: str = ""
    tool: Tool | None = None
    args: Told | None = None
    search: str = ""


class Wire(Protocol):
    """A wire reads a vendor's requests and writes its replies."""

    def asked(self, body: Told) -> Asked:
        """Read a request."""

    def events(self, body: Told, said: Said) -> list[str]:
        """Write a streamed reply, as server-sent events."""

    def whole(self, body: Told, said: Said) -> Told:
        """Write a reply that is not streamed."""


def _texts(content: Any) -> str:
    """The text of a tool's result, in one piece or in parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return json.dumps(content)


def _sse(events: Iterable[Told], named: bool = True) -> list[str]:
    heads = (f"event: {event['type']}\n" if named else "" for event in events)
    return [
        f"{head}data: {json.dumps(event)}\n\n" for head, event in zip(heads, events, strict=True)
    ]


class Responses:
    """OpenAI's Responses, as Codex speaks it."""

    def asked(self, body: Told) -> Asked:
        """Read a request."""
        items = body["input"] if isinstance(body["input"], list) else []
        # With many tools Codex holds back those of MCP servers until the model searches for them.
        offered = list(body.get("tools") or [])
        found = [item for item in items if item.get("type") == "tool_search_output"]
        searched = any(tool["type"] == "tool_search" for tool in offered) and (
            True if found else None
        )
        for item in found:
            offered += item["tools"]
        tools = []
        for tool in offered:
            if tool["type"] == "namespace":
                tools += [Tool(inner["name"], tool["name"]) for inner in tool["tools"]]
            elif tool["type"] == "function":
                tools.append(Tool(tool["name"]))
        outputs = [item["output"] for item in items if item.get("type") == "function_call_output"]
        return Asked(tools, [_texts(output) for output in outputs], searched)

    def whole(self, body: Told, said: Said) -> Told:
        """Write a reply that is not streamed."""
        number = next(_numbers)
        item: Told
        if said.search:
            item = {
                "type": "tool_search_call",
                "id": f"ts_{number}",
                "call_id": f"call_{number}",
                "status": "completed",
                "execution": "client",
                "arguments": {"query": said.search, "limit": 8},
            }
        elif said.tool:
            space = {"namespace": said.tool.space} if said.tool.space else {}
            item = {
                "type": "function_call",
                "id": f"fc_{number}",
                "call_id": f"call_{number}",
                "name": said.tool.name,
                **space,
                "arguments": json.dumps(said.args),
                "status": "completed",
            }
        else:
            part = {"type": "output_text", "text": said.text, "annotations": []}
            item = {
                "type": "message",
                "id": f"msg_{number}",
                "role": "assistant",
                "status": "completed",
                "content": [part],
            }
        usage = {
            "input_tokens": 10,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 15,
        }
        return {
            "id": f"resp_{number}",
            "object": "response",
            "created_at": 1,
            "model": body.get("model"),
            "status": "completed",
            "output": [item],
            "usage": usage,
        }

    def events(self, body: Told, said: Said) -> list[str]:
        """Write a streamed reply, as server-sent events."""
        response = self.whole(body, said)
        item = response["output"][0]
        begun = {**response, "status": "in_progress", "output": [], "usage": None}
        return _sse(
            [
                {"type": "response.created", "response": begun},
                {"type": "response.output_item.added", "output_index": 0, "item": item},
                {"type": "response.output_item.done", "output_index": 0, "item": item},
                {"type": "response.completed", "response": response},
            ]
        )


class Messages:
    """Anthropic's Messages, as Claude Code speaks it."""

    def asked(self, body: Told) -> Asked:
        """Read a request."""
        parts = [
            part
            for message in body["messages"]
            if isinstance(message["content"], list)
            for part in message["content"]
        ]
        results = [part["content"] for part in parts if part["type"] == "tool_result"]
        tools = [Tool(tool["name"]) for tool in body.get("tools") or []]
        return Asked(tools, [_texts(result) for result in results])

    def whole(self, body: Told, said: Said) -> Told:
        """Write a reply that is not streamed."""
        number = next(_numbers)
        block: Told = {"type": "text", "text": said.text}
        if said.tool:
            block = {
                "type": "tool_use",
                "id": f"toolu_{number}",
                "name": said.tool.name,
                "input": said.args,
            }
        return {
            "id": f"msg_{number}",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": [block],
            "stop_reason": "tool_use" if said.tool else "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 10, "output_tokens": 5},
        }

    def events(self, body: Told, said: Said) -> list[str]:
        """Write a streamed reply, as server-sent events."""
        message = self.whole(body, said)
        block = message["content"][0]
        if said.tool:
            opened = {**block, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(said.args)}
        else:
            opened, delta = {**block, "text": ""}, {"type": "text_delta", "text": said.text}
        stop = {"stop_reason": message["stop_reason"], "stop_sequence": None}
        begun = {**message, "content": [], "stop_reason": None}
        return _sse(
            [
                {"type": "message_start", "message": begun},
                {"type": "content_block_start", "index": 0, "content_block": opened},
                {"type": "content_block_delta", "index": 0, "delta": delta},
                {"type": "content_block_stop", "index": 0},
                {"type": "message_delta", "delta": stop, "usage": {"output_tokens": 5}},
                {"type": "message_stop"},
            ]
        )


class Gemini:
    """Google's generateContent, as Gemini CLI speaks it."""

    def asked(self, body: Told) -> Asked:
        """Read a request."""
        parts = [part for content in body["contents"] for part in content.get("parts") or []]
        results = [p["functionResponse"]["response"] for p in parts if "functionResponse" in p]
        declared = [
            one
            for group in body.get("tools") or []
            for one in group.get("functionDeclarations") or []
        ]
        told = [result.get("output", result) for result in results]
        return Asked([Tool(one["name"]) for one in declared], [_texts(one) for one in told])

    def whole(self, body: Told, said: Said) -> Told:
        """Write a reply that is not streamed."""
        part: Told = {"text": said.text}
        if said.tool:
            part = {"functionCall": {"name": said.tool.name, "args": said.args}}
        candidate = {
            "content": {"role": "model", "parts": [part]},
            "finishReason": "STOP",
            "index": 0,
        }
        counts = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}
        return {
            "candidates": [candidate],
            "usageMetadata": counts,
            "responseId": f"r{next(_numbers)}",
        }

    def events(self, body: Told, said: Said) -> list[str]:
        """Write a streamed reply, as server-sent events."""
        return _sse([self.whole(body, said)], named=False)


class Chat:
    """OpenAI's chat completions, as opencode speaks it."""

    def asked(self, body: Told) -> Asked:
        """Read a request."""
        tools = [Tool(tool["function"]["name"]) for tool in body.get("tools") or []]
        results = [m["content"] for m in body["messages"] if m["role"] == "tool"]
        return Asked(tools, [_texts(result) for result in results])

    def whole(self, body: Told, said: Said) -> Told:
        """Write a reply that is not streamed."""
        number = next(_numbers)
        message: Told = {"role": "assistant", "content": said.text or None}
        if said.tool:
            function = {"name": said.tool.name, "arguments": json.dumps(said.args)}
            call = {"id": f"call_{number}", "type": "function", "function": function}
            message["tool_calls"] = [call]
        finish = "tool_calls" if said.tool else "stop"
        return {
            "id": f"chatcmpl-{number}",
            "object": "chat.completion",
            "created": 1,
            "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
        }

    def events(self, body: Told, said: Said) -> list[str]:
        """Write a streamed reply, as server-sent events."""
        completion = self.whole(body, said)
        choice = completion["choices"][0]
        delta = choice["message"]
        for index, call in enumerate(delta.get("tool_calls", [])):
            call["index"] = index
        common = {**completion, "object": "chat.completion.chunk"}
        opening = {
            **common,
            "choices": [{"index": 0, "delta": delta, "finish_reason": None}],
            "usage": None,
        }
        closing = {
            **common,
            "choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}],
        }
        return [*_sse([opening, closing], named=False), "data: [DONE]\n\n"]


def wire_of(path: str) -> Wire | None:
    """The wire of a request's path; None for one that asks for no reply of a model."""
    if path.endswith("/responses"):
        return Responses()
    if path.endswith("/messages"):
        return Messages()
    if path.endswith((":streamGenerateContent", ":generateContent")):
        return Gemini()
    if path.endswith("/chat/completions"):
        return Chat()
    return None
