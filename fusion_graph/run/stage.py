"""A stage at work: what a piece of a run needs to call models, with its limits by construction.

The router, the judge, the writer and the verifier each open one. Whoever has a stage has a caller
that keeps to the run's budget, a deadline that is kept, and signs of life while nothing is heard;
there is no way to have the one without the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fusion_graph.config import ResolvedConfig
from fusion_graph.cost.budget import Budget
from fusion_graph.models.calls import Caller
from fusion_graph.run.deadlines import Limit
from fusion_graph.state import CallRecord, Run, StageName
from fusion_graph.state.events import Emit, never_silent


class OutOfTime(Exception):
    """A stage that used up its time. `str(error)` says which field set it.

    Args:
        limit: The time it had.
    """

    def __init__(self, limit: Limit) -> None:
        super().__init__(f"took more than {limit}")
        self.limit = limit


@dataclass(frozen=True)
class Stage:
    """One piece of a run at work.

    Attributes:
        run: The run.
        settings: The run's settings.
        caller: Calls the models within the budget, and keeps the records.
        emit: Sends progress events.
        limit: How long it may take.
        hear: Says that something was heard, so that the stage is not told to be silent.
    """

    run: Run
    settings: ResolvedConfig
    caller: Caller
    emit: Emit
    limit: Limit
    hear: Callable[[], None]


@asynccontextmanager
async def open_stage(
    run: Run,
    settings: ResolvedConfig,
    stage: StageName,
    name: str,
    emit: Emit,
    limit: Limit,
    *,
    spent: Iterable[Iterable[CallRecord]] = (),
) -> AsyncIterator[Stage]:
    """Open a stage for as long as its body runs; the body is cancelled when its time is over.

    Args:
        run: The run.
        settings: The run's settings, its budget among them.
        stage: Which part of the run it is.
        name: Who is at work in it.
        emit: Sends progress events.
        limit: How long it may take.
        spent: Calls of the run's other stages so far, which the budget counts too.

    Raises:
        OutOfTime: It used up its time.
    """
    with never_silent(emit, stage, name) as (telling, hear):
        caller = Caller(stage, name, run["started"], telling, nonce=run["nonce"])
        caller.budget = Budget.of(settings, run["calls"], *spent)
        try:
            async with asyncio.timeout(limit.seconds):
                yield Stage(run, settings, caller, telling, limit, hear)
        except TimeoutError as error:
            # Also one of somebody else's that nobody caught: it costs the stage, not the run.
            raise OutOfTime(limit) from error
