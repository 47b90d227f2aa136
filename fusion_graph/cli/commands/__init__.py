"""The commands, their options and their help. typer parses; the work is done elsewhere."""

from __future__ import annotations

import typer

from fusion_graph.cli.commands import asking, evaluation, looking, serving
from fusion_graph.cli.commands.app import Work, app
from fusion_graph.cli.exits import ANSWERED, INTERRUPTED

__all__ = ["asking", "evaluation", "looking", "parse", "serving"]


def parse() -> Work:
    """The command that the process's arguments ask for.

    It is not run inside typer, which has its own ways with Ctrl-C and broken pipes.

    Raises:
        Exception: One of typer's, for wrong usage; `exits` knows them.
    """
    try:
        parsed = app(standalone_mode=False, prog_name="fusion-graph")
    except typer.Abort:
        raise KeyboardInterrupt from None
    if parsed == INTERRUPTED:  # Ctrl-C while it parsed, in the words of newer versions
        raise KeyboardInterrupt
    if callable(parsed):
        return parsed  # type: ignore[no-any-return]
    return lambda: ANSWERED  # help or version has been printed
