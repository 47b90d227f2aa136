"""A member's clock: what may end its work, and what does not count as work."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from fusion_graph.errors import Cutoff


class MemberClock:
    """A member's time at work, which ends it. Waiting in line for its provider is no part of it.

    Args:
        deadline: Ends it; already begun.
        until: When its whole time is over, loop time.
    """

    def __init__(self, deadline: asyncio.Timeout, until: float) -> None:
        self.cutoff: Cutoff = "total"
        self.waited = 0.0
        self._deadline = deadline
        self._ends: dict[Cutoff, float] = {"total": until}
        self._loop = asyncio.get_running_loop()
        self._heard = self._loop.time()
        self._stall: float | None = None
        self._waiting = False
        self._timer: asyncio.TimerHandle | None = None

    def touch(self) -> None:
        """Note that a token or a tool's result has come."""
        self._heard = self._loop.time()

    def watch(self, stall: float) -> None:
        """End the work after `stall` seconds without a sign of life."""
        self._stall = stall
        self._look()

    @contextmanager
    def unwatched(self) -> Iterator[None]:
        """Keep what happens within from counting as the member's silence."""
        self._waiting = True
        try:
            yield
        finally:
            self._waiting = False
            self.touch()

    @contextmanager
    def in_line(self) -> Iterator[None]:
        """Keep the wait for others to be served from counting, as work and as silence.

        The grace and the end of the run's time strike all the same.
        """
        began = self._loop.time()
        total = self._ends.pop("total")
        self._reschedule()
        try:
            with self.unwatched():
                yield
        finally:
            waited = self._loop.time() - began
            self.waited += waited
            self._ends["total"] = total + waited
            self._reschedule()

    def end(self) -> None:
        """Stop watching: the work is over."""
        if self._timer is not None:
            self._timer.cancel()

    def shorten(self, until: float, cutoff: Cutoff) -> None:
        """Bring the deadline forward to `until` (loop time); a later one changes nothing."""
        self._ends[cutoff] = min(until, self._ends.get(cutoff, until))
        self._reschedule()

    def _reschedule(self) -> None:
        if self._deadline.expired():
            return
        ends = sorted((until, cutoff) for cutoff, until in self._ends.items())
        if not ends:
            self._deadline.reschedule(None)
            return
        until, self.cutoff = ends[0]
        self._deadline.reschedule(until)

    def _look(self) -> None:
        assert self._stall is not None
        if self._waiting:
            self.touch()
        due = self._heard + self._stall
        if self._loop.time() < due:
            self._timer = self._loop.call_at(due, self._look)
        else:
            self.shorten(self._loop.time(), "stall")
