"""One model is asked for a verdict on the answers, with one chance to mend what cannot be read."""

from __future__ import annotations

from typing import Any, NamedTuple

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from fusion_graph.config import ResolvedConfig
from fusion_graph.errors import CallFailed, Failure, UnreadableVerdict
from fusion_graph.judgement import Bounds, Verdict, find_verdict, wire_schema
from fusion_graph.models.calls import Caller
from fusion_graph.models.model import Model
from fusion_graph.models.request import Options
from fusion_graph.nodes.judge_research import JudgeResearch
from fusion_graph.prompts import repair, shorter

TAKES_NO_BOUNDS = frozenset({"openai", "openrouter"})
"""Providers whose strict modes refuse a schema with bounds, and have room for any verdict."""


def response_formats(model: Model, bounds: Bounds) -> tuple[dict[str, Any], ...]:
    """Ways to ask a model for a verdict as JSON, strongest first; after the last comes plain text.

    A server of one's own holds a small model to a schema by grammar, bounds included, without
    which it goes on until its tokens are used up. LM Studio takes no `json_object`.

    Args:
        model: The judge's model.
        bounds: How long its verdict may be.
    """
    if not model.takes_schema:
        return ()
    if model.program:
        return (STRONGEST_FORMAT,)  # both vendors' strict modes refuse bounds
    schemas = [wire_schema()]
    if model.provider not in TAKES_NO_BOUNDS:
        schemas.insert(0, wire_schema(bounds))
    return (*map(_strict, schemas), {"type": "json_object"})


def _strict(schema: dict[str, Any]) -> dict[str, Any]:
    named = {"name": "analysis", "strict": True, "schema": schema}
    return {"type": "json_schema", "json_schema": named}


STRONGEST_FORMAT = _strict(wire_schema())
"""The way of asking for JSON that is tried first, bounds aside."""


async def ask_for_verdict(
    model: Model,
    prompt: list[BaseMessage],
    bounds: Bounds,
    research: JudgeResearch,
    caller: Caller,
    settings: ResolvedConfig,
) -> tuple[Verdict, str]:
    """Ask a model for its verdict, and once more if that cannot be read.

    A verdict that broke off counts as far as it goes: asked again, a model that ran out of tokens
    runs out of them again. Where it holds nothing that is whole, a shorter one is asked for, and
    the broken one is not sent back.

    Args:
        model: Who is to judge.
        prompt: The system message, and the answers with all that belongs to them.
        bounds: How long the verdict may be.
        research: What a judge with tools may do, and has done.
        caller: Calls the model.
        settings: The run's settings.

    Returns:
        The verdict, and what cut it off; empty if it is whole.

    Raises:
        UnreadableVerdict: Neither its first nor its mended reply is a verdict.
    """
    options = Options(
        temperature=0.0,
        reasoning_effort=settings.reasoning_effort,
        max_tokens=settings.max_completion_tokens,
        response_formats=response_formats(model, bounds),
    )
    if research.wanted:
        reply = await _researched(research, model, prompt, options, caller)
    else:
        reply = await _asked(model, prompt, caller, options)
    try:
        return reply.verdict()
    except UnreadableVerdict as first:
        if reply.cut_by:
            brief = shorter(max(1, min(3, bounds.items // 2)), min(20, bounds.words))
            again = [*prompt[:-1], HumanMessage(f"{prompt[-1].text}\n\n{brief}")]
        else:
            sent = AIMessage(reply.text if reply.text.strip() else "(empty)")
            again = [*prompt, sent, HumanMessage(repair(first.detail))]
        return (await _asked(model, again, caller, options)).verdict()


class _JudgeText(NamedTuple):
    """A judge's text, and what cut it off; empty if nothing did."""

    text: str
    cut_by: str

    def verdict(self) -> tuple[Verdict, str]:
        """The verdict in it, and what cut that off.

        Raises:
            UnreadableVerdict: There is none.
        """
        try:
            verdict, cut = find_verdict(self.text)
        except UnreadableVerdict as error:
            if not self.cut_by:
                raise
            detail = f"{error.detail} It was cut off by {self.cut_by}."
            raise UnreadableVerdict(error.code, detail) from None
        return verdict, (self.cut_by or "its own end") if cut else ""


async def _asked(
    model: Model, prompt: list[BaseMessage], caller: Caller, options: Options
) -> _JudgeText:
    try:
        reply = await caller.ask(model, prompt, options)
    except CallFailed as failed:
        raise _upstream(failed.failure) from None
    if not reply.text and (failure := reply.silence())["reason"] == "content_filter":
        raise _upstream(failure)
    cut_by = reply.cut_by("max_completion_tokens") if reply.finish_reason == "length" else ""
    return _JudgeText(reply.message.text, cut_by)


async def _researched(
    research: JudgeResearch,
    model: Model,
    prompt: list[BaseMessage],
    options: Options,
    caller: Caller,
) -> _JudgeText:
    outcome = await research.ask(model, prompt, options, caller)
    if failure := outcome["failure"]:
        if failure["reason"] == "empty_answer":
            return _JudgeText("", "")
        raise _upstream(failure)
    return _JudgeText(outcome["text"], outcome["cut_by"])


def _upstream(failure: Failure) -> UnreadableVerdict:
    return UnreadableVerdict("judge_upstream_error", f"{failure['reason']}: {failure['detail']}")
