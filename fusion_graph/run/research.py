"""A model at work with tools: the loop model ⇄ tools, which always comes to an end.

Models ignore caps, forbidden tools and formats in many ways (`RESEARCH` survives each): they ask
for five calls at a time, send arguments that are not JSON, name tools that do not exist, go on
calling when told to stop, or fall silent. Every call they make is answered, every attempt
counts, and `phases` says what they are asked next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from langchain_core.messages import (
    AnyMessage,
    BaseMessage,
    HumanMessage,
    ToolMessage,
)
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_config
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from fusion_graph.errors import CallFailed, Failure, FailureReason, TooLong
from fusion_graph.langgraph_seams.state_reads import without_checkpoints
from fusion_graph.models.model_reply import ModelReply
from fusion_graph.models.request import Options
from fusion_graph.models.window import fit, text_tokens
from fusion_graph.prompts import ANSWER_NOW, CALL_REFUSED, call_properly
from fusion_graph.run._wanted_calls import WantedCall, wanted_calls
from fusion_graph.run.first_search import search_first
from fusion_graph.run.hosted_tools import HostedTools
from fusion_graph.run.own_search import paused_parts, searches_itself
from fusion_graph.run.phases import AFTER_CAP, IN_A_ROW, Move, Phase, Seen, after_tools, next_move
from fusion_graph.run.tool_use import Researcher, answer_call, refuse_call, run_calls
from fusion_graph.state.conversation import with_findings
from fusion_graph.state.records import add_items

CLOSING_TOKENS = text_tokens(ANSWER_NOW) + 100
"""What is said around results that are told as text, their calls included."""


class Outcome(TypedDict):
    """The outcome of research: a text, or a failure.

    The text beside a failure is what had been written when time was up. `cut_by` says what broke
    the text of an answer off; it is empty for a text that is whole.
    """

    text: str
    failure: Failure | None
    cut_by: str


class Research(TypedDict):
    """The output of the loop: how it ended. Messages stay inside."""

    outcome: Outcome | None


class ResearchState(TypedDict):
    """The loop's state. A turn is a list, so that LangGraph's `messages` stream passes over it.

    Attributes:
        conversation: As it was given.
        turns: What was added to its end: replies that called tools, results, words to the model.
        seeded: How many of the turns were made by code before the model was asked.
        as_text: Whether those are told in the user's own message instead.
        pending: Calls to run next.
        used: Calls that count against the cap.
        phase: How the model is asked next.
        asked: How often it was asked since it last brought something.
        outcome: How it ended.
    """

    conversation: list[AnyMessage]
    turns: Annotated[list[list[BaseMessage]], add_items]
    seeded: int
    as_text: bool
    pending: list[WantedCall]
    used: int
    phase: Phase
    asked: int
    outcome: Outcome | None


async def ask_model(state: ResearchState, runtime: Runtime[Researcher]) -> dict[str, Any]:
    """Ask the model, in the way its phase calls for, and decide what its reply means."""
    researcher = runtime.context
    phase, asked, used = state["phase"], state["asked"] + 1, state["used"]
    may_call = bool(researcher.by_name) and used < researcher.cap
    reply: ModelReply | None = None
    try:
        reply = await _ask(researcher, *_request(researcher, state))
        if researcher.hosted is not None:
            await researcher.hosted.catch_up(reply.message)
    except CallFailed as failed:
        failure, seen = failed.failure, _REFUSALS.get(failed.failure["reason"])
    else:
        if researcher.own is not None:
            used = min(researcher.cap, used + researcher.own.note(researcher, reply.message))
            if reply.paused and asked < IN_A_ROW:
                searched = used > state["used"]
                return {"turns": [[reply.message]], "used": used, "asked": 0 if searched else asked}
            said = [*paused_parts(state["turns"]), reply.message]
            if reply.text:
                reply = reply.reading(researcher.own.answer(researcher, said), researcher.nonce)
        failure, seen = reply.silence(), _seen(reply, phase, may_call)
    if seen is None:
        return _ended(failure)
    own, by_code = _calls_held(state)
    move = next_move(
        phase,
        seen,
        asked,
        may_call=may_call,
        has_found=own or by_code,
        seeded_only=by_code and not own,
    )
    if reply is not None and (move == "answer" or (move == "fail" and reply.text)):
        return {"outcome": _answered(reply)}
    if move == "fail":
        return _ended({**failure, "attempts": max(asked, failure["attempts"])})
    if move == "run" and reply is not None:
        message, pending = wanted_calls(reply.message, state["turns"])
        return {"turns": [[message]], "pending": pending, "used": used, "asked": 0}
    return {"asked": asked, "used": used, **_moved(researcher, state, move, reply)}


def _ended(failure: Failure) -> dict[str, Any]:
    return {"outcome": {"text": "", "failure": failure, "cut_by": ""}}


def _request(researcher: Researcher, state: ResearchState) -> tuple[Sequence[BaseMessage], Options]:
    """Make the request: only ever more at the end and the same tools, until it is flattened."""
    conversation, turns, phase = state["conversation"], state["turns"], state["phase"]
    if phase == "flattened" or state["as_text"]:
        conversation, turns = _fitted(researcher, conversation, turns)
    if phase == "flattened":
        return with_findings(conversation, turns, ANSWER_NOW), researcher.options
    if state["as_text"]:
        seeded = state["seeded"]
        conversation, turns = with_findings(conversation, turns[:seeded]), turns[seeded:]
    messages: list[BaseMessage] = [*conversation, *(m for turn in turns for m in turn)]
    if not researcher.by_name:
        return messages, researcher.options
    own = searches_itself(researcher)
    # A provider's search is held back by the choice alone: its model makes no call to refuse.
    by_choice = phase == "forbidden" or (phase == "told" and (researcher.model.takes_choice or own))
    choice = "none" if by_choice or (own and state["used"] >= researcher.cap) else None
    return messages, researcher.asked(state["used"], choice)


def _fitted(
    researcher: Researcher, conversation: list[AnyMessage], turns: list[list[BaseMessage]]
) -> tuple[list[AnyMessage], list[list[BaseMessage]]]:
    """Cut both to the model's context: results told as text are the question's own,
    which nobody cuts."""
    room = researcher.model.window.room(researcher.options.max_tokens)
    if room is None:
        return conversation, turns
    try:
        plan = fit([*conversation, *(m for turn in turns for m in turn)], room - CLOSING_TOKENS)
    except TooLong:
        return conversation, turns  # the caller says so, with what to do
    for cut in plan.cuts:
        researcher.caller.fitting.note(researcher.model.ref, researcher.model.window, cut)
    places: Iterator[Any] = iter(plan.places)
    parts: list[Sequence[BaseMessage]] = [conversation, *turns]
    said, *rest = (
        [message for _, message in zip(part, places, strict=False) if message is not None]
        for part in parts
    )
    return said, rest


def _seen(reply: ModelReply, phase: Phase, may_call: bool) -> Seen | None:
    """Tell what a reply is; None for one that a filter withheld."""
    wants_tools = bool(reply.message.tool_calls or reply.message.invalid_tool_calls)
    forbidden = phase in ("forbidden", "told")
    if wants_tools and ((may_call and phase != "flattened") or forbidden or not reply.text):
        return "calls"
    if reply.malformed_call and (may_call or not reply.text):
        return "malformed"  # what stands beside it says what the model was about to do
    if reply.text:
        return "text"
    if reply.is_blank:
        return "blank"
    return "cut" if reply.finish_reason == "length" else None


_REFUSALS: dict[FailureReason, Seen] = {
    "malformed_call": "malformed",
    "bad_request": "refused",
    "tools_refused": "refused",
}
"""Failures after which it helps to ask otherwise; after any other it does not."""


def _calls_held(state: ResearchState) -> tuple[bool, bool]:
    """Tell whether the history holds calls of the model's own, and calls that code made for it."""
    held = [any(isinstance(m, ToolMessage) for m in turn) for turn in state["turns"]]
    seeded = state["seeded"]
    return any(held[seeded:]), any(held[:seeded]) and not state["as_text"]


