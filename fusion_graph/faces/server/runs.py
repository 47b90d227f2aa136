"""Runs: fusions that go on by themselves, told to whoever asks, and forgotten in time."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import traceback
from bisect import bisect_left
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from fusion_graph.errors import AllPanelistsFailed, ApiError, TooManyRuns
from fusion_graph.faces.server._api_errors import api_error
from fusion_graph.faces.server._attached import Attached
from fusion_graph.faces.server._metrics import Tally
from fusion_graph.faces.server._public import preset_name, public_report, result_event
from fusion_graph.faces.server._turns import Turn

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage

    from fusion_graph.graph import FusionGraph

KEEP_CHARACTERS = 64_000_000
"""Finished runs are forgotten, the oldest first, once they hold more than this (as JSON)."""

LIVE_EVENTS = 20_000
"""Past so many events of one run its panelists' pieces are no longer kept: 16 panelists at 10 a
second get there in two minutes, and what they wrote comes whole with `panel.completed`."""

PROVISIONAL = frozenset({"panel.delta", "answer.delta", "fusion.waiting"})
"""Events that a finished run does not keep: the whole texts stand in other events."""

Status = Literal["running", "ok", "degraded", "error", "cancelled"]

Origin = Literal["page", "api"]

_log = logging.getLogger("fusion_graph.server")


@dataclass
class Run:
    """One fusion, running or finished.

    Attributes:
        id: Names it in URLs.
        question: What was asked, for lists.
        model: `fusion/NAME`.
        started: Unix time, seconds.
        status: How it stands: `running`, or how it ended.
        events: What happened so far, as JSON-able data: the events of `follow`, where the last,
            `fusion.result`, holds content, tool_calls, finish_reason, usage and report. Pieces of
            text are dropped when the run is over and nobody follows it any more.
        report: The finished run's report, also of one whose panelists all failed.
        error: `{code, message}` of a run that failed.
        message: The finished run's answer.
        failure: What the run raised.
        origin: Who started it: the `page`, or a program over an `api`.
        turns: What was asked and answered before it in its thread, the oldest first.
        files: What is attached to the question.
    """

    id: str
    question: str
    model: str
    started: float
    status: Status = "running"
    events: list[dict[str, Any]] = field(default_factory=list)
    report: dict[str, Any] | None = None
    error: dict[str, str] | None = None
    message: AIMessage | None = None
    failure: ApiError | None = None
    origin: Origin = "api"
    turns: list[Turn] = field(default_factory=list)
    files: list[Attached] = field(default_factory=list)
    _numbers: list[int] = field(default_factory=list, repr=False)
    _next: int = field(default=0, repr=False)
    _followers: int = field(default=0, repr=False)
    _news: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    _task: asyncio.Task[Status] | None = field(default=None, repr=False)

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.status == "running"

    @property
    def seconds(self) -> float:
        """How long it has been at work, or was."""
        if self.running:
            return max(0.0, time.time() - self.started)
        return float(next((event["at"] for event in reversed(self.events) if "at" in event), 0.0))

    async def follow(self, after: int = 0) -> AsyncIterator[tuple[int, dict[str, Any]]]:
        """Its events from the one numbered `after` on, then those to come, to its end.

        Args:
            after: Where to begin: 0, or one more than the last number seen.

        Yields:
            Number and event. Numbers rise, and have gaps once a finished run was cut down.
        """
        async with aclosing(self.gathered(after)) as all_news:  # type: ignore[type-var]
            async for news in all_news:
                for numbered in news:
                    yield numbered

    async def gathered(self, after: int = 0) -> AsyncIterator[list[tuple[int, dict[str, Any]]]]:
        """Its events as `follow` has them, all that have come since the last look together.

        Args:
            after: Where to begin: 0, or one more than the last number seen.
        """
        self._followers += 1
        try:
            while True:
                news, running = self._news, self.running
                place = bisect_left(self._numbers, after)
                if place < len(self.events):
                    after = self._numbers[-1] + 1
                    yield list(zip(self._numbers[place:], self.events[place:], strict=True))
                if not running:
                    return
                await news.wait()  # set already if more came while the reader was at work
        finally:
            self._followers -= 1
            self._cut_down()

    async def begun(self) -> None:
        """Wait until something has happened: its first event, or its end."""
        while self.running and not self.events:
            await self._news.wait()

    async def ended(self) -> None:
        """Wait for its end."""
        while self.running:
            await self._news.wait()

    def stop(self) -> None:
        """Have it stop, if it is running; waits for nothing."""
        if self._task is not None:
            self._task.cancel()

    def _add(self, event: dict[str, Any]) -> None:
        if len(self.events) >= LIVE_EVENTS and event["type"] == "panel.delta":
            return
        self.events.append(event)
        self._numbers.append(self._next)
        self._next += 1
        self._tell()

    def _end(self, status: Status) -> None:
        self.status = status
        self._task = None
        self._cut_down()
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def _cut_down(self) -> None:
        """Drop the pieces of text, unless somebody is in the middle of them."""
        if self.running or self._followers:
            return
        kept = [
            (number, event)
            for number, event in zip(self._numbers, self.events, strict=True)
            if event["type"] not in PROVISIONAL
        ]
        self._numbers = [number for number, _ in kept]
        self.events = [event for _, event in kept]


class Runs:
    """The runs of one server: the last ones, and those at work.

    Args:
        graph: From `create_fusion_graph`; by default one of its own, made when first needed.
        keep: How many finished runs of the page are remembered, and how many of programs.
        at_once: How many may be at work.
    """

    def __init__(
        self, graph: FusionGraph | None = None, *, keep: int = 100, at_once: int = 64
    ) -> None:
        self._graph = graph
        self._keep = keep
        self._at_once = at_once
        self._runs: dict[str, Run] = {}
        self._sizes: dict[str, int] = {}
        self.tally = Tally()

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

        Raises:
            TooManyRuns: No more may be at work.
        """
        if self.at_work >= self._at_once:
            raise TooManyRuns(self._at_once)
        run = Run(
            uuid4().hex,
            question,
            model,
            time.time(),
            origin=origin,
            turns=list(turns),
            files=list(files),
        )
        self._runs[run.id] = run
        run._task = asyncio.create_task(self._work(run, messages, context), name=f"run {run.id}")
        run._task.add_done_callback(partial(self._settle, run))
        return run

    def get(self, id: str) -> Run | None:
        """The run of that id, if it is remembered."""
        return self._runs.get(id)

    @property
    def at_work(self) -> int:
        """How many runs are at work."""
        return sum(run.running for run in self._runs.values())

    def latest(self) -> list[Run]:
        """All runs that are remembered, the newest first."""
        return list(reversed(self._runs.values()))

    async def cancel(self, id: str) -> bool:
        """Stop a run and wait until it has stopped.

        Returns:
            Whether it was running.
        """
        run = self._runs.get(id)
        if run is None or run._task is None:
            return False
        run.stop()
        await run.ended()
        return True

    async def forget(self, id: str) -> None:
        """Drop a run; one at work is stopped first."""
        await self.cancel(id)
        self._runs.pop(id, None)
        self._sizes.pop(id, None)

    async def close(self) -> None:
        """Stop all runs and wait until they have stopped."""
        running = [run for run in self._runs.values() if run.running]
        for run in running:
            run.stop()
        for run in running:
            await run.ended()

    def _settle(self, run: Run, task: asyncio.Task[Status]) -> None:
        """Note how a run ended; called for its task, which may have been stopped unbegun."""
        error = None if task.cancelled() else task.exception()
        if task.cancelled():
            said = "The run was cancelled."
            run.failure = ApiError(503, said, "cancelled", type="server_error", retry=False)
        elif error is not None:
            run.failure = api_error(error)
            if isinstance(error, AllPanelistsFailed) and error.report is not None:
                run.report = run.failure.report = public_report(error.report)
            if run.failure.code == "internal_error":
                _log.error("run %s: %s", run.id, type(error).__name__)
                _log.debug("%s", "".join(traceback.format_exception(error)))
        if run.failure is None:
            run._end(task.result())
        else:
            run.error = {"code": run.failure.code, "message": run.failure.message}
            run._end("cancelled" if task.cancelled() else "error")
        outcome = run.failure.code if run.failure is not None else run.status
        self.tally.add(run.model, outcome, time.time() - run.started, run.report)
        self._forget(run)

    async def _work(self, run: Run, messages: Sequence[Any], context: Mapping[str, Any]) -> Status:
        from fusion_graph.faces.follow import follow

        stream = follow(self._the_graph(), messages, context=dict(context))
        async with aclosing(stream) as events:  # type: ignore[type-var]
            async for event in events:
                if event["type"] == "fusion.result":
                    run.message = event["message"]
                    run.report = public_report(event["report"])
                    run._add(result_event(event["message"], run.report))
                elif event["type"] == "fusion.started" and event["preset"]:
                    run._add({**event, "preset": preset_name(event["preset"])})
                else:
                    run._add(event)
        assert run.report is not None
        return "ok" if run.report["status"] == "ok" else "degraded"

    def _the_graph(self) -> FusionGraph:
        if self._graph is None:
            from fusion_graph.graph import create_fusion_graph

            self._graph = create_fusion_graph()
        return self._graph

    def _forget(self, ended: Run) -> None:
        """Drop the oldest finished runs past what is kept, of the page's or of programs'."""
        self._sizes[ended.id] = len(
            json.dumps([ended.events, ended.turns, ended.files], default=str)
        )
        finished = [
            run.id
            for run in self._runs.values()
            if run.origin == ended.origin and not run.running and run.id in self._sizes
        ]
        size = sum(self._sizes[id] for id in finished)
        for place, id in enumerate(finished[:-1]):
            if len(finished) - place <= self._keep and size <= KEEP_CHARACTERS:
                return
            size -= self._sizes.pop(id)
            del self._runs[id]
