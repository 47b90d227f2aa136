"""The SQLite file of threads: what it does not take is kept in memory, and the run goes on."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import aiosqlite
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from fusion_graph.config.folders import DATA_DIR_ENV
from fusion_graph.errors import ThreadError

LOCK_SECONDS = 30
"""How long one process waits while another writes to the file."""

_MEMORY = ":memory:"


class ThreadSaver(AsyncSqliteSaver):
    """Keeps checkpoints in a file, and in memory once the file does not take one.

    A disk that is full must not cost the answer of a run that has been paid for.

    Args:
        disk: The file's connection.
        memory: A database in memory.
        lost: Why the file takes nothing from the beginning; empty if it does.

    Attributes:
        lost: Why nothing more is kept in the file; empty while it is.
    """

    def __init__(self, disk: aiosqlite.Connection, memory: aiosqlite.Connection, lost: str) -> None:
        super().__init__(disk)
        self.lost = lost
        self._memory = AsyncSqliteSaver(memory)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Keep a checkpoint."""
        if not self.lost:
            try:
                return await super().aput(config, checkpoint, metadata, new_versions)
            except sqlite3.Error as error:
                await self._lose(error)
        return await self._memory.aput(config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Keep what a task has brought."""
        if not self.lost:
            try:
                await super().aput_writes(config, writes, task_id, task_path)
            except sqlite3.Error as error:
                await self._lose(error)
            else:
                return
        await self._memory.aput_writes(config, writes, task_id, task_path)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Find a checkpoint, the latest one where none is named."""
        if self.lost and (found := await self._memory.aget_tuple(config)) is not None:
            return found
        return await super().aget_tuple(config)

    async def commit(self) -> None:
        """Write down what a cancelled run left half done: it would lock the file for others."""
        async with self.lock:
            if not self.lost:
                await self.conn.commit()

    async def _lose(self, error: sqlite3.Error) -> None:
        self.lost = str(error)
        async with self.lock:
            with suppress(sqlite3.Error):
                await self.conn.rollback()


@asynccontextmanager
async def open_threads(path: Path, *, needed: bool) -> AsyncIterator[ThreadSaver]:
    """Open the file of threads; it is made with its folder if need be, for this user's eyes only.

    A file that cannot be written is read all the same.

    Args:
        path: The file.
        needed: Whether there is nothing to do without it. If not, one that cannot be read either
            is as good as an empty one, and `lost` says so.

    Raises:
        ThreadError: It is needed and cannot be read, or is no database.
    """
    async with AsyncExitStack() as stack:
        memory = await stack.enter_async_context(aiosqlite.connect(_MEMORY))
        try:
            saver = await _writable(stack, path, memory)
        except (OSError, sqlite3.Error) as error:
            saver = await _readable(stack, path, memory, str(error), needed=needed)
        try:
            yield saver
        finally:
            with suppress(sqlite3.Error):
                await saver.commit()


async def _writable(stack: AsyncExitStack, path: Path, memory: aiosqlite.Connection) -> ThreadSaver:
    _make(path)
    disk = await stack.enter_async_context(aiosqlite.connect(path, timeout=LOCK_SECONDS))
    saver = ThreadSaver(disk, memory, "")
    await saver.setup()
    return saver


async def _readable(
    stack: AsyncExitStack, path: Path, memory: aiosqlite.Connection, why: str, *, needed: bool
) -> ThreadSaver:
    try:
        # Looked at first: the thread of an `aiosqlite` that cannot open its file ends at leisure,
        # and complains aloud where the event loop is closed by then.
        await asyncio.to_thread(_look, path)
    except sqlite3.Error as error:
        if needed:
            raise ThreadError(
                f"The threads in {path} cannot be used: {error}.",
                f"Set {DATA_DIR_ENV} to a folder that can be written, or move the file away.",
            ) from None
        disk = await stack.enter_async_context(aiosqlite.connect(_MEMORY))
        return ThreadSaver(disk, memory, why)
    disk = await stack.enter_async_context(aiosqlite.connect(_read_only(path), uri=True))
    saver = ThreadSaver(disk, memory, why)
    saver.is_setup = True  # it has its tables, and takes no others
    return saver


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)


def _look(path: Path) -> None:
    """Read something of the file.

    Raises:
        sqlite3.Error: It cannot be opened, or is none of ours.
    """
    with closing(sqlite3.connect(_read_only(path), uri=True)) as disk:
        disk.execute("SELECT 1 FROM checkpoints, writes LIMIT 1").fetchall()


def _read_only(path: Path) -> str:
    # `immutable`: the log beside the file cannot be opened where nothing can be written.
    return f"{path.absolute().as_uri()}?mode=ro&immutable=1"