def _moved(
    researcher: Researcher, state: ResearchState, move: Move, reply: ModelReply | None
) -> dict[str, Any]:
    """Change the state as a move asks."""
    if move == "explain":
        return {"turns": [[HumanMessage(call_properly(researcher.wire_tools))]]}
    if move == "tell_as_text":
        return {"as_text": True}
    if move == "flatten":
        return {"phase": "flattened"}
    if move != "tell":
        return {}
    turns: list[list[BaseMessage]] = [[HumanMessage(ANSWER_NOW)]]
    if reply is not None and (reply.message.tool_calls or reply.message.invalid_tool_calls):
        # In the calls' own results: some providers take no user's message after a tool's
        # (Mistral's error 3230), and all of them want every call answered.
        message, calls = wanted_calls(reply.message, state["turns"])
        said = f"{CALL_REFUSED} {ANSWER_NOW}"
        turns = [[message], [answer_call(call, said, failed=True) for call in calls]]
    return {"phase": "told", "turns": turns}


async def use_tools(state: ResearchState, runtime: Runtime[Researcher]) -> dict[str, Any]:
    """Run as many of the wanted calls as the cap leaves, and answer every one."""
    researcher = runtime.context
    wanted = state["pending"]
    left = max(0, researcher.cap - state["used"])
    history = [*state["conversation"], *(m for turn in state["turns"] for m in turn)]
    results: list[BaseMessage] = [*await run_calls(researcher, wanted[:left], history=history)]
    results += [refuse_call(researcher, call) for call in wanted[left:]]
    used = state["used"] + min(left, len(wanted))
    phase = after_tools(used < researcher.cap, researcher.model.takes_choice)
    closing: list[list[BaseMessage]] = [[HumanMessage(ANSWER_NOW)]] if phase == "told" else []
    return {"turns": [results, *closing], "pending": [], "used": used, "phase": phase}


