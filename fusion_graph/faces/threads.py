"""Named runs on this machine: kept in one SQLite file, so that a killed one can be resumed.

A thread is a conversation under a name. What a run of it has finished is on disk at once:
resuming asks no panelist again that had answered. The configuration a run was started with is
kept beside it (names of models and folders, never keys).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_core.messages import HumanMessage

from fusion_graph.config.folders import DATA_DIR_ENV, data_folder
from fusion_graph.errors import ThreadError, UnreadableThread
from fusion_graph.faces._thread_lock import alone_in
from fusion_graph.faces.follow import Event, follow
from fusion_graph.graph import create_fusion_graph
from fusion_graph.langgraph_seams.checkpoint_order import come_after
from fusion_graph.langgraph_seams.unfinished import is_unfinished, messages_in, own_errors

if TYPE_CHECKING:
    from fusion_graph.faces._thread_file import ThreadSaver

OPTIONS = "fusion_options"
"""Key of a checkpoint's metadata that holds the run's configuration as JSON."""

FORMAT = "fusion_format"
"""Key of a checkpoint's metadata that holds the number of the form it is kept in."""

FORMAT_NUMBER = 1
"""Raised when an older version could not go on with what this one keeps."""


def _unheard(_words: str) -> None:
    pass


@dataclass
class Keeping:
    """How a run is kept, for whoever shows it.

    Attributes:
        waiting: Is told when another process is at work in the thread.
        lost: Why the run is not kept in its thread; empty while it is.
    """

    waiting: Callable[[str], None] = _unheard
    lost: str = ""


@dataclass(frozen=True)
class _Opened:
    """A thread that nobody else is at work in."""

    name: str
    saver: ThreadSaver
    waited: bool


@dataclass(frozen=True)
class Thread:
    """What is known of a thread.

    Attributes:
        name: What it is called.
        question: The last one.
        unfinished: Whether a run of it was cut off.
        problem: Why nothing else is known of it; empty where it can be read.
    """

    name: str
    question: str
    unfinished: bool
    problem: str = ""


def threads_file() -> Path:
    """The SQLite file of this user's threads."""
    return data_folder() / "threads.sqlite"


async def ask_in_thread(
    name: str,
    fields: Mapping[str, Any],
    question: str | HumanMessage,
    keeping: Keeping | None = None,
) -> AsyncIterator[Event]:
    """Ask a question in a thread, after what was said in it before.

    A run of the same question that was cut off is resumed rather than begun again. Where another
    process is at work in the thread its end is waited for; if that was the same question, its
    answer is told again. What cannot be kept is answered all the same.

    Args:
        name: The thread.
        fields: `FusionConfig` fields.
        question: The question.
        keeping: Is told whether the run is kept.

    Yields:
        The run's events, as `follow` does.

    Raises:
        ThreadError: The thread holds an unfinished run of another question, or was kept by a later
            version.
    """
    keeping = keeping or Keeping()
    given: Any = HumanMessage(question) if isinstance(question, str) else question
    async with _alone(name, keeping, needed=False) as thread:
        graph = create_fusion_graph(dict(fields), checkpointer=thread.saver)
        config = _config(name, fields)
        try:
            state = await _state(graph, name)
        except UnreadableThread as unreadable:
            # What was said before is lost to this answer as well, and stays where it is.
            graph = create_fusion_graph(dict(fields))
            keeping.lost = str(unreadable)
            async for event in follow(graph, [given]):
                yield event
            return
        same = _last_asked(state) == given.content
        if is_unfinished(state):
            if not own_errors(state) and same:
                given = None
            elif not own_errors(state):
                raise ThreadError(
                    f"Thread '{name}' holds an unfinished run of another question.",
                    f"`fusion-graph resume {name}` finishes it; or take another name.",
                )
            elif same:
                # Asked again after everybody failed: the same message, not a second one.
                given = state.values["messages"][-1]
        elif thread.waited and same:
            yield _told_again(state)
            return
        new = None if given is None else [given]
        async for event in follow(graph, new, config=config, durability="sync"):
            yield event


async def resume_thread(name: str, keeping: Keeping | None = None) -> AsyncIterator[Event]:
    """Finish the run of a thread that was cut off; a finished one is told again, and not paid.

    Args:
        name: The thread.
        keeping: Is told whether the run is kept.

    Yields:
        The events from there on, as `follow` does.

    Raises:
        ThreadError: There is no such thread, it cannot be read, or was kept by a later version.
    """
    async with _alone(name, keeping or Keeping(), needed=True) as thread:
        saver = thread.saver
        found = await _latest(saver, name)
        if found is None:
            known = ", ".join(thread.name for thread in await _threads(saver)) or "none"
            raise ThreadError(f"There is no thread '{name}'.", f"Threads here: {known}.")
        fields = json.loads(str(found.metadata.get(OPTIONS) or "{}"))
        graph = create_fusion_graph(fields, checkpointer=saver)
        config = _config(name, fields)
        state = await _state(graph, name)
        if not is_unfinished(state):
            yield _told_again(state)
            return
        given = [state.values["messages"][-1]] if own_errors(state) else None
        async for event in follow(graph, given, config=config, durability="sync"):
            yield event


