"""`fusion-graph key`: a new key for somebody who may use a server, shown once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from fusion_graph.cli.answer import write_out
from fusion_graph.cli.app import Work, app
from fusion_graph.cli.completion import preset_names
from fusion_graph.cli.exits import ANSWERED, complain


def make_key(name: str, limits: Mapping[str, Any]) -> int:
    """Make a key: itself to standard error, its entry to standard output. Returns the exit code.

    Args:
        name: What it is to be called.
        limits: What it may do, as fields of `Holder`; None where nothing is said.

    Raises:
        ConfigurationError: The name or a limit is wrong.
    """
    from fusion_graph.faces.server.keys import entry, new_key

    key = new_key()
    write_out(entry(name, key, limits))
    complain(f"The key of {name}, shown this once: {key}")
    complain("  its entry, without the key, goes into the file of `fusion-graph serve --keys FILE`")
    return ANSWERED


@app.command("key")
def _key(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Whose it is: it stands in metrics and logs.")
    ],
    preset: Annotated[
        list[str] | None,
        typer.Option(
            "--preset",
            "-p",
            metavar="NAME",
            help="A preset that it may ask. Repeat it, or use commas. Unset: all on offer.",
            autocompletion=preset_names,
        ),
    ] = None,
    max_runs: Annotated[
        int | None,
        typer.Option("--max-runs", metavar="N", min=1, help="Most runs at work at the same time."),
    ] = None,
    max_cost: Annotated[
        float | None,
        typer.Option("--max-cost", metavar="USD", min=0, help="Most US dollars of one run."),
    ] = None,
    max_cost_per_day: Annotated[
        float | None,
        typer.Option(
            "--max-cost-per-day", metavar="USD", min=0, help="Most US dollars of a day (UTC)."
        ),
    ] = None,
) -> Work:
    """Make a key for somebody who may use your server.

    The key is shown once, on standard error; what goes into the file holds its digest only.

    [bold]Examples[/bold]

    fusion-graph key alice --max-cost-per-day 5 >> keys.toml
    fusion-graph serve --keys keys.toml
    """
    from fusion_graph.cli.serve import split

    limits = {
        "presets": split(preset),
        "max_runs": max_runs,
        "max_cost_usd": max_cost,
        "max_cost_usd_per_day": max_cost_per_day,
    }
    return lambda: make_key(name, limits)
