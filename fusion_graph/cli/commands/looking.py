"""`report`, `presets`, `doctor`, `estimate`: commands that ask no model."""

from __future__ import annotations

from typing import Annotated

import typer

from fusion_graph.cli.commands.app import Work, app
from fusion_graph.cli.options import (
    OUTPUT,
    CorpusOption,
    InvocationOption,
    JudgeOption,
    MaxToolCallsOption,
    PanelOption,
    PresetOption,
    SearchOption,
    SynthesizerOption,
)


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
