"""What a panel costs beside bare HTTP: the graph against httpx2 making the very same calls.

    python -m tests.benchmarks.panel            everything, a few minutes
    python -m tests.benchmarks.panel --quick    the main rows only
    python -m tests.benchmarks.panel --profile  where the time goes

Both arms run in one process, turn about, against one instant server in another process; the
floor replays the request bodies that the graph was seen to send. Ratios are of medians. Memory
is measured in a fresh process an arm.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import pstats
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2

from tests.scripted_models import start_server
from tests.scripted_models.client import Scope

ANSWER = " ".join(f"word{n}" for n in range(60))
"""60 words: a short answer, one chunk a word when it is streamed."""

VERDICT = json.dumps(
    {
        "consensus": [{"point": "They agree on this.", "labels": ["A", "B"], "sources": []}],
        "contradictions": [],
        "partial_coverage": [],
        "unique_insights": [],
        "blind_spots": ["Nothing on cost."],
    }
)
QUESTION = {"messages": [("user", "How wet is water, and why does it matter to a fish?")]}


def lookup_tool() -> Any:
    """A tool that answers at once."""
    from langchain_core.tools import tool

    @tool
    async def lookup(query: str) -> str:
        """Look something up."""
        return f"Nothing new about {query}. " + "Some words that a page would hold. " * 10

    return lookup


def script(scope: Scope, size: int, rounds: int, **pace: float) -> None:
    """Panelists that search `rounds` times and answer, a judge and a writer."""
    answer = {"text": ANSWER, **pace}
    for n in range(size):
        if rounds:
            call = {"name": "lookup", "args": {"query": f"water {n}"}}
            scope.script(f"p{n}", {"tool_calls": [call], "when_tool_choice_none": answer, **pace})
        else:
            scope.script(f"p{n}", answer)
    scope.script("j", {"text": VERDICT, **pace})
    scope.script("w", answer)


def graph(scope: Scope, members: range, rounds: int) -> Any:
    """The panel under test."""
    from fusion_graph import create_fusion_graph  # not for the floor's memory

    return create_fusion_graph(
        {
            "panel": [f"s:p{n}" for n in members],
            "judge": "s:j",
            "synthesizer": "s:w",
            "search": "none",
            "max_tool_calls": rounds,
            "providers": {"s": {"base_url": scope.base_url}},
        },
        tools=[lookup_tool()] if rounds else None,
    )


async def observed(scope: Scope, run: Callable[[], Awaitable[Any]]) -> dict[str, list[bytes]]:
    """The request bodies one run sends, by model and in order."""
    await asyncio.to_thread(scope.calls)
    before = len(await asyncio.to_thread(scope.calls))
    await run()
    bodies: dict[str, list[bytes]] = defaultdict(list)
    for call in (await asyncio.to_thread(scope.calls))[before:]:
        bodies[call.model].append(json.dumps(call.body).encode())
    return bodies


def floor(client: httpx2.AsyncClient, url: str, bodies: dict[str, list[bytes]]) -> Any:
    """The same calls with bare httpx2: panel side by side and streamed, judge, streamed writer."""
    headers = {"content-type": "application/json", "authorization": "Bearer none"}
    parsed = {model: [json.loads(body) for body in rows] for model, rows in bodies.items()}

    async def whole(body: Any) -> Any:
        reply = await client.post(url, content=json.dumps(body), headers=headers)
        return json.loads(reply.content)["choices"][0]["message"]

    async def streamed(body: Any) -> str:
        text = []
        async with client.stream("POST", url, content=json.dumps(body), headers=headers) as reply:
            async for line in reply.aiter_lines():
                if line.startswith("data: {"):
                    event = json.loads(line[6:])
                    if event["choices"]:
                        text.append(event["choices"][0]["delta"].get("content") or "")
        return "".join(text)

    async def panelist(rows: list[Any]) -> None:
        for body in rows:
            await (streamed(body) if body.get("stream") else whole(body))

    async def run() -> None:
        await asyncio.gather(*(panelist(rows) for m, rows in parsed.items() if m[0] == "p"))
        await asyncio.gather(*(finish(n) for n in range(len(parsed.get("j", ())))))

    async def finish(n: int) -> None:
        json.loads((await whole(parsed["j"][n]))["content"])
        assert await streamed(parsed["w"][n]) == ANSWER

    return run


async def timed(run: Callable[[], Awaitable[Any]]) -> tuple[float, float]:
    """Wall and CPU seconds of one run."""
    wall, cpu = time.perf_counter(), time.process_time()
    await run()
    return time.perf_counter() - wall, time.process_time() - cpu


async def compare(
    arms: dict[str, Callable[[], Awaitable[Any]]], repeats: int
) -> dict[str, tuple[float, float]]:
    """Median wall and CPU seconds of each arm, run turn about."""
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in arms}
    for run in arms.values():
        await run()
    for _ in range(repeats):
        for name, run in arms.items():
            seen[name].append(await timed(run))
    return {
        name: (statistics.median(w for w, _ in rows), statistics.median(c for _, c in rows))
        for name, rows in seen.items()
    }


def arms_of(scope: Scope, size: int, rounds: int) -> dict[str, Callable[[], Awaitable[Any]]]:
    """The graph's arms: awaited whole, and streamed in `messages` mode."""
    # A panel has 16 members at most: 32 are two panels at once, with two judges and writers.
    parts = [range(size)] if size <= 16 else [range(16), range(16, size)]
    panels = [graph(scope, members, rounds) for members in parts]

    async def whole() -> None:
        await asyncio.gather(*(fusion.ainvoke(QUESTION) for fusion in panels))

    async def streamed() -> None:
        async def read(fusion: Any) -> None:
            async for _ in fusion.astream(QUESTION, stream_mode="messages"):
                pass

        await asyncio.gather(*(read(fusion) for fusion in panels))

    return {"ainvoke": whole, "messages": streamed}


