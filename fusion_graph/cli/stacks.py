"""`fusion-graph stacks`: what your evaluations recorded, and stacks shared with their verdict."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fusion_graph.cli.answer import write_out
from fusion_graph.cli.app import Work, app
from fusion_graph.cli.exits import ANSWERED
from fusion_graph.cli.lines import write_line
from fusion_graph.cli.recorded import entries
from fusion_graph.errors import ConfigurationError, OutputFailed
from fusion_graph.text.phrases import clean
from fusion_graph.text.printable import printable

if TYPE_CHECKING:
    from fusion_graph.config.presets import Preset
    from fusion_graph.evals.recorded import Verdict

PIPE_COLUMNS = 120
"""Width of the table where no terminal says one."""

MOST_BYTES = 2**20
"""Of a stack that is imported: a preset has a few kilobytes."""


def show_stacks() -> int:
    """Print what was recorded, and the verdicts of stacks that were shared. Returns the exit code.

    Raises:
        ConfigurationError: The track record cannot be opened.
    """
    from fusion_graph.cost.track_record import record_file
    from fusion_graph.evals.recorded import verdicts

    recorded = verdicts(entries())
    if recorded:
        write_out(_table(recorded))
    else:
        write_out("Nothing is recorded yet: fusion-graph eval … --record adds its answers.\n")
    shared = [preset for preset in _own_presets() if preset.verdict]
    for preset in shared:
        write_out(f"\n{clean(preset.name)}, as its file says: {clean(_said(preset))}\n")
    write_out(f"\nThe record: {clean(str(record_file()))}\n")
    return ANSWERED


def export_stack(name: str) -> int:
    """Print a preset with what was recorded of it, as one TOML file. Returns the exit code.

    Raises:
        ConfigurationError: There is no such preset, or it cannot be asked here.
    """
    from fusion_graph.cli.presets import toml_text, verdict_text
    from fusion_graph.config.presets import load
    from fusion_graph.evals.arms import open_arms
    from fusion_graph.evals.recorded import shared_verdict

    preset = load(name)
    (panel,), members = open_arms([name]), open_arms([f"{name}:solo"])
    verdict = shared_verdict(entries(), panel, members)
    if verdict is None:
        write_line(
            f"Nothing is recorded of {clean(name)} as it is now: it goes without a verdict. "
            f"fusion-graph eval --dataset … --arms {clean(name)},{clean(name)}:solo --record "
            "makes one."
        )
    write_out(printable(toml_text(preset, verdict=False) + verdict_text(verdict or {})))
    return ANSWERED


def import_stack(file: str) -> int:
    """Put a stack that somebody shared among your own presets. Returns the exit code.

    Raises:
        ConfigurationError: It cannot be used, or a preset of its name is there already.
        OutputFailed: It cannot be written.
    """
    from fusion_graph.config.presets import load, names, user_folder

    path = Path(file).expanduser()
    if path.suffix != ".toml":
        raise ConfigurationError(f"--import: {file} is not a .toml file.", "Name the file itself.")
    if path.is_file() and path.stat().st_size > MOST_BYTES:
        raise ConfigurationError(
            f"--import: {file} has more than {MOST_BYTES} bytes.", "Is it a preset?"
        )
    preset = load(str(path))
    content = path.read_bytes()
    target = user_folder() / path.name
    if target.exists() and target.read_bytes() == content:
        write_line(f"{clean(str(target))} is that file already.")
        return ANSWERED
    if preset.name in names():
        raise ConfigurationError(
            f"--import: there is a preset {preset.name} already.",
            f"Give the file another name, or remove {target}.",
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as out:
            out.write(content)
    except OSError as error:
        raise OutputFailed(f"{target}: {error.strerror or error}") from error
    for line in _asks(preset):
        write_line(clean(line))
    write_out(f"{clean(str(target))}\n")
    return ANSWERED


def _own_presets() -> list[Preset]:
    from fusion_graph.config.presets import load, names

    found = []
    for name in names():
        try:
            found.append(load(name))
        except ConfigurationError:
            continue  # `fusion-graph presets` tells what is wrong with it
    return found


def _said(preset: Preset) -> str:
    return ", ".join(f"{name} {value}" for name, value in preset.verdict.items())


def _asks(preset: Preset) -> list[str]:
    """Whom a stack asks and with which keys: somebody else wrote it."""
    import shlex

    from fusion_graph.config import shown_address
    from fusion_graph.config.keys import keys_of
    from fusion_graph.config.tool_servers import shown_url

    lines = [f"Preset {preset.name}: {preset.description or 'no description'}"]
    providers = preset.fields.get("providers", {})
    for name, provider in providers.items():
        key = f", with the key in {provider.api_key_env}" if provider.api_key_env else ""
        where = shown_address(provider.base_url or "OpenAI's own address")
        lines.append(f"It may send questions to {name} at {where}{key}.")
    for name, server in (preset.fields.get("tools") or {}).items():
        does = f"ask {shown_url(server.url)}" if server.url else f"start {shlex.join(server.line)}"
        given = f", with {', '.join(server.variables)}" if server.variables else ""
        lines.append(f"For the tools of {name} it may {does}{given}.")
    keys = keys_of(preset.fields)
    if keys:
        lines.append(f"Keys it uses: {', '.join(keys)}")
    if preset.verdict:
        lines.append(f"Its file says: {_said(preset)}")
    return lines


def _table(recorded: Sequence[Verdict]) -> str:
    from fusion_graph.evals.output.words import dollars, points

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("question set", overflow="fold", min_width=20)
    table.add_column("stack", overflow="fold")
    for name in ("score", "right", "questions", "cost each", "tokens each", "s each", "last"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in recorded:
        table.add_row(
            Text(clean(one.dataset)),
            Text(clean(one.arm)),
            points(one.score),
            str(one.right),
            str(one.questions),
            dollars(one.usd_each),
            f"{one.tokens_each:,.0f}",
            f"{one.seconds_each:.2f}",
            clean(one.made),
        )
    terminal = sys.stdout.isatty()
    text = io.StringIO()
    Console(file=text, width=None if terminal else PIPE_COLUMNS, force_terminal=terminal).print(
        table
    )
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()).strip("\n") + "\n"


@app.command("stacks")
def _stacks(
    export: Annotated[
        str | None,
        typer.Option(
            "--export",
            metavar="PRESET",
            help="Print a preset with what was recorded of it, as one TOML file to share.",
        ),
    ] = None,
    take: Annotated[
        str | None,
        typer.Option(
            "--import",
            metavar="FILE",
            help="Put a stack that somebody shared among your own presets.",
        ),
    ] = None,
) -> Work:
    """Show how stacks did in your own evaluations, and share one with its verdict.

    [bold]Examples[/bold]

    fusion-graph eval --dataset mine.jsonl --arms budget,budget:solo --record
    fusion-graph stacks
    fusion-graph stacks --export budget > my-budget.toml
    fusion-graph stacks --import their-stack.toml
    """
    if export is not None and take is not None:
        raise typer.BadParameter("--export and --import are two commands: give one of them.")
    if export is not None:
        return lambda: export_stack(export)
    if take is not None:
        return lambda: import_stack(take)
    return show_stacks
