"""`python -m tests.real_models`: whole panels on a real model, and their table.

Exits with 1 if a check missed what it is there to show. Where server or weights cannot be had,
it says so and exits with 0: nothing was shown.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.real_models.checks import CHECKS, SAMPLE, Check, Missed, Row
from tests.real_models.provision import SERVER, WEIGHTS, Provisions, Unavailable, provide

RESULTS = Path(__file__).with_name("results.md")


def main() -> int:
    """Run the checks; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.real_models", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write the table to {RESULTS.name}")
    parser.add_argument("--only", metavar="NAME", default="", help="checks whose name holds this")
    parser.add_argument(
        "--sample", action="store_true", help="leave out what reads most, as CI does"
    )
    given = parser.parse_args()
    try:
        provisions = provide()
        checks = SAMPLE if given.sample else CHECKS
        rows, missed = _checked(provisions, [c for c in checks if given.only in c.__name__])
    except Unavailable as error:
        print(f"SKIPPED, nothing was shown of a real model: {error}")
        return 0
    table = _table(rows)
    print(table)
    if given.write and len(rows) == len(CHECKS):
        RESULTS.write_text(table, "utf-8")
    for words in missed:
        print(f"MISSED {words}", file=sys.stderr)
    return 1 if missed else 0


def _checked(provisions: Provisions, checks: list[Check]) -> tuple[list[Row], list[str]]:
    rows, missed = [], []
    for check in checks:
        print(f"{check.__name__} …", file=sys.stderr, flush=True)
        with TemporaryDirectory() as folder:
            try:
                rows.append(asyncio.run(check(provisions, Path(folder))))
            except Missed as words:
                missed.append(f"{check.__name__}: {words}")
    return rows, missed


def _table(rows: list[Row]) -> str:
    lines = [
        "# A real model behind a real server",
        "",
        "Written by `python -m tests.real_models --write`: "
        f"{WEIGHTS[0]} (SmolLM2 135M, Q4_1) on {SERVER[0]}, "
        f"Python {platform.python_version()}, 1 thread. Tokens are the server's own counts, and "
        "where the run ended by itself equal to the report's.",
        "",
        "| run | outcome | seconds | model calls | tool calls | tokens read (of cache) | written "
        "| written/s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        tokens, speed = row.counted, row.counted.written / max(row.seconds, 0.001)
        lines.append(
            f"| {row.what} | {row.outcome} | {row.seconds:.1f} | {row.calls} | {row.tools} "
            f"| {tokens.read} ({tokens.cached}) | {tokens.written} | {speed:.0f} |"
        )
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main())
