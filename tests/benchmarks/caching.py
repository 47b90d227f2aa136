"""How much of what a panel reads repeats an earlier request, and what that is worth.

    python -m tests.benchmarks.caching            prints the table of caching.md, half a minute

The panels of the shipped presets, with nothing changed but the address of their provider, research
with a tool whose results are as long as a page of web_fetch (24,000 characters): 2 searches and 6
pages, one a round. The server's log says what each request holds. Tokens are characters / 4; what
a request has in common with the beginning of the one before is taken to be read from the cache,
and what it adds to be written to it, where writing has a price and the request is marked. Dollars
are today's list prices of the input alone.
"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from typing import Any

from langchain_core.tools import BaseTool, tool

from fusion_graph import create_fusion_graph
from fusion_graph.config import Price
from fusion_graph.config.presets.files import load
from fusion_graph.cost.counts import TokenCounts
from fusion_graph.cost.prices import price_of
from fusion_graph.cost.usage import priced_cost
from tests.prefixes import marks_in, repeated
from tests.scripted_models import start_server
from tests.scripted_models.client import Scope

PRESETS = ("budget", "quality", "self")
SEARCHES, PAGES = 2, 6
PAGE_CHARACTERS, HITS_CHARACTERS = 24_000, 3_000
CHARACTERS_PER_TOKEN = 4
QUESTION = "Heat pump or pellets for an old farmhouse, and what does each cost over 20 years?"


@dataclass(frozen=True)
class Member:
    """What one panelist read over its rounds: tokens, and US dollars or None.

    Attributes:
        model: Which.
        requests: How many.
        marked: How many of them carry marks for the cache.
        read: Tokens of all requests.
        repeated: Those that repeat the request before.
        plain: Dollars without a cache.
        cached: Dollars with one.
    """

    model: str
    requests: int
    marked: int
    read: int
    repeated: int
    plain: float | None
    cached: float | None


def tools() -> list[BaseTool]:
    """A search and a reader of pages, whose results are as long as real ones."""

    @tool
    def search(query: str) -> str:
        """Search the web."""
        return _filler(query, HITS_CHARACTERS)

    @tool
    def read_page(address: str) -> str:
        """Read a page."""
        return _filler(address, PAGE_CHARACTERS)

    return [search, read_page]


def _filler(about: str, characters: int) -> str:
    line = f"What is known of {about}, in a sentence of the usual length. "
    return (line * (characters // len(line) + 1))[:characters]


def steps() -> list[dict[str, Any]]:
    """What every panelist does: search, read, answer."""
    calls = [("search", {"query": f"costs {n}"}) for n in range(SEARCHES)]
    calls += [("read_page", {"address": f"page {n}"}) for n in range(PAGES)]
    rounds = [{"tool_calls": [{"name": name, "args": args}]} for name, args in calls]
    return [*rounds, {"text": "Pellets cost less to buy, a heat pump less to run."}]


async def measured(scope: Scope, preset: str) -> list[Member]:
    """Run a preset's panel through the scripted server, and read the log."""
    settings = load(preset).fields
    refs = [str(member.model) for member in settings["panel"]]
    everybody = dict.fromkeys(ref.partition(":")[2] for ref in [*refs, str(settings["judge"])])
    asked_often = {ref: refs.count(ref) for ref in refs}
    for name in everybody:
        scope.script(
            name,
            # Who has read so many results answers; members of one model share a script.
            {"text": json.dumps({"consensus": []}), "when_contains": _by_results()},
        )
    config = {
        "preset": preset,
        "providers": {"openrouter": {"base_url": scope.base_url}},
        "search": "none",
        "max_tool_calls": SEARCHES + PAGES,
        "seed": 1,
    }
    graph = create_fusion_graph(config, tools=tools())
    await graph.ainvoke({"messages": [("user", QUESTION)]})
    found = []
    for ref in dict.fromkeys(refs):
        requests = [c.body for c in scope.calls(ref.partition(":")[2]) if c.body.get("tools")]
        for member in _apart(requests, asked_often[ref]):
            found.append(_member(ref, member))
    return found


def _by_results() -> dict[str, dict[str, Any]]:
    """The next step by the last result that a request holds; none of them: the first step."""
    done = steps()
    needles = [f"of costs {n}," for n in range(SEARCHES)] + [f"of page {n}," for n in range(PAGES)]
    by_needle = dict(zip(reversed(needles), reversed(done[1:]), strict=True))
    return {**by_needle, '"read_page"': done[0]}


def _apart(requests: list[dict[str, Any]], members: int) -> list[list[dict[str, Any]]]:
    """The requests of members that are the same model, by their tool calls' ids."""
    if members == 1:
        return [requests]
    first = [r for r in requests if len(r["messages"]) == 2]
    rest = [r for r in requests if len(r["messages"]) > 2]
    by_call: dict[str, list[dict[str, Any]]] = {}
    for request in rest:
        by_call.setdefault(request["messages"][2]["tool_calls"][0]["id"], []).append(request)
    return [[one, *others] for one, others in zip(first, by_call.values(), strict=True)]


def _member(ref: str, requests: list[dict[str, Any]]) -> Member:
    counts = [
        (shared // CHARACTERS_PER_TOKEN, whole // CHARACTERS_PER_TOKEN)
        for shared, whole in repeated(requests)
    ]
    marks = [bool(marks_in(request)) for request in requests]
    plain = cached = 0.0
    known = True
    for (shared, whole), marked in zip(counts, marks, strict=True):
        price = price_of(ref, {}, whole)
        known = known and price is not None
        if price is not None:
            plain += _input(price, TokenCounts(whole, 0))
            stored = whole - shared if marked else 0
            cached += _input(price, TokenCounts(whole, 0, shared, stored))
    return Member(
        ref.partition(":")[2],
        len(requests),
        sum(marks),
        sum(whole for _, whole in counts),
        sum(shared for shared, _ in counts),
        plain if known else None,
        cached if known else None,
    )


def _input(price: Price, tokens: TokenCounts) -> float:
    return priced_cost(price, tokens)


def table(rows: dict[str, list[Member]]) -> str:
    """The measurement as Markdown."""
    lines = [
        "| preset | panelist | requests | marked | read | repeated | without a cache | with |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for preset, members in rows.items():
        lines += [
            f"| {preset} | {m.model} | {m.requests} | {m.marked} | {m.read:,} | "
            f"{m.repeated / m.read:.0%} | {_dollars(m.plain)} | {_dollars(m.cached)} |"
            for m in members
        ]
        read, again = sum(m.read for m in members), sum(m.repeated for m in members)
        lines.append(
            f"| **{preset}** | all | {sum(m.requests for m in members)} | "
            f"{sum(m.marked for m in members)} | {read:,} | {again / read:.0%} | "
            f"{_dollars(_sum([m.plain for m in members]))} | "
            f"{_dollars(_sum([m.cached for m in members]))} |"
        )
    return "\n".join(lines)


def _sum(costs: list[float | None]) -> float | None:
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None


def _dollars(cost: float | None) -> str:
    return "unknown" if cost is None else f"${cost:.2f}"


async def measure() -> dict[str, list[Member]]:
    """All presets, one after the other."""
    os.environ.setdefault("OPENROUTER_API_KEY", "none")
    with start_server() as server:
        return {preset: await measured(server.scope(), preset) for preset in PRESETS}


if __name__ == "__main__":
    print(table(asyncio.run(measure())))
