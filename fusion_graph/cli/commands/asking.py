"""`ask` and `resume`: a run, and the rest of one."""

from __future__ import annotations

from typing import Annotated

import typer

from fusion_graph.cli.commands.app import Work, app, set_debug
from fusion_graph.cli.options import (
    OUTPUT,
    RUN,
    CorpusOption,
    InvocationOption,
    JudgeOption,
    MaxToolCallsOption,
    PanelOption,
    PresetOption,
    SearchOption,
    SynthesizerOption,
)


@app.command("ask")
def _ask(
    question: Annotated[
        str, typer.Argument(metavar="QUESTION", help="The question; - reads standard input.")
    ],
    preset: PresetOption = None,
    panel: PanelOption = None,
    judge: JudgeOption = None,
    synthesizer: SynthesizerOption = None,
    corpus: CorpusOption = None,
    search: SearchOption = None,
    max_tool_calls: MaxToolCallsOption = None,
    invocation: InvocationOption = None,
    max_cost: Annotated[
        float | None,
        typer.Option(
            "--max-cost",
            metavar="USD",
            rich_help_panel=RUN,
            help="Most dollars: no further call begins beyond, and the run ends with what it has.",
        ),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout",
            metavar="SECONDS",
            rich_help_panel=RUN,
            help="Most seconds for the whole run; stragglers are left behind in time to answer.",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            metavar="N",
            rich_help_panel=RUN,
            help="Orders the answers before the judge sees them. Unset: drawn and reported.",
        ),
    ] = None,
    thread: Annotated[
        str | None,
        typer.Option(
            "--thread",
            metavar="NAME",
            rich_help_panel=RUN,
            help="Keep the run under this name: later questions follow on, and a run that was cut "
            "off is resumed.",
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", rich_help_panel=OUTPUT, help="Print the whole report as JSON instead."
        ),
    ] = False,
    page: Annotated[
        str | None,
        typer.Option(
            "--report",
            metavar="FILE",
            rich_help_panel=OUTPUT,
            help="Write the whole report to this file, as an HTML page.",
        ),
    ] = None,
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", rich_help_panel=OUTPUT, help="No progress and no summary."),
    ] = False,
    _debug: Annotated[
        bool,
        typer.Option(
            "--debug", callback=set_debug, rich_help_panel=OUTPUT, help="Show tracebacks."
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
    fusion-graph ask --report run.html "Which database for a small shop?"
    fusion-graph ask --json --quiet "…" | jq .analysis

    [bold]Exit codes[/bold]

    0 answered, also when degraded
    2 wrong usage or configuration
    3 no panelist answered
    130 interrupted
    """
    from fusion_graph.cli.ask import Request, ask
    from fusion_graph.cli.running import Output

    options = {
        "preset": preset,
        "panel": panel,
        "judge": judge,
        "synthesizer": synthesizer,
        "corpus": corpus,
        "search": search,
        "max_tool_calls": max_tool_calls,
        "invocation": invocation,
        "max_cost_usd": max_cost,
        "run_timeout": timeout,
        "seed": seed,
    }
    request = Request(question, options, Output(as_json, quiet, page), thread)
    return lambda: ask(request)


@app.command("resume")
def _resume(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="The thread; without one, all are listed."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the whole report as JSON instead.")
    ] = False,
    page: Annotated[
        str | None,
        typer.Option("--report", metavar="FILE", help="Write the report to this file as a page."),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress and no summary.")
    ] = False,
) -> Work:
    """Finish a run of ask --thread that was cut off, without paying again for what was done.

    [bold]Examples[/bold]

    fusion-graph ask --thread heating "Heat pump or pellets?"
    fusion-graph resume heating
    fusion-graph resume
    """
    from fusion_graph.cli.resume import resume, show_threads
    from fusion_graph.cli.running import Output

    if name is None:
        return show_threads
    return lambda: resume(name, Output(as_json, quiet, page))
