"""judge: one model compares the labelled answers; whatever it returns becomes an analysis or a
typed degradation, and the run goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, SystemMessage

from fusion_graph.config import ResolvedConfig, model_name
from fusion_graph.errors import (
    CallFailed,
    ConfigurationError,
    Degradation,
    Failure,
    UnreadableVerdict,
)
from fusion_graph.evidence import open_ledger, with_found, with_origins
from fusion_graph.judgement import (
    Analysis,
    Bounds,
    Verdict,
    bounds_for,
    find_verdict,
    name_panelists,
    wire_schema,
    with_independence,
)
from fusion_graph.models.apis import RESPONSES_API, told_refusals
from fusion_graph.models.calls import Caller
from fusion_graph.models.open import Model, open_model
from fusion_graph.models.options import Options
from fusion_graph.models.strangers import served_names
from fusion_graph.nodes.judge_research import JudgeResearch
from fusion_graph.nodes.material import Material, prompt_for
from fusion_graph.prompts import judge_material, judge_system, repair, shorter
from fusion_graph.run.deadlines import judge_limit
from fusion_graph.run.settings import Stack
from fusion_graph.run.stage import OutOfTime, open_stage
from fusion_graph.state import CallRecord, Joined, Judgement, Run, found_by_judge
from fusion_graph.state.conversation import cut_conversation, own_words, told, transcript
from fusion_graph.state.events import Emit

CONVERSATION_CHARACTERS = 120_000
"""Most characters of the conversation that a judge is shown: about 30,000 tokens beside twice as
many of answers. Panelists and writer read all of it; a judge compares what they made of it."""

RESEARCH_TOKENS = 1_500
"""What a judge that may search needs besides its material: the tools, and some of their results."""

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
    if not model.protocol:
        return ()
    schemas = [wire_schema()]
    if model.provider not in TAKES_NO_BOUNDS:
        schemas.insert(0, wire_schema(bounds))
    return (*map(_strict, schemas), {"type": "json_object"})


def _strict(schema: dict[str, Any]) -> dict[str, Any]:
    named = {"name": "analysis", "strict": True, "schema": schema}
    return {"type": "json_schema", "json_schema": named}


STRONGEST_FORMAT = _strict(wire_schema())
"""The way of asking for JSON that is tried first, bounds aside."""


async def judge(
    messages: Sequence[AnyMessage],
    run: Run,
    joined: Joined,
    settings: ResolvedConfig,
    stack: Stack,
    emit: Emit,
) -> Judgement:
    """Compare the answers: the judge, its repair, then each fallback in turn.

    Args:
        messages: The conversation.
        run: The run.
        joined: The labelled answers and their sources.
        settings: The run's settings.
        stack: What the graph was made with.
        emit: Sends progress events.
    """
    survivors = [answer for answer in joined["answers"] if answer["status"] == "ok"]
    if len(survivors) == 1:
        if len(joined["answers"]) == 1:
            return not_judged([], [])
        lost = f"Only {survivors[0]['name']} answered; there was nothing to compare."
        return not_judged([], [{"code": "single_survivor", "detail": lost}])
    losses = list[Degradation]()
    whole = told(messages)
    conversation = cut_conversation(whole, CONVERSATION_CHARACTERS)
    losses += _conversation_lost(whole, conversation)
    research = JudgeResearch(run, joined["sources"], own_words(whole), settings, stack)

    def build(material: Material) -> list[BaseMessage]:
        said, answers, sources = transcript(material.said), material.answers, material.sources
        return [
            SystemMessage(judge_system(settings.criteria)),
            HumanMessage(judge_material(said, answers, sources, run["nonce"])),
        ]

    spent = [answer["calls"] for answer in joined["answers"]]
    limit = judge_limit(settings, run, joined)
    opening = open_stage(run, settings, "judge", "judge", emit, limit, spent=spent)
    try:
        async with opening as stage:
            caller, emit = stage.caller, stage.emit
            for ref in [settings.judge, *settings.fallbacks]:
                try:
                    model = await open_model(ref, settings.providers)
                    emit("analysis.in_progress", model=model.ref, answers=len(survivors))
                    prompt, shortened = prompt_for(
                        model,
                        caller,
                        settings.max_completion_tokens,
                        conversation,
                        survivors,
                        joined["sources"],
                        build,
                        reserve=RESEARCH_TOKENS if settings.judge_tools else 0,
                    )
                    losses += [loss for loss in shortened if loss not in losses]
                    room = _room(model, prompt[-1].text, settings.max_completion_tokens)
                    bounds = bounds_for(room, len(survivors))
                    system = judge_system(settings.criteria, bounds.items, bounds.words)
                    prompt[0] = SystemMessage(system)
                    verdict, cut = await _verdict(model, prompt, bounds, research, caller, settings)
                    if cut:
                        losses.append({"code": "judge_verdict_cut", "detail": _told_cut(ref, cut)})
                except (UnreadableVerdict, ConfigurationError) as error:
                    losses.append(_loss(error, ref, emit))
                    continue
                found, done, ids = await asyncio.to_thread(research.found, verdict.source_ids())
                sources = with_found(joined["sources"], found)
                if found:
                    pages = open_ledger(run["id"]).page
                    sources = await asyncio.to_thread(with_origins, sources, pages)
                    found = [source for source in sources if source not in joined["sources"]]
                analysis, unknown = name_panelists(
                    verdict.renumbered(ids),
                    {str(a["label"]): a["name"] for a in survivors},
                    ids.values(),
                )
                analysis = with_independence(analysis, sources)
                if unknown:
                    detail = f"The judge pointed at what does not exist: {', '.join(unknown)}."
                    losses.append({"code": "judge_unknown_reference", "detail": detail})
                losses += _left_out(model)
                emit(
                    "analysis.completed",
                    model=model.ref,
                    served=served_names(c for c in caller.calls if c["model"] == model.ref),
                    analysis=analysis.model_dump(),
                    **analysis.counts(),
                )
                judgement: Judgement = {
                    "analysis": analysis.model_dump(),
                    "calls": caller.calls,
                    "degradations": [*losses, *caller.fitting.losses],
                }
                return found_by_judge(judgement, found, done)
    except OutOfTime as error:
        timeout = f"The judge {error}."
        losses.append(
            _loss(UnreadableVerdict("judge_upstream_error", timeout), settings.judge, emit)
        )
    found, done, _ = await asyncio.to_thread(research.found, ())
    nothing = not_judged(caller.calls, [*losses, *caller.fitting.losses])
    return found_by_judge(nothing, found, done)


async def _verdict(
    model: Model,
    prompt: list[BaseMessage],
    bounds: Bounds,
    research: JudgeResearch,
    caller: Caller,
    settings: ResolvedConfig,
) -> tuple[Verdict, str]:
    """One judge's verdict, with one chance to mend what cannot be read; and what cut it, if so.

    A verdict that broke off counts as far as it goes: asked again, a model that ran out of tokens
    runs out of them again. Where it holds nothing that is whole, a shorter one is asked for, and
    the broken one is not sent back.

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


