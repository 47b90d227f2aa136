"""`python -m tests.clients [--write]`: real clients against this package, and their tables.

Exits with 1 if a client did not get what it asked for. Clients that cannot be had here are told as
such and shown nothing; with --write nothing is written then.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.clients.program_cells import MANNERS, program_row
from tests.clients.programs import PROGRAMS
from tests.clients.provision import VERSIONS, Unavailable, provide_programs
from tests.clients.scenes import House, Row, asks, asks_at_length, interrupted, waits
from tests.clients.table import CELLS, CLIENTS, Cell, drive, panel
from tests.clients.vendor import Vendor
from tests.scripted_models import ModelServer, start_server

RESULTS = Path(__file__).with_name("results.md")

LIMITS = {"codex": 30.0, "opencode": 12.0}
"""Seconds after which a call is cut, lower than the programs' own (300 and 60), for haste."""

ONCE = {"a": 1, "b": 1, "c": 1, "j": 1, "w": 1}
"""What one panel pays."""

Line = tuple[str, str, dict[str, Cell]]
"""A row: the client, what it speaks, its cells."""


def main() -> int:
    """Run the clients; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.clients", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write the tables to {RESULTS.name}")
    parser.add_argument("--only", metavar="NAME", default="", help="clients whose name holds this")
    parser.add_argument(
        "--real-limits", action="store_true", help="wait for the programs' own limits: 6 minutes"
    )
    given = parser.parse_args()
    absent: list[str] = []
    with start_server() as models, TemporaryDirectory() as temporary:
        folder = Path(temporary)
        lines = _clients(models, folder, given.only, absent)
        mcp: list[str] = []
        try:
            programs = provide_programs()
        except Unavailable as error:
            absent.append(f"the programs: {error}")
        else:
            with Vendor() as vendor, panel(models, folder / "programs") as at:
                house = House(programs, vendor, models, folder)
                for name in (name for name in PROGRAMS if given.only in name):
                    _say(name)
                    lines.append((_title(name), _speaks(name), program_row(at, house, name, CELLS)))
                    mcp.append(_mcp(house, name, given.real_limits))
    text = _page(lines, mcp, given.real_limits)
    print(text)
    for words in absent:
        print(f"NOT SHOWN, it cannot be had here: {words}")
    if given.write and not absent and not given.only:
        RESULTS.write_text(text, "utf-8")
    missed = any(cell.fits is False for _, _, cells in lines for cell in cells.values())
    return 1 if missed or any("**no**" in line for line in mcp) else 0


def _clients(models: ModelServer, folder: Path, only: str, absent: list[str]) -> list[Line]:
    lines: list[Line] = []
    with panel(models, folder / "sdks") as at:
        for name, client in CLIENTS.items():
            if only not in name:
                continue
            _say(name)
            try:
                lines.append((client.title, client.speaks, drive(at, name, folder)))
            except Unavailable as error:
                absent.append(f"{client.title}: {error}")
    return lines


def _mcp(house: House, name: str, real: bool) -> str:
    """A row of the table of the programs as callers of our MCP tool."""
    once, long = asks(house, name), asks_at_length(house, name)
    waited = waits(house, name, 0.0 if real and name in LIMITS else LIMITS.get(name))
    row, ended = interrupted(house, name)
    stopped = ended and (row.paid["j"], row.paid["w"]) == (0, 0)
    cells = [
        _title(name),
        _yes(once.offered),
        _yes(once.answered and once.paid == ONCE),
        _yes(long.answered),
        f"{waited.progress}",
        _yes(waited.answered and waited.paid == ONCE),
        _how(waited),
        _yes(stopped),
    ]
    return f"| {' | '.join(cells)} |"


def _how(waited: Row) -> str:
    if not waited.cuts:
        return "waits"
    asked = " → ".join(dict.fromkeys(waited.calls))
    return f"cut, then {asked}"


def _page(lines: Iterable[Line], mcp: list[str], real: bool) -> str:
    head = " | ".join(CELLS)
    notes: list[str] = []
    table = []
    for title, speaks, cells in lines:
        told = [_cell(cells[name], f"{title}, {speaks}, {name}", notes) for name in CELLS]
        table.append(f"| {title} | {speaks} | {' | '.join(told)} |")
    limits = "their own limits" if real else "limits lowered to 30 s (Codex) and 12 s (opencode)"
    return "\n".join(
        [
            "# Real clients",
            "",
            "Written by `python -m tests.clients --write`, with Python "
            f"{platform.python_version()}. Every client is the package that people install, at "
            "the version that is named, on this machine alone; the models behind are scripted.",
            "",
            "## With a panel as their model",
            "",
            "Against `fusion-graph serve`. yes: it got what it asked for, of the panel, and "
            "nothing was paid twice; –: it does not ask for such a thing, or not over this "
            "protocol. `tools`: a tool's round trip on one panel (the programs: ten of their own "
            "shell's). `error`: a panel without credits, told by the client's own error. "
            "`cancel`: given up in mid-run, and the members' calls ended.",
            "",
            f"| client | speaks | {head} |",
            f"|---|---|{'---|' * len(CELLS)}",
            *table,
            "",
            *(f"- {note}" for note in notes),
            "",
            "## With our MCP server",
            "",
            f"A member takes twelve minutes by its own clock; {limits}. `paid once` by the model "
            "server's log.",
            "",
            "| program | offered in its first turn | answered, paid once | 16,000 characters whole "
            "| progress messages | twelve minutes, paid once | how | Ctrl-C ends the calls |",
            "|---|---|---|---|---|---|---|---|",
            *mcp,
            "",
        ]
    )


def _cell(cell: Cell, where: str, notes: list[str]) -> str:
    if cell.fits is None:
        return "–"
    if not cell.fits:
        notes.append(f"{where}: {cell.note}")
    return _yes(cell.fits)


def _yes(fits: bool) -> str:
    return "yes" if fits else "**no**"


def _title(name: str) -> str:
    return f"{PROGRAMS[name].title} {VERSIONS[name][1]}"


def _speaks(name: str) -> str:
    return MANNERS[name].speaks if name in MANNERS else "Google's"


def _say(name: str) -> None:
    print(f"{name} …", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
