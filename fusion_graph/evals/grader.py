"""The grader: a stated model, and the one door through which it is asked."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from fusion_graph.config import Provider
from fusion_graph.errors import CallFailed, Failure, GraderUnavailable
from fusion_graph.evals import _prompts as prompts
from fusion_graph.models.calls import Caller
from fusion_graph.models.open import open_model
from fusion_graph.models.request import Options
from fusion_graph.state import CallRecord, StageName
from fusion_graph.state.events import Emit

STAGE: StageName = "grading"
"""The stage that pays for grading in the call records."""

FATAL = frozenset({"auth", "insufficient_credits", "invalid_model"})
"""Failures that every further call would meet too."""

Kind = Literal["rubric", "reference"]

WORDS: dict[Kind, tuple[str, str]] = {
    "rubric": ("MET", "UNMET"),
    "reference": ("CORRECT", "INCORRECT"),
}
"""What the grader may say."""


@dataclass(frozen=True)
class GraderSettings:
    """Who marks, and how. The defaults are those of OpenRouter's public DRACO harness.

    Attributes:
        model: `provider:model`.
        passes: How often every answer is marked: 3 there, 5 in DRACO's paper.
        temperature: Of the grader.
        reasoning_effort: Of the grader.
        max_tokens: Most tokens of a verdict, reasoning included.
        rereads: How often a grader whose reply cannot be read is asked again.
        bare_json: Whether only a reply that is one JSON object is read. No part of the identity:
            the replies are the same.
        seconds: Time for one verdict, retries included.
        concurrency: Verdicts asked for at the same time.
    """

    model: str = "openrouter:google/gemini-3.1-pro-preview"
    passes: int = 3
    temperature: float | None = 0.2
    reasoning_effort: str | None = "low"
    max_tokens: int = 4096
    rereads: int = 0
    bare_json: bool = False
    seconds: float = 300.0
    concurrency: int = 10

    def identity(self) -> dict[str, Any]:
        """What makes it this grader and no other. Grades of two identities are never mixed."""
        return {
            "model": self.model,
            "temperature": self.temperature,
            "reasoning_effort": self.reasoning_effort,
            "max_tokens": self.max_tokens,
            "rereads": self.rereads,
            "prompts": prompts.digest(),
        }


@dataclass(frozen=True)
class GraderCall:
    """One question to the grader: all that decides its reply, but for chance.

    Attributes:
        identity: The grader's.
        kind: What kind of verdict is asked for.
        messages: `(role, text)`, with the roles system, user and assistant.
        number: Which pass it belongs to, from 1: passes ask the same and draw anew.
    """

    identity: Mapping[str, Any]
    kind: Kind
    messages: tuple[tuple[str, str], ...]
    number: int

    def key(self) -> str:
        """Names the call by its content, so that a finished one need not be made again."""
        content = [self.identity, self.kind, self.messages, self.number]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class GraderReply:
    """What the grader said.

    Attributes:
        text: Its reply without reasoning; empty if there was none.
        served_by: What the reply calls its model; may be empty.
        failure: Why there was no reply.
        calls: What it took, failed tries included.
    """

    text: str
    served_by: str = ""
    failure: Failure | None = None
    calls: tuple[CallRecord, ...] = ()


Ask = Callable[[GraderCall], Awaitable[GraderReply]]
"""Puts a question to the grader. `live` makes a real one; a cache wraps it."""


def live(settings: GraderSettings, providers: Mapping[str, Provider], emit: Emit) -> Ask:
    """The grader itself, over the project's own calls: retried, recorded, bounded.

    Args:
        settings: Which model, and how it is asked.
        providers: Endpoints of the user's own.
        emit: Takes progress events (`call.retried`).

    Returns:
        A function that raises `GraderUnavailable` when going on makes no sense, and
        `ConfigurationError` when the model cannot be opened; every other failure is in its reply.
    """
    slots = asyncio.Semaphore(settings.concurrency)
    started = time.time()
    opened: list[Any] = []  # one Model for all calls: it remembers which parameters are refused

    async def ask(call: GraderCall) -> GraderReply:
        async with slots:
            if not opened:
                opened.append(await open_model(settings.model, providers))
            model = opened[0]
            caller = Caller(STAGE, "grader", started, emit)
            options = Options(
                temperature=settings.temperature,
                reasoning_effort=settings.reasoning_effort,
                max_tokens=settings.max_tokens,
                response_formats=response_formats(call.kind) if model.protocol else (),
            )
            try:
                async with asyncio.timeout(settings.seconds):
                    reply = await caller.ask(model, _messages(call), options)
            except CallFailed as failed:
                if failed.failure["reason"] in FATAL:
                    raise GraderUnavailable(settings.model, failed.failure) from None
                return GraderReply("", failure=failed.failure, calls=tuple(caller.calls))
            except TimeoutError:
                late: Failure = {
                    "reason": "timed_out",
                    "detail": f"no verdict within {settings.seconds:g} s",
                    "http_status": None,
                    "attempts": len(caller.calls),
                }
                return GraderReply("", failure=late, calls=tuple(caller.calls))
        name = str(reply.message.response_metadata.get("model_name") or "")
        return GraderReply(reply.text, name, None, tuple(caller.calls))

    return ask


def response_formats(kind: Kind) -> tuple[dict[str, Any], ...]:
    """Ways to ask for a verdict as JSON, strongest first."""
    schema = {
        "type": "object",
        "properties": {
            "verdict": {"type": "string", "enum": list(WORDS[kind])},
            "justification": {"type": "string"},
        },
        "required": ["verdict", "justification"],
        "additionalProperties": False,
    }
    strict = {"name": "verdict", "strict": True, "schema": schema}
    return ({"type": "json_schema", "json_schema": strict}, {"type": "json_object"})


def _messages(call: GraderCall) -> list[BaseMessage]:
    kinds = {"system": SystemMessage, "user": HumanMessage, "assistant": AIMessage}
    return [kinds[role](text) for role, text in call.messages]
