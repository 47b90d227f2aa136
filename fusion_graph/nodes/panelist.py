"""panelist: one member's work on the question, ending in an answer or a typed failure."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from langchain_core.messages import AnyMessage, SystemMessage
from langgraph.errors import GraphBubbleUp

from fusion_graph.config import Panelist, ResolvedConfig, model_name
from fusion_graph.cost.usage import total
from fusion_graph.errors import (
    ARROW,
    ConfigurationError,
    Degradation,
    Failure,
    FailureReason,
    UnsupportedInput,
)
from fusion_graph.evidence import Ledger, open_ledger, used_sources
from fusion_graph.models.apis import told_refusals
from fusion_graph.models.calls import Caller
from fusion_graph.models.failures import with_remedy
from fusion_graph.models.open import open_model
from fusion_graph.models.options import Options
from fusion_graph.models.secrets import scrub
from fusion_graph.models.strangers import served_names
from fusion_graph.prompts import panel_system
from fusion_graph.run.panel import Limit, Panel, TimeUp, Turn, take_part
from fusion_graph.run.research import Finding, research
from fusion_graph.run.settings import Stack
from fusion_graph.run.tool_use import Researcher
from fusion_graph.state import PanelAnswer, PanelTask, Replaced, ToolRecord, seconds_at_work
from fusion_graph.state.conversation import modalities, own_words
from fusion_graph.state.events import Deltas, Emit
from fusion_tools.sources import SourceBook

logger = logging.getLogger(__name__)


async def panelist(
    task: PanelTask,
    settings: ResolvedConfig,
    stack: Stack,
    emit: Emit,
) -> PanelAnswer:
    """Let one member work. Never raises but when it is cancelled: a failure is an answer too.

    Args:
        task: Which member, in which run, on which conversation.
        settings: The run's settings.
        stack: What the graph was made with.
        emit: Sends progress events.
    """
    run = task["run"]
    member, name = settings.panel[task["index"]], run["members"][task["index"]]
    caller = Caller("panel", name, run["started"], emit, nonce=run["nonce"])
    work = _Work()
    emit("panel.added", name=name, model=model_name(member.model))
    replaced: list[Replaced] = []
    try:
        async with take_part(run["id"], settings, stack.tools, run["calls"]) as panel:
            work.began = time.time()
            caller.budget, caller.gate = panel.budget, panel.gate
            caller.calls = panel.paid[task["index"]]
            while True:
                worked_before = work.seconds
                finding = await _attempt(task, member, settings, panel, caller, work)
                failure = finding["failure"]
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
                replaced.append(_replaced(member, failure, work.seconds - worked_before))
                member = member.model_copy(update={"model": stand_in})
                emit("panel.replaced", name=name, by=model_name(stand_in), **replaced[-1])
    except ConfigurationError as error:
        finding = _failed("invalid_model", with_remedy(_problem(error), "invalid_model"))
    # Quotes are looked for in whole pages, and pages may go to the disk.
    answer = await asyncio.to_thread(
        _answer, task["index"], name, member, finding, caller, work, open_ledger(run["id"])
    )
    answer["replaced"] = replaced
    _tell(emit, answer)
    return answer


@dataclass
class _Work:
    """What a member has done so far, whichever model did it in its place.

    Attributes:
        began: Unix time it got to work, after waiting for a slot.
        waited: Seconds since then in which it stood in line for its provider.
        book: The sources that were found.
        done: Records of the tool calls.
        who: The last model at it.
    """

    began: float = field(default_factory=time.time)
    waited: float = 0.0
    book: SourceBook = field(default_factory=SourceBook)
    done: list[ToolRecord] = field(default_factory=list)
    who: Researcher | None = None

    @property
    def seconds(self) -> float:
        """How long it has been at work."""
        return time.time() - self.began - self.waited


NOT_REPLACED: frozenset[FailureReason] = frozenset({"timed_out", "over_budget"})
"""Failures after which nobody is asked instead: there is no time, or no money, for it."""


async def _attempt(
    task: PanelTask,
    member: Panelist,
    settings: ResolvedConfig,
    panel: Panel,
    caller: Caller,
    work: _Work,
) -> Finding:
    """One model's work on the question, and how it ended."""
    worked_before = work.seconds
    who = turn = None
    try:
        work.who = who = await _researcher(task, member, settings, panel, caller, work)
        async with panel.at_work(settings.panelist_timeout) as turn:
            if who.model.protocol:  # other models' replies may come in one piece, and late
                turn.watch(settings.panelist_stall)
            caller.gate = partial(_gate, panel, turn)
            caller.resting = turn.unwatched
            # Whoever has stand-ins need not go on without what a panel is for.
            # With a first search made by code, a model without tools is no loss of evidence.
            caller.tools_wanted = panel.stand_ins_left() and not who.first
            who.writing = Deltas(caller.emit, caller.name, turn.alive, caller.nonce)
            return await research(who, _briefed(task["conversation"], member, who))
    except TimeUp as over:
        seconds = work.seconds - worked_before - (turn.waited if turn else 0.0)
        written = who.writing.broken_off() if who and who.writing else ""
        return _failed("timed_out", _why_late(over.limit, settings, seconds, written), written)
    except ConfigurationError as error:
        return _failed("invalid_model", _problem(error))
    except UnsupportedInput as error:
        return _failed("unsupported_input", str(error))
    except GraphBubbleUp:
        raise  # LangGraph's own way out, as when a server drains its runs
    except Exception as error:
        # A bug here must not cost the other members their paid work.
        logger.exception("Panelist %s failed", caller.name)
        return _failed("internal_error", scrub(f"{type(error).__name__}: {error}"))
    finally:
        if turn is not None:
            work.waited += turn.waited
        if who is not None and who.writing is not None:
            who.writing.end()


