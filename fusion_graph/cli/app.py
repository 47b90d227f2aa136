"""The command line's root: its name, its help, the options before a command, and its commands."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Annotated, Any

import typer

from fusion_graph.cli.exits import ANSWERED, DEBUG_VARIABLE, INTERRUPTED
from fusion_graph.version import own_version

Work = Callable[[], int]
"""A command, parsed and ready: returns its exit code."""

COMMANDS = (
    *("ask", "code", "resume", "log", "eval", "report", "presets", "stacks", "doctor"),
    *("estimate", "serve", "key", "mcp"),
)
"""In the order of the help; each in the module of its name, which puts it on `app`."""

app = typer.Typer(
    name="fusion-graph",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fusion-graph {own_version()}")
        raise typer.Exit()


def set_debug(wanted: bool) -> None:
    """Show tracebacks from now on, if that is wanted."""
    if wanted:
        os.environ[DEBUG_VARIABLE] = "1"


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option(
            "--debug", callback=set_debug, help=f"Show tracebacks; also {DEBUG_VARIABLE}=1."
        ),
    ] = False,
) -> None:
    """A panel of models researches a question, a judge compares, a writer answers.

    [bold]Examples[/bold]

    fusion-graph ask "When does a panel of models beat a single one?"
    fusion-graph ask --corpus ~/notes "What did we decide about backups?"
    fusion-graph ask --preset budget "Is fasting safe with metformin?"
    fusion-graph code --tests test_slug.py "Write slug(title) in Python"
    fusion-graph estimate --preset quality "Is fasting safe with metformin?"
    fusion-graph presets
    fusion-graph doctor
    fusion-graph serve

    Without an API key the [bold]offline[/bold] preset answers: extractive models over a folder
    of documents, no network and no language model.
    """


def command_line() -> typer.Typer:
    """The command line with all its commands."""
    for name in COMMANDS:
        import_module(f"fusion_graph.cli.{name}")
    # Some modules import others, so that they came in another order.
    app.registered_commands.sort(key=lambda command: COMMANDS.index(str(command.name)))
    return app


@cache
def _command() -> Callable[..., Any]:
    """What parses the arguments: made of every command's signature, which takes a while."""
    return typer.main.get_command(command_line())


def parse() -> Work:
    """The command that the process's arguments ask for.

    It is not run inside typer, which has its own ways with Ctrl-C and broken pipes.

    Raises:
        Exception: One of typer's, for wrong usage; `exits` knows them.
    """
    try:
        parsed = _command()(standalone_mode=False, prog_name="fusion-graph")
    except typer.Abort:
        raise KeyboardInterrupt from None
    if parsed == INTERRUPTED:  # Ctrl-C while it parsed, in the words of newer versions
        raise KeyboardInterrupt
    if callable(parsed):
        return parsed  # type: ignore[no-any-return]
    return lambda: ANSWERED  # help or version has been printed
