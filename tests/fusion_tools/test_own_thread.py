"""Tools that block: in threads that nobody has to wait for."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar

import pytest
from langchain_core.tools import BaseTool, tool

from fusion_tools.own_thread import in_own_thread, is_synchronous, use_tool

who: ContextVar[str] = ContextVar("who", default="nobody")


async def test_work_sees_the_callers_variables_and_raises_to_the_caller():
    who.set("the caller")

    def fail() -> None:
        raise StopIteration("at once")

    assert await in_own_thread(who.get) == "the caller"
    with pytest.raises(RuntimeError, match="StopIteration: at once"):
        await in_own_thread(fail)


async def test_who_stops_waiting_is_let_go_while_the_work_goes_on():
    go, gone = threading.Event(), threading.Event()

    def work() -> None:
        go.wait()
        gone.set()

    waiting = asyncio.create_task(in_own_thread(work))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert not gone.is_set()

    go.set()
    assert await asyncio.to_thread(gone.wait, 60)


def test_work_that_ends_after_its_loop_is_nobodys():
    go, gone = threading.Event(), threading.Event()

    def work() -> None:
        go.wait()
        gone.set()

    async def give_up() -> None:
        asyncio.create_task(in_own_thread(work))  # noqa: RUF006 - that nobody waits is the point
        await asyncio.sleep(0)

    asyncio.run(give_up())
    go.set()

    assert gone.wait(60)


@tool
def by_function(word: str) -> str:
    """Say where."""
    return f"{word} in {threading.current_thread().name}"


@tool
async def by_coroutine(word: str) -> str:
    """Say where."""
    return f"{word} in {threading.current_thread().name}"


class ByClass(BaseTool):
    name: str = "by_class"
    description: str = "Say where."
    calls: int = 0

    def _run(self, word: str) -> str:
        self.calls += 1
        return f"{word} in {threading.current_thread().name}"


class ByBoth(ByClass):
    name: str = "by_both"

    async def _arun(self, word: str) -> str:
        return self._run(word)


async def test_only_tools_with_nothing_to_await_get_a_thread():
    by_class, here = ByClass(), threading.current_thread().name
    said = {}
    for each in (by_function, by_coroutine, by_class, ByBoth()):
        call = {"type": "tool_call", "id": "1", "name": each.name, "args": {"word": "wet"}}
        said[each.name] = (is_synchronous(each), (await use_tool(each, call)).content)

    assert said == {
        "by_function": (True, "wet in fusion-work"),
        "by_coroutine": (False, f"wet in {here}"),
        "by_class": (True, "wet in fusion-work"),
        "by_both": (False, f"wet in {here}"),
    }
    assert by_class.calls == 1
