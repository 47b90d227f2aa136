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
from dataclasses import dataclass
from functools import partial
from typing import Any

from langchain_core.tools import BaseTool
from langgraph.errors import GraphBubbleUp

from fusion_graph.config import ResolvedConfig
from fusion_graph.cost.budget import Budget
from fusion_graph.errors import CutBefore, Degradation, TimeUp
from fusion_graph.evidence import Ledger, open_ledger
from fusion_graph.run._member_clock import MemberClock
from fusion_graph.run.deadlines import Spent, spent
from fusion_graph.run.tool_servers import stop_tool_servers
from fusion_graph.run.toolbox import Toolbox, open_toolbox
from fusion_graph.state import CallRecord, Joined, Judgement, Run

PANEL_SHARE = 0.6
"""How much of `run_timeout` a panel may take, so that judge and writer get their turn."""


SCOUTS_SHARE = 0.5
"""How much of the panel's time those asked first may take, so that the others get theirs."""


@dataclass(frozen=True)
class Wave:
    """Members of a panel that are asked together, and what came of those asked before.

    Attributes:
        size: How many are asked.
        last: Whether nobody is asked after them.
        answered: How many had answered before.
        failed: How many had failed before.
        stand_ins: How many models stand in for somebody already.
        spent: What the run has spent before.
        later: Whether others were asked before, so that their time is gone.
    """

    size: int
    last: bool
    answered: int
    failed: int
    stand_ins: int
    spent: Spent
    later: bool = False

    @classmethod
    def again(
        cls, run: Run, settings: ResolvedConfig, joined: Joined, judgement: Judgement, size: int
    ) -> Wave:
        """Tell the members that are asked once more about one point.

        Args:
            run: The run.
            settings: Its settings.
            joined: The panel's work.
            judgement: The judge's comparison of it.
            size: How many are asked.
        """
        done = spent(run, joined, judgement)
        nobody_stands_in = len(settings.fallbacks)
        return cls(size, True, size, 0, nobody_stands_in, done, later=True)

    @classmethod
    def of(
        cls,
        run: Run,
        settings: ResolvedConfig,
        joined: Joined | None = None,
        judgement: Judgement | None = None,
    ) -> Wave:
        """Tell the wave that is asked next.

        Args:
            run: The run, with its scouts if its panel is adaptive.
            settings: Its settings.
            joined: The scouts' work, once they have been asked.
            judgement: The judge's comparison of it.
        """
        whole = len(settings.panel)
        before = joined["answers"] if joined is not None else []
        size = whole - len(before)
        if joined is None:
            size = len(run.get("scouts", ())) or whole
        answered = sum(answer["status"] == "ok" for answer in before)
        return cls(
            size=size,
            last=size + len(before) == whole,
            answered=answered,
            failed=len(before) - answered,
            stand_ins=sum(len(answer["replaced"]) for answer in before),
            spent=spent(run, joined, judgement),
            later=joined is not None,
        )


