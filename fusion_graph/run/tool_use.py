"""Tools at work for one researcher: every call is answered, and every attempt leaves a record."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from langchain_core.messages import BaseMessage, ToolCall, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.errors import GraphBubbleUp
from pydantic import ValidationError

from fusion_graph.models.calls import Caller
from fusion_graph.models.model import Model
from fusion_graph.models.recording import asked_by
from fusion_graph.models.request import Options
from fusion_graph.models.secrets import scrub
from fusion_graph.models.window import LEAST_TOKENS, Cut, text_tokens, tokens_of
from fusion_graph.prompts import CALL_REFUSED
from fusion_graph.run._wanted_calls import WantedCall
from fusion_graph.run.own_search import SEARCH_TOOL, OwnSearch, searches_itself
from fusion_graph.state import ToolRecord
from fusion_graph.state.events import Deltas
from fusion_graph.text.off_loop import is_long, off_loop
from fusion_tools.normalise import normalise
from fusion_tools.own_thread import use_tool
from fusion_tools.render import (
    MAX_FOREIGN_CHARS,
    foreign_text,
    page_text,
    part_end,
    search_text,
    without_invisibles,
)
from fusion_tools.results import is_artifact
from fusion_tools.sources import SourceBook

TOOL_SECONDS = 60.0
"""How long one tool call may take; the web tools' own limits are lower."""


class CatchesUp(Protocol):
    """Tools that a model's own program calls."""

    async def catch_up(self, message: BaseMessage) -> None:
        """Call again what a kept answer called."""


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
        first: Whether code makes the first search, before the model is asked.
        hosted: Its tools as its program calls them, where its model is one.
        own: Its provider's search, which its model is given in the place of `web_search`.
        node: Configuration of the graph's node that it works in, which its tools see as theirs.
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
    first: bool = False
    hosted: CatchesUp | None = None
    own: OwnSearch | None = None
    node: RunnableConfig | None = None

    def __post_init__(self) -> None:
        self.by_name = {tool.name: tool for tool in self.tools} if self.cap else {}
        self._wire = {n: convert_to_openai_tool(tool) for n, tool in self.by_name.items()}

    @property
    def wire_tools(self) -> list[dict[str, Any]]:
        """The tools that its model is offered, in OpenAI's format."""
        own = searches_itself(self)
        return [tool for name, tool in self._wire.items() if not (own and name == SEARCH_TOOL)]

    def asked(self, used: int, choice: str | None) -> Options:
        """Its options for one call, with its tools and its provider's search.

        Args:
            used: Calls that count against the cap so far.
            choice: As `tool_choice`.
        """
        options = replace(self.options, tools=self.wire_tools, tool_choice=choice)
        if self.own is None or not self.own.search.listed or not searches_itself(self):
            return options
        # As few as are left, though another number in the list costs a cache its prefix: what a
        # provider searches nobody else can count while it does.
        most = max(1, self.cap - used)
        instead = [tool for name, tool in self._wire.items() if name == SEARCH_TOOL]
        search = self.own.search.tool(most)
        return replace(options, search=search, most_searches=most, search_instead=instead)

    @property
    def takes_tools(self) -> bool:
        """Whether it has tools, and its model is not known to refuse them."""
        return bool(self.by_name) and "tools" not in self.model.refused


async def run_calls(
    researcher: Researcher,
    calls: Sequence[WantedCall],
    by: Literal["model", "code"] = "model",
    history: Sequence[BaseMessage] = (),
) -> list[ToolMessage]:
    """Run calls side by side, and number what they found in the order of the calls.

    Args:
        researcher: Whose calls; its records and sources grow.
        calls: The calls.
        by: Who made them: the model, or the code that searches before it is asked.
        history: What the model has been sent so far: pages get what its context leaves.
    """
    room = _room_each(researcher, history, len(calls))
    done_before = len(researcher.done)
    # All are waited for: one that interrupts the run leaves nothing behind that goes on.
    work = [_run(researcher, call, by) for call in calls]
    with asked_by(researcher.caller.stage, researcher.caller.name):
        ended = await asyncio.gather(*work, return_exceptions=True)
    ran = list[_Used]()
    for end in ended:
        if isinstance(end, BaseException):
            raise end
        ran.append(end)
    # In the order of the calls, whoever was first: the same work gives the same numbers.
    researcher.done[done_before:] = [used.record for used in ran]
    return [await _numbered(researcher, used, room) for used in ran]


async def run_call(
    researcher: Researcher, call: WantedCall, history: Sequence[BaseMessage]
) -> ToolMessage:
    """Run one call as it comes: whoever makes it waits for it within an answer.

    Args:
        researcher: Whose call; its records and sources grow.
        call: The call.
        history: What the model was sent.
    """
    with asked_by(researcher.caller.stage, researcher.caller.name):
        used = await _run(researcher, call, "model")
    return await _numbered(researcher, used, _room_each(researcher, history, 1))


def refuse_call(researcher: Researcher, call: WantedCall) -> ToolMessage:
    """Answer a call beyond the cap, which is recorded and not run."""
    _record(researcher, call, "max_uses_exceeded", time.time(), "model")
    return answer_call(call, CALL_REFUSED, failed=True)


def answer_call(call: WantedCall, text: str, *, failed: bool) -> ToolMessage:
    """A call's result as the model is to read it."""
    return ToolMessage(
        without_invisibles(text),  # a tool may fail in any words, half characters among them
        tool_call_id=call["id"],
        name=call["name"],
        status="error" if failed else "success",
    )


@dataclass
class _Used:
    """A call that was run: the tool's own message, or a failure in words."""

    call: WantedCall
    record: ToolRecord
    message: ToolMessage | None = None
    failure: str = ""


