"""The commands, their options and their help. typer parses; the work is done elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from fusion_graph.cli.exits import ANSWERED, DEBUG_VARIABLE, INTERRUPTED
from fusion_graph.cli.options import (
    OUTPUT,
    RUN,
    STACK,
    CorpusOption,
    InvocationOption,
    JudgeOption,
    MaxToolCallsOption,
    PanelOption,
    PresetOption,
    SearchOption,
    SynthesizerOption,
)

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
    fusion-graph estimate --preset quality "Is fasting safe with metformin?"
    fusion-graph presets
    fusion-graph doctor
    fusion-graph serve

    Without an API key the [bold]offline[/bold] preset answers: extractive models over a folder
    of documents, no network and no language model.
    """


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
            "--debug", callback=_set_debug, rich_help_panel=OUTPUT, help="Show tracebacks."
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


@app.command("report")
def _report(
    run: Annotated[
        str, typer.Argument(metavar="RUN.json", help="What ask --json printed; - reads it here.")
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where it goes; - is standard output. Unset: RUN.html, or here for a text.",
        ),
    ] = None,
    text: Annotated[
        bool, typer.Option("--text", help="Plain text instead of an HTML page.")
    ] = False,
) -> Work:
    """Make a page to read of a saved run: one file, nothing to install, no network.

    [bold]Examples[/bold]

    fusion-graph ask --json "…" > run.json && fusion-graph report run.json
    fusion-graph report --text run.json | less
    fusion-graph ask --json "…" | fusion-graph report - > run.html
    """
    from fusion_graph.cli.report import Conversion, convert

    return lambda: convert(Conversion(run, output, text))


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


_ADDRESS, _ALLOWED = "Where", "What requests may ask for"


@app.command("serve")
def _serve(
    host: Annotated[
        str,
        typer.Option(
            "--host", metavar="HOST", rich_help_panel=_ADDRESS, help="Name or address to listen on."
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            "--port",
            metavar="N",
            min=0,
            max=65535,
            rich_help_panel=_ADDRESS,
            help="TCP port; 0 takes a free one.",
        ),
    ] = 8484,
    without_key: Annotated[
        bool,
        typer.Option(
            "--without-key",
            rich_help_panel=_ADDRESS,
            help="Listen on an open address although FUSION_API_KEY is not set.",
        ),
    ] = False,
    preset: Annotated[
        list[str] | None,
        typer.Option(
            "--preset",
            "-p",
            metavar="NAME",
            rich_help_panel=_ALLOWED,
            help="A preset on offer, by name or file. Repeat it, or use commas. Unset: all.",
        ),
    ] = None,
    allow_model: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-model",
            metavar="PATTERN",
            rich_help_panel=_ALLOWED,
            help="Models that requests may name besides the preset's own, as in 'openrouter:*'. "
            "Repeat it, or use commas. Unset: those of the usual providers.",
        ),
    ] = None,
    no_models: Annotated[
        bool,
        typer.Option(
            "--no-models",
            rich_help_panel=_ALLOWED,
            help="Requests choose a preset and name no models.",
        ),
    ] = False,
    max_panel: Annotated[
        int | None,
        typer.Option(
            "--max-panel",
            metavar="N",
            min=1,
            max=16,
            rich_help_panel=_ALLOWED,
            help="Most panelists that a request may name. Default 16.",
        ),
    ] = None,
    max_tool_calls: Annotated[
        int | None,
        typer.Option(
            "--max-tool-calls",
            metavar="N",
            min=0,
            max=16,
            rich_help_panel=_ALLOWED,
            help="Most searches and fetches of one panelist, also of a preset's. Default 16.",
        ),
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(
            "--max-tokens",
            metavar="N",
            min=16,
            max=128_000,
            rich_help_panel=_ALLOWED,
            help="Most tokens of one model call, also of a preset's. Default 128000.",
        ),
    ] = None,
    max_cost: Annotated[
        float | None,
        typer.Option(
            "--max-cost",
            metavar="USD",
            min=0.0,
            rich_help_panel=_ALLOWED,
            help="Most dollars of one run, also of a preset's. Unset: no cap.",
        ),
    ] = None,
    max_runs: Annotated[
        int | None,
        typer.Option(
            "--max-runs",
            metavar="N",
            min=1,
            rich_help_panel=_ALLOWED,
            help="Most runs at work at the same time; more get 429. Default 64.",
        ),
    ] = None,
) -> Work:
    """Serve the presets over OpenAI's API, with a page to watch them at work.

    Any OpenAI client can use it: the base URL is http://127.0.0.1:8484/v1, a model is
    fusion/PRESET. With FUSION_API_KEY set, callers have to give that key.

    [bold]Examples[/bold]

    fusion-graph serve
    fusion-graph serve --preset offline --port 9000
    fusion-graph serve --preset budget --no-models --max-runs 8
    FUSION_API_KEY=… fusion-graph serve --host 0.0.0.0
    """
    from fusion_graph.cli.serve import Service, serve, split

    if no_models and allow_model:
        raise typer.BadParameter("give --allow-model or --no-models, not both")
    limits = {
        "presets": split(preset),
        "models": () if no_models else split(allow_model),
        "max_panel": max_panel,
        "max_tool_calls": max_tool_calls,
        "max_tokens": max_tokens,
        "max_cost": max_cost,
        "max_runs": max_runs,
    }
    return lambda: serve(Service(host, port, limits, without_key))


