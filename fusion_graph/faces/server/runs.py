"""Runs: fusions that go on by themselves, told to whoever asks, and forgotten in time."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from fusion_graph.errors import AllPanelistsFailed, ApiError, TooManyRuns
from fusion_graph.faces.server._api_errors import api_error
from fusion_graph.faces.server._attached import Attached
from fusion_graph.faces.server._metrics import Tally
from fusion_graph.faces.server._public import preset_name, public_report, result_event
from fusion_graph.faces.server._retention import forgettable, size_of
from fusion_graph.faces.server._run_records import INTERRUPTED, interrupt
from fusion_graph.faces.server._spending import Spending, today
from fusion_graph.faces.server._turns import Turn
from fusion_graph.faces.server.holders import OWNER, Holder
from fusion_graph.faces.server.run import Origin, Run, Status
from fusion_graph.faces.server.run_store import RunStore

if TYPE_CHECKING:
    from fusion_graph.faces.follow import Event
    from fusion_graph.faces.server._checkpoints import Checkpoints
    from fusion_graph.faces.server.fleet._store import FleetStore
    from fusion_graph.graph import FusionGraph

_log = logging.getLogger("fusion_graph.server")


class Runs:
    """The runs of one server: the last ones, and those at work.

    Args:
        graph: From `create_fusion_graph`; by default one of its own, made when first needed.
        keep: How many finished runs of the page are remembered, and how many of programs, of each
            key.
        at_once: How many may be at work.
        store: Keeps them for the next server, opened; None to have them in memory only.

    Attributes:
        shared: Where servers keep things for each other; None for a server of its own.
    """

    shared: FleetStore | None = None

    def __init__(
        self,
        graph: FusionGraph | None = None,
        *,
        keep: int = 100,
        at_once: int = 64,
        store: RunStore | None = None,
    ) -> None:
        self._graph = graph
        self._keep = keep
        self._at_once = at_once
        self._runs: dict[str, Run] = {}
        self._sizes: dict[str, int] = {}
        self._store = store
        self._checkpoints: Checkpoints | None = None
        self._tidying: set[asyncio.Task[None]] = set()
        self._closing = False
        self.tally = Tally()
        self.spending = Spending()
        if store is not None:
            self.spending = Spending(store.spent(today()), store.write_spent)
        for run in () if store is None else store.found():
            self._runs[run.id] = run
            self._sizes[run.id] = size_of(run)
            if _may_go_on(run):
                self._count(run)  # a killed server could not
        self._forget_some()

    async def open(self) -> None:
        """Make ready to keep what runs have done so far, so that they can go on; once."""
        if self._store is None or self._store.lost or self._checkpoints is not None:
            return
        from fusion_graph.faces.server._checkpoints import Checkpoints

        checkpoints = Checkpoints(self._store.checkpoints_file)
        await checkpoints.open([run.id for run in self._runs.values() if _may_go_on(run)])
        if checkpoints.lost:
            _log.warning(
                "checkpoints in %s cannot be used: %s. Runs that were interrupted cannot go on, "
                "and those to come are not resumed after the end of this server: move the file "
                "away.",
                self._store.checkpoints_file,
                checkpoints.lost,
            )
        self._checkpoints = checkpoints

    def start(
        self,
        messages: Sequence[Any],
        context: Mapping[str, Any],
        *,
        model: str,
        question: str,
        origin: Origin = "api",
        turns: Sequence[Turn] = (),
        files: Sequence[Attached] = (),
        asked: str = "",
        holder: Holder = OWNER,
        max_cost: float | None = None,
    ) -> Run:
        """Start a run in the running event loop; it needs no reader.

        Args:
            messages: The conversation.
            context: The run's configuration, as `FusionConfig` fields.
            model: What the client called the model.
            question: What is asked, for lists.
            origin: Who starts it.
            turns: What was asked and answered before it in its thread.
            files: What is attached to the question.
            asked: What is asked, as a digest, for `left_off`.
            holder: Who asks: it is that key's run.
            max_cost: What it may cost by its own configuration, US dollars; None for no limit.

        Raises:
            TooManyRuns: No more may be at work.
            ApiError: 429, the key has no money left today.
        """
        may_cost = self._make_room(holder, max_cost)
        run = Run(
            uuid4().hex,
            question,
            model,
            time.time(),
            origin=origin,
            turns=list(turns),
            files=list(files),
            context=context,
            messages=messages,
            asked=asked,
            owner=holder.name,
            may_cost=may_cost,
        )
        self._runs[run.id] = run
        self._set_to_work(run, self._begun(run))
        return run

    def resume(self, run: Run, holder: Holder = OWNER) -> None:
        """Have an interrupted run go on; what its models had answered is not asked again.

        Args:
            run: One of these.
            holder: Who asks for it.

        Raises:
            ApiError: 409, it is not interrupted; 429, the key has no money left today.
            TooManyRuns: No more may be at work.
        """
        if run.status != "interrupted" or self._checkpoints is None:
            said = f"This run is not interrupted ({run.status}): there is nothing to go on with."
            raise ApiError(409, said, "run_not_interrupted", retry=False)
        wanted = None if run.may_cost is None else max(0.0, run.may_cost - run.counted)
        rest = self._make_room(holder, wanted)
        run.may_cost = None if rest is None else rest + run.counted
        run.resumed = time.time()
        self._sizes.pop(run.id, None)
        self._set_to_work(run, self._checkpoints.resume(run))

    async def left_off(self, asked: str, holder: Holder = OWNER) -> Run | None:
        """Find the run of a request that a server before did not live to answer.

        Args:
            asked: What is asked, as a digest.
            holder: Who asks.

        Returns:
            One that is interrupted, or had ended, but whose answer never went out.
        """
        seen = (run for run in self.latest() if holder.sees(run.owner))
        same = (run for run in seen if asked and run.asked == asked)
        return next((run for run in same if _may_go_on(run) or _is_untold(run)), None)

    def note_told(self, run: Run) -> None:
        """Note that a run's answer has gone out whole to the program that asked."""
        run.told = True
        if self._store is not None and run.id in self._runs:
            self._store.write_about(run)

    def get(self, id: str) -> Run | None:
        """The run of that id, if it is remembered here."""
        return self._runs.get(id)

    async def find(self, id: str) -> Run | None:
        """The run of that id, wherever it is remembered."""
        return self.get(id)

    async def find_task(self, prefix: str) -> Run | None:
        """The run whose id begins so, wherever it is remembered."""
        return next((run for run in self.latest() if run.id.startswith(prefix)), None)

    @property
    def at_work(self) -> int:
        """How many runs are at work that this server has begun."""
        return sum(run.running and not run.mirror for run in self._runs.values())

    def latest(self) -> list[Run]:
        """All runs that are remembered here, the newest first."""
        return list(reversed(self._runs.values()))

    async def listed(self, holder: Holder = OWNER) -> list[Run]:
        """All runs that are remembered anywhere, the newest first; others' as a list shows them.

        Args:
            holder: Who asks.
        """
        return [run for run in self.latest() if holder.sees(run.owner)]

    async def kept(self) -> None:
        """Wait until what has happened so far is on the disk, if it is to be there."""
        if self._store is not None:
            await self._store.settled()

    async def cancel(self, id: str) -> bool:
        """Stop a run and wait until it has stopped; an interrupted one is given up.

        Returns:
            Whether it was running, or could have gone on.
        """
        run = self._runs.get(id)
        if run is None or run.status == "interrupted":
            return run is not None and self._give_up(run)
        if run._task is None:
            return False
        run.stop()
        await run.ended()
        return True

    async def forget(self, id: str) -> None:
        """Drop a run; one at work is stopped first."""
        await self.cancel(id)
        if self._runs.pop(id, None) is None:
            return
        self._sizes.pop(id, None)
        if self._store is not None:
            self._store.drop(id, wipe=True)
            if self._checkpoints is not None:
                await self._checkpoints.drop(id, wipe=True)
            await self._store.settled()

    def will_close(self) -> None:
        """Note that the server's end has begun: whose client leaves now has been sent away by it.

        Its run is interrupted then, not given up, and goes on when the client asks again. Streams
        break off at the signal itself, and it takes a moment until `close` is called.
        """
        self._closing = True

    async def close(self) -> None:
        """Stop all runs and wait until they have stopped; what is kept of them is written down."""
        self.will_close()
        running = [run for run in self._runs.values() if run.running]
        for run in running:
            run.stop()
        for run in running:
            await run.ended()
        while self._tidying:
            await asyncio.wait(self._tidying)
        if self._store is not None:
            await self._store.close()
        if self._checkpoints is not None:
            await self._checkpoints.close()
            self._checkpoints = None

    def _make_room(self, holder: Holder, wanted: float | None) -> float | None:
        """See to it that one more run may be at work. Returns what it may cost, US dollars."""
        if self._closing:
            said = "This server is being stopped. Ask again when it is back."
            headers = {"retry-after": "5"}
            raise ApiError(503, said, "stopping", type="server_error", retry=True, headers=headers)
        if self.at_work >= self._at_once:
            raise TooManyRuns(self._at_once)
        own = [run for run in self._runs.values() if run.running and run.owner == holder.name]
        if holder.max_runs is not None and len(own) >= holder.max_runs:
            raise TooManyRuns(holder.max_runs, holder.name)
        return self.spending.allowed(holder, own, wanted)

    def _set_to_work(self, run: Run, events: AsyncIterator[Event]) -> None:
        task = asyncio.create_task(self._work(run, events), name=f"run {run.id}")
        run.begin(task)
        if self._store is not None:
            self._store.write(run)
        task.add_done_callback(partial(self._settle, run))

    def _settle(self, run: Run, task: asyncio.Task[Status]) -> None:
        """Note how a run ended; called for its task, which may have been stopped unbegun."""
        error = None if task.cancelled() else task.exception()
        if task.cancelled() and self._closing and self._is_kept:
            interrupt(run, self._interrupted)
            run.end("interrupted")
            self._count(run)
            return
        if task.cancelled():
            _cancelled(run)
        elif error is not None:
            run.failure = api_error(error)
            if isinstance(error, AllPanelistsFailed) and error.report is not None:
                run.report = run.failure.report = public_report(error.report)
            if run.failure.code == "internal_error":
                _log.error("run %s: %s", run.id, type(error).__name__)
                _log.debug("%s", "".join(traceback.format_exception(error)))
        if run.failure is None:
            run.end(task.result())
        else:
            run.error = {"code": run.failure.code, "message": run.failure.message}
            run.end("cancelled" if run.failure.code == "cancelled" else "error")
        outcome = run.failure.code if run.failure is not None else run.status
        if not run.mirror:
            self.tally.add(run.model, outcome, run.worked, run.report)
            self.tally.add_of_key(run.owner, outcome)
        self._finish(run)

    @property
    def _is_kept(self) -> bool:
        """Whether runs at work can be gone on with by the next server."""
        return self._checkpoints is not None and not self._checkpoints.lost

    @property
    def _interrupted(self) -> str:
        """What is said of a run that the end of this server interrupts."""
        return INTERRUPTED

    def _give_up(self, run: Run) -> bool:
        _cancelled(run)
        assert run.failure is not None
        run.error = {"code": run.failure.code, "message": run.failure.message}
        run.end("cancelled")
        self._finish(run)
        return True

    def _finish(self, run: Run) -> None:
        """Keep a run that has ended as it is, and nothing to go on from."""
        run.messages = ()
        self._count(run)
        if self._checkpoints is not None:
            tidying = asyncio.create_task(self._tidy(run.id))
            self._tidying.add(tidying)
            tidying.add_done_callback(self._tidying.discard)
        self._sizes[run.id] = size_of(run)
        self._forget_some()

    def _count(self, run: Run) -> None:
        """Count what a run has cost, and write it down as it stands."""
        self.spending.count(run)
        if self._store is not None:
            self._store.write(run)

    async def _tidy(self, id: str) -> None:
        """Remove the checkpoints of a run whose end is written down, and not before."""
        assert self._store is not None
        assert self._checkpoints is not None
        if await self._store.settled():
            await self._checkpoints.drop(id)

    async def _work(self, run: Run, stream: AsyncIterator[Event]) -> Status:
        await Runs.kept(
            self
        )  # nobody is asked before a server to come would know whose answer it is
        async with aclosing(stream) as events:  # type: ignore[type-var]
            async for event in events:
                if event["type"] == "fusion.result":
                    run.message = event["message"]
                    run.report = public_report(event["report"])
                    self._add(run, result_event(event["message"], run.report))
                elif event["type"] == "fusion.started" and event["preset"]:
                    self._add(run, {**event, "preset": preset_name(event["preset"])})
                else:
                    self._add(run, event)
        assert run.report is not None
        return "ok" if run.report["status"] == "ok" else "degraded"

    def _add(self, run: Run, event: dict[str, Any]) -> None:
        number = run.add(event)
        if self._store is not None:
            self._store.add(run, number, event)

    def _begun(self, run: Run) -> AsyncIterator[Event]:
        from fusion_graph.faces.follow import follow

        if self._checkpoints is not None:
            return self._checkpoints.begin(run)
        return follow(self._the_graph(), run.messages, context=run.whole_context)

    def _the_graph(self) -> FusionGraph:
        if self._graph is None:
            from fusion_graph.graph import create_fusion_graph

            self._graph = create_fusion_graph()
        return self._graph

    def _forget_some(self) -> None:
        for id in forgettable(self._runs.values(), self._sizes, self._keep, time.time()):
            self._drop(id)

    def _drop(self, id: str) -> None:
        del self._runs[id], self._sizes[id]
        if self._store is not None:
            self._store.drop(id)


def _may_go_on(run: Run) -> bool:
    return run.status == "interrupted"


def _is_untold(run: Run) -> bool:
    return run.restored and run.report is not None and run.failure is None and not run.told


def _cancelled(run: Run) -> None:
    said = "The run was cancelled."
    run.failure = ApiError(503, said, "cancelled", type="server_error", retry=False)
