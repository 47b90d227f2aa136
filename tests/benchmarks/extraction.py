"""How fast pages are fetched and extracted, and what that does to the event loop and to memory.

    python -m tests.benchmarks.extraction

32 pages of 500 KB at once, from a local site in a process of its own, over 16 host names and
through the real guard: with extraction in worker processes, in one thread, and in the event
loop itself. Each way runs in a fresh process, six times in turn; the three runs of each that
the machine's other work disturbed least count. Then the hostile bodies, for what they do to
memory. Prints Markdown. Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fusion_tools._limits import FetchLimits
from fusion_tools._readers import Document, Extracted, read_document
from fusion_tools.errors import ToolError
from fusion_tools.extract import Extractor
from fusion_tools.fetch import WebFetcher
from tests.fusion_tools import bodies
from tests.fusion_tools.site import Exchange, Site

PAGES, PAGE_BYTES, HOSTS, REPEATS, KEPT = 32, 500_000, 16, 6, 3
MEASURED = ("rate", "lag", "own", "all", "others")
WAYS = {
    "workers": "worker processes (as shipped)",
    "thread": "one thread",
    "loop": "the event loop",
}
HOSTILE = (
    "512-MiB-gzip-bomb",
    "endless-page",
    "50,000-links",
    "5-MB-table",
    "100,000-nested-elements",
    "4.9-MB-PDF",
)


class InOneThread(Extractor):
    """What would be done without workers."""

    def __init__(self) -> None:
        super().__init__()
        self._pool = ThreadPoolExecutor(1)

    def submit(self, document: Document, limits: FetchLimits) -> Future[Extracted]:
        return self._pool.submit(read_document, document)


class InTheLoop(Extractor):
    """What would be done without a thought."""

    async def extract(self, document: Document, limits: FetchLimits) -> Extracted:
        return read_document(document)


def make_page(number: int) -> bytes:
    """A page with a menu, paragraphs of made-up words, links and a few tables."""
    chance = random.Random(number)
    words = [f"{chance.choice('bdfgklmnprst')}{chance.choice('aeiou')}" * 2 for _ in range(60)]
    words += [f"w{n}" for n in range(3000)]

    def text(count: int) -> str:
        return " ".join(chance.choice(words) for _ in range(count)).capitalize()

    parts, size = [], 0
    while size < PAGE_BYTES:
        link = f'<a href="/x/{chance.randrange(10**6)}">{text(3)}</a>'
        part = f"<p>{text(60)}. {link} {text(30)}.</p>"
        if chance.random() < 0.02:
            rows = "".join(f"<tr><td>{text(2)}</td><td>{text(1)}</td></tr>" for _ in range(20))
            part += f"<h2>{text(4)}</h2><table>{rows}</table>"
        parts.append(part)
        size += len(part)
    menu = "".join(f'<a href="/menu/{n}">{text(2)}</a> ' for n in range(40))
    head = f'<title>Page {number}</title><meta name="date" content="2026-03-14">'
    body = (
        f"<nav>{menu}</nav><main><article><h1>Page {number}</h1>{''.join(parts)}</article></main>"
    )
    return f"<html><head>{head}</head><body>{body}</body></html>".encode()


def serve() -> None:
    """The site, until standard input closes. Prints its port."""
    with Site() as site:
        for number in range(PAGES):
            site.page(f"/{number}", make_page(number))

        def endless(exchange: Exchange) -> None:
            exchange.head(200, [("Content-Type", "text/html")])
            while True:
                exchange.send(b"<p>An endless page goes on and on and on.</p>" * 1000)

        site.page("/small", bodies.article())
        packed = [("Content-Encoding", "gzip")]
        bomb, links, table, nested, pdf = (f"/{name}" for name in HOSTILE if name != "endless-page")
        site.page(bomb, bodies.gzip_bomb(512 * bodies.MIB), headers=packed)
        site.route("/endless-page", endless)
        site.page(links, bodies.many_links())
        site.page(table, bodies.huge_table())
        site.page(nested, bodies.nested())
        site.page(pdf, bodies.pdf(*["Words. " * 300] * 2000), "application/pdf")
        print(site.port, flush=True)
        sys.stdin.read()


@contextmanager
def local_site() -> Iterator[tuple[int, int]]:
    """Run `serve` in a process of its own; its port and process id."""
    command = [sys.executable, "-m", "tests.benchmarks.extraction", "--serve"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as site:
        assert site.stdout
        yield int(site.stdout.readline()), site.pid
        site.communicate()


def peak_mib(pid: int | str) -> float:
    """Peak resident memory of a process, MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


