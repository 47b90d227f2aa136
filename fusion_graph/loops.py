"""Event loops: what belongs to one (HTTP connections), and how code without one gets there."""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")

_per_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Any]] = WeakKeyDictionary()


async def loop_owned(key: str, make: Callable[[], T], close: Callable[[T], Awaitable[None]]) -> T:
    """One object per running event loop, closed with the loop.

    HTTP connections cannot move between loops, and a notebook, a test suite or `asyncio.run`
    makes many. The object is held by an async generator that is left open: asyncio finalises
    those (`loop.shutdown_asyncgens`) before it closes a loop.

    Args:
        key: Names the object.
        make: Makes it; called in the loop.
        close: Closes it.
    """
    owned = _per_loop.setdefault(asyncio.get_running_loop(), {})
    if key not in owned:

        async def hold() -> AsyncIterator[T]:
            thing = make()
            try:
                yield thing
            finally:
                owned.pop(key, None)
                await close(thing)

        # Nothing is awaited before the first yield, so no other task can come between.
        holder = hold()
        owned[key] = (await anext(holder), holder)
    thing: T = owned[key][0]
    return thing


class _Background:
    """A thread with an event loop, for the synchronous faces."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._serve, name="fusion-graph", daemon=True)
        self.thread.start()
        atexit.register(self.stop)

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()

    def stop(self) -> None:
        if self.loop.is_running():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join(timeout=2)


_lock = threading.Lock()
_background: _Background | None = None


def run_blocking(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end from synchronous code, whatever loop the caller may have.

    Everything run this way shares one background loop, and so its connections. The caller's
    context variables are seen by the coroutine. An interrupt cancels it.
    """
    background = _the_background()
    if threading.current_thread() is background.thread:
        # A tool that blocks the background loop itself: waiting for that loop would never end.
        with ThreadPoolExecutor(1) as executor:
            return executor.submit(copy_context().run, asyncio.run, work).result()
    supervised = _Supervised(work)
    try:
        return asyncio.run_coroutine_threadsafe(supervised.run(), background.loop).result()
    except BaseException:
        # An interrupt may strike at any point above, even before there is a future to cancel.
        supervised.stopped = True
        background.loop.call_soon_threadsafe(supervised.cancel)
        raise


class _Supervised(Generic[T]):
    """A coroutine that can be stopped at any time, begun or not."""

    def __init__(self, work: Coroutine[Any, Any, T]) -> None:
        self.stopped = False
        self._work = work
        self._task: asyncio.Task[Any] | None = None

    async def run(self) -> T:
        if self.stopped:
            self._work.close()
            raise asyncio.CancelledError
        self._task = asyncio.current_task()
        return await self._work

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()


def _the_background() -> _Background:
    global _background  # noqa: PLW0603 - one thread for the process, started when first needed
    with _lock:
        if _background is None or not _background.thread.is_alive():
            _background = _Background()
        return _background
