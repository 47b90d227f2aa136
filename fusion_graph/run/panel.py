"""A panel at work: what its members share, from the first one's start to `join`.

It lives in the process and belongs to its run: members that work one after the other, as with
LangGraph's own `max_concurrency`, share it like those that work side by side. It holds nothing
that a resumed run would miss.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict, defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, Literal

from langgraph.errors import GraphBubbleUp

from fusion_graph.config import ResolvedConfig
from fusion_graph.cost.budget import Budget
from fusion_graph.evidence import Ledger, open_ledger
from fusion_graph.run.toolbox import Toolbox
from fusion_graph.state import CallRecord

Limit = Literal["total", "stall", "grace", "run"]
"""What ends a turn: its whole time, silence, the quorum's grace, or the end of the run's time."""


class TimeUp(TimeoutError):
    """A member's turn was over before its work was. `limit` says which limit struck."""

    def __init__(self, limit: Limit) -> None:
        super().__init__(limit)
        self.limit = limit


class Turn:
    """A member's time at work. Waiting in line for its provider is no part of it.

    Args:
        deadline: Ends it; already begun.
        until: When its whole time is over, loop time.
    """

    def __init__(self, deadline: asyncio.Timeout, until: float) -> None:
        self.limit: Limit = "total"
        self.waited = 0.0
        self._deadline = deadline
        self._ends: dict[Limit, float] = {"total": until}
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

    @contextmanager
    def in_line(self) -> Iterator[None]:
        """The member waits for others to be served: that counts neither as work nor as silence.

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
        """The turn is over: nobody watches any more."""
        if self._timer is not None:
            self._timer.cancel()

    def shorten(self, until: float, limit: Limit) -> None:
        """Bring the deadline forward to `until` (loop time); a later one changes nothing."""
        self._ends[limit] = min(until, self._ends.get(limit, until))
        self._reschedule()

    def _reschedule(self) -> None:
        if self._deadline.expired():
            return
        ends = sorted((until, limit) for limit, until in self._ends.items())
        if not ends:
            self._deadline.reschedule(None)
            return
        until, self.limit = ends[0]
        self._deadline.reschedule(until)

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


class Panel:
    """One panel at work.

    Args:
        settings: The run's configuration.
        budget: What the run may spend.
        ledger: What the run has read and followed.

    Attributes:
        inside: How many members are at work, or wait for a slot.
        paid: The calls of each member by its index; one that was interrupted begins anew, and what
            it had paid by then stays paid.
    """

    def __init__(self, settings: ResolvedConfig, budget: Budget, ledger: Ledger) -> None:
        self.inside = 0
        self.paid: defaultdict[int, list[CallRecord]] = defaultdict(list)
        self.ledger = ledger
        self.budget = budget
        self._opening = asyncio.Lock()
        self._opened: Toolbox | None = None
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
        self._share: float | None = None
        self._run_ends: float | None = None
        if settings.run_timeout is not None:
            self._share = (PANEL_SHARE if size > 1 else 1) * settings.run_timeout

    @property
    def toolbox(self) -> Toolbox:
        """The tools, once they are open; shared, so that what several want is fetched once."""
        assert self._opened is not None
        return self._opened

    async def open(self, settings: ResolvedConfig, own_tools: list[Any] | None) -> None:
        """Open the tools, once: it looks through folders, so it works off the event loop."""
        async with self._opening:
            if self._opened is None:
                self._opened = await asyncio.to_thread(
                    Toolbox.open, settings, own_tools, self.ledger.followed
                )

    @asynccontextmanager
    async def at_work(self, seconds: float) -> AsyncIterator[Turn]:
        """A member's turn: at most `seconds`, less once enough answered.

        Raises:
            TimeUp: The time was over.
        """
        now = asyncio.get_running_loop().time()
        if self._share is not None and self._run_ends is None:
            self._run_ends = now + self._share
        if self._last_call is not None and self._last_call <= now:
            raise TimeUp("grace")  # before anything is paid
        deadline = asyncio.timeout_at(now + seconds)
        turn: Turn | None = None
        try:
            async with deadline:
                turn = Turn(deadline, now + seconds)
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
            if turn is None or not deadline.expired():
                raise
            raise TimeUp(turn.limit) from None

    def rest(self) -> None:
        """The run was interrupted: what time there was begins anew when it goes on."""
        self._last_call = self._run_ends = None

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


MOST_PANELS = 256
"""Panels that are kept in a process while nobody is at work in them: between members, and for a
run that was given up and so never came to its `join`."""

_Key = tuple[str, asyncio.AbstractEventLoop]

_open: OrderedDict[_Key, Panel] = OrderedDict()
_lock = threading.Lock()


@asynccontextmanager
async def take_part(
    run_id: str,
    settings: ResolvedConfig,
    own_tools: list[Any] | None,
    spent: Sequence[CallRecord] = (),
) -> AsyncIterator[Panel]:
    """The panel of a run in this process and loop, for a member when there is a slot for it.

    The first member opens it; `close_panel` closes it.

    Args:
        run_id: The run.
        settings: Its configuration.
        own_tools: The caller's tools in place of the web tools, if any.
        spent: Calls the run made before.

    Raises:
        ConfigurationError: The tools are not available here.
    """
    key = (run_id, asyncio.get_running_loop())
    panel = _panel(key, settings, spent)
    interrupted = False
    try:
        # The first thing that is waited for: so slots go to members in the panel's order.
        async with panel.slots:
            await panel.open(settings, own_tools)
            yield panel
    except GraphBubbleUp:
        interrupted = True
        raise
    except Exception:
        raise
    except BaseException:  # the run ends here
        close_panel(run_id)
        raise
    finally:
        with _lock:
            panel.inside -= 1
            if interrupted and not panel.inside:
                panel.rest()
            idle = [k for k, other in _open.items() if not other.inside or k[1].is_closed()]
            for old in idle[: max(0, len(idle) - MOST_PANELS)]:
                del _open[old]


def close_panel(run_id: str) -> None:
    """Forget the panel of a run: its members have done their work."""
    with _lock:
        for key in [key for key in _open if key[0] == run_id]:
            del _open[key]


def _panel(key: _Key, settings: ResolvedConfig, spent: Sequence[CallRecord]) -> Panel:
    with _lock:
        panel = _open.get(key)
        if panel is None:
            panel = _open[key] = Panel(settings, Budget.of(settings, spent), open_ledger(key[0]))
        panel.inside += 1
        _open.move_to_end(key)
    return panel
