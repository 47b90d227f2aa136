"""OpenAI's completions of a text: a prompt is a question, and its answer a text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from langchain_core.messages import HumanMessage
from pydantic import Field

from fusion_graph.faces.server.protocols._asked import Asked
from fusion_graph.faces.server.protocols._chat_reply import usage
from fusion_graph.faces.server.protocols._chat_request import ignored, refuse_meaningful
from fusion_graph.faces.server.protocols._fields import Part, checked, shown, stops, wrong
from fusion_graph.faces.server.protocols._protocol import DONE, Frame
from fusion_graph.faces.server.protocols._reply import Reply
from fusion_graph.faces.server.protocols._told import (
    Failed,
    Finished,
    Progress,
    Silence,
    Text,
    Told,
)
from fusion_graph.faces.server.run import Run

HARMLESS: Mapping[str, Any] = {
    "top_p": 1,
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "n": 1,
    "best_of": 1,
    "echo": False,
    "logit_bias": {},
    "suffix": "",
}
"""Values that ask for nothing, of fields that are not honoured."""

MEANINGFUL: Mapping[str, str] = {
    "n": "A fusion gives one answer: leave `n` out.",
    "best_of": "A fusion gives one answer: leave `best_of` out.",
    "echo": "The answer stands alone: put it behind the prompt yourself.",
    "logprobs": "An answer written from several models' has no token probabilities.",
    "logit_bias": "Token ids differ between the models of a panel.",
    "suffix": "Nothing is filled in between two texts here: give the task as the prompt.",
}
"""Fields that would change what the answer means, and are refused rather than overlooked."""


class StreamOptions(Part):
    """Of OpenAI's stream options, the one that matters here."""

    include_usage: bool | None = None


class Body(Part):
    """The fields that are honoured."""

    model: str = Field(min_length=1)
    prompt: str | list[Any]
    max_tokens: int | None = None
    temperature: float | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    fusion: dict[str, Any] | None = None


def read_completion(data: Mapping[str, Any]) -> Asked:
    """Read a request of `/v1/completions`.

    Args:
        data: The body.

    Raises:
        ApiError: 400, naming the field.
    """
    refuse_meaningful(data, MEANINGFUL, HARMLESS)
    body = checked(Body, data)
    prompt = body.prompt
    if isinstance(prompt, list):
        if len(prompt) != 1 or not isinstance(prompt[0], str):
            raise wrong("prompt", "one text is meant: no token ids, and no several prompts.")
        prompt = prompt[0]
    fusion = dict(body.fusion or {})
    progress = shown(fusion, otherwise=False)
    beside: dict[str, tuple[str, Any]] = {}
    for field, name in (("writer_max_tokens", "max_tokens"), ("temperature", "temperature")):
        if (value := getattr(body, name)) is not None:
            beside[field] = (name, value)
    if body.seed is not None:
        beside["seed"] = ("seed", body.seed % 2**32)
    return Asked(
        model=body.model,
        conversation=[HumanMessage(prompt)],
        beside=beside,
        fusion=fusion,
        stream=bool(body.stream),
        stop=stops(body.stop, "stop"),
        progress=progress,
        ignored=ignored(data, Body, HARMLESS),
        where="prompt",
        body=data,
    )


def text_completion(reply: Reply, _asked: Asked) -> dict[str, Any]:
    """The `text_completion`, with the run's report under `fusion`."""
    envelope = _envelope(reply.run_id, reply.created, reply.model)
    choices = [_choice(reply.text, reply.finish)]
    return {**envelope, "choices": choices, "usage": usage(reply), "fusion": reply.report}


class CompletionStream:
    """A stream of `text_completion` objects; progress comes as empty ones with `fusion`.

    Args:
        run: The run.
        asked: What was asked.
    """

    def __init__(self, run: Run, asked: Asked) -> None:
        options = asked.body.get("stream_options")
        self._usage = isinstance(options, dict) and options.get("include_usage") is True
        self._envelope = _envelope(run.id, int(run.started), run.model)

    def begin(self) -> Iterator[Frame]:
        """Nothing: the first text is the beginning."""
        yield from ()

    def take(self, told: Told) -> Iterator[Frame]:
        """The objects that tell the next thing."""
        match told:
            case Text(text):
                yield self._chunk(text)
            case Progress(event, _):
                yield self._chunk("", fusion=event)
            case Silence():
                pass  # the stream's comments are sign enough
            case Finished(reply):
                result = {"type": "fusion.result", "content": reply.text, "report": reply.report}
                yield self._chunk("", reply.finish, fusion=result)
                if self._usage:
                    yield Frame({**self._envelope, "choices": [], "usage": usage(reply)})
                yield DONE
            case Failed(error):
                yield Frame(error.body())
                yield DONE

    def _chunk(self, text: str, finish: str | None = None, **more: Any) -> Frame:
        return Frame({**self._envelope, "choices": [_choice(text, finish)], **more})


def _choice(text: str, finish: str | None) -> dict[str, Any]:
    return {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}


def _envelope(run_id: str, created: int, model: str) -> dict[str, Any]:
    return {"id": f"cmpl-{run_id}", "object": "text_completion", "created": created, "model": model}
