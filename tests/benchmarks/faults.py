"""What becomes of a run when something fails: every fault at every place where it can strike.

    python -m tests.benchmarks.faults

Plays the matrix of `tests/fault_matrix.py` against the scripted model server and prints it as
Markdown, then that of an adaptive panel's two waves; then panels of models that do anything, in any
order, as `tests/test_any_behaviour.py` runs them. Those tests hold each cell and panel to the
rules; this shows what they come to, and stops at the first that breaks one.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Sequence

from tests.fault_cells import Row, play
from tests.fault_matrix import CELLS, FAULTS, PLACES, WAVE_CELLS, WAVES, Fault, Place
from tests.fault_rules import problems
from tests.scripted_models import ModelServer, start_server
from tests.test_any_behaviour import PANELS, all_of, drawn

DRAWS = 25
"""Draws of panels; the test runs one."""

SEATS = ("first panelist, ", "middle panelist, ", "last panelist, ")
"""Places that are one line where it makes no difference who is struck."""

HEAD = (
    "| fault | strikes | outcome | answer by | reason | HTTP | tries | told as | calls | paid |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)


def line(row: Row, where: str) -> str:
    """A row of the table."""
    codes = ", ".join(dict.fromkeys(row.codes))
    cells = (
        row.fault.name,
        where,
        row.status,
        {"": "nobody", **dict.fromkeys("abcd", "a panelist")}.get(row.answer, row.answer),
        row.reason or "–",
        row.http_status or "–",
        row.attempts,
        codes or "–",
        row.calls,
        row.paid,
    )
    return f"| {' | '.join(map(str, cells))} |"


def lines(rows: Iterable[Row]) -> list[str]:
    """The table's rows; the panel's seats together where they say the same."""
    told: dict[str, list[str]] = {}
    for row in rows:
        seat = next((seat for seat in SEATS if row.place.name.startswith(seat)), "")
        where = f"{'{seat}' if seat else ''}{row.place.name.removeprefix(seat)}"
        told.setdefault(line(row, where), []).append(seat.partition(" ")[0])
    named = {
        text: "any" if len(seats) == len(SEATS) else " and ".join(seats)
        for text, seats in told.items()
    }
    return [text.replace("{seat}", f"{seat} panelist, ") for text, seat in named.items()]


async def main() -> None:
    """Print the matrix, and what became of panels that did anything."""
    with start_server() as server:
        await matrix(server, CELLS, PLACES)
        print("\n## Both waves of an adaptive panel\n")
        await matrix(server, WAVE_CELLS, WAVES)
        await any_behaviour(server)


async def matrix(
    server: ModelServer, cells: Sequence[tuple[Fault, Place]], places: Sequence[Place]
) -> None:
    """Print a matrix; no cell is untyped, and none against the rules."""
    began = time.perf_counter()
    rows = await play(server, cells)
    seconds = time.perf_counter() - began
    wrong = [problem for row in rows for problem in problems(row)]
    if wrong:
        raise SystemExit("\n".join(wrong))
    answered = sum(bool(row.answer) for row in rows)
    typed = sum(bool(row.reason or row.codes) for row in rows)
    calls, paid = sum(row.calls for row in rows), sum(row.paid for row in rows)
    print(
        f"{len(FAULTS)} faults, {len(places)} places, {len(rows)} cells in {seconds:.0f} s. "
        f"{typed} typed, {answered} with an answer all the same; {calls} calls reached the "
        f"server, {paid} were answered and so paid.\n"
    )
    print(HEAD)
    print("\n".join(lines(rows)))


async def any_behaviour(server: ModelServer) -> None:
    """Run panels of models that do anything, and print what became of them."""
    began = time.perf_counter()
    seen: Counter[str] = Counter()
    crowds = [drawn(PANELS, number) for number in range(DRAWS)]
    for crowd in crowds:
        seen += await all_of(server, crowd)
    seconds = time.perf_counter() - began
    print("\n## Models that do anything\n")
    print(
        f"{sum(map(len, crowds))} panels of models that did anything, in {seconds:.0f} s: each "
        "ended within its cap with every tool call answered, and its report counted what the "
        "server had counted.\n"
    )
    print("| became, or lost | times |\n|---|---|")
    print("\n".join(f"| {what} | {times} |" for what, times in seen.most_common()))


if __name__ == "__main__":
    asyncio.run(main())
