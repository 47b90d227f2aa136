"""A member at work: a panelist's stage, on the panel's budget and under the panel's clock."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial

from langchain_core.tools import BaseTool

from fusion_graph.config import ResolvedConfig
from fusion_graph.models.calls import Caller
from fusion_graph.run._member_clock import MemberClock
from fusion_graph.run.panel import Panel, Wave, take_part
from fusion_graph.run.recursion import inside_fusion
from fusion_graph.run.stage import Stage, no_text
from fusion_graph.state import Run, StageName
from fusion_graph.state.events import Emit, never_silent


class Member(Stage):
    """One panelist at work.

    Args:
        panel: What it shares with the others.
        index: Its place in the panel.
        run: The run.
        settings: The run's settings.
        caller: Calls the models on the panel's budget, and keeps the records.
        emit: Sends progress events.
        touch: Says that something was heard, so that it is not told to be silent.
        tools: The tools that the graph was made with, in place of the web tools.

    Attributes:
        began: Unix time it got to work, after waiting for a slot.
        waited: Seconds since then in which it stood in line for its provider.
    """

    def __init__(
        self,
        panel: Panel,
        index: int,
        run: Run,
        settings: ResolvedConfig,
        caller: Caller,
        emit: Emit,
        touch: Callable[[], None],
        tools: Sequence[BaseTool] | None,
    ) -> None:
        super().__init__(run, settings, caller, panel.spent, emit, touch, no_text, tools)
        self.panel, self.index = panel, index
        self.began, self.waited = time.time(), 0.0
        self._clock: MemberClock | None = None

    @property
    def clock(self) -> MemberClock:
        """What may end its work, while it is at work."""
        assert self._clock is not None
        return self._clock

    @property
    def seconds(self) -> float:
        """How long it has been at work, in seconds."""
        return time.time() - self.began - self.waited

    @asynccontextmanager
    async def in_slot(self) -> AsyncIterator[None]:
        """Wait until the panel has a slot for it, and open the tools.

        Raises:
            ConfigurationError: The tools are not available here.
        """
        # The first thing that is waited for: so slots go to members in the panel's order.
        async with self.panel.slots:
            await self.panel.open_tools(self.settings, self.tools)
            self.began = time.time()
            yield

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[Caller]:
        """Give the caller for as long as the panel lets it work.

        Raises:
            TimeUp: Its time was over.
        """
        async with self.panel.at_work(self.settings.panelist_timeout) as clock:
            self._clock = clock
            self._caller.gate = partial(self.panel.gate, clock)
            self._caller.in_line = clock.in_line
            self._caller.resting = clock.unwatched
            try:
                yield self._caller
            finally:
                self.waited += clock.waited


@contextmanager
def open_member(
    run: Run,
    settings: ResolvedConfig,
    index: int,
    emit: Emit,
    *,
    stage: StageName = "panel",
    tools: Sequence[BaseTool] | None = None,
    wave: Wave | None = None,
) -> Iterator[Member]:
    """Open a panelist's stage for as long as its body runs.

    Args:
        run: The run.
        settings: The run's settings.
        index: Which of its members.
        emit: Sends progress events.
        stage: Which part of the run pays: `direct` where one model answers alone.
        tools: The tools that the graph was made with, in place of the web tools.
        wave: Who of the panel is asked with it; by default whoever is asked first.
    """
    name = run["members"][index]
    with (
        inside_fusion(),
        never_silent(emit, stage, name) as (emit_and_touch, touch),
        take_part(run, settings, wave) as panel,
    ):
        caller = Caller(
            stage,
            name,
            run["started"],
            emit_and_touch,
            calls=panel.paid[index],
            budget=panel.budget,
            nonce=run["nonce"],
        )
        yield Member(panel, index, run, settings, caller, emit_and_touch, touch, tools)
