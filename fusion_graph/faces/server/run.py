"""A run: one fusion that goes on by itself, told to whoever asks."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from fusion_graph.errors import ApiError
from fusion_graph.faces.server._attached import Attached
from fusion_graph.faces.server._turns import Turn

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage

LIVE_EVENTS = 20_000
"""Past so many events of one run its panelists' pieces are no longer kept: 16 panelists at 10 a
second get there in two minutes, and what they wrote comes whole with `panel.completed`."""

PROVISIONAL = frozenset({"panel.delta", "answer.delta", "fusion.waiting"})
"""Events that a finished run does not keep: the whole texts stand in other events."""

Status = Literal["running", "ok", "degraded", "error", "cancelled", "interrupted"]

Origin = Literal["page", "api"]


@dataclass
class Run:
    """One fusion, running or finished.

    Attributes:
        id: Names it in URLs.
        question: What was asked, for lists.
        model: `fusion/NAME`.
        started: Unix time, seconds.
        status: How it stands: `running`, or how it ended. `interrupted`: its server stopped, and
            it can go on from what was kept.
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
        owner: The name of the key it was asked with; empty for the server owner's own.
        context: Its configuration, as `FusionConfig` fields.
        messages: The conversation, as long as the run may have to begin with it.
        asked: What was asked, as a digest: the same request after a restart goes on with it.
        may_cost: What it may cost, US dollars; None where nothing limits it.
        counted: What is counted of its cost, US dollars.
        told: Whether its answer has gone out to the program that asked.
        restored: Whether it was kept by a server that has ended since.
        resumed: When it was last gone on with, Unix time; None if never.
        mirror: Whether another server has begun it, and this one follows it.
        readers: How many programs wait for its answer here.
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
    owner: str = ""
    context: Mapping[str, Any] = field(default_factory=dict, repr=False)
    messages: Sequence[Any] = field(default=(), repr=False)
    asked: str = field(default="", repr=False)
    may_cost: float | None = None
    counted: float = 0.0
    told: bool = False
    restored: bool = False
    resumed: float | None = None
    mirror: bool = False
    readers: int = field(default=0, repr=False)
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
            return self.worked
        return float(next((event["at"] for event in reversed(self.events) if "at" in event), 0.0))

    @property
    def whole_context(self) -> dict[str, Any]:
        """Its configuration, with what it may cost."""
        limit = {} if self.may_cost is None else {"max_cost_usd": self.may_cost}
        return {**self.context, **limit}

    @property
    def worked(self) -> float:
        """Seconds since it was begun, or gone on with."""
        return max(0.0, time.time() - (self.resumed or self.started))

    @property
    def numbered(self) -> list[tuple[int, dict[str, Any]]]:
        """Its events with their numbers."""
        return list(zip(self._numbers, self.events, strict=True))

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

    def leave(self) -> None:
        """Note that a program has its answer, or has left; the last one that leaves stops it."""
        self.readers -= 1
        if self.readers <= 0:
            self.stop()

    def stop(self) -> None:
        """Have it stop, if it is running; waits for nothing."""
        if self._task is not None:
            self._task.cancel()

    def begin(self, task: asyncio.Task[Status]) -> None:
        """Be at work, by a task; also again, after an interruption."""
        self.status, self.error, self.failure = "running", None, None
        self._task = task

    def add(self, event: dict[str, Any]) -> int | None:
        """Take an event in, and tell it to whoever follows.

        Args:
            event: What happened.

        Returns:
            Its number; None if there are too many to keep it.
        """
        if len(self.events) >= LIVE_EVENTS and event["type"] == "panel.delta":
            return None
        number = self._next
        self.events.append(event)
        self._numbers.append(number)
        self._next += 1
        self._tell()
        return number

    def put_back(self, numbered: Sequence[tuple[int, dict[str, Any]]]) -> None:
        """Have the events that were kept.

        Args:
            numbered: Events with their numbers, which rise.
        """
        self._numbers = [number for number, _ in numbered]
        self.events = [event for _, event in numbered]
        self._next = self._numbers[-1] + 1 if numbered else 0

    def end(self, status: Status) -> None:
        """Have ended.

        Args:
            status: How.
        """
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
