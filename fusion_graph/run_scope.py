"""What the members of one panel share while they work: tools, turns, and the end of waiting.

Lives in the process, from the first member's start to the last one's end, and holds nothing a
resumed run would miss.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, Literal

from fusion_graph.config import ResolvedConfig
from fusion_graph.cost.budget import Budget
from fusion_graph.evidence import Ledger, open_ledger
from fusion_graph.journal import Journal
from fusion_graph.state import CallRecord
from fusion_graph.toolbox import Toolbox

_open: dict[tuple[str, int], RunScope] = {}


Limit = Literal["total", "stall", "grace", "run"]
"""What ends a turn: its whole time, silence, the quorum's grace, or the end of the run's time."""


class TimeUp(TimeoutError):
    """A member's turn was over before its work was. `limit` says which limit struck."""

    def __init__(self, limit: Limit) -> None:
        super().__init__(limit)
        self.limit = limit


class Turn:
    """A member's time at work.

    Args:
        deadline: When it is over.
        limit: What sets that deadline.
    """

    def __init__(self, deadline: asyncio.Timeout, limit: Limit) -> None:
        self.deadline, self.limit = deadline, limit
        self._loop = asyncio.get_running_loop()
        self._heard = self._loop.time()
        self._stall: float | None = None
        self._waiting = False
        self._timer: asyncio.TimerHandle | None = None

    def alive(self) -> None:
        """A token or a tool's result has come."""
        self._heard = self._loop.time()

    def watch(self, stall: float) -> None:
        """End the turn after `stall` seconds without a sign of life."""
        self._stall = stall
        self._look()

    @contextmanager
    def unwatched(self) -> Iterator[None]:
        """What happens within is no silence of the member's."""
        self._waiting = True
        try:
            yield
        finally:
            self._waiting = False
            self.alive()

    def end(self) -> None:
        """The turn is over: nobody watches any more."""
        if self._timer is not None:
            self._timer.cancel()

    def shorten(self, until: float, limit: Limit) -> None:
        """Bring the deadline forward to `until` (loop time); a later one changes nothing."""
        when = self.deadline.when()
        if when is not None and when > until and not self.deadline.expired():
            self.limit = limit
            self.deadline.reschedule(until)

    def _look(self) -> None:
        assert self._stall is not None
        if self._waiting:
            self.alive()
        due = self._heard + self._stall
        if self._loop.time() < due:
            self._timer = self._loop.call_at(due, self._look)
        else:
            self.shorten(self._loop.time(), "stall")


PANEL_SHARE = 0.6
"""How much of `run_timeout` a panel may take, so that judge and writer get their turn."""


class RunScope:
    """One panel at work.

    Args:
        settings: The run's configuration.
        budget: What the run may spend.
        ledger: What the run has read and followed.
    """

    def __init__(self, settings: ResolvedConfig, budget: Budget, ledger: Ledger) -> None:
        self._opening = asyncio.Lock()
        self.ledger = ledger
        self._opened: Toolbox | None = None
        self.budget = budget
        self.members = 0
        size = len(settings.panel)
        self._quorum = settings.quorum or size
        self._needed = settings.quorum or min(2, size)
        self._possible = size
        self._fallbacks = list(settings.fallbacks)
        self._grace = settings.grace
        self._answered = 0
        self._last_call: float | None = None
        self.slots = asyncio.Semaphore(settings.max_concurrency or size)
        self._gates: defaultdict[str, asyncio.Semaphore] = defaultdict(
            partial(asyncio.Semaphore, settings.provider_concurrency)
        )
        self._turns: set[Turn] = set()
        self._run_ends: float | None = None
        if settings.run_timeout is not None:
            share = PANEL_SHARE if size > 1 else 1
            self._run_ends = asyncio.get_running_loop().time() + share * settings.run_timeout

    @property
    def toolbox(self) -> Toolbox:
        """The tools, once they are open; shared, so that what several want is fetched once."""
        assert self._opened is not None
        return self._opened

    async def open(
        self, settings: ResolvedConfig, own_tools: list[Any] | None, journal: Journal | None
    ) -> None:
        """Open the tools, once: it looks through folders, so it works off the event loop."""
        async with self._opening:
            if self._opened is None:
                self._opened = await asyncio.to_thread(
                    Toolbox.open, settings, own_tools, journal, self.ledger.followed
                )

    @asynccontextmanager
    async def at_work(self, seconds: float) -> AsyncIterator[Turn]:
        """A member's turn: at most `seconds`, less once enough answered.

        Raises:
            TimeUp: The time was over.
        """
        until = asyncio.get_running_loop().time() + seconds
        deadline = asyncio.timeout_at(until)
        turn = Turn(deadline, "total")
        try:
            async with deadline:
                if self._run_ends is not None:
                    turn.shorten(self._run_ends, "run")
                if self._last_call is not None:
                    turn.shorten(self._last_call, "grace")
                self._turns.add(turn)
                try:
                    yield turn
                finally:
                    self._turns.discard(turn)
                    turn.end()
        except TimeoutError:
            if not deadline.expired():
                raise
            raise TimeUp(turn.limit) from None

    def gate(self, provider: str) -> asyncio.Semaphore:
        """What a call to a provider has to pass: so many at once and no more."""
        return self._gates[provider]

    def answered(self) -> None:
        """Count an answer; with the quorum reached, the others get the grace period."""
        self._answered += 1
        if self._answered < self._quorum or self._last_call is not None:
            return
        self._last_call = asyncio.get_running_loop().time() + self._grace
        for turn in self._turns:
            turn.shorten(self._last_call, "grace")

    def stand_ins_left(self) -> bool:
        """Whether somebody could still be asked in a member's place."""
        return bool(self._fallbacks)

    def stand_in(self, *, even_if_enough: bool = False) -> Any | None:
        """A member failed: the model to ask in its place, if too few would be left without it.

        Args:
            even_if_enough: Ask one however many are left, as for a member that could only work
                without tools.
        """
        enough = self._possible > self._needed and not even_if_enough
        if enough or not self._fallbacks:
            self.failed()
            return None
        return self._fallbacks.pop(0)

    def failed(self) -> None:
        """Count a member that failed, and that nobody stands in for."""
        self._possible -= 1


@asynccontextmanager
async def run_scope(
    run_id: str,
    settings: ResolvedConfig,
    own_tools: list[Any] | None,
    spent: Sequence[CallRecord] = (),
    journal: Journal | None = None,
) -> AsyncIterator[RunScope]:
    """The scope of a run in this process and loop, for a member when there is a slot for it.

    It is made by the first member, and dropped by the last.

    Args:
        run_id: The run.
        settings: Its configuration.
        own_tools: The caller's tools in place of the web tools, if any.
        spent: Calls the run made before.
        journal: Keeps what the web tools bring.
    """
    key = (run_id, id(asyncio.get_running_loop()))
    scope = _open.get(key)
    if scope is None:
        scope = _open[key] = RunScope(settings, Budget.of(settings, spent), open_ledger(run_id))
    scope.members += 1
    try:
        # The first thing that is waited for: so slots go to members in the panel's order.
        async with scope.slots:
            await scope.open(settings, own_tools, journal)
            yield scope
    finally:
        scope.members -= 1
        if not scope.members:
            _open.pop(key, None)