async def row(scope: Scope, size: int, rounds: int, repeats: int) -> str:
    """One line of the main table."""
    script(scope, size, rounds)
    arms = arms_of(scope, size, rounds)
    bodies = await observed(scope, arms["ainvoke"])
    calls = sum(len(rows) for rows in bodies.values())
    async with httpx2.AsyncClient(timeout=60) as client:
        run = floor(client, f"{scope.base_url}/chat/completions", bodies)
        seen = await compare({"floor": run, **arms}, repeats)
    base_wall, base_cpu = seen["floor"]
    cells = [f"{base_wall / calls * 1e3:.2f} / {base_cpu / calls * 1e3:.2f}"]
    for name in arms:
        wall, cpu = seen[name]
        cells.append(f"{wall / calls * 1e3:.2f} / {cpu / calls * 1e3:.2f}")
        cells.append(f"**{wall / base_wall:.1f}** / {cpu / base_cpu:.1f}")
    await asyncio.to_thread(scope.clear)
    return f"| {size} | {rounds} | {calls} | " + " | ".join(cells) + " |"


async def crowd(scope: Scope, rounds: int, at_once: int, repeats: int) -> str:
    """One line: many questions at once."""
    script(scope, 3, rounds)
    arms = arms_of(scope, 3, rounds)
    bodies = await observed(scope, arms["ainvoke"])

    def many(run: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[Any]]:
        async def all_at_once() -> None:
            await asyncio.gather(*(run() for _ in range(at_once)))

        return all_at_once

    async with httpx2.AsyncClient(timeout=60, limits=httpx2.Limits(max_connections=None)) as client:
        base = floor(client, f"{scope.base_url}/chat/completions", bodies)
        seen = await compare(
            {"floor": many(base), **{k: many(v) for k, v in arms.items()}}, repeats
        )
    wall = {name: at_once / w for name, (w, _) in seen.items()}
    await asyncio.to_thread(scope.clear)
    return (
        f"| {at_once} | {rounds} | {wall['floor']:.1f} | {wall['ainvoke']:.1f} "
        f"| **{wall['ainvoke'] / wall['floor']:.2f}** | {wall['messages']:.1f} "
        f"| **{wall['messages'] / wall['floor']:.2f}** |"
    )


async def paced(scope: Scope, rounds: int) -> str:
    """One line: at the speed of a model, to the first visible token and to the end."""
    script(scope, 3, rounds, ttft=0.4, rate=80)
    fusion = graph(scope, range(3), rounds)
    bodies = await observed(scope, lambda: fusion.ainvoke(QUESTION))
    async with httpx2.AsyncClient(timeout=60) as client:
        base, _ = await timed(floor(client, f"{scope.base_url}/chat/completions", bodies))
    start, first = time.perf_counter(), 0.0
    async for _ in fusion.astream(QUESTION, stream_mode="messages"):
        first = first or time.perf_counter() - start
    whole = time.perf_counter() - start
    await asyncio.to_thread(scope.clear)
    return (
        f"| 3 | {rounds} | {base:.2f} | {first:.2f} ({first / whole:.0%}) | {whole:.2f} "
        f"| **{whole / base:.2f}** |"
    )


