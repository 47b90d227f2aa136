"""The graph on one screen: fan_out → panelist × N → join → judge → synthesis, or direct; verify.

Who needs only a part of it (`Course`) has it built of these same nodes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal
from weakref import WeakValueDictionary

from langchain_core.messages import AIMessageChunk
from langchain_core.tools import BaseTool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.config import get_config
from langgraph.graph import END, START
from langgraph.graph.message import push_message
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import get_runtime
from langgraph.types import Command, Overwrite, Send

from fusion_graph.config import FusionConfig, ResolvedConfig
from fusion_graph.errors import AllPanelistsFailed
from fusion_graph.evidence import Ledger, close_ledger, open_ledger
from fusion_graph.langgraph_seams.state_reads import read_state
from fusion_graph.langgraph_seams.sync import Node, StoppableBuilder, show_inside
from fusion_graph.models.strangers import served_names
from fusion_graph.nodes.direct import alone, direct_bound
from fusion_graph.nodes.edited_state import checked_judgement
from fusion_graph.nodes.fan_out import fan_out, panel_members
from fusion_graph.nodes.join import join, without_sources
from fusion_graph.nodes.judge import judge, not_judged
from fusion_graph.nodes.panelist import panelist
from fusion_graph.nodes.passing_on import most_agreed, pass_on
from fusion_graph.nodes.synthesis import synthesis
from fusion_graph.nodes.tool_results import earlier_fusion
from fusion_graph.nodes.verify import Verified, verify
from fusion_graph.report.build import build_record
from fusion_graph.run.deadlines import Spent, spent
from fusion_graph.run.first_search import who_can_search
from fusion_graph.run.member import open_member
from fusion_graph.run.panel import close_panel
from fusion_graph.run.recursion import refuse_recursion
from fusion_graph.run.research import DRAWN
from fusion_graph.run.settings import GraphConfig, check_members
from fusion_graph.run.stage import Stage, open_stage
from fusion_graph.state import (
    FusionInput,
    FusionOutput,
    FusionState,
    Joined,
    Judgement,
    PanelMember,
    Run,
    StageName,
)
from fusion_graph.state.conversation import calls_as_text
from fusion_graph.state.events import Emit, emitter

FusionGraph = CompiledStateGraph[FusionState, FusionConfig, FusionInput, FusionOutput]


@dataclass(frozen=True)
class Course:
    """Which stages of the graph a run takes after its panel.

    Attributes:
        judge: Whether a judge compares the answers.
        answer: `written`: a writer writes it; `chosen`: it is the panelist's answer that stands in
            most points of the judge's consensus, as it is; `none`: there is none, nobody is paid
            for one, and the report is all that comes out.
    """

    judge: bool = True
    answer: Literal["written", "chosen", "none"] = "written"


WHOLE = Course()
"""What `create_fusion_graph` makes."""

_ENDINGS = {"written": "synthesis", "chosen": "choice", "none": "report"}
"""The node that each way to an answer has."""


def create_fusion_graph(
    config: FusionConfig | Mapping[str, Any] | str | None = None,
    *,
    tools: Sequence[BaseTool] | None = None,
    checkpointer: BaseCheckpointSaver[Any] | bool | None = None,
    name: str = "fusion",
) -> FusionGraph:
    """A panel, a judge and a writer as one graph, to run by itself or as a node of another.

    Args:
        config: A preset's name or path, a `FusionConfig`, or a dict of its fields. A run's own
            context goes before it. Without a preset one is chosen from the keys found.
        tools: The panelists' tools, in place of web_search and web_fetch.
        checkpointer: As for any LangGraph graph; a subgraph takes its parent's by default.
        name: The graph's name, in drawings and traces.

    Returns:
        A compiled graph over `messages`. Its output adds the answer to them, and holds the
        report as plain data under `fusion`.

    Raises:
        ConfigurationError: The configuration has a wrong field, or names an unknown preset.

    Example:
        >>> from fusion_graph import create_fusion_graph
        >>> graph = create_fusion_graph("offline")
        >>> result = graph.invoke({"messages": [("user", "What is self-fusion?")]})
        >>> result["fusion"]["status"]
        'ok'
        >>> "Sources:" in result["messages"][-1].content
        True
    """
    return build_graph(config, WHOLE, tools=tools, checkpointer=checkpointer, name=name)


def build_graph(
    config: FusionConfig | Mapping[str, Any] | str | None,
    course: Course,
    *,
    tools: Sequence[BaseTool] | None = None,
    checkpointer: BaseCheckpointSaver[Any] | bool | None = None,
    name: str = "fusion",
) -> FusionGraph:
    """Build the graph, or a part of it.

    Args:
        config: As for `create_fusion_graph`.
        course: Which stages it has.
        tools: As for `create_fusion_graph`.
        checkpointer: As for `create_fusion_graph`.
        name: As for `create_fusion_graph`.

    Raises:
        ConfigurationError: As for `create_fusion_graph`.
    """
    given = GraphConfig(config, list(tools) if tools is not None else None)
    ending = _ENDINGS[course.answer]

    queues: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def resume(run: Run) -> ResolvedConfig:
        # One after the other, so that members get to work in the panel's order; and in a thread:
        # another preset in the context may mean files, or a server to ask.
        queue = queues.setdefault(run["id"], asyncio.Lock())
        async with queue:
            settings = await asyncio.to_thread(given.resume, _context(), run)
        _ledger(run)
        return settings

    def stage_of(
        run: Run, settings: ResolvedConfig, stage: StageName, done: Spent, name: str | None = None
    ) -> AbstractContextManager[Stage]:
        return open_stage(
            run,
            settings,
            stage,
            _emit(run),
            done,
            name=name,
            on_text=_send_text,
            tools=given.tools,
        )

    async def start(state: FusionState) -> Command[str]:
        refuse_recursion()
        earlier = earlier_fusion(state["messages"])
        joined, judgement = earlier or (None, None)
        run, settings = await fan_out(state["messages"], _context(), given, _write(), joined)
        update: dict[str, Any] = {"run": run, "answers": Overwrite([])}
        if joined is not None:
            update |= {"joined": joined, "judgement": judgement}
            return Command(update=update, goto=ending)
        if not run["invoked"]:
            return Command(update=update, goto="direct")
        sends = [Send("panelist", member) for member in panel_members(run, settings)]
        return Command(update=update, goto=sends)

    async def ask_panelist(asked: PanelMember) -> dict[str, Any]:
        run, messages = read_state("run", "messages")
        settings = await resume(run)
        check_members(run, settings)
        with open_member(run, settings, asked["index"], _emit(run), tools=given.tools) as member:
            return {"answers": [await panelist(member, calls_as_text(messages))]}

    async def bring_together(state: FusionState) -> dict[str, Any]:
        run = state["run"]
        close_panel(run["id"])
        pages = _ledger(run).page
        joined = await asyncio.to_thread(join, state["answers"], run["seed"], pages)
        settings = await resume(run)
        _need_an_answer(run, joined, settings)
        able = who_can_search(settings, given.tools)
        could = [a for a in joined["answers"] if a["index"] in able]
        known = [source["id"] for source in joined["sources"]]
        if lost := await asyncio.to_thread(without_sources, could, known):
            joined["degradations"].append(lost)
        if course.judge:
            return {"joined": joined}
        return {"joined": joined, "judgement": not_judged([], [])}

    async def compare(state: FusionState) -> dict[str, Any]:
        run, joined = state["run"], state["joined"]
        settings = await resume(run)
        with stage_of(run, settings, "judge", spent(run, joined)) as stage:
            return {"judgement": await judge(stage, state["messages"], joined)}

    async def write_answer(state: FusionState) -> dict[str, Any]:
        run, joined = state["run"], state["joined"]
        judgement = checked_judgement(state["judgement"], joined)
        settings = await resume(run)
        with stage_of(run, settings, "synthesis", spent(run, joined, judgement)) as stage:
            return {"written": await synthesis(stage, state["messages"], joined, judgement)}

    async def choose(state: FusionState) -> dict[str, Any]:
        joined = state["joined"]
        judgement = checked_judgement(state["judgement"], joined)
        answers = [answer for answer in joined["answers"] if answer["status"] == "ok"]
        best = most_agreed(answers, judgement)
        return {"written": await pass_on(best, "", joined, _send_text)}

    async def report(state: FusionState) -> dict[str, Any]:
        run = state["run"]
        record = build_record(
            run,
            await resume(run),
            state["joined"],
            state["judgement"],
            answer="",
            thread_id=_thread_id(),
        )
        await _complete(run, record, [])
        return {"fusion": record}

    async def answer_alone(state: FusionState) -> dict[str, Any]:
        run, messages = state["run"], state["messages"]
        settings = await resume(run)
        check_members(run, settings)
        if settings.writer_is_bound:
            name = run["members"][0]
            with stage_of(run, settings, "direct", spent(run), name) as stage:
                final, joined = await direct_bound(stage, messages)
            _need_an_answer(run, joined, settings)
            return {"joined": joined, "judgement": None, "written": final}
        one = alone(settings, run)
        try:
            with open_member(run, one, 0, _emit(run), stage="direct", tools=given.tools) as member:
                answer = await panelist(member, calls_as_text(messages))
        finally:
            close_panel(run["id"])
        pages = _ledger(run).page
        joined = await asyncio.to_thread(join, [answer], run["seed"], pages)
        _need_an_answer(run, joined, settings)
        final = await pass_on(joined["answers"][0], "", joined, _send_text)
        return {"joined": joined, "judgement": None, "written": final}

    async def check_answer(state: FusionState) -> dict[str, Any]:
        run, joined, judgement = state["run"], state["joined"], state["judgement"]
        if judgement is not None:
            judgement = checked_judgement(judgement, joined)
        final = state["written"]
        settings = await resume(run)
        with stage_of(run, settings, "verify", spent(run, joined, judgement, final)) as stage:
            verified = await verify(stage, state["messages"], joined, judgement, final)
        return await _finish(run, joined, judgement, verified, settings)

    graph = StoppableBuilder(
        FusionState,
        context_schema=FusionConfig,
        input_schema=FusionInput,
        output_schema=FusionOutput,
    )
    graph.add_node("fan_out", Node(start), destinations=("panelist", "direct", ending))
    graph.add_node("panelist", Node(ask_panelist))
    graph.add_node("join", Node(bring_together), defer=True)
    if course.judge:
        graph.add_node("judge", Node(compare))
    endings = {"written": write_answer, "chosen": choose, "none": report}
    graph.add_node(ending, Node(endings[course.answer]))
    graph.add_node("direct", Node(answer_alone))
    graph.add_node("verify", Node(check_answer))
    graph.add_edge(START, "fan_out")
    graph.add_edge("panelist", "join")
    if course.judge:
        graph.add_edge("join", "judge")
    graph.add_edge("judge" if course.judge else "join", ending)
    # Where nobody answers there is nothing to check.
    graph.add_edge(ending, "verify" if course.answer != "none" else END)
    graph.add_edge("direct", "verify")
    graph.add_edge("verify", END)
    compiled = graph.compile(checkpointer=checkpointer, name=name)
    show_inside(compiled, "panelist", DRAWN)
    return compiled


def _context() -> Any:
    """The run's context, which LangGraph hands over as a model, a raw dict or not at all."""
    return get_runtime().context


