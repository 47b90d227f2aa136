"""What the members of one panel share while they work: tools, turns, and the end of waiting.

Lives in the process, from the first member's start to the last one's end, and holds nothing a
resumed run would miss.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fusion_graph.config import ResolvedConfig
from fusion_graph.toolbox import Toolbox

_open: dict[tuple[str, int], RunScope] = {}


class RunScope:
    """One panel at work.

    Args:
        settings: The run's configuration.
        toolbox: The tools, shared so that a page several members want is fetched once.
    """

    def __init__(self, settings: ResolvedConfig, toolbox: Toolbox) -> None:
        self.toolbox = toolbox
        self.members = 0
        self._quorum = settings.quorum or len(settings.panel)
        self._grace = settings.grace
        self._answered = 0
        self._last_call: float | None = None
        self._slots = asyncio.Semaphore(settings.max_concurrency or len(settings.panel))
        self._deadlines: set[asyncio.Timeout] = set()

    @property
    def closing(self) -> bool:
        """Whether the quorum has answered, so that the rest works on borrowed time."""
        return self._last_call is not None

    @asynccontextmanager
    async def at_work(self, seconds: float) -> AsyncIterator[None]:
        """A member's turn: waits for a slot, then for at most `seconds`, less once enough answered.

        Raises:
            TimeoutError: The time was over.
        """
        async with self._slots:
            now = asyncio.get_running_loop().time()
            until = now + seconds
            if self._last_call is not None:
                until = min(until, self._last_call)
            async with asyncio.timeout_at(until) as deadline:
                self._deadlines.add(deadline)
                try:
                    yield
                finally:
                    self._deadlines.discard(deadline)

    def answered(self) -> None:
        """Count an answer; with the quorum reached, the others get the grace period."""
        self._answered += 1
        if self._answered < self._quorum or self._last_call is not None:
            return
        self._last_call = asyncio.get_running_loop().time() + self._grace
        for deadline in self._deadlines:
            if (when := deadline.when()) is not None and when > self._last_call:
                deadline.reschedule(self._last_call)


@asynccontextmanager
async def run_scope(
    run_id: str, settings: ResolvedConfig, own_tools: list[Any] | None
) -> AsyncIterator[RunScope]:
    """The scope of a run in this process and loop; made by the first member, dropped by the last.

    Args:
        run_id: The run.
        settings: Its configuration.
        own_tools: The caller's tools in place of the web tools, if any.
    """
    key = (run_id, id(asyncio.get_running_loop()))
    scope = _open.get(key)
    if scope is None:
        scope = _open[key] = RunScope(settings, Toolbox.open(settings, own_tools))
    scope.members += 1
    try:
        yield scope
    finally:
        scope.members -= 1
        if not scope.members:
            _open.pop(key, None)