@app.command("estimate")
def _estimate(
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
    as_json: Annotated[
        bool, typer.Option("--json", rich_help_panel=OUTPUT, help="Print it as JSON.")
    ] = False,
) -> Work:
    """Say what a question would cost, in US dollars: low, likely and high.

    Asks no model and needs no key. The options are those of [bold]ask[/bold].

    [bold]Examples[/bold]

    fusion-graph estimate --preset quality "Is fasting safe with metformin?"
    fusion-graph estimate --panel openai:gpt-5.5,ollama:qwen3 "Is P equal to NP?"
    fusion-graph estimate --preset budget --json - < question.txt | jq .total.high.cost_usd
    """
    from fusion_graph.cli.estimate import estimate_question

    options = {
        "preset": preset,
        "panel": panel,
        "judge": judge,
        "synthesizer": synthesizer,
        "corpus": corpus,
        "search": search,
        "max_tool_calls": max_tool_calls,
        "invocation": invocation,
    }
    return lambda: estimate_question(question, options, as_json)


_QUESTIONS, _MARKING = "What is asked", "Who marks"


@app.command("eval")
def _eval(
    dataset: Annotated[
        str,
        typer.Option(
            "--dataset",
            metavar="FILE",
            rich_help_panel=_QUESTIONS,
            help="A question set as JSONL, DRACO's test.jsonl, or offline for the bundled one.",
        ),
    ],
    arms: Annotated[
        list[str],
        typer.Option(
            "--arms",
            metavar="ARMS",
            rich_help_panel=STACK,
            help="Who answers, with commas: a preset's name or file; with :solo, :solo:NAME, "
            ":no-judge, :self or :best-of-N behind it; or a model alone, provider:model. The "
            "others are compared with the first.",
        ),
    ],
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            min=1,
            rich_help_panel=_QUESTIONS,
            help="Only the first N questions, of the sample if there is one.",
        ),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(
            "--sample",
            metavar="N",
            min=1,
            rich_help_panel=_QUESTIONS,
            help="Only N questions, drawn by --seed; a larger sample contains a smaller one.",
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            "--seed", metavar="N", min=0, rich_help_panel=_QUESTIONS, help="Of the sample."
        ),
    ] = 0,
    grader: Annotated[
        str | None,
        typer.Option(
            "--grader",
            metavar="MODEL",
            rich_help_panel=_MARKING,
            help="The model that marks what code cannot. Default: OpenRouter's for DRACO.",
        ),
    ] = None,
    policy: Annotated[
        str,
        typer.Option(
            "--policy",
            metavar="NAME",
            rich_help_panel=_MARKING,
            help="A verdict that cannot be read: openrouter leaves it out, strict counts it "
            "against the answer.",
        ),
    ] = "openrouter",
    passes: Annotated[
        int | None,
        typer.Option(
            "--passes",
            metavar="N",
            min=1,
            rich_help_panel=_MARKING,
            help="How often the grader marks each answer. Default 3.",
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            metavar="DIR",
            rich_help_panel=OUTPUT,
            help="Folder of the results and of all finished work. Default: eval-NAME here.",
        ),
    ] = None,
    max_cost: Annotated[
        float | None,
        typer.Option(
            "--max-cost",
            metavar="USD",
            min=0.0,
            rich_help_panel=RUN,
            help="Most dollars in all, earlier runs in the same folder included.",
        ),
    ] = None,
    concurrency: Annotated[
        int,
        typer.Option(
            "--concurrency",
            metavar="N",
            min=1,
            max=256,
            rich_help_panel=RUN,
            help="Answers worked on at the same time.",
        ),
    ] = 4,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", rich_help_panel=OUTPUT, help="No progress.")
    ] = False,
) -> Work:
    """Find out on your own questions whether a panel beats one model, and at what cost.

    Everything finished is kept: give the same command again after a stop, and nothing is paid
    twice. Panelists' answers are shared between arms.

    [bold]Examples[/bold]

    fusion-graph eval --dataset offline --arms offline,offline:solo
    fusion-graph eval --dataset mine.jsonl --arms budget,budget:solo,openai:gpt-5.5 --max-cost 5
    fusion-graph eval --dataset test.jsonl --arms quality,quality:self --sample 20 --seed 1
    fusion-graph eval --dataset mine.jsonl --arms ./mine.toml,./mine.toml:no-judge

    [bold]Exit codes[/bold]

    0 done
    2 wrong usage or configuration, or a model that cannot be asked
    4 stopped at --max-cost; the same command with a higher one goes on
    130 interrupted; the same command goes on
    """
    from fusion_graph.cli.eval import Evaluated, evaluate

    request = Evaluated(
        dataset=dataset,
        arms=arms,
        grader=grader,
        policy=policy,
        passes=passes,
        limit=limit,
        sample=sample,
        seed=seed,
        out=out,
        max_cost=max_cost,
        concurrency=concurrency,
        quiet=quiet,
    )
    return lambda: evaluate(request)