@asynccontextmanager
async def _gate(panel: Panel, turn: Turn, provider: str) -> AsyncIterator[None]:
    """The provider's gate, where a member may have to stand in line."""
    gate = panel.gate(provider)
    if gate.locked():
        with turn.in_line():
            await gate.acquire()
    else:
        await gate.acquire()
    try:
        yield
    finally:
        gate.release()


def _replaced(member: Panelist, failure: Failure, seconds: float) -> Replaced:
    return {"model": model_name(member.model), "failure": failure, "seconds": round(seconds, 3)}


async def _researcher(
    task: PanelTask,
    member: Panelist,
    settings: ResolvedConfig,
    panel: Panel,
    caller: Caller,
    work: _Work,
) -> Researcher:
    model = await open_model(member.model, settings.providers)
    for kind in sorted(modalities(task["conversation"])):
        if not model.takes(kind):
            raise UnsupportedInput(
                f"The conversation holds {kind} input, which {model.ref} does not take."
            )
    cap = settings.max_tool_calls if member.tools else 0
    said = own_words(task["conversation"])
    nonce = task["run"]["nonce"]
    temperature = settings.temperature if member.temperature is None else member.temperature
    return Researcher(
        caller=caller,
        model=model,
        options=Options(
            temperature=temperature,
            reasoning_effort=member.reasoning_effort or settings.reasoning_effort,
            max_tokens=settings.max_completion_tokens,
        ),
        tools=panel.toolbox.tools(said, nonce, work.book) if cap else [],
        cap=cap,
        nonce=nonce,
        # What the model before this one found stays found, under its numbers.
        book=work.book,
        done=work.done,
        first=settings.research == "first",
    )


def _briefed(conversation: list[AnyMessage], member: Panelist, who: Researcher) -> list[AnyMessage]:
    """The conversation under the panel's instructions and the application's own."""
    today = datetime.now(UTC).date().isoformat()
    system = panel_system(bool(who.by_name), who.cap, today, member.instructions)
    rest = list(conversation)
    if rest and isinstance(rest[0], SystemMessage):
        # One system message: several providers take no second one.
        system = f"{system}\n\n{rest.pop(0).text}"
    return [SystemMessage(system), *rest]


def _answer(
    index: int,
    name: str,
    member: Panelist,
    finding: Finding,
    caller: Caller,
    work: _Work,
    ledger: Ledger,
) -> PanelAnswer:
    who = work.who
    losses: list[Degradation] = []
    if cut_by := finding["cut_by"]:
        losses.append({"code": "answer_truncated", "detail": f"{name} was cut off by {cut_by}."})
    losses += caller.echoes(name)
    refused = who.model.refused if who else set()
    if "tools" in refused:
        why = caller.without_tools or with_remedy("Its provider refused them", "tools_refused")
        told = f"{name} worked without tools, so without sources: {why}"
        losses.append({"code": "tools_refused", "detail": told})
    # What cannot be marked for a cache is paid for again; the answer is none the worse.
    for told in told_refusals(name, refused - {"tools", "cache_control"}):
        losses.append({"code": "parameter_refused", "detail": told})
    losses += caller.fitting.losses
    sources = used_sources(name, finding["text"], work.book.entries(), ledger.keep)
    if finding["failure"]:  # half an answer claims nothing
        for source in sources:
            source["cited_by"], source["quotes"] = [], []
    return {
        "name": name,
        "model": model_name(member.model),
        "index": index,
        "label": None,
        "status": "failed" if finding["failure"] else "ok",
        "content": finding["text"],
        "failure": finding["failure"],
        "tool_calls": list(work.done),
        "sources": sources,
        "calls": list(caller.calls),
        "degradations": losses,
        "replaced": [],
        "start": round(work.began - caller.started, 4),
        "end": round(time.time() - caller.started, 4),
        "waited": round(work.waited, 4),
    }


def _failed(reason: FailureReason, detail: str, written: str = "") -> Finding:
    failure: Failure = {"reason": reason, "detail": detail, "http_status": None, "attempts": 1}
    return {"text": written, "failure": failure, "cut_by": ""}


def _problem(error: ConfigurationError) -> str:
    return f"{error.problem}{ARROW}{error.remedy}" if error.remedy else error.problem


def _why_late(limit: Limit, settings: ResolvedConfig, seconds: float, written: str) -> str:
    kept = f"; the {len(written)} characters it had written are kept" if written else ""
    if limit == "grace":
        return (
            f"Left behind after {seconds:.1f} s: {settings.quorum} others had answered and the "
            f"grace of {settings.grace:g} s was over{kept}{ARROW}raise grace or quorum."
        )
    if limit == "run":
        over = f"Cut off after {seconds:.1f} s: the panel's share of run_timeout was over"
        return f"{over}{kept}{ARROW}raise run_timeout."
    if limit == "stall":
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
        cost_usd=spent["cost_usd"],
        seconds=seconds,
    )
