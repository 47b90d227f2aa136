"""The graph on one screen: fan_out → panelist × N → join → judge → synthesis, or direct; verify.

An adaptive panel's `panelist`s are two; the judge either goes on to `synthesis` or sends the others
to `second_wave`, and joins and compares once more.

Who needs only a part of it (`Course`) has it built of these same nodes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal
from weakref import WeakValueDictionary

from langchain_core.tools import BaseTool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, Overwrite, Send

from fusion_graph.config import FusionConfig, ResolvedConfig
from fusion_graph.config.shared_limits import shared_limits
from fusion_graph.estimate import spared
from fusion_graph.langgraph_seams.state_reads import read_state
from fusion_graph.langgraph_seams.sync import Node, StoppableBuilder, show_inside
from fusion_graph.nodes.direct import alone, direct_bound
from fusion_graph.nodes.edited_state import checked_judgement
from fusion_graph.nodes.fan_out import fan_out, panel_members
from fusion_graph.nodes.join import join, without_sources
from fusion_graph.nodes.judge import judge, not_judged
from fusion_graph.nodes.panelist import panelist
from fusion_graph.nodes.passing_on import most_agreed, pass_on
from fusion_graph.nodes.recheck import asked_again, concluded, planned, recheck, told
from fusion_graph.nodes.scouting import (
    after_scouts,
    decided,
    own_standings,
    scouts_of,
    still_stands,
    unasked,
)
from fusion_graph.nodes.selection import ran, selection
from fusion_graph.nodes.synthesis import synthesis
from fusion_graph.nodes.tool_results import earlier_fusion
from fusion_graph.nodes.trials import check_tests, trials
from fusion_graph.nodes.verify import verify
from fusion_graph.report.ending import answered, finish, need_an_answer, report_alone
from fusion_graph.run.deadlines import Spent, spent
from fusion_graph.run.first_search import who_can_search
from fusion_graph.run.kept_replies import keeping_replies
from fusion_graph.run.member import open_member
from fusion_graph.run.panel import Wave, close_panel
from fusion_graph.run.recursion import refuse_recursion
from fusion_graph.run.research import DRAWN
from fusion_graph.run.runtime import context, emit_of, ledger_of, send_text, stream_writer
from fusion_graph.run.settings import GraphConfig, check_members
from fusion_graph.run.stage import Stage, open_stage
from fusion_graph.run.tool_servers import close_tool_servers
from fusion_graph.sandbox import Limits, wall
from fusion_graph.state import (
    FusionInput,
    FusionOutput,
    FusionState,
    PanelMember,
    Run,
    StageName,
)
from fusion_graph.state.conversation import calls_as_text
from fusion_graph.text.off_loop import is_long, off_loop

FusionGraph = CompiledStateGraph[FusionState, FusionConfig, FusionInput, FusionOutput]


@dataclass(frozen=True)
class Course:
    """Which stages of the graph a run takes after its panel.

    Attributes:
        judge: Whether a judge compares the answers.
        answer: `written`: a writer writes it; `chosen`: it is the panelist's answer that stands in
            most points of the judge's consensus, as it is; `run`: it is the panelist's answer
            whose code did best when it was run, as it is; `none`: there is none, nobody is paid
            for one, and the report is all that comes out.
        confined: Whether code is run in bubblewrap, and not at all without.
    """

    judge: bool = True
    answer: Literal["written", "chosen", "run", "none"] = "written"
    confined: bool = True


WHOLE = Course()
"""What `create_fusion_graph` makes."""

DEFAULT_NAME = "fusion"
"""The graph's name unless its maker gives it another."""

CODE_SECONDS = 20.0
"""Wall time of one run of a member's code against all tests."""

AGREED = "agreed"
"""The reason for which an adaptive panel stops."""

_ENDINGS = {"written": "synthesis", "chosen": "choice", "run": "selection", "none": "report"}
"""The node that each way to an answer has."""


