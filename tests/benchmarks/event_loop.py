"""How long a whole run holds the event loop of the program that hosts it.

    python -m tests.benchmarks.event_loop           all cases, three times each
    python -m tests.benchmarks.event_loop --write   and write event_loop.md

Each case is a fresh process that runs the graph against a model server and a web site in other
processes, beside a clock that ticks every millisecond in the same loop. The longest time between
two ticks is how long everybody else in that program had to wait. Beside it stands the most
processor time that the process took between two ticks: on a busy machine what is above it was
other programs' work, and only this column says what is the run's own.
All cases but the first two have had a small run before, and a `gc.freeze()`, as `serve` has.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from tests.fusion_tools.site import Site
from tests.scripted_models import start_server
from tests.scripted_models.client import Scope

HERE = Path(__file__)
TIMES = 3

PAGE_CHARS = 1_500_000
ANSWER_CHARS = 200_000

WORDS = "The depot in Graz{n} was opened in {n} by 12 of 14 members and paid for by the town. "
VERDICT = {
    "consensus": [{"point": "They agree on this.", "labels": ["A", "B"], "sources": [1]}],
    "contradictions": [],
    "partial_coverage": [],
    "unique_insights": [],
    "blind_spots": [],
}


@dataclass(frozen=True)
class Case:
    """What is asked of the loop.

    Attributes:
        name: In the table.
        limit: Seconds that the loop may be held.
        answer: Of each panelist and of the writer.
        reads: Whether the panelists search and read the page first.
        warm: Whether the process has had a run before.
    """

    name: str
    limit: float
    answer: str
    reads: bool = False
    warm: bool = True


def filled(piece: str, size: int) -> str:
    """Different pieces up to a size."""
    pieces, length, n = [], 0, 1900
    while length < size:
        pieces.append(piece.replace("{n}", str(n)))
        length, n = length + len(pieces[-1]), n + 1
    return "".join(pieces)


PAGE = filled(WORDS, PAGE_CHARS)


def quotes(count: int, words: int) -> str:
    """An answer with quotes of the page, each of so many words."""
    read = PAGE.split()
    step = (len(read) - words) // count
    parts = [" ".join(read[n * step : n * step + words]) for n in range(count)]
    return " ".join(f'So it says [1: "{part}"].' for part in parts)


MARKDOWN = (
    "# The depot of {n}\n\n- a [1]\n  - b **c** [2]\n\n"
    "| Graz | 12 |\n|---|---|\n| {n} | 3 [1] |\n\n"
    "> It `was` opened ~~then~~ [now](https://a.example/{n}).\n\n"
)

CASES = (
    Case("first use", 0.2, "Wet.", warm=False),
    Case("first use, with the web's tools", 0.2, "Wet [1].", reads=True, warm=False),
    Case("big answers", 0.05, filled(WORDS, ANSWER_CHARS)),
    Case("big answers that cite", 0.05, filled(WORDS.replace(". ", " [1]. "), ANSWER_CHARS), True),
    Case("big pages", 0.05, "Wet [1].", reads=True),
    Case("quotes", 0.05, quotes(20, 250), reads=True),
    Case("Markdown", 0.05, filled(MARKDOWN, ANSWER_CHARS), reads=True),
)


def measured(case: Case) -> dict[str, float]:
    """Run a case in a process of its own. Returns what it measured, in seconds."""
    with start_server() as server, Site() as site:
        scope = server.scope()
        page = f"<html><title>Depots</title><body><p>{PAGE}</p></body></html>".encode()
        site.route("/depots", lambda exchange: exchange.reply(page))
        script(scope, case, site.url("/depots"))
        given = json.dumps(
            {
                "models": scope.base_url,
                "site": list(site.address),
                "url": site.url("/depots"),
                "reads": case.reads,
                "warm": case.warm,
            }
        )
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.event_loop", "--child", given],
            capture_output=True,
            text=True,
            check=True,
        )
        found: dict[str, float] = json.loads(done.stdout)
        return found


def script(scope: Scope, case: Case, url: str) -> None:
    """Two panelists, a judge, a writer; and small ones of each for the run before."""
    read = (
        {"tool_calls": [{"name": "web_search", "args": {"query": "depots"}}]},
        {"tool_calls": [{"name": "web_fetch", "args": {"url": url}}]},
    )
    for name in "ab":
        scope.script(name, *(read if case.reads else ()), {"text": case.answer})
        scope.script(f"small-{name}", {"text": "Wet."})
    for name in ("j", "small-j"):
        scope.script(name, {"text": json.dumps(VERDICT)})
    scope.script("w", {"text": case.answer})
    scope.script("small-w", {"text": "Wet."})


class Clock:
    """Ticks in the loop, and keeps the longest time between two ticks."""

    def __init__(self) -> None:
        self.held, self.own = 0.0, 0.0  # each the most, not of the same time
        self._task = asyncio.ensure_future(self._tick())

    async def _tick(self) -> None:
        while True:
            wall, own = time.perf_counter(), time.process_time()
            await asyncio.sleep(0.001)
            took = time.perf_counter() - wall - 0.001
            self.held = max(self.held, took)
            self.own = max(self.own, min(took, time.process_time() - own))

    def stop(self) -> None:
        self._task.cancel()


class Index:
    """A search that always finds the page."""

    name = "index"

    def __init__(self, url: str) -> None:
        self._url = url

    async def search(self, query: str, limit: int) -> list[dict[str, Any]]:
        return [{"url": self._url, "title": "Depots", "snippet": "A page.", "date": None}]


async def child(given: dict[str, Any]) -> dict[str, float]:
    """Run the graph beside the clock."""

    def config(prefix: str) -> dict[str, Any]:
        return {
            "panel": [f"s:{prefix}{name}" for name in "ab"],
            "judge": f"s:{prefix}j",
            "synthesizer": f"s:{prefix}w",
            "search": "none",
            "providers": {"s": {"base_url": given["models"]}},
        }

    def tools() -> list[Any]:
        from fusion_tools.fetch import WebFetcher
        from fusion_tools.ledger import UrlLedger
        from fusion_tools.tools import web_fetch_tool, web_search_tool

        ledger = UrlLedger.from_text("")
        fetcher = WebFetcher(allow=frozenset({(given["site"][0], given["site"][1])}))
        return [
            web_search_tool(Index(given["url"]), ledger=ledger),  # type: ignore[arg-type]
            web_fetch_tool(fetcher, ledger=ledger),
        ]

    from fusion_graph import create_fusion_graph

    question: Any = {"messages": [("user", "When was the depot in Graz opened?")]}
    if given["warm"]:
        used = tools() if given["reads"] else None
        await create_fusion_graph(config("small-"), tools=used).ainvoke(question)
        gc.freeze()
    clock = Clock()
    await asyncio.sleep(0.01)
    began = time.perf_counter()
    graph = create_fusion_graph(config(""), tools=tools() if given["reads"] else None)
    result = await graph.ainvoke(question)
    took = time.perf_counter() - began
    clock.stop()
    assert result["messages"][-1].text
    return {"held": clock.held, "own": clock.own, "took": took}


def table(rows: dict[Case, list[dict[str, float]]]) -> str:
    """The figures as Markdown: the median of the runs, and the worst."""
    lines = [
        "| case | longest hold, median | worst | its own processor time, median | worst | aim "
        "| the run took |",
        "|---|---|---|---|---|---|---|",
    ]
    for case, found in rows.items():
        held, own, took = (sorted(each[key] for each in found) for key in ("held", "own", "took"))
        middle = len(found) // 2
        lines.append(
            f"| {case.name} | {held[middle] * 1000:.0f} ms | {held[-1] * 1000:.0f} ms "
            f"| {own[middle] * 1000:.0f} ms | {own[-1] * 1000:.0f} ms "
            f"| {case.limit * 1000:.0f} ms | {took[middle]:.1f} s |"
        )
    return "\n".join(lines)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"write {HERE.stem}.md")
    parser.add_argument("--only", help="cases whose name holds this")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.child:
        import fusion_graph.graph  # noqa: F401 - as a program has it, before its loop runs

        print(json.dumps(asyncio.run(child(json.loads(wanted.child)))))
        return
    cases = [case for case in CASES if (wanted.only or "") in case.name]
    text = table({case: [measured(case) for _ in range(TIMES)] for case in cases})
    print(text)
    if wanted.write:
        HERE.with_suffix(".md").write_text(
            "# How long a run holds the event loop\n\n"
            f"`python -m tests.benchmarks.event_loop --write`, {date.today():%d %B %Y}, "
            f"Python {sys.version_info.major}.{sys.version_info.minor}, two cores. {TIMES} runs of "
            f"each case; answers of {ANSWER_CHARS:,} characters, a page of {PAGE_CHARS:,}. "
            "What each column is: the docstring of the command.\n\n"
            f"{text}\n",
            "utf-8",
        )


if __name__ == "__main__":
    main()