def machine_ticks() -> tuple[int, int]:
    """Ticks that all CPUs have had, and those in which they did something."""
    ticks = [int(n) for n in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    return sum(ticks), sum(ticks) - ticks[3] - ticks[4]


def process_ticks(pids: list[int]) -> int:
    """Ticks of CPU time that these processes have used."""
    used = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        used += int(fields[11]) + int(fields[12])
    return used


async def lag(samples: list[float]) -> None:
    """Note by how much each sleep of 2 ms was too long, ms."""
    while True:
        begun = time.perf_counter()
        await asyncio.sleep(0.002)
        samples.append((time.perf_counter() - begun - 0.002) * 1000)


async def _loopback(_host: str, _port: int) -> list[str]:
    return ["127.0.0.1"]


def fetcher(port: int, extractor: Extractor) -> WebFetcher:
    """A fetcher that finds the site under all its names."""
    names = [f"h{n}.example" for n in range(HOSTS)]
    return WebFetcher(
        allow={(name, port) for name in names}, resolver=_loopback, extractor=extractor
    )


async def measure(way: str, port: int, site: int) -> dict[str, float]:
    """All pages at once."""
    extractor = {"workers": Extractor, "thread": InOneThread, "loop": InTheLoop}[way]()
    web = fetcher(port, extractor)
    # Libraries loaded, workers started, certificates read: what a first page pays.
    await asyncio.gather(*(web.fetch(f"http://h{n}.example:{port}/small") for n in range(4)))
    pids = [os.getpid(), site, *extractor.pids()]
    samples: list[float] = []
    sampler = asyncio.create_task(lag(samples))
    await asyncio.sleep(0.05)
    (all_before, busy_before), own_before = machine_ticks(), process_ticks(pids)
    begun = time.perf_counter()
    urls = [f"http://h{n % HOSTS}.example:{port}/{n}" for n in range(PAGES)]
    pages = await asyncio.gather(*(web.fetch(url) for url in urls))
    seconds = time.perf_counter() - begun
    sampler.cancel()
    (all_after, busy_after), own_after = machine_ticks(), process_ticks(pids)
    others = (busy_after - busy_before - (own_after - own_before)) / (all_after - all_before)
    assert all(len(page["text"]) > PAGE_BYTES * 0.7 and not page["note"] for page in pages)
    memory = [peak_mib("self"), *map(peak_mib, extractor.pids())]
    await web.aclose()
    extractor.close()
    figures = (PAGES / seconds, max(samples), memory[0], sum(memory), others)
    return dict(zip(MEASURED, figures, strict=True))


async def hostile(port: int) -> list[dict[str, Any]]:
    """The hostile bodies one by one, each with a fresh worker."""
    outcomes = []
    for path in HOSTILE:
        extractor = Extractor(workers=1)
        web = fetcher(port, extractor)
        peaks = [0.0]
        watch = asyncio.create_task(_watch(extractor, peaks))
        begun = time.perf_counter()
        try:
            page = await web.fetch(f"http://h0.example:{port}/{path}")
            outcome = f"{len(page['text']):,} characters. {page['note'] or ''}"
        except ToolError as error:
            outcome = f"`{error.code}`: {error.detail}"
        seconds = time.perf_counter() - begun
        watch.cancel()
        after = await web.fetch(f"http://h0.example:{port}/small")
        assert after["title"] == "On panels"
        body = path.replace("-", " ")
        row = {"body": body, "seconds": seconds, "own": peak_mib("self"), "worker": max(peaks)}
        outcomes.append({**row, "outcome": outcome})
        await web.aclose()
        extractor.close()
    return outcomes


async def _watch(extractor: Extractor, peaks: list[float]) -> None:
    """Note a worker's peak memory while it lives: a killed one can no longer be asked."""
    while True:
        for pid in extractor.pids():
            with suppress(OSError):
                peaks.append(peak_mib(pid))
        await asyncio.sleep(0.02)


def in_fresh_process(*arguments: str) -> Any:
    """Run a part of this benchmark in an interpreter of its own; what it measured."""
    command = [sys.executable, "-m", "tests.benchmarks.extraction", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def report() -> None:
    """Measure everything and print it."""
    with local_site() as (port, site):
        place = ("--port", str(port), "--site", str(site))
        runs: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
        for _ in range(REPEATS):
            for way in WAYS:
                runs[way].append(in_fresh_process("--way", way, *place))
        bad = in_fresh_process("--hostile", *place)
    cpus = len(os.sched_getaffinity(0))
    print("`python -m tests.benchmarks.extraction`\n")
    print(
        f"{PAGES} pages of {PAGE_BYTES // 1000} KB at once over {HOSTS} hosts. Medians (and worst "
        f"lag, most memory) of the {KEPT} of {REPEATS} runs of each way that the machine's other "
        f"work disturbed least. Python {platform.python_version()}, {cpus} CPUs, which the site "
        "shares.\n"
    )
    print(
        "| extraction in | pages/s | times one thread | longest event-loop lag, ms (worst) |",
        end="",
    )
    print(" peak memory, MiB, own | with workers | others' share of the CPUs |")
    print("|---|---|---|---|---|---|---|")
    kept = {way: sorted(tries, key=lambda run: run["others"])[:KEPT] for way, tries in runs.items()}
    thread = statistics.median(run["rate"] for run in kept["thread"])
    for way, name in WAYS.items():
        rate, lags, own, total, others = ([run[key] for run in kept[way]] for key in MEASURED)
        print(
            f"| {name} | {statistics.median(rate):.1f} | {statistics.median(rate) / thread:.2f} | "
            f"{statistics.median(lags):.0f} ({max(lags):.0f}) | {max(own):.0f} | "
            f"{max(total):.0f} | {statistics.median(others):.0%} |"
        )
    print("\nHostile bodies, one after the other in one process, each followed by a page that is")
    print("served. The own memory is the peak so far.\n")
    print("| body | ends after, s | own memory, MiB | worker's, MiB | with |")
    print("|---|---|---|---|---|")
    for row in bad:
        print(
            f"| {row['body']} | {row['seconds']:.1f} | {row['own']:.0f} | {row['worker']:.0f} | "
            f"{row['outcome']} |"
        )


def main() -> None:
    """Command line; the options are for the benchmark's own processes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--hostile", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--site", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve()
    elif arguments.way:
        print(json.dumps(asyncio.run(measure(arguments.way, arguments.port, arguments.site))))
    elif arguments.hostile:
        print(json.dumps(asyncio.run(hostile(arguments.port))))
    else:
        report()


if __name__ == "__main__":
    main()
