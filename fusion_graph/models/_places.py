"""A call's place among all that are under way, and its part of the day's money.

All runs of a process share them, and all processes with the same Redis. A model that answers 429 is
left alone by everybody for as long as it asks, and then asked by fewer at once, until it takes more
again; a provider of which nothing is known is asked by few at first (`_pace`): so a storm slows
everybody a little, and few calls fail of it. What cannot be counted in the
Redis is counted in the process: a call is never lost to a limit that cannot be read.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from typing import Any
from uuid import uuid4
from weakref import WeakValueDictionary

from fusion_graph.config.shared_limits import SharedLimits, shared_limits
from fusion_graph.errors import CallFailed
from fusion_graph.models._day_budget import DayBudget
from fusion_graph.models._places_here import FULL, Line, PlacesHere
from fusion_graph.models._places_in_redis import LEASE_SECONDS, PlacesInRedis
from fusion_graph.models.failures import failed_once
from fusion_graph.models.model import Model
from fusion_graph.models.shared_redis import SharedRedis, shared_redis
from fusion_graph.state import CallRecord

LOOK_SECONDS = 0.05
"""Between two looks whether a place is free: one call of each model in a process looks, the others
stand behind it."""

_HERE = PlacesHere()
_DAY = DayBudget()


class Place:
    """A call's place.

    Attributes:
        refused: Seconds the provider asked to wait, with a 429; None if it sent none.
        record: The record of the call that was made in it.
    """

    def __init__(self) -> None:
        self.refused: float | None = None
        self.record: CallRecord | None = None


@asynccontextmanager
async def place_for(
    model: Model,
    in_line: Callable[[], AbstractContextManager[Any]],
    lost: Callable[[str], None],
) -> AsyncIterator[Place]:
    """Hold a place for one call to a model.

    Args:
        model: The model.
        in_line: Is entered while others have to be waited for.
        lost: Told why limits are not shared, where they should be.

    Raises:
        CallFailed: The day's money is spent.
    """
    limits = shared_limits()
    shared = await shared_redis(lost)
    names = [name for name in (model.provider, model.key_name) if name]
    if limits.usd_a_day:
        await _within_the_day(limits, names, shared, lost)
    address = f"{model.provider} {model.address}"
    line = Line(address, f"{address} {model.ref}", limits.calls_to(model.provider))
    token, place = uuid4().hex, Place()
    places = await _enter(shared, line, token, in_line, lost)
    began = time.monotonic()
    staying = asyncio.create_task(_stay(places, line, token)) if places is not _HERE else None
    try:
        yield place
    finally:
        if staying is not None:
            staying.cancel()
        took = time.monotonic() - began
        with suppress(Exception):  # a place in a Redis that is gone ends by itself
            await places.leave(line, token, took, place.refused)
        _queue(line.model).freed.set()
        if place.record is not None:
            await _count(names, place.record, shared)


async def _within_the_day(
    limits: SharedLimits, names: list[str], shared: SharedRedis | None, lost: Callable[[str], None]
) -> None:
    told = ""
    try:
        client = shared.client if shared is not None else None
        told = await _DAY.used_up(limits.usd_a_day, names, client)
    except Exception as error:
        assert shared is not None
        lost(shared.fail(error))
        told = await _DAY.used_up(limits.usd_a_day, names, None)
    if told:
        raise CallFailed({**failed_once("over_budget", told), "attempts": 0})


async def _count(names: list[str], record: CallRecord, shared: SharedRedis | None) -> None:
    alive = shared is not None and shared.answers
    try:
        await _DAY.count(names, record, shared.client if shared is not None and alive else None)
    except Exception as error:
        assert shared is not None
        shared.fail(error)


class _Queue:
    """Those of this loop who stand in line for one model; the first of them looks for all."""

    def __init__(self) -> None:
        self.first = asyncio.Lock()
        self.freed = asyncio.Event()


_queues: WeakValueDictionary[tuple[asyncio.AbstractEventLoop, str], _Queue] = WeakValueDictionary()


def _queue(model: str) -> _Queue:
    key = asyncio.get_running_loop(), model
    queue = _queues.get(key)
    if queue is None:
        queue = _queues[key] = _Queue()
    return queue


async def _enter(
    shared: SharedRedis | None,
    line: Line,
    token: str,
    in_line: Callable[[], AbstractContextManager[Any]],
    lost: Callable[[str], None],
) -> PlacesHere | PlacesInRedis:
    queue = _queue(line.model)
    if not queue.first.locked():
        async with queue.first:
            places, wait = await _try(shared, line, token, lost)
        if not wait:
            return places
    with in_line():
        async with queue.first:
            while True:
                queue.freed.clear()
                places, wait = await _try(shared, line, token, lost)
                if not wait:
                    return places
                if wait == FULL:
                    # Not `wait_for`: before Python 3.12 it loses a cancellation that comes as the
                    # place does, and whoever was stopped would go on to make its call.
                    with suppress(TimeoutError):
                        async with asyncio.timeout(LOOK_SECONDS):
                            await queue.freed.wait()
                else:
                    # Not all processes at the same moment.
                    await asyncio.sleep(wait + random.uniform(0, LOOK_SECONDS))


async def _try(
    shared: SharedRedis | None, line: Line, token: str, lost: Callable[[str], None]
) -> tuple[PlacesHere | PlacesInRedis, float]:
    if shared is not None and shared.answers:
        places = PlacesInRedis(shared.client)
        try:
            return places, await places.enter(line, token)
        except asyncio.CancelledError:
            # It may have been let in, and nobody been told.
            with suppress(Exception):
                await places.leave(line, token, 0.0, None)
            raise
        except Exception as error:
            lost(shared.fail(error))
    return _HERE, await _HERE.enter(line, token)


async def _stay(places: PlacesHere | PlacesInRedis, line: Line, token: str) -> None:
    while True:
        await asyncio.sleep(LEASE_SECONDS / 3)
        with suppress(Exception):  # the next one may find it again
            await places.stay(line, token)
