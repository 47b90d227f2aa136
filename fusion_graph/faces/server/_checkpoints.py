"""Checkpoints of runs at work: a run that its server's end has interrupted goes on from them."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, aclosing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fusion_graph.errors import ApiError
from fusion_graph.faces.follow import Event, follow
from fusion_graph.langgraph_seams.checkpoint_order import come_after
from fusion_graph.langgraph_seams.unfinished import is_unfinished, own_errors

if TYPE_CHECKING:
    from fusion_graph.faces._thread_file import ThreadSaver
    from fusion_graph.faces.server.run import Run


class Checkpoints:
    """Checkpoints are kept in a file as long as their runs have not ended.

    Args:
        path: The file.

    Attributes:
        lost: Why the file could not be used when it was opened; empty if it could.
    """

    def __init__(self, path: Path) -> None:
        self.lost = ""
        self._path = path
        self._stack = AsyncExitStack()
        self._saver: ThreadSaver | None = None
        self._graph: Any = None

    async def open(self, needed: Iterable[str]) -> None:
        """Open the file, and remove what no run needs any more.

        Args:
            needed: The ids of the runs that may go on.
        """
        from fusion_graph.faces._thread_file import open_threads
        from fusion_graph.graph import create_fusion_graph

        self._saver = await self._stack.enter_async_context(open_threads(self._path, needed=False))
        self.lost = self._saver.lost
        self._graph = create_fusion_graph(checkpointer=self._saver)
        if self.lost:
            return
        try:
            # A killed process loses nothing by it: the system has what was written.
            await self._saver.ask("PRAGMA synchronous=NORMAL")
            await self._saver.ask("PRAGMA secure_delete=ON")
            rows = await self._saver.ask("SELECT DISTINCT thread_id FROM checkpoints")
            for id in {str(row[0]) for row in rows} - set(needed):
                await self._saver.adelete_thread(id)
        except sqlite3.Error as error:
            self.lost = str(error)

    async def begin(self, run: Run) -> AsyncIterator[Event]:
        """Begin a run. Yields its events, as `follow` does."""
        async with aclosing(self._follow(run, run.messages)) as events:  # type: ignore[type-var]
            async for event in events:
                yield event

    async def resume(self, run: Run) -> AsyncIterator[Event]:
        """Go on with a run from what is kept of it; what was answered is not asked again.

        Yields:
            The events from there on.

        Raises:
            ApiError: 409, what is kept cannot be read.
        """
        try:
            if self.lost:
                raise sqlite3.DatabaseError(self.lost)
            state = await self._graph.aget_state(_settings(run))
        except Exception as error:  # whatever garbage makes a decoder say
            said = (
                f"What was kept of this run cannot be read ({type(error).__name__}): it cannot go "
                "on. Ask anew; what it had paid for is lost."
            )
            raise ApiError(409, said, "run_unreadable", retry=False) from None
        given: Sequence[Any] | None
        if state.created_at is None:
            if not run.messages:
                said = "Nothing was kept of this run to go on from. Ask anew."
                raise ApiError(409, said, "run_unreadable", retry=False)
            given = run.messages  # stopped before anything was asked
        elif not is_unfinished(state):
            message, report = state.values["messages"][-1], state.values["fusion"]
            yield {"type": "fusion.result", "message": message, "report": report}
            return
        else:
            come_after(state.config["configurable"]["checkpoint_id"])
            # Asked again after everybody failed: the same message, not a second one.
            given = [state.values["messages"][-1]] if own_errors(state) else None
        async with aclosing(self._follow(run, given)) as events:  # type: ignore[type-var]
            async for event in events:
                yield event

    async def drop(self, id: str, *, wipe: bool = False) -> None:
        """Remove what is kept of a run.

        Args:
            id: The run's.
            wipe: Whether it is to be gone from the disk at once.
        """
        if self._saver is None:
            return
        with suppress(sqlite3.Error, ValueError):  # a full disk; it is removed at the next start
            await self._saver.adelete_thread(id)
            if wipe:
                await self._saver.ask("PRAGMA wal_checkpoint(TRUNCATE)")

    async def close(self) -> None:
        """Close the file."""
        self._saver = None
        await self._stack.aclose()

    def _follow(self, run: Run, given: Any) -> AsyncIterator[Event]:
        settings, context = _settings(run), run.whole_context
        return follow(self._graph, given, context=context, config=settings, durability="sync")


def _settings(run: Run) -> dict[str, Any]:
    return {"configurable": {"thread_id": run.id}}
