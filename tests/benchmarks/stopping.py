"""How long a run is held up by one who hangs, and how fast everything stops.

    python -m tests.benchmarks.stopping

The moments are the model server's own: when a call arrived, and when its caller hung up.
"""

from __future__ import annotations

import asyncio
import json
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2

from fusion_graph import FusionReport, create_fusion_graph
from tests.commands import start
from tests.conftest import VERDICT
from tests.scripted_models import start_server
from tests.scripted_models.client import Scope

QUESTION = {"messages": [("user", "How wet is water?")]}
SECONDS = {"a": 1.0, "b": 2.0, "j": 0.5, "w": 0.5}
"""How late each model's reply is; the third panelist never replies."""

GRACE = 5.0
ROUNDS = 5


def config(scope: Scope) -> dict[str, Any]:
    """Panelists a, b, c, judge j, writer w."""
    return {
        "panel": ["s:a", "s:b", "s:c"],
        "judge": "s:j",
        "synthesizer": "s:w",
        "search": "none",
        "quorum": 2,
        "grace": GRACE,
        "providers": {"s": {"base_url": scope.base_url}},
    }


def script(scope: Scope, *hanging: str) -> None:
    """Everybody answers in their time, but for those who hang."""
    for name in "abc":
        scope.script(name, {"text": f"The answer of {name}.", "delay": SECONDS.get(name, 0)})
    scope.script("j", {"text": json.dumps(VERDICT), "delay": SECONDS["j"]})
    scope.script("w", {"text": "The final answer of the writer.", "delay": SECONDS["w"]})
    for name in hanging:
        scope.script(name, {"hang": True})


async def held_up(scope: Scope) -> None:
    """One of three hangs for ever: quorum 2, grace 5 s."""
    graph = create_fusion_graph(config(scope))
    script(scope)
    await graph.ainvoke(QUESTION)  # what is made once in a process is made
    script(scope, "c")
    began = time.perf_counter()
    report = FusionReport.from_state(await graph.ainvoke(QUESTION))
    took = time.perf_counter() - began
    parts = [max(SECONDS["a"], SECONDS["b"]), GRACE, SECONDS["j"], SECONDS["w"]]
    (left,) = report.failures
    print(
        f"One of three hangs for ever, quorum 2, grace {GRACE:g} s: the slower of the other two "
        f"({parts[0]:g} s), the grace, the judge ({parts[2]:g} s) and the writer ({parts[3]:g} s) "
        f"come to {sum(parts):g} s. The answer came after {took:.2f} s, {report.status}; "
        f"{left.name}: {left.reason}: {left.detail}\n"
    )


def preset(scope: Scope, folder: Path) -> str:
    """The configuration as a preset file."""
    lines = [f"{k} = {json.dumps(v)}" for k, v in config(scope).items() if k != "providers"]
    lines += ["[providers.s]", f'base_url = "{scope.base_url}"']
    path = folder / "hanging.toml"
    path.write_text("\n".join(lines), "utf-8")
    return str(path)


# Each way begins a run, calls `ready` when all three calls hang, and stops it.


def task_cancelled(scope: Scope, folder: Path, ready: Callable[[], None]) -> None:
    """The task of `ainvoke` is cancelled."""

    async def work() -> None:
        run = asyncio.create_task(create_fusion_graph(config(scope)).ainvoke(QUESTION))
        await asyncio.to_thread(ready)
        run.cancel()
        await asyncio.wait({run})

    asyncio.run(work())


def stream_left(scope: Scope, folder: Path, ready: Callable[[], None]) -> None:
    """A synchronous `stream` is left."""
    parts = create_fusion_graph(config(scope)).stream(QUESTION, stream_mode="custom")
    for number, _ in enumerate(parts):
        if number == 3:  # the run and its three members have begun
            ready()
            parts.close()
            return


def interrupted(scope: Scope, folder: Path, ready: Callable[[], None]) -> None:
    """Ctrl-C in `fusion-graph ask`."""
    process = start("ask", "--preset", preset(scope, folder), "How wet is water?")
    ready()
    process.signal(signal.SIGINT)
    process.wait()


def terminated(scope: Scope, folder: Path, ready: Callable[[], None]) -> None:
    """SIGTERM to `fusion-graph ask`."""
    process = start("ask", "--preset", preset(scope, folder), "How wet is water?")
    ready()
    process.signal(signal.SIGTERM)
    process.wait()


def client_gone(scope: Scope, folder: Path, ready: Callable[[], None]) -> None:
    """A client of `fusion-graph serve` hangs up."""
    server = start("serve", "--port", "0", "--preset", preset(scope, folder))
    url = server.says("Ctrl-C stops it").split(" listens on ")[1].split("/v1")[0]
    messages = [{"role": "user", "content": "How wet is water?"}]
    body = {"model": "fusion/hanging", "messages": messages, "stream": True}
    with (
        httpx2.Client(trust_env=False, timeout=60) as http,
        http.stream("POST", f"{url}/v1/chat/completions", json=body) as reply,
    ):
        reply.raise_for_status()
        ready()
    server.kill()


WAYS = (task_cancelled, stream_left, interrupted, terminated, client_gone)


def stopping(scope: Scope, folder: Path, way: Callable[..., None]) -> float:
    """Seconds from the moment before it is stopped to when the last model call is given up."""
    scope.clear()
    script(scope, *"abc")
    scope.script("mark", "now")
    moment: list[float] = []

    def ready() -> None:
        scope.calls(arrived=3)
        url = f"{scope.base_url}/chat/completions"
        httpx2.post(url, json={"model": "mark", "messages": []}, trust_env=False)
        (mark,) = scope.calls("mark", ended=1)
        assert mark.ended is not None
        moment.append(mark.ended)

    way(scope, folder, ready)
    calls = [call for call in scope.calls(ended=4) if call.model != "mark"]
    assert len(calls) == 3
    assert all(call.disconnected for call in calls)
    return max(call.ended or 0 for call in calls) - moment[0]


def main() -> None:
    """Print both."""
    with start_server() as server, tempfile.TemporaryDirectory() as folder:
        scope = server.scope()
        asyncio.run(held_up(scope))
        print("| stopped by | seconds until the last model call was given up, slowest of five |")
        print("|---|---|")
        for way in WAYS:
            slowest = max(stopping(scope, Path(folder), way) for _ in range(ROUNDS))
            print(f"| {(way.__doc__ or '').rstrip('.')} | {slowest:.3f} |", flush=True)


if __name__ == "__main__":
    main()
