"""The commands, their options and their help. typer parses; the work is done elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from fusion_graph.cli.exits import ANSWERED, DEBUG_VARIABLE, INTERRUPTED

Work = Callable[[], int]
"""A command, parsed and ready: returns its exit code."""

app = typer.Typer(
    name="fusion-graph",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


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


def installed_version() -> str:
    """The package's version, or `unknown` when it runs from a folder."""
    try:
        return version("fusion-graph")
    except PackageNotFoundError:
        return "unknown"


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fusion-graph {installed_version()}")
        raise typer.Exit()


def _set_debug(wanted: bool) -> None:
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
            "--debug", callback=_set_debug, help=f"Show tracebacks; also {DEBUG_VARIABLE}=1."
        ),
    ] = False,
) -> None:
    """A panel of models researches a question, a judge compares, a writer answers.

    [bold]Examples[/bold]

    fusion-graph ask "When does a panel of models beat a single one?"
    fusion-graph ask --corpus ~/notes "What did we decide about backups?"
    fusion-graph ask --preset budget "Is fasting safe with metformin?"
    fusion-graph presets
    fusion-graph doctor

    Without an API key the [bold]offline[/bold] preset answers: extractive models over a folder
    of documents, no network and no language model.
    """


_STACK, _RUN, _OUTPUT = "Who answers", "How", "Output"


@app.command("ask")
def _ask(
    question: Annotated[
        str, typer.Argument(metavar="QUESTION", help="The question; - reads standard input.")
    ],
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset",
            "-p",
            metavar="NAME",
            rich_help_panel=_STACK,
            help="A preset's name or file. Unset: chosen from the API keys found, and said.",
        ),
    ] = None,
    panel: Annotated[
        list[str] | None,
        typer.Option(
            "--panel",
            metavar="MODEL",
            rich_help_panel=_STACK,
            help="A panelist as provider:model. Give it several times, or several with commas.",
        ),
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(
            "--judge",
            metavar="MODEL",
            rich_help_panel=_STACK,
            help="The model that compares. Unset: the preset's, else the first panelist's.",
        ),
    ] = None,
    synthesizer: Annotated[
        str | None,
        typer.Option(
            "--synthesizer",
            metavar="MODEL",
            rich_help_panel=_STACK,
            help="The model that writes the answer. Unset: the preset's, else the judge.",
        ),
    ] = None,
    corpus: Annotated[
        str | None,
        typer.Option(
            "--corpus",
            metavar="DIR",
            rich_help_panel=_RUN,
            help="Search this folder of Markdown, text or HTML files instead of the web.",
        ),
    ] = None,
    search: Annotated[
        str | None,
        typer.Option(
            "--search",
            metavar="NAME",
            rich_help_panel=_RUN,
            help="Where to search: ddgs, corpus, tavily, searxng, brave, wikipedia or none.",
        ),
    ] = None,
    max_tool_calls: Annotated[
        int | None,
        typer.Option(
            "--max-tool-calls",
            metavar="N",
            rich_help_panel=_RUN,
            help="Most searches and fetches of one panelist, 0 to 16. Default 8.",
        ),
    ] = None,
    invocation: Annotated[
        str | None,
        typer.Option(
            "--invocation",
            metavar="WHEN",
            rich_help_panel=_RUN,
            help="always: the panel; never: one model; auto: one short call decides.",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            metavar="N",
            rich_help_panel=_RUN,
            help="Orders the answers before the judge sees them. Unset: drawn and reported.",
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", rich_help_panel=_OUTPUT, help="Print the whole report as JSON instead."
        ),
    ] = False,
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", rich_help_panel=_OUTPUT, help="No progress and no summary."),
    ] = False,
    _debug: Annotated[
        bool,
        typer.Option(
            "--debug", callback=_set_debug, rich_help_panel=_OUTPUT, help="Show tracebacks."
        ),
    ] = False,
) -> Work:
    """Ask the panel a question.

    The answer goes to standard output as it is written, progress to standard error.

    [bold]Examples[/bold]

    fusion-graph ask "What is self-fusion?"
    fusion-graph ask --corpus ~/notes "What did we decide about backups?"
    fusion-graph ask --panel openai:gpt-5.5,ollama:qwen3 "Is P equal to NP?"
    git diff | fusion-graph ask --search none - > review.md
    fusion-graph ask --json --quiet "…" | jq .analysis

    [bold]Exit codes[/bold]

    0 answered, also when degraded
    2 wrong usage or configuration
    3 no panelist answered
    130 interrupted
    """
    from fusion_graph.cli.ask import Request, ask

    options = {
        "preset": preset,
        "panel": panel,
        "judge": judge,
        "synthesizer": synthesizer,
        "corpus": corpus,
        "search": search,
        "max_tool_calls": max_tool_calls,
        "invocation": invocation,
        "seed": seed,
    }
    request = Request(question, options, as_json, quiet)
    return lambda: ask(request)


@app.command("presets")
def _presets(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="A preset's name or file: show it in full."),
    ] = None,
) -> Work:
    """List the presets, or show one in full.

    [bold]Examples[/bold]

    fusion-graph presets
    fusion-graph presets budget > mine.toml
    fusion-graph ask --preset ./mine.toml "…"
    """
    from fusion_graph.cli.presets import show_preset, show_presets

    return show_presets if name is None else lambda: show_preset(name)


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
    from fusion_graph.cli.doctor import doctor

    return lambda: doctor(preset)