def create_fusion_graph(
    config: FusionConfig | Mapping[str, Any] | str | None = None,
    *,
    tools: Sequence[BaseTool | Callable[..., Any]] | None = None,
    checkpointer: BaseCheckpointSaver[Any] | bool | None = None,
    name: str = DEFAULT_NAME,
    run_code: Literal["off", "sandbox", "unconfined"] = "off",
) -> FusionGraph:
    """A panel, a judge and a writer as one graph, to run by itself or as a node of another.

    Args:
        config: A preset's name or path, a `FusionConfig`, or a dict of its fields. A run's own
            context goes before it. Without a preset one is chosen from the keys found.
        tools: The panelists' tools, in place of web_search and web_fetch; a function with a
            docstring is one too.
        checkpointer: As for any LangGraph graph; a subgraph takes its parent's by default.
        name: The graph's name, in drawings and traces; one of your own is also the name of its
            messages, by which a supervisor knows them.
        run_code: For questions that ask for Python code: each member's is run, against the `tests`
            of the configuration and those that the other members propose, and the answer whose code
            does best is passed on as it is. `sandbox`: in bubblewrap, or not at all; `unconfined`:
            as you, with nothing between it and your files.

    Returns:
        A compiled graph over `messages`. Its output adds the answer to them, and holds the
        report as plain data under `fusion`.

    Raises:
        ConfigurationError: The configuration has a wrong field, or names an unknown preset.
        SandboxUnavailable: `run_code` is `sandbox`, and there is no bubblewrap that works.

    Example:
        >>> from fusion_graph import create_fusion_graph
        >>> graph = create_fusion_graph("offline")
        >>> result = graph.invoke({"messages": [("user", "What is self-fusion?")]})
        >>> result["fusion"]["status"]
        'ok'
        >>> "Sources:" in result["messages"][-1].content
        True
    """
    course = WHOLE if run_code == "off" else Course(answer="run", confined=run_code == "sandbox")
    return build_graph(config, course, tools=tools, checkpointer=checkpointer, name=name)


