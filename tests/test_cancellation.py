"""Whoever stops a run, wherever it is: its model calls end, nothing is left, and the next one runs.

Ctrl-C on the command line: tests/cli/test_interrupts.py. A client that leaves the server:
tests/server. What a stopped run had done, and how it goes on: tests/test_threads.py.
"""

from __future__ import annotations

import asyncio
import gc
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import tool

from fusion_graph import create_fusion_graph
from fusion_graph.faces.follow import follow
from tests.children import Child
from tests.conftest import VERDICT

QUESTION = {"messages": [("user", "How wet is water?")]}
HANG = {"hang": True}
SLOWLY = {"text": "Water is wet. " * 1_000, "rate": 40}
LIMITED = {"status": 429, "headers": {"retry-after": "50"}}
LOOK_UP = {"tool_calls": [{"name": "look_up", "args": {"query": "wet"}}]}
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Stage:
    """A point at which a run can be stopped.

    scripts: what the models do, besides answering.
    arrived: calls that have reached the server by then.
    gone: the models whose calls are given up.
    sign: the event that tells of its beginning.
    """

    scripts: dict[str, tuple[Any, ...]]
    arrived: int
    gone: str
    sign: str
    config: dict[str, Any] = field(default_factory=dict)


STAGES = {
    "panel": Stage(dict.fromkeys("abc", (HANG,)), 3, "abc", "panel.added"),
    "panel, one left": Stage({"b": (HANG,)}, 3, "b", "panel.added"),
    "panel, in mid-sentence": Stage({"b": (SLOWLY,)}, 3, "b", "panel.added"),
    "panel, before another try": Stage({"b": (LIMITED,)}, 3, "", "call.retried"),
    "panel, tool at work": Stage({"a": (LOOK_UP,)}, 3, "", "panel.tool"),
    "judge": Stage({"j": (HANG,)}, 4, "j", "analysis.in_progress"),
    "judge's repair": Stage({"j": ("no analysis", HANG)}, 5, "j", "analysis.in_progress"),
    "writer": Stage({"w": (HANG,)}, 5, "w", "synthesis.in_progress"),
    "writer, in mid-sentence": Stage({"w": (SLOWLY,)}, 5, "w", "synthesis.in_progress"),
    "one model": Stage({"w": (HANG,)}, 1, "w", "panel.added", {"invocation": "never"}),
    "whom to ask": Stage({"w": (HANG,)}, 1, "w", "", {"invocation": "auto"}),
}

LIKE_OTHERS = {"panel, one left", "panel, in mid-sentence", "judge's repair", "writer"}
"""Stages whose calls are cut as those of another stage are."""


class Looking:
    """A tool that never comes back by itself, and notes when it begins and when it is stopped."""

    def __init__(self) -> None:
        self.at_work = asyncio.Event()
        self.stopped = False

        @tool
        async def look_up(query: str) -> str:
            """Look something up."""
            self.at_work.set()
            try:
                return await asyncio.Future()
            finally:
                self.stopped = True

        self.tool = look_up


def script(models: Any, stage: Stage | None = None) -> None:
    """Everybody answers, but for what the stage says; the log begins anew."""
    models.clear()
    for name in "abcw":
        models.script(name, f"The answer of {name}.")
    models.script("j", json.dumps(VERDICT))
    for name, steps in (stage.scripts if stage else {}).items():
        models.script(name, *steps)


# Ways to stop a run. `begun` returns when it has come to the stage.


async def cancelled(graph: Any, begun: Callable[[], Any], sign: str) -> None:
    run = asyncio.create_task(graph.ainvoke(QUESTION))
    await begun()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run


async def out_of_time(graph: Any, begun: Callable[[], Any], sign: str) -> None:
    async def expire(limit: asyncio.Timeout) -> None:
        await begun()
        limit.reschedule(asyncio.get_running_loop().time())

    async def run() -> None:
        async with asyncio.timeout(None) as limit:
            expiring = asyncio.create_task(expire(limit))
            await graph.ainvoke(QUESTION)
        await expiring

    with pytest.raises(TimeoutError):
        await run()


async def listener_cancelled(graph: Any, begun: Callable[[], Any], sign: str) -> None:
    async def listen() -> None:
        async for _ in follow(graph, QUESTION["messages"]):
            pass

    run = asyncio.create_task(listen())
    await begun()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run


async def left_early(graph: Any, begun: Callable[[], Any], sign: str) -> None:
    async with aclosing(graph.astream(QUESTION, stream_mode="custom")) as parts:
        async for part in parts:
            if part["type"] == sign:
                await begun()
                return
    pytest.fail(f"there was no {sign}")


