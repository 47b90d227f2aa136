"""The SQLite file of threads: what it does not take is kept in memory, and the run goes on."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, closing, suppress
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.checkpoint.sqlite import SqliteSaver

from fusion_graph.config.folders import DATA_DIR_ENV
from fusion_graph.errors import ThreadError

LOCK_SECONDS = 30
"""How long one process waits while another writes to the file."""

_MEMORY = ":memory:"

P = ParamSpec("P")
T = TypeVar("T")


class ThreadSaver(SqliteSaver):
    """Keeps checkpoints in a file, and in memory once the file does not take one.

    A disk that is full must not cost the answer of a run that has been paid for.

    One thread does all its work, each piece of it in one go. LangGraph's own asynchronous saver
    hands its thread every statement, commit and close of a cursor by itself: 119 times a run,
    which was a quarter of the run's processor time (November 2026).

    Args:
        disk: The file's connection.
        memory: A database in memory.
        thread: Does the work.
        lost: Why the file takes nothing from the beginning; empty if it does.

    Attributes:
        lost: Why nothing more is kept in the file; empty while it is.
    """

    def __init__(
        self, disk: sqlite3.Connection, memory: sqlite3.Connection, thread: Executor, lost: str = ""
    ) -> None:
        super().__init__(disk)
        self.lost = lost
        self._memory = SqliteSaver(memory)
        self._thread = thread

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Keep a checkpoint."""
        return await self._do(self._put, config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Keep what a task has brought."""
        await self._do(self._put_writes, config, writes, task_id, task_path)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Find a checkpoint, the latest one where none is named."""
        return await self._do(self._get_tuple, config)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """List the checkpoints in the file, the latest first."""
        for found in await self._do(self._listed, config, filter, before, limit):
            yield found

    async def adelete_thread(self, thread_id: str) -> None:
        """Remove a thread."""
        await self._do(self.delete_thread, thread_id)

    async def ask(self, query: str) -> list[tuple[Any, ...]]:
        """The rows that a statement finds in the file.

        Args:
            query: The statement, in SQL.
        """
        return await self._do(self._ask, query)

    async def _do(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, partial(work, *args, **kwargs))

    def _put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        if not self.lost:
            try:
                return self.put(config, checkpoint, metadata, new_versions)
            except sqlite3.Error as error:
                self._lose(error)
        return self._memory.put(config, checkpoint, metadata, new_versions)

    def _put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task: str, path: str
    ) -> None:
        if not self.lost:
            try:
                return self.put_writes(config, writes, task, path)
            except sqlite3.Error as error:
                self._lose(error)
        return self._memory.put_writes(config, writes, task, path)

    def _get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        if self.lost and (found := self._memory.get_tuple(config)) is not None:
            return found
        return self.get_tuple(config)

    def _listed(
        self,
        config: RunnableConfig | None,
        filter: dict[str, Any] | None,
        before: RunnableConfig | None,
        limit: int | None,
    ) -> Sequence[CheckpointTuple]:
        return [*self.list(config, filter=filter, before=before, limit=limit)]

    def _ask(self, query: str) -> list[tuple[Any, ...]]:
        with self.cursor(transaction=False) as cursor:
            return cursor.execute(query).fetchall()

    def _lose(self, error: sqlite3.Error) -> None:
        self.lost = str(error)
        with suppress(sqlite3.Error):
            self.conn.rollback()


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
    with ExitStack() as stack:
        thread = ThreadPoolExecutor(1, thread_name_prefix="threads-file")
        loop = asyncio.get_running_loop()
        try:
            saver = await loop.run_in_executor(thread, _opened, stack, path, thread, needed)
            yield saver
        finally:
            # A task that was stopped leaves its piece of work to the thread: it is written still.
            await asyncio.to_thread(thread.shutdown)


def _opened(stack: ExitStack, path: Path, thread: Executor, needed: bool) -> ThreadSaver:
    memory = stack.enter_context(closing(_connected(_MEMORY)))
    try:
        _make(path)
        disk = stack.enter_context(closing(_connected(path, timeout=LOCK_SECONDS)))
        saver = ThreadSaver(disk, memory, thread)
        saver.setup()
    except (OSError, sqlite3.Error) as error:
        return _readable(stack, path, memory, thread, str(error), needed)
    return saver


def _readable(
    stack: ExitStack,
    path: Path,
    memory: sqlite3.Connection,
    thread: Executor,
    why: str,
    needed: bool,
) -> ThreadSaver:
    try:
        # `immutable`: the log beside it cannot be opened where nothing can be written.
        address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        disk = stack.enter_context(closing(_connected(address, uri=True)))
        disk.execute("SELECT 1 FROM checkpoints, writes LIMIT 1").fetchall()
    except sqlite3.Error as error:
        if needed:
            raise ThreadError(
                f"The threads in {path} cannot be used: {error}.",
                f"Set {DATA_DIR_ENV} to a folder that can be written, or move the file away.",
            ) from None
        disk = stack.enter_context(closing(_connected(_MEMORY)))
        return ThreadSaver(disk, memory, thread, why)
    saver = ThreadSaver(disk, memory, thread, why)
    saver.is_setup = True  # it has its tables, and takes no others
    return saver


def _connected(where: Path | str, *, timeout: float = 5.0, uri: bool = False) -> sqlite3.Connection:
    # One thread works with it, and another may close it when that one has ended.
    return sqlite3.connect(where, timeout=timeout, uri=uri, check_same_thread=False)


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
