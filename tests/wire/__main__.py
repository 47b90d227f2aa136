"""`python -m tests.wire DIR`: replay a folder of recorded exchanges, and print what came of each.

Exits with 1 if a case that has a `check` missed it, and with 2 if DIR holds no cases.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tests.wire.cases import Case, load
from tests.wire.outcomes import Outcome, play
from tests.wire.server import Replay


def main(args: Sequence[str] | None = None) -> int:
    """Play the cases; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.wire", description=__doc__)
    parser.add_argument("dir", type=Path, help="a folder of folders with a case.json")
    parser.add_argument("--only", metavar="TEXT", default="", help="cases whose name holds this")
    parser.add_argument("--jobs", type=int, default=2, help="cases played side by side")
    given = parser.parse_args(args)
    try:
        cases = [case for case in load(given.dir) if given.only in case.name]
    except (ValueError, OSError) as error:
        print(f"tests.wire: {error}", file=sys.stderr)
        return 2
    table = Table("case", "", "HTTP", "exit", "check", "what came of it", show_lines=True)
    missed = 0
    for streamed in (True, False):
        for outcome in _played(cases, streamed, given.jobs):
            verdict = outcome.verdict
            missed += verdict not in ("ok", "?")
            way = "streamed" if streamed else "whole"
            row = (outcome.case.name, way, outcome.statuses, str(outcome.code), verdict)
            words = Text.assemble(
                outcome.words, "\n", (f"wanted: {outcome.case.data['expect']}", "dim")
            )
            table.add_row(*row, words)
    Console(width=None if sys.stdout.isatty() else 220).print(table)
    return 1 if missed else 0


def _played(cases: list[Case], streamed: bool, jobs: int) -> list[Outcome]:
    with (
        TemporaryDirectory() as folder,
        Replay(cases, streamed=streamed) as replay,
        ThreadPoolExecutor(jobs) as pool,
    ):
        return list(pool.map(lambda case: play(case, replay, Path(folder)), cases))


if __name__ == "__main__":
    sys.exit(main())
