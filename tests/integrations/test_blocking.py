"""An async iterator read from synchronous code: as it comes, to its end or stopped."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from contextvars import ContextVar

import pytest

from fusion_graph.faces._blocking import iterate_blocking
from fusion_graph.langgraph_seams.loops import run_blocking

setting: ContextVar[str] = ContextVar("setting", default="unset")


class Counting:
    """Counts, and notes how it ended."""

    def __init__(self) -> None:
        self.ended = ""

    async def up_to(self, last: int, error: Exception | None = None) -> AsyncGenerator[int]:
        try:
            for number in range(last):
                yield number
                await asyncio.sleep(0)
            if error is not None:
                raise error
            self.ended = "done"
        except asyncio.CancelledError:
            self.ended = "cancelled"
            raise
        except GeneratorExit:
            self.ended = "closed"
            raise


def test_all_items_come_in_order():
    counting = Counting()
    assert list(iterate_blocking(counting.up_to(100))) == list(range(100))
    assert counting.ended == "done"


async def test_they_come_inside_a_running_loop_too():
    assert list(iterate_blocking(Counting().up_to(3))) == [0, 1, 2]


def test_they_come_inside_the_loop_that_all_synchronous_runs_share():
    async def blocks_the_loop() -> list[int]:
        return list(iterate_blocking(Counting().up_to(3)))

    assert run_blocking(blocks_the_loop()) == [0, 1, 2]


def test_an_error_is_raised_after_the_items_before_it():
    items = iterate_blocking(Counting().up_to(1, ZeroDivisionError("here")))
    assert next(items) == 0
    with pytest.raises(ZeroDivisionError, match="here"):
        next(items)


def test_leaving_early_stops_it_before_going_on():
    counting = Counting()
    items = iterate_blocking(counting.up_to(10**9))
    assert next(items) == 0
    items.close()
    assert counting.ended in ("cancelled", "closed")


def test_one_that_says_nothing_can_be_left_too():
    waiting, ended = threading.Event(), threading.Event()

    async def silent() -> AsyncGenerator[int]:
        try:
            yield 1
            waiting.set()
            await asyncio.Event().wait()
        finally:
            ended.set()

    items = iterate_blocking(silent())
    assert next(items) == 1
    assert waiting.wait(60)
    items.close()
    assert ended.is_set()


def test_the_callers_context_variables_are_seen():
    async def seen() -> AsyncGenerator[str]:
        yield setting.get()

    token = setting.set("mine")
    try:
        assert list(iterate_blocking(seen())) == ["mine"]
    finally:
        setting.reset(token)
