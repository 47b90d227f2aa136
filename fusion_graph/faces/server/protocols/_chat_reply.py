"""An answer as chat completions: in one piece, or as a stream of chunks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fusion_graph.errors import ApiError
from fusion_graph.faces.server._wire import to_json
from fusion_graph.faces.server.protocols._asked import Asked
from fusion_graph.faces.server.protocols._openrouter import FUSION_TOOL
from fusion_graph.faces.server.protocols._protocol import DONE, Frame
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

FORMAT = "fusion-graph-v1"
"""Whose item of `reasoning_details` it is."""


def completion(reply: Reply, asked: Asked) -> dict[str, Any]:
    """The `chat.completion`, with the run's report under `fusion`."""
    message: dict[str, Any] = {
        "role": "assistant",
        "content": reply.text or None,
        "refusal": None,
    }
    if reply.calls:
        message["tool_calls"] = [_call(call) for call in reply.calls]
    if reply.carried is not None:
        message["reasoning_details"] = [deliberation_item(reply, asked)]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish}
    envelope = _envelope(reply.run_id, reply.created, reply.model, "chat.completion")
    return {**envelope, "choices": [choice], "usage": usage(reply), "fusion": reply.report}


class ChatStream:
    """A stream of `chat.completion.chunk` objects.

    Progress comes as chunks whose delta holds nothing but reasoning, with the event under
    `fusion`. A run that fails ends with an error object.

    Args:
        run: The run.
        asked: What was asked.
    """

    def __init__(self, run: Run, asked: Asked) -> None:
        self._asked = asked
        options = asked.body.get("stream_options")
        self._usage = isinstance(options, dict) and options.get("include_usage") is True
        self._envelope = _envelope(run.id, int(run.started), run.model, "chat.completion.chunk")
        if self._usage:
            self._envelope["usage"] = None

    def begin(self) -> Iterator[Frame]:
        """The first chunk."""
        yield self._chunk({"role": "assistant", "content": ""})

    def take(self, told: Told) -> Iterator[Frame]:
        """The chunks that tell the next thing."""
        match told:
            case Text(text):
                yield self._chunk({"content": text})
            case Progress(event, words):
                shown = {"reasoning_content": words} if words and self._asked.progress else {}
                yield self._chunk(shown, fusion=event)
            case Silence(words):
                if self._asked.progress:
                    yield self._chunk({"reasoning_content": words})
            case Finished(reply):
                yield from self._end(reply)
            case Failed(error):
                yield Frame(error.body())
                yield DONE

    def _end(self, reply: Reply) -> Iterator[Frame]:
        if reply.carried is not None:
            yield self._chunk({"reasoning_details": [deliberation_item(reply, self._asked)]})
        if reply.calls:
            indexed = [{"index": i, **_call(call)} for i, call in enumerate(reply.calls)]
            yield self._chunk({"tool_calls": indexed})
        result = {"type": "fusion.result", "content": reply.text, "report": reply.report}
        yield self._chunk({}, reply.finish, fusion=result)
        if self._usage:
            yield Frame({**self._envelope, "choices": [], "usage": usage(reply)})
        yield DONE

    def _chunk(self, delta: dict[str, Any], finish: str | None = None, **more: Any) -> Frame:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return Frame({**self._envelope, "choices": [choice], **more})


def usage(reply: Reply) -> dict[str, Any]:
    """OpenAI's `usage`, with OpenRouter's `cost` of the whole request where it is known."""
    read, written = reply.usage.read, reply.usage.written
    told = {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }
    return told if reply.usage.cost is None else {**told, "cost": reply.usage.cost}


def error_body(error: ApiError) -> dict[str, Any]:
    """An error in OpenAI's shape."""
    return error.body()


def deliberation_item(reply: Reply, asked: Asked) -> dict[str, Any]:
    """The deliberation as OpenRouter's record of a tool that ran on the server.

    Its `arguments` and `models` are for people; what counts is sealed in `deliberation`.
    """
    result = {"status": "ok", "models": reply.models, "deliberation": reply.carried}
    return {
        "type": "reasoning.server_tool_call",
        "id": f"fusion_{reply.run_id}",
        "format": FORMAT,
        "index": 0,
        "tool_name": FUSION_TOOL,
        "arguments": to_json({"model": asked.model}),
        "result": to_json(result),
    }


def _call(call: Call) -> dict[str, Any]:
    function = {"name": call.tool.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _envelope(run_id: str, created: int, model: str, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{run_id}",
        "object": kind,
        "created": created,
        "model": model,
        "system_fingerprint": None,  # OpenRouter's own client wants the field
    }
