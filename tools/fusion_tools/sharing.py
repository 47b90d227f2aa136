"""Identical searches and pages of one run go out once, however many panelists want them."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from fusion_tools.normalise import normalise_url
from fusion_tools.results import Page, PageFetcher, SearchProvider, SearchResult

T = TypeVar("T")

MAX_CACHED_PAGE_BYTES = 64 * 1024 * 1024
"""Some hundred long pages: more than a panel of sixteen reads in a run."""

MAX_CACHED_SEARCH_BYTES = 8 * 1024 * 1024


@dataclass
class _Flight(Generic[T]):
    task: asyncio.Task[T]
    waiting: int = 0


class SingleFlight(Generic[T]):
    """Does a piece of work once for all who ask for it at the same time, and keeps the result.

    A caller that is cancelled leaves the others' work alone; when the last one has gone the
    work is cancelled. Errors go to everyone who waits and are not kept. Callers in different
    event loops share results, not work under way.

    Args:
        size: The bytes that a result takes.
        max_bytes: Results kept; the least recently used are dropped beyond it.
    """

    def __init__(self, size: Callable[[T], int], max_bytes: int) -> None:
        self._size = size
        self._max_bytes = max_bytes
        self._flights: dict[tuple[asyncio.AbstractEventLoop, Hashable], _Flight[T]] = {}
        self._kept: OrderedDict[Hashable, T] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    async def do(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """The result of `work`, or of the same `key`'s earlier or current work.

        Callers share the result: they must not change it.
        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        flight = self._flight(key, work)
        flight.waiting += 1
        try:
            # Unlike a bare await, being cancelled here does not cancel the task.
            await asyncio.wait({flight.task})
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                self._land(key, flight)  # so that nobody joins work that is being cancelled
                flight.task.cancel()
        return flight.task.result()

    def _flight(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> _Flight[T]:
        loop = asyncio.get_running_loop()
        flight = self._flights.get((loop, key))
        if flight is None:
            flight = _Flight(loop.create_task(_coroutine(work)))
            self._flights[loop, key] = flight
            flight.task.add_done_callback(lambda _: self._finish(key, flight))
        return flight

    def _finish(self, key: Hashable, flight: _Flight[T]) -> None:
        self._land(key, flight)
        # Asking for the exception also keeps asyncio from reporting it as never retrieved.
        if not flight.task.cancelled() and flight.task.exception() is None:
            self._keep(key, flight.task.result())

    def _land(self, key: Hashable, flight: _Flight[T]) -> None:
        place = (flight.task.get_loop(), key)
        if self._flights.get(place) is flight:
            del self._flights[place]

    def _keep(self, key: Hashable, result: T) -> None:
        size = self._size(result)
        with self._lock:
            if key in self._kept or size > self._max_bytes:
                return
            self._kept[key] = result
            self._bytes += size
            while self._bytes > self._max_bytes:
                _, dropped = self._kept.popitem(last=False)
                self._bytes -= self._size(dropped)


def _coroutine(work: Callable[[], Awaitable[T]]) -> Coroutine[Any, Any, T]:
    async def run() -> T:
        return await work()

    return run()


class SharedSearch:
    """A search provider whose identical queries go out once. Make one for each run.

    Queries that differ in case or spacing only count as identical.

    Args:
        provider: Where the queries go.
    """

    def __init__(self, provider: SearchProvider) -> None:
        self.name = provider.name
        self._provider = provider
        self._shared: SingleFlight[list[SearchResult]] = SingleFlight(
            _results_bytes, MAX_CACHED_SEARCH_BYTES
        )

    async def search(self, query: str, limit: int) -> list[SearchResult]:
        """At most `limit` hits, best first. Raises `ToolError` when the provider does."""
        key = (" ".join(query.casefold().split()), limit)
        results = await self._shared.do(key, lambda: self._provider.search(query, limit))
        return [result.copy() for result in results]


class SharedFetch:
    """A page fetcher that brings each page once. Make one for each run.

    Args:
        fetcher: What brings the pages.
        max_cached_bytes: Pages kept, in bytes of text and links.
    """

    def __init__(self, fetcher: PageFetcher, max_cached_bytes: int = MAX_CACHED_PAGE_BYTES) -> None:
        self._fetcher = fetcher
        self._shared: SingleFlight[Page] = SingleFlight(_page_bytes, max_cached_bytes)

    async def fetch(self, url: str) -> Page:
        """The page at `url`. Raises `ToolError` when the fetcher does."""
        page = await self._shared.do(normalise_url(url), lambda: self._fetcher.fetch(url))
        return page.copy()


def _results_bytes(results: list[SearchResult]) -> int:
    return sum(
        sys.getsizeof(text) for result in results for text in result.values()
    ) + sys.getsizeof(results)


def _page_bytes(page: Page) -> int:
    return sys.getsizeof(page["text"]) + sum(map(sys.getsizeof, page["links"]))