async def _run(researcher: Researcher, call: WantedCall, by: Literal["model", "code"]) -> _Used:
    """Run one call; whatever goes wrong becomes text for the model."""
    began = time.time()
    name, args = call["name"], call["args"]
    researcher.caller.emit("panel.tool", name=researcher.caller.name, tool=name, args=args, by=by)
    tool = researcher.by_name.get(name)
    message, failure, status, found = None, "", "invalid_input", 0
    if call["problem"] is not None:
        failure = f"invalid_input: {call['problem']}. Send one JSON object."
    elif tool is None:
        failure = (
            f"invalid_input: There is no tool '{name}'. Tools: {', '.join(researcher.by_name)}."
        )
    else:
        try:
            async with asyncio.timeout(TOOL_SECONDS) as deadline:
                wanted = ToolCall(name=name, args=args, id=call["id"], type="tool_call")
                message = await use_tool(tool, wanted, researcher.node)
            # In a book of its own: whether it can be read at all, and what to tell meanwhile.
            _, status, ids = await off_loop(
                _brings_page(message), number_sources, message, SourceBook(), researcher.nonce
            )
            found = len(ids)
        except GraphBubbleUp:
            raise  # LangGraph's own way out: the tool asks somebody, and waits
        except Exception as error:  # a tool of the user's may raise anything
            if isinstance(error, TimeoutError) and deadline.expired():
                words = f"it took more than {TOOL_SECONDS:g} s"
            else:
                words = scrub(str(error))[:300] or type(error).__name__
            status = "invalid_input" if isinstance(error, ValidationError) else "unavailable"
            message, failure = None, f"{status}: {name} failed: {words}"
    record = _record(researcher, call, status, began, by)
    if researcher.writing is not None:
        researcher.writing.touch()
    researcher.caller.emit(
        "panel.tool.completed",
        name=researcher.caller.name,
        tool=name,
        status=status,
        seconds=record["seconds"],
        found=found,
    )
    return _Used(call, record, message, failure)


def _brings_page(message: ToolMessage) -> bool:
    artifact: Any = message.artifact
    return is_artifact(artifact) and artifact["kind"] == "page" and is_long(artifact["text"])


async def _numbered(researcher: Researcher, used: _Used, room: int | None) -> ToolMessage:
    """Word what a call brought, as the model is to read it, with its sources numbered."""
    text = used.failure
    # Not in a thread, since only one at a time may number; long pages, one after the other.
    await asyncio.sleep(0)
    if used.message is not None:
        most = None if room is None else _page_part(researcher, used.message, room)
        text, _, used.record["source_ids"] = number_sources(
            used.message, researcher.book, researcher.nonce, most
        )
    return answer_call(used.call, text, failed=used.record["status"] != "ok")


def _room_each(researcher: Researcher, history: Sequence[BaseMessage], results: int) -> int | None:
    """Tokens that each new result may take: half of the room left, so that later ones find some.

    None where nobody knows how much the model reads.
    """
    room = researcher.model.window.room(researcher.options.max_tokens, researcher.wire_tools)
    if room is None:
        return None
    return max((room - sum(map(tokens_of, history))) // 2 // max(results, 1), LEAST_TOKENS)


def _page_part(researcher: Researcher, message: ToolMessage, room: int) -> int:
    """Count the characters of a page that there is room for; note what is left out."""
    page: Any = message.artifact
    if not is_artifact(page) or page["kind"] != "page" or page["failure"] is not None:
        return MAX_FOREIGN_CHARS
    shown = page["text"][page["offset"] :][: page["limit"]]
    tokens = text_tokens(shown)
    if tokens <= room:
        return MAX_FOREIGN_CHARS
    most = len(shown) * room // tokens
    cut = Cut(message.tool_call_id, f"a result of {message.name}", len(shown), most)
    researcher.caller.fitting.note(researcher.model.ref, researcher.model.window, cut)
    return most


def _record(
    researcher: Researcher,
    call: WantedCall,
    status: str,
    began: float,
    by: Literal["model", "code"],
) -> ToolRecord:
    record: ToolRecord = {
        "name": call["name"],
        "args": call["args"],
        "status": status,
        "start": round(began - researcher.caller.started, 4),
        "seconds": round(time.time() - began, 4),
        "source_ids": [],
        "by": by,
    }
    researcher.done.append(record)
    return record


def number_sources(
    message: ToolMessage, book: SourceBook, nonce: str, page_characters: int | None = None
) -> tuple[str, str, list[int]]:
    """A tool's result as the model is to read it, with its sources numbered.

    Args:
        message: The tool's message; the web tools' artifact says what was found, another tool's
            is searched for addresses.
        book: The researcher's sources so far; new ones are added.
        nonce: The run's delimiter secret.
        page_characters: Most characters of a page that are shown; the page says where to read
            on. None shows what the tool brought.

    Returns:
        The text, the outcome (`ok` or a failure code) and the ids of the sources in it.
    """
    artifact: Any = message.artifact
    if is_artifact(artifact):
        ids = book.note(artifact)
        if artifact["failure"] is not None:
            return message.text, artifact["failure"]["code"], []
        if artifact["kind"] == "search":
            return search_text(artifact, ids, nonce), "ok", ids
        if page_characters is not None and page_characters < artifact["limit"]:
            end = part_end(artifact["text"], artifact["offset"], page_characters)
            artifact = {**artifact, "limit": end - artifact["offset"]}
        return page_text(artifact, ids[0] if ids else None, nonce), "ok", ids
    if message.status == "error":
        code = re.match(r"([a-z_]+): ", message.text)
        return message.text, code[1] if code else "unavailable", []
    results = normalise(message.content, artifact)
    ids = book.note_results(results)
    return foreign_text(message.text, results, ids, nonce), "ok", ids
