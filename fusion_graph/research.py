"""A model at work with tools: the loop model ⇄ tools, which always comes to an end.

Models ignore caps, forbidden tools and formats in many ways (`RESEARCH` survives each): they ask
for five calls at a time, send arguments that are not JSON, name tools that do not exist, go on
calling when told to stop, or fall silent. Every call they make is answered, every attempt
counts, and after the cap they are asked twice for an answer: once with tools forbidden, once
with no tools at all.
"""

from __future__ import annotations

import asyncio
import operator
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    ToolCall,
    ToolMessage,
)
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.config import get_config
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import ValidationError
from typing_extensions import TypedDict

from fusion_graph.errors import Failure
from fusion_graph.events import Deltas
from fusion_graph.models.calls import Caller, CallFailed, Options, Reply
from fusion_graph.models.open import Model
from fusion_graph.models.reply import new_call_id, with_call_ids
from fusion_graph.models.secrets import scrub
from fusion_graph.prompts import ANSWER_NOW, CALL_REFUSED
from fusion_graph.state import ToolRecord
from fusion_graph.toolbox import number_sources
from fusion_tools.render import visible
from fusion_tools.sources import SourceBook

TOOL_SECONDS = 60.0
"""How long one tool call may take; the web tools' own limits are lower."""

Phase = Literal["research", "forbidden", "bare"]
"""`research`: tools offered; `forbidden`: listed but not to be used; `bare`: none at all."""


@dataclass
class Researcher:
    """One model with its tools and everything it has done so far.

    Kept outside the loop's state, so that a researcher cut off half-way leaves its work behind.

    Attributes:
        caller: Calls the model and keeps the records.
        model: The model.
        options: What to ask of it, tools aside.
        tools: What it may use.
        cap: Most tool calls, parallel ones counted one by one.
        nonce: The run's delimiter secret.
        book: Its numbered sources.
        done: Records of its tool calls.
        writing: Is told what the model writes, as it writes; None asks for replies in one piece.
    """

    caller: Caller
    model: Model
    options: Options
    tools: Sequence[BaseTool]
    cap: int
    nonce: str
    book: SourceBook = field(default_factory=SourceBook)
    done: list[ToolRecord] = field(default_factory=list)
    writing: Deltas | None = None

    def __post_init__(self) -> None:
        self.by_name = {tool.name: tool for tool in self.tools} if self.cap else {}
        self.wire_tools = [convert_to_openai_tool(tool) for tool in self.by_name.values()]


class Finding(TypedDict):
    """How research ended: with text, or with a failure (and then without text).

    `cut_by` says what broke the text off; it is empty for a text that is whole.
    """

    text: str
    failure: Failure | None
    cut_by: str


class Research(TypedDict):
    """What the loop gives: how it ended. Messages stay inside."""

    finding: Finding | None


class WantedCall(TypedDict):
    """A tool call a model made. `problem` says why it cannot be run, if so."""

    id: str
    name: str
    args: dict[str, Any]
    problem: str | None


class ResearchState(TypedDict):
    """The loop's state. A turn is a list, so that LangGraph's `messages` stream passes over it."""

    conversation: list[AnyMessage]
    turns: Annotated[list[list[BaseMessage]], operator.add]
    pending: list[WantedCall]
    used: int
    phase: Phase
    finding: Finding | None


async def ask_model(state: ResearchState, runtime: Runtime[Researcher]) -> dict[str, Any]:
    """Ask the model, in the way its phase calls for, and decide what its reply means."""
    who = runtime.context
    phase = state["phase"]
    messages: list[BaseMessage] = [*state["conversation"]]
    for turn in state["turns"]:
        messages += turn
    options = who.options
    if phase != "bare" and who.wire_tools:
        choice = "none" if phase == "forbidden" else None
        options = replace(options, tools=who.wire_tools, tool_choice=choice)
    if phase == "bare":
        messages.append(HumanMessage(ANSWER_NOW))
    try:
        reply = await _ask(who, messages, options)
    except CallFailed as failed:
        return {"finding": {"text": "", "failure": failed.failure, "cut_by": ""}}
    wants_tools = bool(reply.message.tool_calls or reply.message.invalid_tool_calls)
    if phase == "research" and wants_tools and who.by_name:
        message, pending = _wanted_calls(reply.message, state["turns"])
        return {"turns": [[message]], "pending": pending}
    if reply.text and not (wants_tools and phase == "forbidden"):
        return {"finding": _answered(reply)}
    if phase == "forbidden" or (phase == "research" and wants_tools):
        return {"phase": "bare"}
    return {"finding": {"text": "", "failure": reply.silence(), "cut_by": ""}}