@pytest.mark.parametrize(
    "stage",
    [
        pytest.param(stage, id=name, marks=[pytest.mark.slow] if name in LIKE_OTHERS else [])
        for name, stage in STAGES.items()
    ],
)
async def test_however_a_run_is_stopped_its_calls_end_and_nothing_is_left(
    model_server, panel_config, stage
):
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))
    for way in (cancelled, out_of_time, listener_cancelled, left_early):
        if way is left_early and not stage.sign:
            continue  # nothing is told before it
        # At an address of its own: what a provider refused the run before, it waits for.
        models = model_server.scope()
        looking = Looking()
        provider = {"scripted": {"base_url": models.base_url}}
        config = panel_config(providers=provider, **stage.config)
        graph = create_fusion_graph(config, tools=[looking.tool])
        script(models, stage)
        before = asyncio.all_tasks()

        async def begun(looking: Looking = looking, models: Any = models) -> None:
            await asyncio.to_thread(models.calls, arrived=stage.arrived)
            if LOOK_UP in stage.scripts.get("a", ()):
                await looking.at_work.wait()

        await way(graph, begun, stage.sign)

        assert asyncio.all_tasks() == before
        # Waits until none of its calls is open, and counts those made since.
        calls = await asyncio.to_thread(models.calls, ended=stage.arrived)
        assert "".join(sorted(c.model for c in calls if c.disconnected)) == stage.gone
        assert len(calls) == stage.arrived
        assert looking.stopped == looking.at_work.is_set()
        models.clear()

    script(models)
    if LIMITED not in stage.scripts.get("b", ()):  # then it would wait as long as was asked
        assert (await graph.ainvoke(QUESTION))["fusion"]["answer"]
    gc.collect()  # an exception that nobody retrieved is told when its task is thrown away
    await asyncio.sleep(0)
    assert complaints == []


async def test_a_stream_that_is_left_without_a_word_ends_as_well(models, panel_config):
    for name in "abc":
        models.script(name, HANG)
    graph = create_fusion_graph(panel_config())

    async for part in graph.astream(QUESTION, stream_mode="custom"):
        if part["type"] == "panel.added":
            await asyncio.to_thread(models.calls, arrived=3)
            break
    gc.collect()

    gone = await asyncio.to_thread(models.calls, ended=3)
    assert all(call.disconnected for call in gone)


# Synchronous runs


SYNCHRONOUS = """
import asyncio, gc, json, signal, sys, threading
from langgraph.graph import START, MessagesState, StateGraph
from fusion_graph import create_fusion_graph
from fusion_graph.langgraph_seams.loops import run_blocking

signal.signal(signal.SIGINT, signal.default_int_handler)
question = {"messages": [("user", "How wet is water?")]}

def parent(fusion):
    builder = StateGraph(MessagesState)
    builder.add_node("fusion", fusion)
    builder.add_edge(START, "fusion")
    return builder.compile()

async def others():
    return len(asyncio.all_tasks()) - 1

for line in sys.stdin:
    order = json.loads(line)
    fusion = create_fusion_graph(order["config"])
    try:
        if order["face"] == "leave":
            for part in fusion.stream(question, stream_mode="custom"):
                if part["type"] == order["sign"]:
                    print("here", flush=True)
                    sys.stdin.readline()
                    break
            print("stopped", flush=True)
        elif order["face"] == "stream":
            for _ in fusion.stream(question, stream_mode=["custom", "messages"]):
                pass
        elif order["face"] == "parent":
            parent(fusion).invoke(question)
        else:
            print(fusion.invoke(question)["fusion"]["status"], flush=True)
    except KeyboardInterrupt:
        print("stopped", flush=True)
    runs = [t.name for t in threading.enumerate() if t.name.startswith("fusion-graph-run")]
    print(run_blocking(others()), runs, flush=True)
"""


@pytest.mark.slow
def test_a_synchronous_run_stops_with_its_caller_and_the_next_one_runs(models, panel_config):
    config = panel_config()
    with Child(
        [sys.executable, "-W", "error", "-c", SYNCHRONOUS],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def say(order: dict[str, Any]) -> None:
            print(json.dumps(order), file=process.stdin, flush=True)

        # A run that does not stop would wait for its models for ever.
        watchdog = threading.Timer(120, process.kill)
        watchdog.start()
        try:
            for face, name in [
                ("invoke", "panel"),
                ("invoke", "panel, one left"),
                ("invoke", "judge"),
                ("stream", "writer, in mid-sentence"),
                ("parent", "panel, one left"),
                ("leave", "panel, one left"),
                ("leave", "writer"),
            ]:
                stage = STAGES[name]
                script(models, stage)
                say({"face": face, "config": config, "sign": stage.sign})
                if face == "leave":
                    assert process.stdout.readline() == "here\n"
                models.calls(arrived=stage.arrived)
                if face == "leave":
                    say({})
                else:
                    process.send_signal(signal.SIGINT)
                assert process.stdout.readline() == "stopped\n", (face, name)
                assert process.stdout.readline() == "0 []\n", (face, name)
                calls = models.calls(ended=stage.arrived)
                assert "".join(sorted(c.model for c in calls if c.disconnected)) == stage.gone

            script(models)
            say({"face": "invoke", "config": config})
            assert process.stdout.readline() == "ok\n"
            process.stdout.readline()
            _, said = process.communicate(timeout=60)
        finally:
            watchdog.cancel()
    assert (process.returncode, said) == (0, "")
