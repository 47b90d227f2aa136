"""Event loops: what belongs to one (HTTP connections), and how code without one gets there."""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from contextvars import ContextVar, copy_context
from functools import partial
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


class _WithContext(ThreadPoolExecutor):
    """Threads that see the context variables of whoever gives them work."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        return super().submit(copy_context().run, fn, *args, **kwargs)


class _Background:
    """A thread with an event loop, for the synchronous faces."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        # A tool's own `run_in_executor` is to be known as inside a fusion (`run/recursion.py`).
        self.loop.set_default_executor(_WithContext(thread_name_prefix="fusion-graph-work"))
        self.thread = threading.Thread(target=self._serve, name="fusion-graph", daemon=True)
        self.thread.start()
        atexit.register(self.stop)

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            left = asyncio.all_tasks(self.loop)  # interrupted runs on their way out
            for task in left:
                task.cancel()
            self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
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
    if _in_background():
        # A tool that blocks the background loop itself: waiting for that loop would never end.
        with ThreadPoolExecutor(1) as executor:
            return _result(executor.submit(copy_context().run, asyncio.run, work))
    supervised = _Supervised(work, background.loop)
    caller = _caller.get() or _Caller()
    try:
        caller.add(supervised)
        return _result(asyncio.run_coroutine_threadsafe(supervised.run(), background.loop))
    except BaseException:
        # An interrupt may strike at any point above, even before there is a future to cancel.
        supervised.stop()
        raise
    finally:
        caller.discard(supervised)


LOOK_SECONDS = 0.25
"""How late an interrupt is seen that came just before a wait began."""


def _result(future: Future[T]) -> T:
    """Wait for a result, not in one piece.

    An interrupt that comes between Python's look for one and the wait in the kernel is seen only
    after the wait: a Ctrl-C that nobody hears (2 of 48 that scripts got while they waited for an
    `Event`, on a busy machine, CPython 3.11).
    """
    while not wait([future], LOOK_SECONDS).done:
        pass
    return future.result()


class _Supervised(Generic[T]):
    """A coroutine of a loop that can be stopped at any time from any thread, begun or not."""

    def __init__(self, work: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> None:
        self._work = work
        self._loop = loop
        self._stopped = False
        self._task: asyncio.Task[Any] | None = None

    async def run(self) -> T:
        if self._stopped:
            self._work.close()
            raise asyncio.CancelledError
        self._task = asyncio.current_task()
        return await self._work

    def stop(self) -> None:
        self._stopped = True
        with suppress(RuntimeError):  # the process ends, and the loop is closed
            self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()


class _Caller:
    """What synchronous code waits for, in whatever threads; it may leave at any time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waited_for: set[_Supervised[Any]] = set()
        self._left = False

    def add(self, work: _Supervised[Any]) -> None:
        with self._lock:
            self._waited_for.add(work)
            left = self._left
        if left:
            work.stop()

    def discard(self, work: _Supervised[Any]) -> None:
        with self._lock:
            self._waited_for.discard(work)

    def leave(self) -> None:
        with self._lock:
            self._left = True
            work = list(self._waited_for)
        for each in work:
            each.stop()


_caller: ContextVar[_Caller | None] = ContextVar("fusion_graph_caller", default=None)
_END = object()


def leaving_stops(items: Generator[T]) -> Generator[T]:
    """An iterator that works through `run_blocking`, made to stop at once when it is left.

    LangGraph's synchronous face lets no exception out (Ctrl-C, a loop that is left) before every
    node at work has ended; with a model that hangs, that is as late as its deadline. So it is
    advanced in a thread beside the caller's, and the caller's remains free to stop its nodes.

    Args:
        items: The iterator; advanced only when the next item is asked for.
    """
    if _in_background():
        yield from items  # a tool that blocks the loop everything runs in: nobody to be asked
        return
    caller, context = _Caller(), copy_context()
    context.run(_caller.set, caller)
    advance: Callable[[], Any] = partial(next, items, _END)
    beside = ThreadPoolExecutor(1, "fusion-graph-run")
    try:
        while (item := _result(beside.submit(context.run, advance))) is not _END:
            yield item
    except BaseException:
        caller.leave()
        raise
    finally:
        closed = beside.submit(context.run, items.close)
        beside.shutdown(wait=False)
        # One that was forgotten is closed by the garbage collector, in any thread. Were that the
        # loop's, its nodes would wait for the loop to end them, and the loop for the nodes.
        if not _in_background():
            closed.result()


def _in_background() -> bool:
    return _background is not None and threading.current_thread() is _background.thread


def _the_background() -> _Background:
    global _background  # noqa: PLW0603 - one thread for the process, started when first needed
    with _lock:
        if _background is None or not _background.thread.is_alive():
            _background = _Background()
        return _background
