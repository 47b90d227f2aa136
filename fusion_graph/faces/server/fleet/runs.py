"""A server's runs in a fleet: any server of the fleet finds, follows and stops them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Coroutine
from typing import TYPE_CHECKING, Any

from fusion_graph.errors import ApiError
from fusion_graph.faces.server._retention import size_of
from fusion_graph.faces.server._run_records import interrupt
from fusion_graph.faces.server.fleet.fleet import Fleet
from fusion_graph.faces.server.holders import OWNER, Holder
from fusion_graph.faces.server.run import Run
from fusion_graph.faces.server.runs import Runs

if TYPE_CHECKING:
    from fusion_graph.faces.follow import Event

LEAVING = (
    "This server is being stopped; the run goes on in the fleet. The same request finds it there, "
    "at any server of the fleet."
)
"""What is said of a run that was at work when this server ended."""

INTERRUPTED = (
    "This run was stopped when nobody waited for it any more. What its models had answered is "
    "kept: the same request goes on from there, and so does POST /api/runs/ID/resume."
)
"""What is said of a run that was stopped, but not for good."""

_log = logging.getLogger("fusion_graph.server")


class FleetRuns(Runs):
    """The runs of a server in front of a fleet: here is what it has begun, or was asked for.

    Args:
        fleet: Has them.
        keep: How many finished runs of the page are remembered here, and how many of programs, of
            each key.
        at_once: How many may be at work that this server has begun.
    """

    def __init__(self, fleet: Fleet, *, keep: int = 100, at_once: int = 64) -> None:
        super().__init__(keep=keep, at_once=at_once)
        self.fleet = fleet
        self.shared = fleet.store
        self._notes: set[asyncio.Task[None]] = set()
        self._placing: dict[str, asyncio.Event] = {}

    async def find(self, id: str) -> Run | None:
        """The run of that id, of any server's."""
        here = self.get(id)
        if here is not None and here.running:
            return here
        there = await self.fleet.find(id)
        here = self.get(id)
        if here is not None and here.running:  # taken in meanwhile
            return here
        if there is None:
            if here is not None:
                self._runs.pop(id)
                self._sizes.pop(id, None)
            return None
        if here is not None and _is_as(here, there):
            here.told = there.told
            return here
        return await self._take_in(there)

    async def find_task(self, prefix: str) -> Run | None:
        """The run whose id begins so, of any server's."""
        found = await self.fleet.search(task=prefix, limit=2)
        return await self.find(found[0].id) if len(found) == 1 else None

    async def listed(self, holder: Holder = OWNER) -> list[Run]:
        """All runs that a key sees, the newest first; others' as a list shows them."""
        there = await self.fleet.search(owner=holder.name or None)
        return [_best(self.get(run.id), run) for run in there]

    async def left_off(self, asked: str, holder: Holder = OWNER) -> Run | None:
        """Find the run of a request that is at work, or whose answer never went out.

        Args:
            asked: What is asked, as a digest.
            holder: Who asks.
        """
        if not asked:
            return None
        if self._notes:  # what went out here a moment ago is not asked for again
            await asyncio.wait(self._notes)
        found = await self.fleet.search(owner=holder.name, asked=asked, untold=True, limit=5)
        for run in found:
            if run.status in ("running", "ok", "interrupted"):
                taken = await self.find(run.id)
                if taken is not None and not taken.told and _is_wanted(taken):
                    return taken
        return None

    def resume(self, run: Run, holder: Holder = OWNER) -> None:
        """Have an interrupted run go on; what its models had answered is not asked again.

        Raises:
            ApiError: 409, it is not interrupted.
            TooManyRuns: No more may be at work.
        """
        if run.status != "interrupted":
            said = f"This run is not interrupted ({run.status}): there is nothing to go on with."
            raise ApiError(409, said, "run_not_interrupted", retry=False)
        self._make_room(holder, None)
        run.resumed, run.mirror = time.time(), False
        self._sizes.pop(run.id, None)
        self._set_to_work(run, self.fleet.go_on(run))

    def note_told(self, run: Run) -> None:
        """Note that a run's answer has gone out whole to the program that asked."""
        if not run.told:
            run.told = True
            self._note(self.fleet.note_told(run.id))

    async def cancel(self, id: str) -> bool:
        """Stop a run, whoever waits for it.

        Returns:
            Whether it was running, or could have gone on.
        """
        run = await self.find(id)
        if run is None or run.status not in ("running", "interrupted"):
            return False
        await self.fleet.cancel(id)
        return await super().cancel(id)

    async def forget(self, id: str) -> None:
        """Drop a run, for all servers; one at work is stopped first."""
        await self.cancel(id)
        await self.fleet.forget(id)
        await super().forget(id)

    async def kept(self) -> None:
        """Wait until other servers would find the runs that were begun here."""
        for id, placed in list(self._placing.items()):
            run = self.get(id)
            if run is not None and run.running:
                waits = {asyncio.create_task(placed.wait()), asyncio.create_task(run.ended())}
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                for wait in waits:
                    wait.cancel()
            self._placing.pop(id, None)

    async def close(self) -> None:
        """Leave the runs at work to the fleet."""
        self.fleet.leaving = True
        await super().close()
        while self._notes:
            await asyncio.wait(self._notes)
        await self.fleet.close()

    @property
    def _is_kept(self) -> bool:
        return True

    @property
    def _interrupted(self) -> str:
        return LEAVING

    def _begun(self, run: Run) -> AsyncIterator[Event]:
        placed = self._placing[run.id] = asyncio.Event()
        return self.fleet.begin(run, placed)

    def _make_room(self, holder: Holder, wanted: float | None) -> float | None:
        if holder.max_cost_usd_per_day is not None:
            said = (
                f"The key '{holder.name}' has max_cost_usd_per_day, which a server in front of a "
                "fleet cannot count. Its owner takes it out, and sets FUSION_MAX_COST_USD_PER_DAY "
                "on the workers."
            )
            raise ApiError(403, said, "daily_budget_not_counted", retry=False)
        return super()._make_room(holder, wanted)

    async def _take_in(self, run: Run) -> Run:
        """Take in a run of another server's: one at work is followed, one that ended is read."""
        self._sizes.pop(run.id, None)
        self._runs[run.id] = run
        if run.status == "interrupted":
            interrupt(run, INTERRUPTED)
            self._sizes[run.id] = size_of(run)
            return run
        if run.status == "cancelled":
            self._give_up(run)
            return run
        at_work = run.status == "running"
        self._set_to_work(run, self.fleet.attach(run))
        if not at_work:
            await run.ended()
        return run

    def _note(self, noting: Coroutine[Any, Any, None]) -> None:
        async def note() -> None:
            try:
                await noting
            except ApiError as error:
                _log.warning("the fleet could not be told that an answer went out: %s", error.code)

        task = asyncio.create_task(note())
        self._notes.add(task)
        task.add_done_callback(self._notes.discard)


def _is_as(here: Run, there: Run) -> bool:
    """Whether a run that has ended here stands as it does in the fleet."""
    if there.status == "ok":
        return here.report is not None and here.failure is None
    return here.failure is not None and there.status in (here.status, "error", "cancelled")


def _is_wanted(run: Run) -> bool:
    return run.status in ("running", "interrupted") or run.report is not None


def _best(here: Run | None, there: Run) -> Run:
    """What is known of a run: here, if it stands here as it does in the fleet."""
    return here if here is not None and (here.running or _is_as(here, there)) else there
