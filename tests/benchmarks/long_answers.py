"""How long an answer of 200,000 characters holds the event loop, by what it is made of.

    python -m tests.benchmarks.long_answers

Every function runs as the graph runs it: in a thread, beside an event loop whose clock ticks every
millisecond. The longest time between two ticks is how long the loop was held.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterator

from fusion_graph.evidence import SourceRecord, check_claims, read_citations, source_list
from fusion_graph.text.markdown import loading_nothing

SIZE = 200_000

KINDS: dict[str, str] = {
    "blanks": " ",
    "line ends": "\n",
    "brackets": "[",
    "bracket pairs": "[]",
    "citations": "[1]",
    "citations with quotes": '[1: "one of the quoted words"] ',
    "odd quotes": '[1: "',
    "quotation marks": '"a b c d" ',
    "table": "| Graz | 12 | 34 [1] |\n|---|---|---|\n| Linz | 56 | 78 [2] |\n",
    "bars": "|",
    "cited sentences": "The depot in Graz{n} was opened in {n} by 12 of 14 members [1]. ",
    "one cited sentence": "graz depot and 1953 or 12 km, ",
    "list items": "- The depot in Graz{n} was opened in {n} [1]\n",
    "nested lists": "- a\n  - b [1]\n",
    "headings": "# The depot of 1953 [1]\n",
    "paragraphs": "The depot in Graz was opened in 1953 [1].\n\n",
    "quote marks": "> ",
    "backticks": "`",
    "dollars": "$ ",
    "braces": "{",
    "tags": "<b ",
    "emphasis": "*a ",
    "numbers": "1 ",
    "points": ". ",
    "no blanks at all": "a",
    "Chinese": "格拉茨车站于1953年开放。[1]",
}


def texts() -> Iterator[tuple[str, str]]:
    """A long answer of each kind; blanks and brackets with a citation, so that they are read."""
    for kind, piece in KINDS.items():
        pieces = (piece.replace("{n}", str(n)) for n in range(SIZE // len(piece)))
        yield kind, f"The depot was opened in 1953 [1].\n\n{''.join(pieces)}"


def source(n: int) -> SourceRecord:
    """A source as the ledger holds it."""
    return SourceRecord(
        id=n,
        url=f"https://example.org/{n}",
        title="Depot",
        retrieved_at="2026-11-27",
        excerpt="",
        fetched=True,
        cited_by=[],
        quotes=[],
    )


async def held(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds in all, and the longest time for which the loop was held."""
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(asyncio.to_thread(work))
    longest, begun = 0.0, loop.time()
    last = time.perf_counter()
    while not task.done():
        await asyncio.sleep(0.001)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    await task
    return loop.time() - begun, longest


def work_of(text: str) -> dict[str, Callable[[], object]]:
    """What the graph does with an answer."""
    known = range(1, 4)
    pages = {1: text, 2: "The depot in Graz was opened in 1953. " * (SIZE // 38)}
    return {
        "read_citations": lambda: read_citations(text, known).cited,
        "source_list": lambda: source_list([source(1), source(2)], text),
        "loading_nothing": lambda: loading_nothing(text, ["https://example.org/1"]),
        "check_claims": lambda: check_claims(text, pages),
    }


def main() -> None:
    """Print the table: seconds in all and the longest hold in milliseconds, by kind."""
    only = sys.argv[1:]
    sys.setswitchinterval(0.005)
    asyncio.run(held(lambda: check_claims("Warm [1].", {1: "warm"})))
    names = list(work_of(""))
    print("| kind | " + " | ".join(names) + " |\n" + "|---" * (len(names) + 1) + "|", flush=True)
    for kind, text in texts():
        if only and kind not in only:
            continue
        cells = []
        for work in work_of(text).values():
            total, longest = asyncio.run(held(work))
            cells.append(f"{total:.2f} s, {1000 * longest:.0f} ms")
        print(f"| {kind} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