def build_graph(
    config: FusionConfig | Mapping[str, Any] | str | None,
    course: Course,
    *,
    tools: Sequence[BaseTool | Callable[..., Any]] | None = None,
    checkpointer: BaseCheckpointSaver[Any] | bool | None = None,
    name: str = DEFAULT_NAME,
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
    given = GraphConfig(config, tools)
    runs_code = course.answer == "run"
    if runs_code:
        given.given.setdefault("criteria", "code")
        if course.confined:
            wall()
    ending = _ENDINGS[course.answer]
    # As agents' messages carry theirs; providers need not take one that nobody chose.
    speaker = name if name != DEFAULT_NAME else None

    queues: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def resume(run: Run) -> ResolvedConfig:
        # One after the other, so that members get to work in the panel's order.
        queue = queues.setdefault(run["id"], asyncio.Lock())
        async with queue:
            said = context()
            # A preset may mean files, or a server to ask.
            settings = await off_loop(given.has_preset(said, run), given.resume, said, run)
        ledger_of(run)
        return settings

    def stage_of(
        run: Run, settings: ResolvedConfig, stage: StageName, done: Spent, name: str | None = None
    ) -> AbstractContextManager[Stage]:
        return open_stage(
            run,
            settings,
            stage,
            emit_of(run),
            done,
            name=name,
            on_text=send_text,
            tools=given.tools,
        )

    async def start(state: FusionState) -> Command[str]:
        refuse_recursion()
        shared_limits()  # one that cannot be read is said before anybody is paid
        messages = state["messages"]
        earlier = earlier_fusion(messages)
        joined, judgement = earlier or (None, None)
        run, settings = await fan_out(messages, context(), given, stream_writer(), joined)
        update: dict[str, Any] = {"run": run, "answers": Overwrite([]), "scouting": None}
        update |= {"recheck": None, "rechecked": Overwrite([])}
        update["trials"] = None
        check_tests(settings, runs_code)
        if joined is not None:
            update |= {"joined": joined, "judgement": judgement}
            return Command(update=update, goto=ending)
        if not run["invoked"]:
            if settings.invocation == "auto":
                run["spared"] = await off_loop(True, spared, settings, messages, given.tools)
            return Command(update=update, goto="direct")
        adaptive = course.judge and not runs_code and settings.panel_policy == "adaptive"
        if adaptive:
            record, lost = await off_loop(True, own_standings, settings)
            run["degradations"] += lost
            if (scouts := await off_loop(True, scouts_of, settings, record)) is not None:
                run["scouts"] = scouts
        sends = [Send("panelist", member) for member in panel_members(run, settings)]
        return Command(update=update, goto=sends)

    async def ask_panelist(asked: PanelMember) -> dict[str, Any]:
        run, messages = read_state("run", "messages")
        settings = await resume(run)
        check_members(run, settings)
        with open_member(run, settings, asked["index"], emit_of(run), tools=given.tools) as member:
            return {"answers": [await panelist(member, calls_as_text(messages))]}

    async def ask_the_rest(asked: PanelMember) -> dict[str, Any]:
        run, messages, joined, judgement = read_state("run", "messages", "joined", "judgement")
        settings = await resume(run)
        check_members(run, settings)
        wave = Wave.of(run, settings, joined, checked_judgement(judgement, joined))
        emit, own = emit_of(run), given.tools
        with open_member(run, settings, asked["index"], emit, tools=own, wave=wave) as member:
            return {"answers": [await panelist(member, calls_as_text(messages))]}

    async def bring_together(state: FusionState) -> dict[str, Any]:
        run, answers = state["run"], state["answers"]
        close_panel(run["id"])
        pages = ledger_of(run).page
        much = any(a["sources"] for a in answers) or is_long(*(a["content"] for a in answers))
        joined = await off_loop(much, join, answers, run["seed"], pages)
        settings = await resume(run)
        if not unasked(run, joined):
            if not settings.judge_tools or not answered(joined):
                await close_tool_servers(run["id"])  # nobody will ask them
            need_an_answer(run, joined, settings, state.get("scouting"))
        able = who_can_search(settings, given.tools)
        could = [a for a in joined["answers"] if a["index"] in able]
        known = [source["id"] for source in joined["sources"]]
        if lost := await off_loop(much, without_sources, could, known):
            joined["degradations"].append(lost)
        if course.judge:
            return {"joined": joined}
        return {"joined": joined, "judgement": not_judged([], [])}

    async def try_code(state: FusionState) -> dict[str, Any]:
        run, joined = state["run"], state["joined"]
        settings = await resume(run)
        limits = Limits(seconds=CODE_SECONDS, confined=course.confined)
        with stage_of(run, settings, "tests", spent(run, joined)) as stage:
            return {"trials": await trials(stage, state["messages"], joined, limits)}

    async def compare(state: FusionState) -> dict[str, Any]:
        run, joined = state["run"], state["joined"]
        settings = await resume(run)
        scouting = state.get("scouting")
        before = checked_judgement(state["judgement"], joined) if scouting else None
        if before is not None and still_stands(run, before, joined):
            judgement = before
        else:
            tried = state.get("trials")
            done = spent(run, joined, before).plus(tried["calls"] if tried else ())
            with stage_of(run, settings, "judge", done) as stage:
                shown = ran(tried, joined) if tried else ""
                judgement = await judge(stage, state["messages"], joined, shown)
            if before is not None:
                judgement = after_scouts(before, judgement)
            elif rest := unasked(run, joined):
                decision = await off_loop(True, decided, run, joined, judgement)
                agreed = decision["reason"] == AGREED
                emit_of(run)(
                    "panel.stopped" if agreed else "panel.extended",
                    names=[member["name"] for member in rest],
                    **decision,
                )
                if not agreed:
                    return {"judgement": judgement, "scouting": decision}
                scouting = decision
        pages = ledger_of(run).page
        point = None
        if not runs_code:  # what runs is asked of nobody again
            args = run, settings, joined, judgement, pages
            point = await off_loop(settings.rechecks, planned, *args)
        if point is not None:
            names = [member["name"] for member in asked_again(point, joined)]
            emit_of(run)("recheck.started", topic=point["topic"], names=names)
        return {"judgement": judgement, "scouting": scouting, "recheck": point}

    def after_judge(state: FusionState) -> list[Send] | str:
        scouting, point = state.get("scouting"), state.get("recheck")
        rest = unasked(state["run"], state["joined"])
        if rest and scouting is not None and scouting["reason"] != AGREED:
            return [Send("second_wave", member) for member in rest]
        again = asked_again(point, state["joined"]) if point is not None else []
        return [Send("recheck", member) for member in again] or ending

    async def ask_again(asked: PanelMember) -> dict[str, Any]:
        run, joined, judgement, point = read_state("run", "joined", "judgement", "recheck")
        settings = await resume(run)
        check_members(run, settings)
        size = len(asked_again(point, joined))
        wave = Wave.again(run, settings, joined, checked_judgement(judgement, joined), size)
        emit = emit_of(run)
        with open_member(run, settings, asked["index"], emit, stage="recheck", wave=wave) as member:
            return {"rechecked": [await recheck(member, point, asked)]}

    async def settle(state: FusionState) -> dict[str, Any]:
        run, joined, point = state["run"], state["joined"], state["recheck"]
        assert point is not None  # somebody was asked about it
        close_panel(run["id"])
        judgement = checked_judgement(state["judgement"], joined)
        replies = state["rechecked"]
        done, judgement = await off_loop(True, concluded, point, replies, joined, judgement)
        emit_of(run)("recheck.completed", **told(done))
        return {"recheck": done, "judgement": judgement}

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
        return {"written": await pass_on(best, "", joined, send_text)}

    async def choose_by_running(state: FusionState) -> dict[str, Any]:
        joined = state["joined"]
        judgement = checked_judgement(state["judgement"], joined)
        return {"written": await selection(joined, judgement, state.get("trials"), send_text)}

    async def report(state: FusionState) -> dict[str, Any]:
        run = state["run"]
        settings = await resume(run)
        joined, judgement = state["joined"], state["judgement"]
        asked = state.get("scouting"), state.get("recheck")
        return {"fusion": await report_alone(run, joined, judgement, settings, *asked)}

    async def answer_alone(state: FusionState) -> dict[str, Any]:
        run, messages = state["run"], state["messages"]
        settings = await resume(run)
        check_members(run, settings)
        if settings.writer_is_bound:
            name = run["members"][0]
            with stage_of(run, settings, "direct", spent(run), name) as stage:
                final, joined = await direct_bound(stage, messages)
            need_an_answer(run, joined, settings)
            return {"joined": joined, "judgement": None, "written": final}
        one = alone(settings, run)
        try:
            with open_member(
                run, one, 0, emit_of(run), stage="direct", tools=given.tools
            ) as member:
                answer = await panelist(member, calls_as_text(messages))
        finally:
            close_panel(run["id"])
            await close_tool_servers(run["id"])
        pages = ledger_of(run).page
        much = bool(answer["sources"]) or is_long(answer["content"])
        joined = await off_loop(much, join, [answer], run["seed"], pages)
        need_an_answer(run, joined, settings)
        final = await pass_on(joined["answers"][0], "", joined, send_text)
        return {"joined": joined, "judgement": None, "written": final}

    async def check_answer(state: FusionState) -> dict[str, Any]:
        run, joined, judgement = state["run"], state["joined"], state["judgement"]
        if judgement is not None:
            judgement = checked_judgement(judgement, joined)
        final = state["written"]
        settings = await resume(run)
        with stage_of(run, settings, "verify", spent(run, joined, judgement, final)) as stage:
            verified = await verify(stage, state["messages"], joined, judgement, final)
        asked = state.get("scouting"), state.get("recheck"), state.get("trials")
        return await finish(run, joined, judgement, verified, settings, speaker, *asked)

    # Without a checkpointer of its own there is no checkpoint of its nodes to keep replies beside.
    keeps = checkpointer is not False

    def node(work: Callable[[Any], Awaitable[Any]]) -> Node:
        return Node(keeping_replies(work) if keeps else work)

    graph = StoppableBuilder(
        FusionState,
        context_schema=FusionConfig,
        input_schema=FusionInput,
        output_schema=FusionOutput,
    )
    graph.add_node("fan_out", node(start), destinations=("panelist", "direct", ending))
    graph.add_node("panelist", node(ask_panelist))
    graph.add_node("join", node(bring_together), defer=True)
    if course.judge:
        graph.add_node("judge", node(compare))
        graph.add_node("second_wave", node(ask_the_rest))
        graph.add_node("recheck", node(ask_again))
        graph.add_node("settle", node(settle))
    endings = {
        "written": write_answer,
        "chosen": choose,
        "run": choose_by_running,
        "none": report,
    }
    graph.add_node(ending, node(endings[course.answer]))
    graph.add_node("direct", node(answer_alone))
    graph.add_node("verify", node(check_answer))
    graph.add_edge(START, "fan_out")
    graph.add_edge("panelist", "join")
    if course.judge:
        graph.add_edge("second_wave", "join")
        if runs_code:
            graph.add_node("trials", node(try_code))
            graph.add_edge("join", "trials")
            graph.add_edge("trials", "judge")
        else:
            graph.add_edge("join", "judge")
        graph.add_conditional_edges("judge", after_judge, ["second_wave", "recheck", ending])
        graph.add_edge("recheck", "settle")
        graph.add_edge("settle", ending)
    else:
        graph.add_edge("join", ending)
    # Where nobody answers there is nothing to check.
    graph.add_edge(ending, "verify" if course.answer != "none" else END)
    graph.add_edge("direct", "verify")
    graph.add_edge("verify", END)
    compiled = graph.compile(checkpointer=checkpointer, name=name)
    show_inside(compiled, "panelist", DRAWN)
    return compiled