def after_model(state: ResearchState) -> str:
    """Choose the node that comes after the model's."""
    if state["outcome"] is not None:
        return END
    return "tools" if state["pending"] else "model"


def _build() -> Any:
    # Without a context schema: a LangGraph server would ask for it as JSON.
    graph: StateGraph[Any, Any, Any, Any] = StateGraph(ResearchState, output_schema=Research)
    graph.add_node("model", ask_model)
    graph.add_node("tools", use_tools)
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", after_model, ["tools", "model", END])
    graph.add_edge("tools", "model")
    return graph


_LOOP = _build()

# A finished panelist is what a checkpoint keeps; its steps would only fill the database.
RESEARCH = _LOOP.compile(checkpointer=False, name="research")
"""The compiled loop; its context is a `Researcher`."""

DRAWN = _LOOP.compile(name="research")
"""The same for drawings (`xray`), which pass over graphs without checkpoints; never run."""


async def research(researcher: Researcher, conversation: Sequence[AnyMessage]) -> Outcome:
    """Let a researcher work on a conversation until it answers or fails.

    Args:
        researcher: The researcher; its records grow as it works.
        conversation: System instructions and the conversation, as the model is to see it.
    """
    inherited = get_config().get("configurable", {})
    # `interrupt()` in a tool is to be this node's: those of the loop below, which no checkpoint
    # keeps, would have other ids in every process, and a resume by id would not find them.
    researcher.node = {"configurable": inherited}
    done_before = len(researcher.done)
    turns = (
        await search_first(researcher, conversation)
        if researcher.first and researcher.by_name
        else []
    )
    used = len(researcher.done) - done_before
    if researcher.model.program and researcher.by_name:
        hosted = HostedTools(researcher, conversation, used)
        researcher.hosted, researcher.model.call_tool = hosted, hosted.call
    start: ResearchState = {
        "conversation": list(conversation),
        "turns": turns,
        "seeded": len(turns),
        "as_text": not researcher.takes_tools or researcher.model.program,
        "pending": [],
        "used": used,
        "phase": after_tools(used < researcher.cap, takes_choice=True)
        if researcher.by_name
        else "research",
        "asked": 0,
        "outcome": None,
    }
    # Every call of a tool may cost a whole row of questions and the running of it.
    steps = (IN_A_ROW + 1) * (researcher.cap + 1) + AFTER_CAP
    config: RunnableConfig = {"recursion_limit": steps + 2}
    if (own := without_checkpoints(inherited)) is not None:
        config["configurable"] = own
    end = await RESEARCH.ainvoke(start, config, context=researcher)
    outcome: Outcome = end["outcome"]
    return outcome


async def _ask(
    researcher: Researcher, messages: Sequence[BaseMessage], options: Options
) -> ModelReply:
    writing = researcher.writing
    if writing is None:
        return await researcher.caller.ask(researcher.model, messages, options)
    writing.begin()
    reply = await researcher.caller.ask(
        researcher.model, messages, options, sink=writing.take, restart=lambda _: writing.begin()
    )
    writing.end()
    return reply


def _answered(reply: ModelReply) -> Outcome:
    return {"text": reply.text, "failure": None, "cut_by": reply.cut_by("max_completion_tokens")}
