"""Named runs on this machine: kept in one SQLite file, so that a killed one can be resumed.

A thread is a conversation under a name. What a run of it has finished is on disk at once:
resuming asks no panelist again that had answered. The configuration a run was started with is
kept beside it (names of models and folders, never keys).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fusion_graph.config.folders import DATA_DIR_ENV, data_folder
from fusion_graph.errors import ThreadError
from fusion_graph.faces.follow import Event, follow
from fusion_graph.graph import create_fusion_graph
from fusion_graph.langgraph_seams.unfinished import is_unfinished, messages_in, own_errors

if TYPE_CHECKING:
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

OPTIONS = "fusion_options"
"""Key of a checkpoint's metadata that holds the run's configuration as JSON."""

LOCK_SECONDS = 30
"""How long one process waits while another writes to the file."""


@dataclass(frozen=True)
class Thread:
    """What is known of a thread: its name, its last question, and whether a run is unfinished."""

    name: str
    question: str
    unfinished: bool


def threads_file() -> Path:
    """The SQLite file of this user's threads."""
    return data_folder() / "threads.sqlite"


async def ask_in_thread(
    name: str, fields: Mapping[str, Any], question: str
) -> AsyncIterator[Event]:
    """Ask a question in a thread, after what was said in it before.

    A run of the same question that was cut off is resumed rather than begun again.

    Args:
        name: The thread.
        fields: `FusionConfig` fields.
        question: The question.

    Yields:
        The run's events, as `follow` does.

    Raises:
        ThreadError: The thread holds an unfinished run of another question.
    """
    async with _saver() as saver:
        graph = create_fusion_graph(dict(fields), checkpointer=saver)
        config = _config(name, fields)
        state = await graph.aget_state(config)
        message: Any = ("user", question)
        if is_unfinished(state):
            asked = _last_question(state)
            if not own_errors(state) and asked == question:
                message = None
            elif not own_errors(state):
                raise ThreadError(
                    f"Thread '{name}' holds an unfinished run of another question.",
                    f"`fusion-graph resume {name}` finishes it; or take another name.",
                )
            elif asked == question:
                # Asked again after everybody failed: the same message, not a second one.
                message = state.values["messages"][-1]
        given = None if message is None else [message]
        async for event in follow(graph, given, config=config, durability="sync"):
            yield event


async def resume_thread(name: str) -> AsyncIterator[Event]:
    """Finish the run of a thread that was cut off; a finished one is told again, and not paid.

    Args:
        name: The thread.

    Yields:
        The events from there on, as `follow` does.

    Raises:
        ThreadError: There is no such thread.
    """
    async with _saver() as saver:
        found = await saver.aget_tuple({"configurable": {"thread_id": name}})
        if found is None:
            known = ", ".join(thread.name for thread in await _threads(saver)) or "none"
            raise ThreadError(f"There is no thread '{name}'.", f"Threads here: {known}.")
        fields = json.loads(str(found.metadata.get(OPTIONS) or "{}"))
        graph = create_fusion_graph(fields, checkpointer=saver)
        config = _config(name, fields)
        state = await graph.aget_state(config)
        if not is_unfinished(state):
            report, message = state.values["fusion"], state.values["messages"][-1]
            yield {"type": "fusion.result", "message": message, "report": report}
            return
        given = [state.values["messages"][-1]] if own_errors(state) else None
        async for event in follow(graph, given, config=config, durability="sync"):
            yield event


async def list_threads() -> list[Thread]:
    """Every thread kept here, the latest first."""
    if not threads_file().exists():
        return []
    async with _saver() as saver:
        return await _threads(saver)


async def _threads(saver: AsyncSqliteSaver) -> list[Thread]:
    graph = create_fusion_graph("offline", checkpointer=saver)
    query = (
        "SELECT thread_id FROM checkpoints WHERE checkpoint_ns = '' "
        "GROUP BY thread_id ORDER BY MAX(checkpoint_id) DESC"
    )
    await saver.setup()
    async with saver.conn.execute(query) as rows:
        names = [str(row[0]) async for row in rows]
    threads = []
    for name in names:
        state = await graph.aget_state({"configurable": {"thread_id": name}})
        threads.append(Thread(name, _last_question(state), is_unfinished(state)))
    return threads


def _config(name: str, fields: Mapping[str, Any]) -> Any:
    return {
        "configurable": {"thread_id": name},
        "metadata": {OPTIONS: json.dumps(fields, sort_keys=True)},
    }


def _last_question(state: Any) -> str:
    asked = [m for m in messages_in(state) if m.type == "human"]
    return str(asked[-1].text) if asked else ""


@asynccontextmanager
async def _saver() -> AsyncIterator[AsyncSqliteSaver]:
    """The file, opened; made with its folder if need be, for this user's eyes only.

    Raises:
        ThreadError: It cannot be opened, or is no database.
    """
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    path = threads_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        import aiosqlite

        async with aiosqlite.connect(path, timeout=LOCK_SECONDS) as connection:
            saver = AsyncSqliteSaver(connection)
            await saver.setup()
            try:
                yield saver
            finally:
                # A run that was cancelled leaves a write half done: one that is not committed
                # would hold the file until its cursor is collected.
                async with saver.lock:
                    await connection.commit()
                    await connection.close()
    except (OSError, sqlite3.DatabaseError) as error:
        raise ThreadError(
            f"The threads in {path} cannot be used: {error}.",
            f"Set {DATA_DIR_ENV} to a folder that can be written.",
        ) from None
