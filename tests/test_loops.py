"""Event loops: objects that live as long as one, and synchronous code that borrows one."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from pathlib import Path

import pytest

from fusion_graph import create_fusion_graph
from fusion_graph.langgraph_seams.loops import loop_owned, run_blocking
from tests.depth import in_depth

QUESTION = {"messages": [("user", "How wet is water?")]}

who: ContextVar[str] = ContextVar("who", default="nobody")


class Thing:
    """Knows the loop it was closed in."""

    closed_in: asyncio.AbstractEventLoop | None = None

    async def aclose(self) -> None:
        self.closed_in = asyncio.get_running_loop()


def run(code: str, *given: str) -> subprocess.CompletedProcess[str]:
    """Python code in a process of its own, which may hang without harm."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *given],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=60,
    )


async def own(key: str = "thing") -> Thing:
    return await loop_owned(key, Thing, Thing.aclose)


def test_a_loop_owns_one_object_a_key():
    async def twice() -> tuple[Thing, Thing, Thing]:
        return await own(), await own(), await own("other")

    first, second, other = asyncio.run(twice())
    assert first is second
    assert other is not first


def test_tasks_that_start_together_share_the_object():
    async def together() -> list[Thing]:
        return await asyncio.gather(*(own() for _ in range(20)))

    assert len(set(map(id, asyncio.run(together())))) == 1


def test_every_loop_has_its_own_object_closed_while_the_loop_still_runs():
    loops: list[asyncio.AbstractEventLoop] = []

    async def once() -> Thing:
        loops.append(asyncio.get_running_loop())
        return await own()

    first, second = asyncio.run(once()), asyncio.run(once())
    assert first is not second
    assert [first.closed_in, second.closed_in] == loops


async def test_two_loops_at_work_at_the_same_time_share_nothing():
    here, there = await own(), run_blocking(own())

    assert here is not there
    assert await own() is here
    assert run_blocking(own()) is there


def test_run_blocking_returns_what_the_coroutine_returns():
    async def work() -> int:
        await asyncio.sleep(0)
        return 42

    assert run_blocking(work()) == 42


def test_run_blocking_raises_what_the_coroutine_raises():
    async def work() -> None:
        raise LookupError("nothing there")

    with pytest.raises(LookupError, match="nothing there"):
        run_blocking(work())


def test_the_coroutine_sees_the_callers_context_variables():
    async def work() -> str:
        return who.get()

    token = who.set("me")
    try:
        assert run_blocking(work()) == "me"
    finally:
        who.reset(token)
    assert run_blocking(work()) == "nobody"


async def test_run_blocking_works_where_a_loop_is_already_running():
    async def work() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    assert run_blocking(work()) is not asyncio.get_running_loop()


def test_threads_share_one_background_loop_and_run_side_by_side():
    everyone = threading.Barrier(4)

    async def work() -> int:
        # Passes only if four coroutines of four threads are under way at once.
        await asyncio.to_thread(everyone.wait, 30)
        return id(asyncio.get_running_loop())

    with ThreadPoolExecutor(4) as pool:
        loops = list(pool.map(lambda _: run_blocking(work()), range(4)))
    assert len(set(loops)) == 1


def test_run_blocking_inside_of_run_blocking_does_not_wait_for_itself():
    code = """
from fusion_graph.langgraph_seams.loops import run_blocking
async def inner(): return "inner"
async def outer(): return run_blocking(inner())
print(run_blocking(outer()))
"""
    try:
        done = run(code)
    except subprocess.TimeoutExpired:
        pytest.fail("the background loop waits for itself")
    assert done.stdout == "inner\n", done.stderr


def test_an_interrupt_cancels_the_coroutine():
    code = """
import asyncio, os, signal, threading
from fusion_graph.langgraph_seams.loops import run_blocking
ended = threading.Event()
async def work():
    try:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        ended.set()
        raise
try:
    run_blocking(work())
except KeyboardInterrupt:
    print("interrupted, and cancelled:", ended.wait(10))
"""
    done = run(code)
    assert done.stdout == "interrupted, and cancelled: True\n"
    assert done.stderr == ""


def test_what_the_background_loop_owns_is_closed_when_the_process_ends():
    code = """
from fusion_graph.langgraph_seams.loops import loop_owned, run_blocking
async def close(thing): print("closed", thing)
run_blocking(loop_owned("thing", lambda: "the thing", close))
print("end of program")
"""
    done = run(code)
    assert done.stdout == "end of program\nclosed the thing\n"
    assert done.stderr == ""


async def _collect_rubbish() -> None:
    gc.collect()


def test_a_stream_that_was_forgotten_is_closed_in_the_background_loop_without_waiting_for_it(
    models, panel_config
):
    models.script("b", {"hang": True})
    stream = create_fusion_graph(panel_config()).stream(QUESTION, stream_mode="custom")
    next(stream)
    forgotten = [stream]
    forgotten.append(forgotten)  # only the collector ends a circle

    del stream, forgotten
    collected = threading.Thread(target=run_blocking, args=(_collect_rubbish(),), daemon=True)
    collected.start()
    collected.join(60)

    assert not collected.is_alive()


BLOCKING = """
import asyncio, json, sys, threading
from langchain_core.tools import BaseTool, tool
from fusion_graph import create_fusion_graph

config, how, kind = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3]

@tool
def lookup(query: str) -> str:
    "Look something up."
    threading.Event().wait()

class Lookup(BaseTool):
    name: str = "lookup"
    description: str = "Look something up."

    def _run(self, query: str) -> str:
        threading.Event().wait()

graph = create_fusion_graph(config, tools=[lookup if kind == "function" else Lookup()])
question = {"messages": [("user", "How wet is water?")]}
state = graph.invoke(question) if how == "invoke" else asyncio.run(graph.ainvoke(question))
print(state["messages"][-1].text)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("how", "kind"), [("ainvoke", "function"), in_depth("invoke", "class")])
def test_a_tool_that_blocks_for_ever_delays_neither_the_answer_nor_the_end_of_the_process(
    models, panel_config, how, kind
):
    models.script("a", {"tool_calls": [{"name": "lookup", "args": {"query": "water"}}]})
    config = panel_config(quorum=2, grace=0.0)

    done = run(BLOCKING, json.dumps(config), how, kind)

    assert done.stdout == "The final answer of the writer.\n", done.stderr