async def use_tools(state: ResearchState, runtime: Runtime[Researcher]) -> dict[str, Any]:
    """Run as many of the wanted calls as the cap leaves, and answer every one."""
    who = runtime.context
    wanted = state["pending"]
    left = who.cap - state["used"]
    done_before = len(who.done)
    ran = await asyncio.gather(*(_use_tool(who, call) for call in wanted[:left]))
    # In the order of the calls, whoever was first: the same work gives the same numbers.
    who.done[done_before:] = [used.record for used in ran]
    results = [_numbered(who, used) for used in ran]
    results += [_refuse(who, call) for call in wanted[left:]]
    used = state["used"] + min(left, len(wanted))
    return {
        "turns": [results],
        "pending": [],
        "used": used,
        "phase": "forbidden" if used >= who.cap else "research",
    }


def after_model(state: ResearchState) -> str:
    """Where the loop goes after the model spoke."""
    if state["finding"] is not None:
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


DURABILITY = "__pregel_durability"
"""Where LangGraph hands a parent's `durability` down. With "sync" it waits for the checkpoint of a
graph that keeps none, and fails (langgraph 1.2.22)."""

_LOOP = _build()

# A finished panelist is what a checkpoint keeps; its steps would only fill the database.
RESEARCH = _LOOP.compile(checkpointer=False, name="research")
"""The compiled loop; its context is a `Researcher`."""

DRAWN = _LOOP.compile(name="research")
"""The same for drawings (`xray`), which pass over graphs without checkpoints; never run."""


async def research(who: Researcher, conversation: Sequence[AnyMessage]) -> Finding:
    """Let a researcher work on a conversation until it answers or fails.

    Args:
        who: The researcher; its records grow as it works.
        conversation: System instructions and the conversation, as the model is to see it.
    """
    start: ResearchState = {
        "conversation": list(conversation),
        "turns": [],
        "pending": [],
        "used": 0,
        "phase": "research",
        "finding": None,
    }
    # Each round is two steps; the phases after the cap add three model calls.
    config: RunnableConfig = {"recursion_limit": 2 * who.cap + 10}
    inherited = get_config().get("configurable", {})
    if DURABILITY in inherited:
        config["configurable"] = {**inherited, DURABILITY: "async"}
    end = await RESEARCH.ainvoke(start, config, context=who)
    finding: Finding = end["finding"]
    return finding


async def _ask(who: Researcher, messages: list[BaseMessage], options: Options) -> Reply:
    writing = who.writing
    if writing is None:
        return await who.caller.ask(who.model, messages, options)
    writing.begin()
    reply = await who.caller.ask(
        who.model, messages, options, sink=writing.take, restart=lambda _: writing.begin()
    )
    writing.end()
    return reply


def _answered(reply: Reply) -> Finding:
    return {"text": reply.text, "failure": None, "cut_by": reply.cut_by("max_completion_tokens")}