async def list_threads() -> list[Thread]:
    """Every thread kept here, the latest first.

    Raises:
        ThreadError: The file cannot be read.
    """
    if not threads_file().exists():
        return []
    async with _saver(needed=True) as saver:
        return await _threads(saver)


async def forget_thread(name: str) -> bool:
    """Remove a thread, whatever state it is in.

    Args:
        name: The thread.

    Returns:
        Whether there was one.

    Raises:
        ThreadError: The file cannot be written.
    """
    if not threads_file().exists():
        return False
    async with _alone(name, Keeping(), needed=True) as thread:
        if name not in await _names(thread.saver):
            return False
        if thread.saver.lost:
            raise ThreadError(f"{threads_file()} cannot be written: {thread.saver.lost}.")
        await thread.saver.adelete_thread(name)
        return True


@asynccontextmanager
async def _alone(name: str, keeping: Keeping, *, needed: bool) -> AsyncIterator[_Opened]:
    async with alone_in(name, keeping.waiting) as waited, _saver(needed=needed) as saver:
        try:
            yield _Opened(name, saver, waited)
        finally:
            keeping.lost = keeping.lost or saver.lost


@asynccontextmanager
async def _saver(*, needed: bool) -> AsyncIterator[ThreadSaver]:
    from fusion_graph.faces._thread_file import open_threads

    try:
        async with open_threads(threads_file(), needed=needed) as saver:
            yield saver
    except sqlite3.Error as error:
        raise ThreadError(
            f"The threads in {threads_file()} cannot be used: {error}.",
            f"Move the file away, or set {DATA_DIR_ENV} to another folder.",
        ) from None


async def _latest(saver: ThreadSaver, name: str) -> Any:
    """The latest checkpoint of a thread, made the one after which the next will come.

    Raises:
        ThreadError: It cannot be read, or was kept by a later version.
    """
    try:
        found = await saver.aget_tuple({"configurable": {"thread_id": name}})
        number = 0 if found is None else int(str(found.metadata.get(FORMAT, 0)))
    except Exception as error:  # whatever garbage makes a decoder say
        raise _unreadable(name, error) from None
    if number > FORMAT_NUMBER:
        raise ThreadError(
            f"Thread '{name}' was kept by a later version of fusion-graph.",
            "Update with `pip install -U fusion-graph`, or take another name.",
        )
    if found is not None:
        come_after(found.config["configurable"]["checkpoint_id"])
    return found


async def _state(graph: Any, name: str) -> Any:
    """What a graph makes of a thread.

    Raises:
        ThreadError: As `_latest`.
    """
    await _latest(graph.checkpointer, name)
    try:
        state = await graph.aget_state({"configurable": {"thread_id": name}})
        messages_in(state)
    except Exception as error:
        raise _unreadable(name, error) from None
    return state


async def _threads(saver: ThreadSaver) -> list[Thread]:
    graph = create_fusion_graph("offline", checkpointer=saver)
    threads = []
    for name in await _names(saver):
        try:
            state = await _state(graph, name)
            threads.append(Thread(name, _last_question(state), is_unfinished(state)))
        except ThreadError as error:
            threads.append(Thread(name, "", unfinished=False, problem=error.problem))
    return threads


async def _names(saver: ThreadSaver) -> list[str]:
    query = (
        "SELECT thread_id FROM checkpoints WHERE checkpoint_ns = '' "
        "GROUP BY thread_id ORDER BY MAX(checkpoint_id) DESC"
    )
    return [str(row[0]) for row in await saver.ask(query)]


def _told_again(state: Any) -> Event:
    report, message = state.values["fusion"], state.values["messages"][-1]
    return {"type": "fusion.result", "message": message, "report": report}


def _unreadable(name: str, error: Exception) -> UnreadableThread:
    why = f"{type(error).__name__}: {str(error)[:80]}".removesuffix(": ")
    return UnreadableThread(
        f"The record of thread '{name}' cannot be read ({why}); others are not touched by it.",
        f"Take another name, or remove it: `fusion-graph resume {name} --forget`.",
    )


def _config(name: str, fields: Mapping[str, Any]) -> Any:
    return {
        "configurable": {"thread_id": name},
        "metadata": {OPTIONS: json.dumps(fields, sort_keys=True), FORMAT: FORMAT_NUMBER},
    }


def _last_question(state: Any) -> str:
    asked = _last_asked(state)
    return "" if asked is None else str(HumanMessage(asked).text)


def _last_asked(state: Any) -> Any:
    """The content of the last question, with its pictures and files; None where there is none."""
    asked = [m for m in messages_in(state) if m.type == "human"]
    return asked[-1].content if asked else None
