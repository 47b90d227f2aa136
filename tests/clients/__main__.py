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

PAGES = {
    "as-model": Path(__file__).with_name("as-model.md"),
    "as-tool": Path(__file__).with_name("as-tool.md"),
}
"""The tables: a panel as a client's model, and as a tool of a program's model."""

OWN_LIMITS = {"codex": 300.0, "opencode": 60.0}
"""Seconds after which the programs cut a call by themselves; opencode begins anew at progress."""

LIMITS = {"codex": 30.0, "opencode": 12.0}
"""Seconds after which a call is cut, lower than the programs' own (300 and 60), for haste."""

ONCE = {"a": 1, "b": 1, "c": 1, "j": 1, "w": 1}
"""What one panel pays."""

Line = tuple[str, str, dict[str, Cell]]
"""A row: the client, what it speaks, its cells."""


def main() -> int:
    """Run the clients; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.clients", description=__doc__)
    parser.add_argument("part", nargs="*", choices=(*PAGES, []), help="by default both")
    parser.add_argument("--write", action="store_true", help="write the tables beside this file")
    parser.add_argument("--only", metavar="NAME", default="", help="clients whose name holds this")
    parser.add_argument(
        "--real-limits", action="store_true", help="wait for the programs' own limits: 7 minutes"
    )
    given = parser.parse_args()
    absent: list[str] = []
    pages: dict[str, str] = {}
    with start_server() as models, TemporaryDirectory() as temporary, Vendor() as vendor:
        folder = Path(temporary)
        try:
            house = House(provide_programs(), vendor, models, folder)
        except Unavailable as error:
            absent.append(f"the programs: {error}")
            house = None
        names = [name for name in PROGRAMS if given.only in name and house]
        if "as-model" in (given.part or PAGES):
            lines = _clients(models, folder, given.only, absent)
            with panel(models, folder / "programs") as at:
                for name in names:
                    _say(f"{name} …")
                    assert house is not None
                    row = program_row(at, house, name, CELLS)
                    lines.append((_title(name), _speaks(name), row))
            pages["as-model"] = _model_page(lines)
        if "as-tool" in (given.part or PAGES):
            rows = []
            for name in names:
                _say(f"{name} …")
                assert house is not None
                rows.append(_tool_row(house, name, given.real_limits))
                _say(rows[-1])
            pages["as-tool"] = _tool_page(rows, given.real_limits)
    for name, text in pages.items():
        print(text)
        if given.write and not absent and not given.only:
            PAGES[name].write_text(text, "utf-8")
    for words in absent:
        print(f"NOT SHOWN, it cannot be had here: {words}")
    return 1 if any("**no**" in text for text in pages.values()) else 0


def _clients(models: ModelServer, folder: Path, only: str, absent: list[str]) -> list[Line]:
    lines: list[Line] = []
    with panel(models, folder / "sdks") as at:
        for name, client in CLIENTS.items():
            if only not in name:
                continue
            _say(f"{name} …")
            try:
                lines.append((client.title, client.speaks, drive(at, name, folder)))
            except Unavailable as error:
                absent.append(f"{client.title}: {error}")
    return lines


def _tool_row(house: House, name: str, real: bool) -> str:
    """A row of the table of the programs as callers of our MCP tool."""
    once, long = asks(house, name), asks_at_length(house, name)
    limits = OWN_LIMITS if real else LIMITS
    wait = limits.get(name, 5.0) + 5.0
    # Our installer raises Codex's limit: here it is as Codex has it.
    limit = LIMITS.get(name) if not real else 0.0 if name == "codex" else None
    waited = waits(house, name, limit, wait)
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


def _model_page(lines: Iterable[Line]) -> str:
    notes: list[str] = []
    table = []
    for title, speaks, cells in lines:
        told = [_cell(cells[name], f"{title}, {speaks}, {name}", notes) for name in CELLS]
        table.append(f"| {title} | {speaks} | {' | '.join(told)} |")
    return "\n".join(
        [
            "# Real clients with a panel as their model",
            "",
            "Written by `python -m tests.clients as-model --write`, with Python "
            f"{platform.python_version()}. {_EVERY}",
            "",
            "Against `fusion-graph serve`. yes: it got what it asked for, of the panel, and "
            "nothing was paid twice; –: it does not ask for such a thing, or not over this "
            "protocol. `tools`: a tool's round trip on one panel (the programs: ten of their own "
            "shell's). `error`: a panel without credits, told by the client's own error. "
            "`cancel`: given up in mid-run, and the members' calls ended.",
            "",
            f"| client | speaks | {' | '.join(CELLS)} |",
            f"|---|---|{'---|' * len(CELLS)}",
            *table,
            "",
            *(f"- {note}\n" for note in notes),
        ]
    )


def _tool_page(rows: list[str], real: bool) -> str:
    lowered = " and ".join(f"{name}'s to {seconds:.0f} s" for name, seconds in LIMITS.items())
    limits = "Limits of calls are the programs' own" if real else f"Limits are lowered, {lowered}"
    return "\n".join(
        [
            "# Real programs with our MCP server",
            "",
            f"Written by `python -m tests.clients as-tool --write{' --real-limits' * real}`. "
            f"{_EVERY}",
            "",
            "The entry in each program's settings is the one that `fusion-graph mcp --install` "
            "writes. A member takes twelve minutes by its own clock, which goes on once the "
            f"program's limit is over. {limits}. `paid once` by the model server's log.",
            "",
            "| program | offered in its first turn | answered, paid once | 16,000 characters whole "
            "| progress messages | twelve minutes, paid once | how | Ctrl-C ends the calls |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


_EVERY = (
    "Every client is the package that people install, at the version that is named, on this "
    "machine alone; the models behind are scripted."
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


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
