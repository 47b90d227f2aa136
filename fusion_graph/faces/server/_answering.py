"""Answering a request: the run that it starts, and what the finished run says to its client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from langchain_core.messages import AIMessage

from fusion_graph.faces.server._failed_runs import FailedRuns, asked_key
from fusion_graph.faces.server._signing import Signer
from fusion_graph.faces.server.holders import Holder
from fusion_graph.faces.server.limits import Limits, max_cost, run_context
from fusion_graph.faces.server.offer import PREFIX, Found, Offer
from fusion_graph.faces.server.protocols._asked import Asked, ClientTool, settled
from fusion_graph.faces.server.protocols._baggage import baggage
from fusion_graph.faces.server.protocols._continuing import Continued, continued
from fusion_graph.faces.server.protocols._continuing import Found as Where
from fusion_graph.faces.server.protocols._deliberation import deliberation
from fusion_graph.faces.server.protocols._pending import PendingCalls, digest_of
from fusion_graph.faces.server.protocols._reply import (
    FINISHES,
    Call,
    Reply,
    Usage,
    made_calls,
    written_tokens,
)
from fusion_graph.faces.server.protocols._side_calls import is_side_call
from fusion_graph.faces.server.protocols._told import end_of, thoughts_of
from fusion_graph.faces.server.run import Run
from fusion_graph.faces.server.runs import Runs
from fusion_graph.faces.server.settings import ServerSettings
from fusion_graph.state.conversation import question_of

LEAST_TOKENS = 16
"""The fewest that a configuration takes for a call."""


@dataclass(frozen=True)
class Begun:
    """A request whose run has begun.

    Attributes:
        asked: What was asked.
        run: The run.
        invoked: Who answers: `panel`, `auto`, `direct`, `side_call` or `continued`.
        found: Where the deliberation was that it goes on from.
        reply: Says what the finished run says; raises `ApiError` for one that failed.
        told: Is called when the answer has gone out whole.
    """

    asked: Asked
    run: Run
    invoked: str
    found: Where
    reply: Callable[[Run], Reply]
    told: Callable[[], None]


class Answering:
    """Answering begins runs for requests, and keeps what their conversations go on from.

    Args:
        settings: The server's.
        offer: The presets on offer.
        runs: Where its runs are kept.
    """

    def __init__(self, settings: ServerSettings, offer: Offer, runs: Runs) -> None:
        self._limits = settings.limits
        self._offer = offer
        self._runs = runs
        self._pending = PendingCalls()
        self._failed = FailedRuns()
        self._signer = Signer(settings.signing_key)

    async def begin(self, asked: Asked, call_prefix: str, holder: Holder) -> Begun:
        """Begin the run that a request asks for.

        Args:
            asked: The request.
            call_prefix: How the ids of its tool calls begin.
            holder: Who asks.

        Raises:
            ApiError: Something in it is wrong, or not allowed.
            EmptyQuestion: There is nothing to answer.
            TooManyRuns: No more may be at work.
        """
        fusion = dict(asked.fusion)
        model, param = asked.model, "model"
        if (named := fusion.pop("preset", None)) is not None:
            model, param = f"{PREFIX}{named}", "fusion.preset"
        preset = self._offer.only(holder.presets).find(model, param)
        asked, limits = replace(asked, owner=holder.name), holder.narrowed(self._limits)
        if asked.has_tools:
            await asyncio.to_thread(self._signer.load)  # from the disk, the first time
        before = continued(asked, self._pending, self._signer)
        beside = _within(asked, limits)
        context = run_context(fusion, beside, preset.preset, limits)
        invoked = _invoked(preset, context, before)
        if invoked != "continued" and is_side_call(asked):
            invoked = "side_call"
            context |= {"max_tool_calls": 0, "verify": "off"}
        if invoked in ("direct", "side_call"):
            context |= _alone(context)
        question = question_of(before.messages)
        key = asked_key(asked.asker, asked.fusion, before.messages)
        if (run := self._failed.find(key)) is None:
            context |= {"preset": preset.ref}
            same = asked_key(asked.asker, context, before.messages)
            # OpenAI's and Anthropic's clients ask again by themselves when a connection breaks.
            run = await self._runs.left_off(same, holder)
            if run is not None and run.status == "interrupted":
                self._runs.resume(run, holder)
            elif run is None:
                run = self._runs.start(
                    before.messages,
                    context,
                    model=model,
                    question=question,
                    asked=same,
                    holder=holder,
                    max_cost=max_cost(context, preset.preset),
                )
            self._failed.remember(key, run)
        run.readers += 1

        def reply(ended: Run) -> Reply:
            return self._reply(ended, asked, before, call_prefix)

        return Begun(asked, run, invoked, before.found, reply, partial(self._runs.note_told, run))

    def _reply(self, run: Run, asked: Asked, before: Continued, call_prefix: str) -> Reply:
        if run.failure is not None:
            raise run.failure
        assert run.message is not None
        assert run.report is not None
        text = run.message.text
        end = end_of(text, asked.stop)
        stopped_by = next((mark for mark in asked.stop if text.startswith(mark, end)), None)
        made = made_calls(run.message, asked)
        sealed = None
        models = [str(answer["model"]) for answer in run.report["answers"]]
        if made:
            kept = baggage(run.message)
            data = {} if before.carried else deliberation(run.report)
            data |= {} if kept is None else {"answer": kept}
            if data:
                sealed = self._signer.seal({"model": asked.model, "models": models, **data})
        finish = str(run.message.response_metadata.get("finish_reason"))
        finish = finish if finish in FINISHES and stopped_by is None else "stop"
        return Reply(
            run_id=run.id,
            model=run.model,
            created=int(run.started),
            text=text[:end],
            calls=self._handed_out(run.message, made, run.report, asked, call_prefix),
            finish="tool_calls" if made else finish,
            stopped_by=stopped_by,
            usage=Usage(
                asked.tokens(),
                written_tokens(text[:end], made),
                run.report["usage"]["total"]["cost_usd"],
            ),
            report=run.report,
            carried=sealed,
            models=models,
            thoughts="" if asked.stream or not asked.progress else thoughts_of(run.events),
        )

    def _handed_out(
        self,
        message: AIMessage,
        made: list[tuple[str, str, str]],
        report: dict[str, Any],
        asked: Asked,
        prefix: str,
    ) -> list[Call]:
        if not made:
            return []
        digest = digest_of(asked.asker, [*settled(asked.conversation), message])
        own = [id for id, _, _ in made]
        ids = self._pending.hand_out(own, report, message, digest, prefix)
        return [
            Call(id, asked.tools.get(name, ClientTool(name)), arguments)
            for id, (_, name, arguments) in zip(ids, made, strict=True)
        ]


def _invoked(preset: Found, context: Mapping[str, Any], before: Continued) -> str:
    """Who answers, as far as it is known before the run."""
    if before.found in ("conversation", "memory") and not before.alone:
        return "continued"
    given = context.get("invocation") or preset.preset.fields.get("invocation", "always")
    if preset.direct or before.alone or given == "never":
        return "direct"
    return "auto" if given == "auto" else "panel"


def _alone(context: Mapping[str, Any]) -> dict[str, Any]:
    """Settings for one model that answers alone; the answer's limit is that of all its calls."""
    limit = context.get("writer_max_tokens")
    capped = {} if limit is None else {"max_completion_tokens": max(LEAST_TOKENS, limit)}
    return {"invocation": "never", **capped}


def _within(asked: Asked, limits: Limits) -> dict[str, tuple[str, Any]]:
    """The protocol's settings; a limit that a client always sends is kept to the owner's."""
    beside = dict(asked.beside)
    if asked.capped and (given := beside.get("writer_max_tokens")) is not None:
        name, value = given
        beside["writer_max_tokens"] = (name, min(value, limits.max_tokens))
    return beside
