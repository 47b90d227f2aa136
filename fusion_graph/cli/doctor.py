"""`fusion-graph doctor`: what works here. The work is in `machine`, which imports everything."""

from __future__ import annotations

from typing import Annotated

import typer

from fusion_graph.cli.app import Work, app


def doctor(preset_name: str | None) -> int:
    """Print what works here. Returns the exit code (see `machine.examine`)."""
    from fusion_graph.cli.machine import examine

    return examine(preset_name)


@app.command("doctor")
def _doctor(
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset",
            "-p",
            metavar="NAME",
            help="Examine this preset rather than the one that would be chosen.",
        ),
    ] = None,
) -> Work:
    """Show what works here: keys, models, presets, search.

    Ends with 2 when something is broken that the preset needs. Asks Ollama and the search
    engines; calls no model.
    """

    return lambda: doctor(preset)