def _write() -> Callable[[Any], None]:
    return get_runtime().stream_writer


def _emit(run: Run) -> Emit:
    return emitter(_write(), run["started"])


def _send_text(message_id: str, text: str) -> None:
    """Send a piece of the answer to `stream_mode="messages"`, as the writer's alone."""
    push_message(AIMessageChunk(content=text, id=message_id), state_key=None)


def _ledger(run: Run) -> Ledger:
    """What the run has read, in this process or, where a checkpointer keeps it, before."""
    return open_ledger(run["id"], resumable=_thread_id() is not None)


def _need_an_answer(run: Run, joined: Joined, settings: ResolvedConfig) -> None:
    if any(answer["status"] == "ok" for answer in joined["answers"]):
        return
    record = build_record(
        run, settings, joined, None, answer="", failed=True, thread_id=_thread_id()
    )
    close_ledger(run["id"])
    failures = [(a["name"], a["failure"]) for a in joined["answers"] if a["failure"]]
    raise AllPanelistsFailed(failures, record)


async def _finish(
    run: Run,
    joined: Joined,
    judgement: Judgement | None,
    verified: Verified,
    settings: ResolvedConfig,
) -> dict[str, Any]:
    final = verified.final
    record = build_record(
        run,
        settings,
        joined,
        judgement,
        answer=final["answer"],
        claims=verified.claims,
        calls=[*final["calls"], *verified.calls],
        degradations=[*final["degradations"], *verified.degradations],
        thread_id=_thread_id(),
    )
    await _complete(run, record, served_names(final["calls"]))
    total = record["usage"]["total"]
    usage = {
        "input_tokens": total["input_tokens"],
        "output_tokens": total["output_tokens"],
        "total_tokens": total["input_tokens"] + total["output_tokens"],
    }
    metadata = {**final["message"].response_metadata, "fusion_status": record["status"]}
    update = {"usage_metadata": usage, "response_metadata": metadata}
    return {"messages": [final["message"].model_copy(update=update)], "fusion": record}


async def _complete(run: Run, record: dict[str, Any], served: Sequence[str]) -> None:
    """Tell how a run ended, and forget what only its nodes needed."""
    total = record["usage"]["total"]
    _emit(run)(
        "fusion.completed",
        status=record["status"],
        degradations=[item["code"] for item in record["degradations"]],
        served=list(served),
        cost_usd=total["cost_usd"],
        calls=total["calls"],
        seconds=round(time.time() - run["started"], 3),
    )
    await asyncio.to_thread(close_ledger, run["id"])


def _thread_id() -> str | None:
    thread_id = get_config().get("configurable", {}).get("thread_id")
    return str(thread_id) if thread_id is not None else None
