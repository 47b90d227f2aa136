"""panelist: one member's work on the question, ending in an answer or a typed failure."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from langchain_core.messages import AnyMessage, SystemMessage
from langgraph.errors import GraphBubbleUp

from fusion_graph.config import Panelist, ResolvedConfig, model_name
from fusion_graph.cost.usage import total
from fusion_graph.errors import (
    ARROW,
    ConfigurationError,
    Cutoff,
    Degradation,
    Failure,
    FailureReason,
    TimeUp,
    UnsupportedInput,
)
from fusion_graph.evidence import open_ledger, used_sources
from fusion_graph.models.apis import describe_refusals
from fusion_graph.models.calls import Caller
from fusion_graph.models.failures import failed_once, with_remedy
from fusion_graph.models.open import open_model
from fusion_graph.models.provider_search import always_searches, provider_search
from fusion_graph.models.recording import fixed
from fusion_graph.models.request import Options
from fusion_graph.models.secrets import scrub
from fusion_graph.models.strangers import served_names
from fusion_graph.prompts import panel_system
from fusion_graph.run.member import Member
from fusion_graph.run.own_search import OwnSearch, search_losses
from fusion_graph.run.research import Outcome, research
from fusion_graph.run.tool_use import Researcher
from fusion_graph.run.toolbox import search_name
from fusion_graph.state import PanelAnswer, Replaced, ToolRecord, seconds_at_work
from fusion_graph.state.conversation import attachments, own_words
from fusion_graph.state.events import Deltas, Emit
from fusion_graph.text.off_loop import is_long, off_loop
from fusion_tools.sources import SourceBook

logger = logging.getLogger(__name__)


async def panelist(member: Member, conversation: Sequence[AnyMessage]) -> PanelAnswer:
    """Let one member work. Never raises but when it is cancelled: a failure is an answer too.

    Args:
        member: The member's stage.
        conversation: The conversation, its earlier tool calls told as text.
    """
    panel, asked = member.panel, member.settings.panel[member.index]
    name, emit = member.run["members"][member.index], member.emit
    work, replaced = _Work(), list[Replaced]()
    emit("panel.added", name=name, model=model_name(asked.model))
    try:
        async with member.in_slot():
            while True:
                worked_before = member.seconds
                outcome = await _attempt(member, conversation, asked, work)
                failure = outcome["failure"]
                if failure is None:
                    panel.answered()
                    break
                failure["detail"] = with_remedy(failure["detail"], failure["reason"])
                if failure["reason"] in NOT_REPLACED:
                    panel.failed()
                    break
                stand_in = panel.stand_in(even_if_enough=failure["reason"] == "tools_refused")
                if stand_in is None:
                    break
                replaced.append(_replaced(asked, failure, member.seconds - worked_before))
                asked = asked.model_copy(update={"model": stand_in})
                emit("panel.replaced", name=name, by=model_name(stand_in), **replaced[-1])
    except ConfigurationError as error:
        outcome = _failed("invalid_model", with_remedy(_problem(error), "invalid_model"))
    # Quotes are looked for in whole pages, and pages may go to the disk.
    much = bool(work.book.entries()) or is_long(outcome["text"])
    answer = await off_loop(much, _answer, member, name, asked, outcome, work)
    answer["replaced"] = replaced
    _tell(emit, answer)
    return answer


@dataclass
class _Work:
    """The research of a member so far, whichever model did it in its place.

    Attributes:
        book: The sources that were found.
        done: Records of the tool calls.
        researcher: The last model at it; None if none could be opened.
    """

    book: SourceBook = field(default_factory=SourceBook)
    done: list[ToolRecord] = field(default_factory=list)
    researcher: Researcher | None = None


NOT_REPLACED: frozenset[FailureReason] = frozenset({"timed_out", "over_budget"})
"""Failures after which nobody is asked instead: there is no time, or no money, for it."""


async def _attempt(
    member: Member, conversation: Sequence[AnyMessage], asked: Panelist, work: _Work
) -> Outcome:
    """Let one model work on the question, and say how it ended."""
    settings, worked_before = member.settings, member.seconds
    researcher: Researcher | None = None
    try:
        async with member.at_work() as caller:
            researcher = await _researcher(member, caller, conversation, asked, work)
            work.researcher = researcher
            clock = member.clock
            if researcher.model.protocol:  # other models' replies may come in one piece, and late
                clock.watch(settings.panelist_stall)
            # Whoever has stand-ins need not go on without what a panel is for.
            # With a first search made by code, a model without tools is no loss of evidence.
            # Nor is one without them that searches by itself.
            seeks = researcher.first or (researcher.own and not researcher.own.search.listed)
            caller.tools_wanted = member.panel.stand_ins_left() and not seeks
            researcher.writing = Deltas(member.emit, caller.name, clock.touch, caller.nonce)
            return await research(researcher, _briefed(conversation, asked, researcher))
    except TimeUp as over:
        seconds = member.seconds - worked_before
        writing = researcher.writing if researcher else None
        written = writing.broken_off() if writing else ""
        return _failed("timed_out", _why_late(over.cutoff, settings, seconds, written), written)
    except ConfigurationError as error:
        return _failed("invalid_model", _problem(error))
    except UnsupportedInput as error:
        return _failed("unsupported_input", str(error))
    except GraphBubbleUp:
        raise  # LangGraph's own way out, as when a server drains its runs
    except Exception as error:
        # A bug here must not cost the other members their paid work.
        logger.exception("Panelist %s failed", member.run["members"][member.index])
        return _failed("internal_error", scrub(f"{type(error).__name__}: {error}"))
    finally:
        if researcher is not None and researcher.writing is not None:
            researcher.writing.end()


def _replaced(asked: Panelist, failure: Failure, seconds: float) -> Replaced:
    return {"model": model_name(asked.model), "failure": failure, "seconds": round(seconds, 3)}


async def _researcher(
    member: Member,
    caller: Caller,
    conversation: Sequence[AnyMessage],
    asked: Panelist,
    work: _Work,
) -> Researcher:
    settings, nonce = member.settings, member.run["nonce"]
    model = await open_model(asked.model, settings.providers)
    for kind in sorted(attachments(conversation)):
        if not model.takes(kind):
            raise UnsupportedInput(
                f"The conversation holds {kind} input, which {model.ref} does not take."
            )
    cap = settings.max_tool_calls if asked.tools else 0
    toolbox = member.panel.toolbox
    ledger = toolbox.ledger(own_words(conversation))
    allowed, blocked = settings.allowed_domains, settings.blocked_domains
    wanted = cap and (toolbox.by_providers or (toolbox.searches and always_searches(model)))
    search = provider_search(model, allowed, blocked) if wanted else None
    return Researcher(
        caller=caller,
        model=model,
        options=Options(
            temperature=settings.temperature if asked.temperature is None else asked.temperature,
            reasoning_effort=asked.reasoning_effort or settings.reasoning_effort,
            max_tokens=settings.max_completion_tokens,
        ),
        tools=toolbox.tools(ledger, nonce, work.book) if cap else [],
        own=None
        if search is None
        else OwnSearch(search, ledger.add_results, alone=toolbox.by_providers),
        cap=cap,
        nonce=nonce,
        # What the model before this one found stays found, under its numbers.
        book=work.book,
        done=work.done,
        # Code cannot search with a provider, and models that can need no such help.
        first=settings.research == "first" and search is None,
    )


def _briefed(
    conversation: Sequence[AnyMessage], asked: Panelist, researcher: Researcher
) -> list[AnyMessage]:
    """Put the conversation under the panel's instructions and the application's own."""
    today = fixed("today", datetime.now(UTC).date().isoformat())
    citing = researcher.own.citing if researcher.own is not None else None
    tools = bool(researcher.by_name)
    system = panel_system(tools, researcher.cap, today, asked.instructions, citing)
    rest = list(conversation)
    if rest and isinstance(rest[0], SystemMessage):
        # One system message: several providers take no second one.
        system = f"{system}\n\n{rest.pop(0).text}"
    return [SystemMessage(system), *rest]


def _answer(
    member: Member, name: str, asked: Panelist, outcome: Outcome, work: _Work
) -> PanelAnswer:
    losses: list[Degradation] = []
    if cut_by := outcome["cut_by"]:
        losses.append({"code": "answer_truncated", "detail": f"{name} was cut off by {cut_by}."})
    losses += _model_losses(name, work.researcher)
    if (at_work := work.researcher) and at_work.by_name and member.panel.toolbox.by_providers:
        losses += search_losses(name, at_work, search_name(member.settings))
        losses += at_work.own.losses(name) if at_work.own is not None else []
    losses += member.losses
    losses += member.panel.tool_losses
    ledger = open_ledger(member.run["id"])
    sources = used_sources(name, outcome["text"], work.book.entries(), ledger.keep)
    if outcome["failure"]:  # half an answer claims nothing
        for source in sources:
            source["cited_by"], source["quotes"] = [], []
    return {
        "name": name,
        "model": model_name(asked.model),
        "index": member.index,
        "label": None,
        "status": "failed" if outcome["failure"] else "ok",
        "content": outcome["text"],
        "failure": outcome["failure"],
        "tool_calls": list(work.done),
        "sources": sources,
        "calls": list(member.calls),
        "degradations": losses,
        "replaced": [],
        "start": round(member.began - member.run["started"], 4),
        "end": round(time.time() - member.run["started"], 4),
        "waited": round(member.waited, 4),
    }


def _model_losses(name: str, researcher: Researcher | None) -> list[Degradation]:
    """List what the last model did not take, or repeated of the prompts."""
    if researcher is None:
        return []
    caller, refused = researcher.caller, researcher.model.refused
    losses = caller.echoes(name)
    if "tools" in refused and not (researcher.own and not researcher.own.search.listed):
        why = caller.without_tools or with_remedy("Its provider refused them", "tools_refused")
        detail = f"{name} worked without tools, so without sources: {why}"
        losses.append({"code": "tools_refused", "detail": detail})
    # What cannot be marked for a cache is paid for again; the answer is none the worse.
    for detail in describe_refusals(name, refused - {"tools", "cache_control", "search"}):
        losses.append({"code": "parameter_refused", "detail": detail})
    return losses


def _failed(reason: FailureReason, detail: str, written: str = "") -> Outcome:
    return {"text": written, "failure": failed_once(reason, detail), "cut_by": ""}


def _problem(error: ConfigurationError) -> str:
    return f"{error.problem}{ARROW}{error.remedy}" if error.remedy else error.problem


def _why_late(cutoff: Cutoff, settings: ResolvedConfig, seconds: float, written: str) -> str:
    kept = f"; the {len(written)} characters it had written are kept" if written else ""
    if cutoff == "grace":
        return (
            f"Left behind after {seconds:.1f} s: {settings.quorum} others had answered and the "
            f"grace of {settings.grace:g} s was over{kept}{ARROW}raise grace or quorum."
        )
    if cutoff == "run":
        over = f"Cut off after {seconds:.1f} s: the panel's share of run_timeout was over"
        return f"{over}{kept}{ARROW}raise run_timeout."
    if cutoff == "stall":
        return (
            f"Given up after {seconds:.1f} s: nothing was heard from the model for panelist_stall "
            f"({settings.panelist_stall:g} s){kept}{ARROW}raise panelist_stall, or take another "
            "model."
        )
    return (
        f"No answer within panelist_timeout ({settings.panelist_timeout:g} s){kept}"
        f"{ARROW}raise panelist_timeout, or take a faster model."
    )


def _tell(emit: Emit, answer: PanelAnswer) -> None:
    seconds = round(seconds_at_work(answer), 3)
    spent = total(answer["calls"])
    if failure := answer["failure"]:
        emit(
            "panel.failed",
            name=answer["name"],
            model=answer["model"],
            reason=failure["reason"],
            detail=failure["detail"],
            calls=spent["calls"],
            plan_calls=spent["plan_calls"],
            cost_usd=spent["cost_usd"],
            seconds=seconds,
        )
        return
    emit(
        "panel.completed",
        name=answer["name"],
        model=answer["model"],
        served=served_names(answer["calls"]),
        content=answer["content"],
        characters=len(answer["content"]),
        tool_calls=len(answer["tool_calls"]),
        calls=spent["calls"],
        plan_calls=spent["plan_calls"],
        cost_usd=spent["cost_usd"],
        seconds=seconds,
    )
