"""No test waits for ever: one that hangs fails, and says where it and everybody else waits.

Three limits, one behind the other. An asynchronous test is cancelled at what it awaits, with a note
of all tasks of its loop. What no cancellation reaches (a pipe, a lock, a fixture) pytest-timeout
interrupts at its line (`timeout` in pyproject.toml). Where not even that gets through, the
worker's process is ended (`faulthandler_timeout` there).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any

import pytest

SECONDS = 300
"""Until an asynchronous test counts as hanging; the longest takes a quarter of it on a machine
with much else to do."""

Test = Callable[..., Coroutine[Any, Any, Any]]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Limit what is asynchronous."""
    if isinstance(item, pytest.Function) and iscoroutinefunction(item.obj):
        item.obj = limited(item.obj)


def limited(test: Test, seconds: float = SECONDS) -> Test:
    """Limit a test.

    Args:
        test: The test.
        seconds: How long it may take.
    """

    @wraps(test)
    async def within(*args: Any, **kwargs: Any) -> Any:
        told: list[str] = []
        loop = asyncio.get_running_loop()
        # Before anything is cancelled, and so gone.
        look = loop.call_later(seconds, lambda: told.append(everybody()))
        try:
            async with asyncio.timeout(seconds + 0.1):
                return await test(*args, **kwargs)
        except TimeoutError as error:
            for tasks in told:
                error.add_note(f"The test hung for {seconds} s. All tasks then:\n{tasks}")
            raise
        finally:
            look.cancel()

    return within


def everybody() -> str:
    """Where every task of this loop waits: what it called, down to what does not come."""
    return "\n".join(f"{task.get_name()}: {_waits(task)}" for task in asyncio.all_tasks())


def _waits(task: asyncio.Task[Any]) -> str:
    places: list[str] = []
    work: Any = task.get_coro()
    while work is not None:
        # Of a coroutine, a generator or an asynchronous generator; `print_stack` tells the first.
        frame, awaited = (
            next((found for name in names if (found := getattr(work, name, None))), None)
            for names in (_FRAMES, _AWAITED)
        )
        if frame is not None:
            code = frame.f_code
            places.append(f"{code.co_qualname} ({code.co_filename}:{frame.f_lineno})")
        work = awaited
    return " > ".join(places)


_FRAMES = ("cr_frame", "gi_frame", "ag_frame")
_AWAITED = ("cr_await", "gi_yieldfrom", "ag_await")
