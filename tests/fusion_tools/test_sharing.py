"""What several panelists want at once is done once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from fusion_tools.errors import ToolError
from fusion_tools.results import Page, SearchResult
from fusion_tools.sharing import SharedFetch, SharedSearch, SingleFlight


class Gate:
    """Work that waits to be let through, and counts."""

    def __init__(self) -> None:
        self.started = self.cancelled = 0
        self.begun = asyncio.Event()
        self.open = asyncio.Event()
        self.error: Exception | None = None

    async def work(self) -> str:
        self.started += 1
        self.begun.set()
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error:
            raise self.error
        return f"result {self.started}"


def single_flight(max_bytes: int = 1000) -> SingleFlight[str]:
    return SingleFlight(len, max_bytes)


async def callers(flight: SingleFlight[str], gate: Gate, count: int) -> list[asyncio.Task[str]]:
    """Tasks that all wait for the gate."""
    tasks = [asyncio.create_task(flight.do("key", gate.work)) for _ in range(count)]
    await gate.begun.wait()
    return tasks


async def test_thirty_two_callers_cause_one_piece_of_work() -> None:
    flight, gate = single_flight(), Gate()
    tasks = await callers(flight, gate, 32)
    gate.open.set()
    assert await asyncio.gather(*tasks) == ["result 1"] * 32
    assert await flight.do("key", gate.work) == "result 1"
    assert gate.started == 1


async def test_different_keys_are_different_work() -> None:
    flight, gate = single_flight(), Gate()
    gate.open.set()
    assert await flight.do("a", gate.work) == "result 1"
    assert await flight.do("b", gate.work) == "result 2"


async def test_cancelling_one_caller_cancels_no_other() -> None:
    flight, gate = single_flight(), Gate()
    first, *others = await callers(flight, gate, 3)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    gate.open.set()
    assert await asyncio.gather(*others) == ["result 1"] * 2
    assert gate.cancelled == 0


async def test_when_every_caller_has_gone_the_work_is_cancelled() -> None:
    flight, gate = single_flight(), Gate()
    tasks = await callers(flight, gate, 2)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    # The next caller must not be drawn into the cancellation.
    gate.open.set()
    assert await flight.do("key", gate.work) == "result 2"
    assert gate.cancelled == 1


async def test_a_callers_deadline_is_its_own() -> None:
    flight, gate = single_flight(), Gate()
    [patient] = await callers(flight, gate, 1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await flight.do("key", gate.work)
    gate.open.set()
    assert await patient == "result 1"


async def test_an_error_reaches_all_and_is_not_kept() -> None:
    flight, gate = single_flight(), Gate()
    gate.error = ToolError("unavailable", "down")
    tasks = await callers(flight, gate, 3)
    gate.open.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert results == [gate.error] * 3
    gate.error = None
    assert await flight.do("key", gate.work) == "result 2"


async def test_the_least_recently_used_results_are_dropped_first() -> None:
    done: list[str] = []

    def work(name: str) -> Callable[[], asyncio.Future[str]]:
        done.append(name)
        future = asyncio.get_running_loop().create_future()
        future.set_result(name * 40)
        return lambda: future

    async def want(name: str) -> None:
        async def counted() -> str:
            return await work(name)()

        assert await flight.do(name, counted) == name * 40

    flight = single_flight(max_bytes=100)
    for name in ("a", "b", "a", "c", "a", "b"):
        await want(name)
    assert done == ["a", "b", "c", "b"]


async def test_a_result_bigger_than_the_cache_is_given_but_not_kept() -> None:
    flight, gate = single_flight(max_bytes=3), Gate()
    gate.open.set()
    assert await flight.do("key", gate.work) == "result 1"
    assert await flight.do("key", gate.work) == "result 2"


def test_results_outlive_an_event_loop_and_broken_off_work_does_not() -> None:
    flight = single_flight()

    async def leave_behind() -> None:
        await callers(flight, Gate(), 1)

    async def finish() -> str:
        gate = Gate()
        gate.open.set()
        return await flight.do("key", gate.work)

    asyncio.run(leave_behind())
    assert asyncio.run(finish()) == "result 1"
    assert asyncio.run(finish()) == "result 1"


def test_event_loops_in_several_threads_can_share() -> None:
    flight = single_flight()
    results: list[str] = []

    async def main() -> None:
        gate = Gate()
        gate.open.set()
        results.append(await flight.do("key", gate.work))

    threads = [threading.Thread(target=asyncio.run, args=(main(),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == ["result 1"] * 8


class Web:
    """A provider and fetcher that counts."""

    name = "web"

    def __init__(self) -> None:
        self.queries: list[tuple[str, int]] = []
        self.urls: list[str] = []

    async def search(self, query: str, limit: int) -> list[SearchResult]:
        self.queries.append((query, limit))
        return [{"url": "https://a.example/", "title": query, "snippet": "", "date": None}]

    async def fetch(self, url: str) -> Page:
        self.urls.append(url)
        return {
            "url": url,
            "final_url": url,
            "title": "",
            "date": None,
            "text": "x" * 1000,
            "content_type": "text/html",
            "retrieved_at": "",
            "links": [],
        }


async def test_queries_that_differ_in_case_and_spacing_go_out_once() -> None:
    web = Web()
    search = SharedSearch(web)
    assert search.name == "web"
    for query in ("Deep  lakes", "deep lakes ", "DEEP LAKES"):
        assert [hit["title"] for hit in await search.search(query, 5)] == ["Deep  lakes"]
    await search.search("deep lakes", 6)
    assert web.queries == [("Deep  lakes", 5), ("deep lakes", 6)]


async def test_spellings_of_one_url_are_fetched_once() -> None:
    web = Web()
    fetch = SharedFetch(web)
    for url in ("https://A.example", "https://a.example/#top", "https://a.example:443/"):
        await fetch.fetch(url)
    await fetch.fetch("https://a.example/b")
    assert web.urls == ["https://A.example", "https://a.example/b"]


async def test_pages_beyond_the_cap_are_fetched_again() -> None:
    web = Web()
    fetch = SharedFetch(web, max_cached_bytes=1500)
    for path in "aba":
        await fetch.fetch(f"https://a.example/{path}")
    assert len(web.urls) == 3


async def test_one_callers_changes_do_not_reach_another() -> None:
    web = Web()
    search, fetch = SharedSearch(web), SharedFetch(web)
    (await search.search("q", 1))[0]["title"] = "changed"
    (await search.search("q", 1)).clear()
    (await fetch.fetch("https://a.example/"))["text"] = "changed"
    assert (await search.search("q", 1))[0]["title"] == "q"
    assert (await fetch.fetch("https://a.example/"))["text"] == "x" * 1000
