"""An async iterator read from synchronous code, item by item."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from contextvars import copy_context
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from fusion_graph.langgraph_seams.loops import LOOK_SECONDS, run_blocking

T = TypeVar("T")


def iterate_blocking(items: AsyncGenerator[T]) -> Generator[T]:
    """The items as they come, whatever loop the caller may have.

    The iterator runs in one task with the caller's context variables. Leaving early cancels it,
    and waits until it has ended.

    Args:
        items: What to read.
    """
    pump = _Pump(items)
    run: Any = asyncio.run if _in_a_loop() else run_blocking
    with ThreadPoolExecutor(1, "fusion-graph-stream") as executor:
        done = executor.submit(copy_context().run, run, pump.run())
        done.add_done_callback(lambda _: pump.queue.put(None))
        try:
            while (item := pump.next()) is not None:
                yield item[0]
            done.result()
        finally:
            pump.stop()


def _in_a_loop() -> bool:
    """Whether the caller blocks an event loop, which may be the one `run_blocking` would use."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class _Pump(Generic[T]):
    """Carries items from a task to a queue; None is their end."""

    def __init__(self, items: AsyncGenerator[T]) -> None:
        self.queue: SimpleQueue[tuple[T] | None] = SimpleQueue()
        self._items = items
        self._stopped = False
        self._at_work: tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]] | None = None

    def next(self) -> tuple[T] | None:
        """Wait for the next item; None is the end."""
        while True:  # not in one piece: `loops.LOOK_SECONDS` says why
            with suppress(Empty):
                return self.queue.get(timeout=LOOK_SECONDS)

    async def run(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._at_work = asyncio.get_running_loop(), task
        if self._stopped:
            return
        async with aclosing(self._items) as items:
            async for item in items:
                self.queue.put((item,))

    def stop(self) -> None:
        """End the task, begun or not, ended or not; may be called from any thread."""
        self._stopped = True
        if self._at_work is not None:
            loop, task = self._at_work
            with suppress(RuntimeError):  # the loop was the task's own and is closed
                loop.call_soon_threadsafe(task.cancel)