class _Said(NamedTuple):
    """What a judge wrote, and what cut it off; empty if nothing did."""

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


def _conversation_lost(
    whole: Sequence[AnyMessage], kept: Sequence[AnyMessage]
) -> list[Degradation]:
    """What the judge does not see of the conversation."""
    before, after = (sum(len(message.text) for message in part) for part in (whole, kept))
    if after == before:
        return []
    detail = (
        f"The conversation was cut from {before:,} to {after:,} characters for the judge: it "
        "compares the answers without what is missing."
    )
    return [{"code": "conversation_cut", "detail": detail}]


def _told_cut(ref: object, cut_by: str) -> str:
    who = model_name(ref)
    return f"{who}: the comparison was cut off by {cut_by}; what it holds until then counts."


def _room(model: Model, material: str, most: int) -> int:
    """Tokens that a reply has room for, as far as is known of the model's context."""
    window = getattr(getattr(model, "window", None), "tokens", None)
    if not isinstance(window, int):
        return most
    return max(256, min(most, window - len(material) // 4 - 1_000))


async def _asked(
    model: Model, prompt: list[BaseMessage], caller: Caller, options: Options
) -> _Said:
    try:
        reply = await caller.ask(model, prompt, options)
    except CallFailed as failed:
        raise _upstream(failed.failure) from None
    if not reply.text and (failure := reply.silence())["reason"] == "content_filter":
        raise _upstream(failure)
    cut_by = reply.cut_by("max_completion_tokens") if reply.finish_reason == "length" else ""
    return _Said(reply.message.text, cut_by)


async def _researched(
    research: JudgeResearch,
    model: Model,
    prompt: list[BaseMessage],
    options: Options,
    caller: Caller,
) -> _Said:
    finding = await research.ask(model, prompt, options, caller)
    if failure := finding["failure"]:
        if failure["reason"] == "empty_answer":
            return _Said("", "")
        raise _upstream(failure)
    return _Said(finding["text"], finding["cut_by"])


def relabelled(analysis: Analysis, labels: dict[str, str]) -> Analysis:
    """The analysis with labels for names, as the writer is to see it.

    Args:
        analysis: Over panelists' names.
        labels: Name → label.
    """
    copy = analysis.model_copy(deep=True)
    for item in [*copy.consensus, *copy.partial_coverage]:
        item.models = sorted(labels.get(name, name) for name in item.models)
    for clash in copy.contradictions:
        for stance in clash.stances:
            stance.model = labels.get(stance.model, stance.model)
    for alone in copy.unique_insights:
        alone.model = labels.get(alone.model, alone.model)
    return copy


def _upstream(failure: Failure) -> UnreadableVerdict:
    return UnreadableVerdict("judge_upstream_error", f"{failure['reason']}: {failure['detail']}")


def _loss(error: UnreadableVerdict | ConfigurationError, ref: object, emit: Emit) -> Degradation:
    code = error.code if isinstance(error, UnreadableVerdict) else "judge_upstream_error"
    detail = f"{ref}: {error}" if isinstance(ref, str) else str(error)
    emit("analysis.failed", code=code, detail=detail)
    return {"code": code, "detail": detail}


def _left_out(model: Model) -> list[Degradation]:
    # A judge that cannot take a temperature is the rule among reasoning models, not a loss.
    lost = model.refused - {"temperature", "response_format", "cache_control", RESPONSES_API}
    return [
        {"code": "parameter_refused", "detail": told} for told in told_refusals("The judge", lost)
    ]


def not_judged(calls: list[CallRecord], losses: list[Degradation]) -> Judgement:
    """The judgement of a run whose answers nobody compared.

    Args:
        calls: Calls paid for a comparison that did not come.
        losses: Why it did not.
    """
    return {"analysis": None, "calls": calls, "degradations": losses}