async def sixteen(scope: Scope) -> str:
    """One line: sixteen one-second members, awaited and by the synchronous face."""
    script(scope, 16, 0)
    for n in range(16):
        scope.script(f"p{n}", {"text": ANSWER, "delay": 1})
    fusion = graph(scope, range(16), 0).with_config(tags=["sixteen"])
    context = {"provider_concurrency": 16}
    seen = []
    for run in (
        lambda: fusion.ainvoke(QUESTION, context=context),
        lambda: asyncio.to_thread(fusion.invoke, QUESTION, context=context),
    ):
        await run()
        seen.append((await timed(run))[0])
    return "| 16 | " + " | ".join(f"{wall:.2f}" for wall in seen) + " |"


def memory(arm: str, base_url: str) -> float:
    """Peak resident megabytes of a fresh process that answers 50 questions at once."""
    out = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.panel", "--memory", arm, base_url],
        check=True,
        capture_output=True,
        text=True,
    )
    return float(out.stdout)


async def _memory(arm: str, base_url: str) -> float:
    if arm == "floor":
        headers = {"content-type": "application/json"}
        url = f"{base_url}/chat/completions"
        async with httpx2.AsyncClient(timeout=60) as client:

            async def ask() -> None:
                for model in ("p0", "p1", "p2", "j", "w"):
                    body = {"model": model, "messages": [{"role": "user", "content": "q"}]}
                    await client.post(url, content=json.dumps(body), headers=headers)

            await asyncio.gather(*(ask() for _ in range(50)))
    else:
        scope = type("Where", (), {"base_url": base_url})
        fusion = graph(scope, range(3), 0)  # type: ignore[arg-type]
        await asyncio.gather(*(fusion.ainvoke(QUESTION) for _ in range(50)))
    # Not ru_maxrss: that starts from what the parent had when it started this process.
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


async def profile(repeats: int = 10) -> None:
    """Print where the time of three panelists with 8 tool rounds goes."""
    with start_server() as server:
        scope = server.scope()
        script(scope, 3, 8)
        run = arms_of(scope, 3, 8)["ainvoke"]
        await run()
        profiler = cProfile.Profile()
        profiler.enable()
        for _ in range(repeats):
            await run()
        profiler.disable()
        pstats.Stats(profiler).sort_stats("cumulative").print_stats(60)


async def main(quick: bool) -> None:
    """Print the tables."""
    with start_server() as server:
        print("## Wall and CPU per model call, instant server\n")
        print(
            "| panelists | tool rounds | calls | floor, ms wall / CPU | ainvoke, ms | × floor "
            "| `messages`, ms | × floor |"
        )
        print("|---|---|---|---|---|---|---|---|")
        for rounds in (0, 8):
            for size in (3,) if quick else (1, 3, 8, 32):
                repeats = max(11, 90 // (size * (rounds + 1)))
                print(await row(server.scope(), size, rounds, repeats), flush=True)
        if quick:
            return
        print("\n## Fifty questions at once, three panelists\n")
        print("| at once | tool rounds | floor, questions/s | ainvoke | × | `messages` | × |")
        print("|---|---|---|---|---|---|---|")
        print(await crowd(server.scope(), 0, 50, 5), flush=True)
        print(await crowd(server.scope(), 8, 50, 2), flush=True)
        print("\n## At model speed (0.4 s to first token, 80 tokens/s), three panelists\n")
        print("| panelists | tool rounds | floor, s | first visible token, s | end, s | × floor |")
        print("|---|---|---|---|---|---|")
        print(await paced(server.scope(), 0), flush=True)
        print(await paced(server.scope(), 8), flush=True)
        print("\n## Sixteen members of one second each, one provider that takes 16 calls at once\n")
        print("| panelists | ainvoke, s | invoke, s |")
        print("|---|---|---|")
        print(await sixteen(server.scope()), flush=True)
        print("\n## Peak memory of a process that answers 50 questions at once\n")
        scope = server.scope()
        script(scope, 3, 0)
        for arm in ("floor", "fusion"):
            print(f"- {arm}: {memory(arm, scope.base_url):.0f} MB", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--memory", nargs=2, metavar=("ARM", "URL"))
    options = parser.parse_args()
    if options.memory:
        print(asyncio.run(_memory(*options.memory)))
    else:
        asyncio.run(profile() if options.profile else main(options.quick))
