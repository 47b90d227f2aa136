"""A stage at work: all that a piece of a run needs to call models, its limits by construction.

The router, each panelist, the judge, the writer and the verifier open one. Its caller is only to be
had within `at_work`, whose deadline is kept, and keeps to the run's budget: a call without a
deadline or a budget cannot be written.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial

from langchain_core.tools import BaseTool

from fusion_graph.config import ResolvedConfig
from fusion_graph.cost.budget import Budget
from fusion_graph.errors import Degradation, OutOfTime
from fusion_graph.models.calls import Caller
from fusion_graph.models.fitting import Fitting
from fusion_graph.run.deadlines import Spent, TimeLimit, limit_of
from fusion_graph.run.recursion import inside_fusion
from fusion_graph.run.tool_servers import stop_tool_servers
from fusion_graph.state import CallRecord, Run, StageName
from fusion_graph.state.events import Emit, never_silent

OnText = Callable[[str, str], None]
"""`on_text(message_id, text)`: takes a piece of the answer, for whoever is listening."""

WORKERS: dict[StageName, str] = {
    "route": "router",
    "judge": "judge",
    "synthesis": "writer",
    "verify": "verifier",
    "tests": "tester",
}
"""Who is at work in a stage, where it is nobody of the panel: as records, events and traces say."""


class Stage:
    """One piece of a run at work.

    Args:
        run: The run.
        settings: The run's settings.
        caller: Calls the models within the budget, and keeps the records.
        spent: What the run has spent before.
        emit: Sends progress events.
        touch: Says that something was heard, so that the stage is not told to be silent.
        on_text: Takes the answer as it is written.
        tools: The tools that the graph was made with, in place of the web tools.
    """

    def __init__(
        self,
        run: Run,
        settings: ResolvedConfig,
        caller: Caller,
        spent: Spent,
        emit: Emit,
        touch: Callable[[], None],
        on_text: OnText,
        tools: Sequence[BaseTool] | None,
    ) -> None:
        self.run, self.settings, self.emit, self.touch = run, settings, emit, touch
        self.tools = tools
        self._caller, self._before, self._on_text = caller, spent, on_text

    @property
    def name(self) -> StageName:
        """Which part of the run it is."""
        return self._caller.stage

    @property
    def calls(self) -> list[CallRecord]:
        """The records of its calls so far, of those that were cut off too."""
        return self._caller.calls

    @property
    def fitting(self) -> Fitting:
        """What its models did not read of what they were to read, and why."""
        return self._caller.fitting

    @property
    def losses(self) -> list[Degradation]:
        """What its calls had to do without: of their prompts, and of limits."""
        return self._caller.losses

    @property
    def spent(self) -> Spent:
        """What the run has spent by now, this stage's own calls included."""
        return self._before.plus(self.calls)

    @property
    def limit(self) -> TimeLimit:
        """How long its next piece of work may take."""
        return limit_of(self.name, self.settings, self.spent)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[Caller]:
        """Give the caller for as long as the time allows; the body is cancelled when it is over.

        Raises:
            OutOfTime: The time is used up.
        """
        limit = self.limit
        try:
            async with asyncio.timeout(limit.seconds) as deadline:
                if not limit.of_run:
                    self._caller.in_line = partial(_standing_still, deadline)
                yield self._caller
        except TimeoutError as error:
            # Also one of somebody else's that nobody caught: it costs the stage, not the run.
            raise OutOfTime(limit) from error

    def on_text(self, message_id: str, text: str) -> None:
        """Pass on a piece of the answer."""
        self.touch()
        self._on_text(message_id, text)

    def hand_over(self, stage: StageName, on_text: OnText) -> Stage:
        """Open another stage inside of this one, as for a writer that mends what was checked.

        It spends from the same budget, and what it takes counts here too, once it is taken back.

        Args:
            stage: Which part of the run pays.
            on_text: Takes the answer as it is written.
        """
        who, budget = WORKERS[stage], self._caller.budget
        caller = Caller(
            stage, who, self.run["started"], self.emit, budget=budget, nonce=self.run["nonce"]
        )
        return Stage(
            self.run, self.settings, caller, self.spent, self.emit, self.touch, on_text, self.tools
        )

    def take_back(self, calls: Iterable[CallRecord]) -> None:
        """Count the time of calls that were made in a stage it handed over to."""
        self._before = self._before.plus(calls)


@contextmanager
def _standing_still(deadline: asyncio.Timeout) -> Iterator[None]:
    """Keep the wait for others to be served from counting as the stage's time."""
    clock = asyncio.get_running_loop().time
    ends = deadline.when()
    if ends is None or deadline.expired():
        yield
        return
    left = ends - clock()
    deadline.reschedule(None)
    try:
        yield
    finally:
        deadline.reschedule(clock() + left)


def no_text(message_id: str, text: str) -> None:
    """Take a piece of an answer where nobody listens."""


@contextmanager
def open_stage(
    run: Run,
    settings: ResolvedConfig,
    stage: StageName,
    emit: Emit,
    spent: Spent,
    *,
    name: str | None = None,
    on_text: OnText = no_text,
    tools: Sequence[BaseTool] | None = None,
) -> Iterator[Stage]:
    """Open a stage for as long as its body runs.

    What it starts is marked as inside of a fusion, and it never falls silent.

    Args:
        run: The run.
        settings: The run's settings, its budget among them.
        stage: Which part of the run it is.
        emit: Sends progress events.
        spent: What the run has spent before.
        name: Who is at work; by default as the stage's worker is called.
        on_text: Takes the answer as it is written.
        tools: The tools that the graph was made with, in place of the web tools.
    """
    who = name or WORKERS[stage]
    with inside_fusion(), never_silent(emit, stage, who) as (emit_and_touch, touch):
        caller = Caller(
            stage,
            who,
            run["started"],
            emit_and_touch,
            budget=Budget.of(settings, spent.calls),
            nonce=run["nonce"],
        )
        try:
            yield Stage(run, settings, caller, spent, emit_and_touch, touch, on_text, tools)
        except Exception:
            raise
        except BaseException:  # the run ends here
            stop_tool_servers(run["id"])
            raise