class Panel:
    """One panel at work, or a wave of it.

    Args:
        run_id: The run.
        settings: The run's configuration.
        budget: What the run may spend.
        ledger: What the run has read and followed.
        wave: Who of it is asked now.

    Attributes:
        inside: How many members are at work, or wait for a slot.
        paid: The calls of each member by its index; one that was interrupted begins anew, and what
            it had paid by then stays paid.
    """

    def __init__(
        self, run_id: str, settings: ResolvedConfig, budget: Budget, ledger: Ledger, wave: Wave
    ) -> None:
        self._run_id = run_id
        self.inside = 0
        self.paid: defaultdict[int, list[CallRecord]] = defaultdict(list)
        self.ledger = ledger
        self.budget = budget
        self._opening = asyncio.Lock()
        self._opened: Toolbox | None = None
        whole, size = len(settings.panel), wave.size
        self.spent = wave.spent
        self._possible = whole - wave.failed
        if wave.last:
            # Who is asked because others disagree is waited for, whatever they came to.
            self._quorum = max(settings.quorum or whole, wave.answered + 1)
            self._needed = settings.quorum or min(2, whole)
        else:
            # The rest of the panel stands in for a scout that fails.
            self._quorum, self._needed = min(settings.quorum or size, size), 0
        self._fallbacks = list(settings.fallbacks)[wave.stand_ins :]
        self._grace = settings.grace
        self._answered = wave.answered
        self._last_call: float | None = None
        self.slots = asyncio.Semaphore(settings.max_concurrency or size)
        self._gates: defaultdict[str, asyncio.Semaphore] = defaultdict(
            partial(asyncio.Semaphore, settings.provider_concurrency)
        )
        self._clocks: set[MemberClock] = set()
        self._share: float | None = None
        self._run_ends: float | None = None
        if settings.run_timeout is not None:
            left = settings.run_timeout - (wave.spent.seconds if wave.later else 0)
            share = PANEL_SHARE if whole > 1 else 1
            self._share = max(0.0, left) * share * (1 if wave.last else SCOUTS_SHARE)

    @property
    def toolbox(self) -> Toolbox:
        """The tools, once they are open: shared, so that what several want is fetched once."""
        assert self._opened is not None
        return self._opened

    @property
    def tool_losses(self) -> list[Degradation]:
        """What tools the run has to do without by now."""
        servers = self._opened.servers if self._opened is not None else None
        return servers.losses() if servers is not None else []

    async def open_tools(
        self, settings: ResolvedConfig, own_tools: Sequence[BaseTool] | None
    ) -> None:
        """Open the tools, once: whoever comes meanwhile waits for it."""
        async with self._opening:
            if self._opened is None:
                self._opened = await open_toolbox(
                    self._run_id, settings, own_tools, self.ledger.followed
                )

    @asynccontextmanager
    async def at_work(self, seconds: float) -> AsyncIterator[MemberClock]:
        """Start a member's clock: it has at most `seconds`, and less once enough answered.

        Raises:
            TimeUp: The time was over.
        """
        now = asyncio.get_running_loop().time()
        if self._share is not None and self._run_ends is None:
            self._run_ends = now + self._share
        if self._last_call is not None and self._last_call <= now:
            raise TimeUp("grace")  # before anything is paid
        deadline = asyncio.timeout_at(now + seconds)
        clock: MemberClock | None = None
        try:
            async with deadline:
                clock = MemberClock(deadline, now + seconds)
                if self._run_ends is not None:
                    clock.shorten(self._run_ends, "run")
                if self._last_call is not None:
                    clock.shorten(self._last_call, "grace")
                self._clocks.add(clock)
                try:
                    yield clock
                finally:
                    self._clocks.discard(clock)
                    clock.end()
        except CutBefore:
            raise TimeUp("total") from None
        except TimeoutError:
            if clock is None or not deadline.expired():
                raise
            raise TimeUp(clock.cutoff) from None

    def rest(self) -> None:
        """Forget what time was left: the run was interrupted, and goes on with its time anew."""
        self._last_call = self._run_ends = None

    @asynccontextmanager
    async def gate(self, clock: MemberClock, provider: str) -> AsyncIterator[None]:
        """Let so many calls to a provider through at once; a member that waits is in line.

        Args:
            clock: The member's, which stands still while it is in line.
            provider: Whose models are called.
        """
        gate = self._gates[provider]
        if gate.locked():
            with clock.in_line():
                await gate.acquire()
        else:
            await gate.acquire()
        try:
            yield
        finally:
            gate.release()

    def answered(self) -> None:
        """Count an answer; with the quorum reached, the others get the grace period."""
        self._answered += 1
        if self._answered < self._quorum or self._last_call is not None:
            return
        self._last_call = asyncio.get_running_loop().time() + self._grace
        for clock in self._clocks:
            clock.shorten(self._last_call, "grace")

    def stand_ins_left(self) -> bool:
        """Say whether somebody could still be asked in a member's place."""
        return bool(self._fallbacks)

    def stand_in(self, *, even_if_enough: bool = False) -> Any | None:
        """Name the model to ask in a failed member's place, if too few would be left without it.

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


@contextmanager
def take_part(run: Run, settings: ResolvedConfig, wave: Wave | None = None) -> Iterator[Panel]:
    """Give the panel of a run, in this process and loop, to one of its members.

    The first member opens it; `close_panel` closes it.

    Args:
        run: The run.
        settings: Its configuration.
        wave: Who is asked now; by default whoever is asked first.
    """
    key = run["id"], asyncio.get_running_loop()
    panel = _enter(key, run, settings, wave or Wave.of(run, settings))
    interrupted = False
    try:
        yield panel
    except GraphBubbleUp:
        interrupted = True
        raise
    except Exception:
        raise
    except BaseException:  # the run ends here
        close_panel(run["id"])
        stop_tool_servers(run["id"])
        raise
    finally:
        with _lock:
            panel.inside -= 1
            if interrupted and not panel.inside:
                panel.rest()
                stop_tool_servers(run["id"])  # whoever is asked may take days
            idle = [k for k, other in _open.items() if not other.inside or k[1].is_closed()]
            for old in idle[: max(0, len(idle) - MOST_PANELS)]:
                del _open[old]


def close_panel(run_id: str) -> None:
    """Forget the panel of a run: its members have done their work."""
    with _lock:
        for key in [key for key in _open if key[0] == run_id]:
            del _open[key]


def _enter(key: _Key, run: Run, settings: ResolvedConfig, wave: Wave) -> Panel:
    with _lock:
        panel = _open.get(key)
        if panel is None:
            budget = Budget.of(settings, wave.spent.calls)
            panel = _open[key] = Panel(run["id"], settings, budget, open_ledger(run["id"]), wave)
        panel.inside += 1
        _open.move_to_end(key)
    return panel