def _wanted_calls(
    message: AIMessage, turns: list[list[BaseMessage]]
) -> tuple[AIMessage, list[WantedCall]]:
    """The calls in a reply, and the reply as it can be sent back.

    The reply stays the message that the provider sent, with everything that it wants back. But
    providers refuse a history in which a call has no id or another's, arguments that are not
    JSON, or no result; so ids are made up where they are missing or taken, and malformed
    arguments become empty ones.
    """
    wanted: list[WantedCall] = [
        {"id": call["id"] or "", "name": call["name"], "args": call["args"], "problem": None}
        for call in message.tool_calls
    ]
    for bad in message.invalid_tool_calls:
        said = (bad["args"] or "")[:200]
        wanted.append(
            {
                "id": bad["id"] or "",
                "name": bad["name"] or "unknown",
                "args": {},
                "problem": f"The arguments are not a JSON object: {said!r}",
            }
        )
    taken = {m.tool_call_id for turn in turns for m in turn if isinstance(m, ToolMessage)}
    for call in wanted:
        if not call["id"] or call["id"] in taken:
            call["id"] = new_call_id()
        taken.add(call["id"])
    calls = [ToolCall(name=w["name"], args=w["args"], id=w["id"]) for w in wanted]
    sendable = with_call_ids(message, [call["id"] for call in wanted])
    return sendable.model_copy(update={"tool_calls": calls, "invalid_tool_calls": []}), wanted


@dataclass
class _Used:
    """A call that was run: the tool's own message, or a failure in words."""

    call: WantedCall
    record: ToolRecord
    message: ToolMessage | None = None
    failure: str = ""


async def _use_tool(who: Researcher, call: WantedCall) -> _Used:
    """Run one call; whatever goes wrong becomes text for the model."""
    began = time.time()
    name, args = call["name"], call["args"]
    who.caller.emit("panel.tool", name=who.caller.name, tool=name, args=args)
    tool = who.by_name.get(name)
    message, failure, status, found = None, "", "invalid_input", 0
    if call["problem"] is not None:
        failure = f"invalid_input: {call['problem']}. Send one JSON object."
    elif tool is None:
        failure = f"invalid_input: There is no tool '{name}'. Tools: {', '.join(who.by_name)}."
    else:
        try:
            async with asyncio.timeout(TOOL_SECONDS) as deadline:
                message = await tool.ainvoke(
                    ToolCall(name=name, args=args, id=call["id"], type="tool_call")
                )
            # In a book of its own: whether it can be read at all, and what to tell meanwhile.
            _, status, ids = number_sources(message, SourceBook(), who.nonce)
            found = len(ids)
        except Exception as error:  # a tool of the user's may raise anything
            if isinstance(error, TimeoutError) and deadline.expired():
                words = f"it took more than {TOOL_SECONDS:g} s"
            else:
                words = scrub(str(error))[:300] or type(error).__name__
            status = "invalid_input" if isinstance(error, ValidationError) else "unavailable"
            message, failure = None, f"{status}: {name} failed: {words}"
    record = _record(who, call, status, began)
    if who.writing is not None:
        who.writing.alive()
    who.caller.emit(
        "panel.tool.completed",
        name=who.caller.name,
        tool=name,
        status=status,
        seconds=record["seconds"],
        found=found,
    )
    return _Used(call, record, message, failure)


def _numbered(who: Researcher, used: _Used) -> ToolMessage:
    """What a call brought, as the model is to read it, with its sources numbered."""
    text = used.failure
    if used.message is not None:
        text, _, used.record["source_ids"] = number_sources(used.message, who.book, who.nonce)
    return _answer_call(used.call, text, failed=used.record["status"] != "ok")


def _refuse(who: Researcher, call: WantedCall) -> ToolMessage:
    _record(who, call, "max_uses_exceeded", time.time())
    return _answer_call(call, CALL_REFUSED, failed=True)


def _answer_call(call: WantedCall, text: str, *, failed: bool) -> ToolMessage:
    return ToolMessage(
        visible(text),  # a tool may fail in any words, half characters among them
        tool_call_id=call["id"],
        name=call["name"],
        status="error" if failed else "success",
    )


def _record(who: Researcher, call: WantedCall, status: str, began: float) -> ToolRecord:
    record: ToolRecord = {
        "name": call["name"],
        "args": call["args"],
        "status": status,
        "start": round(began - who.caller.started, 4),
        "seconds": round(time.time() - began, 4),
        "source_ids": [],
    }
    who.done.append(record)
    return record
