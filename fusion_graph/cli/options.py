"""The options that say who answers and how, for every command that takes them."""

from __future__ import annotations

from typing import Annotated

import typer

from fusion_graph.cli.app import set_debug
from fusion_graph.cli.completion import preset_names

STACK, RUN, OUTPUT = "Who answers", "How", "Output"
ALLOWED = "What requests may ask for"
"""Where the owner of a server says what those who ask may ask for."""

KEEPING = "What is kept"
"""Where the owner of a server says what outlives it."""

QuestionArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="QUESTION",
        help="The question, in quotes or not; - reads it from standard input. What is piped in "
        "beside it is context.",
        show_default=False,
    ),
]
AttachOption = Annotated[
    list[str] | None,
    typer.Option(
        "--attach",
        "-a",
        metavar="FILE",
        rich_help_panel=RUN,
        help="A text, picture or PDF that goes with the question; - is standard input. Repeat it.",
    ),
]
PresetOption = Annotated[
    str | None,
    typer.Option(
        "--preset",
        "-p",
        metavar="NAME",
        rich_help_panel=STACK,
        help="A preset's name or file. Unset: chosen from the API keys found, and said.",
        autocompletion=preset_names,
    ),
]
PanelOption = Annotated[
    list[str] | None,
    typer.Option(
        "--panel",
        metavar="MODEL",
        rich_help_panel=STACK,
        help="A panelist as provider:model. Give it several times, or several with commas.",
    ),
]
JudgeOption = Annotated[
    str | None,
    typer.Option(
        "--judge",
        metavar="MODEL",
        rich_help_panel=STACK,
        help="The model that compares. Unset: the preset's, else the first panelist's.",
    ),
]
SynthesizerOption = Annotated[
    str | None,
    typer.Option(
        "--synthesizer",
        metavar="MODEL",
        rich_help_panel=STACK,
        help="The model that writes the answer. Unset: the preset's, else the judge.",
    ),
]
CorpusOption = Annotated[
    str | None,
    typer.Option(
        "--corpus",
        metavar="DIR",
        rich_help_panel=RUN,
        help="Search this folder of Markdown, text, HTML or PDF files instead of the web.",
    ),
]
SearchOption = Annotated[
    str | None,
    typer.Option(
        "--search",
        metavar="NAME",
        rich_help_panel=RUN,
        help="Where to search: ddgs, provider (its own), corpus, exa, tavily, searxng, brave, "
        "wikipedia or none.",
    ),
]
MaxToolCallsOption = Annotated[
    int | None,
    typer.Option(
        "--max-tool-calls",
        metavar="N",
        rich_help_panel=RUN,
        help="Most searches and fetches of one panelist, 0 to 16. Default 8.",
    ),
]
ToolOption = Annotated[
    list[str] | None,
    typer.Option(
        "--tool",
        metavar="NAME=COMMAND|URL",
        rich_help_panel=RUN,
        help="An MCP server whose tools the panel gets, as files='npx -y …' or an address. "
        "Repeat it.",
    ),
]
InvocationOption = Annotated[
    str | None,
    typer.Option(
        "--invocation",
        metavar="WHEN",
        rich_help_panel=RUN,
        help="always: the panel; never: one model; auto: one short call decides.",
    ),
]
PanelPolicyOption = Annotated[
    str | None,
    typer.Option(
        "--panel-policy",
        metavar="HOW",
        rich_help_panel=RUN,
        help="full: ask everybody; adaptive: two first, the others if these do not agree.",
    ),
]
OfferedPresetsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--preset",
        "-p",
        metavar="NAME",
        rich_help_panel=ALLOWED,
        help="A preset on offer, by name or file. Repeat it, or use commas. Unset: all.",
    ),
]
MostToolCallsOption = Annotated[
    int | None,
    typer.Option(
        "--max-tool-calls",
        metavar="N",
        min=0,
        max=16,
        rich_help_panel=ALLOWED,
        help="Most searches and fetches of one panelist, also of a preset's. Default 16.",
    ),
]
MostTokensOption = Annotated[
    int | None,
    typer.Option(
        "--max-tokens",
        metavar="N",
        min=16,
        max=128_000,
        rich_help_panel=ALLOWED,
        help="Most tokens of one model call, also of a preset's. Default 128000.",
    ),
]
MostCostOption = Annotated[
    float | None,
    typer.Option(
        "--max-cost",
        metavar="USD",
        min=0.0,
        rich_help_panel=ALLOWED,
        help="Most dollars of one run, also of a preset's. Unset: no cap.",
    ),
]
KeysOption = Annotated[
    str | None,
    typer.Option(
        "--keys",
        metavar="FILE",
        rich_help_panel=ALLOWED,
        help="Keys of others, each with limits and runs of its own: `fusion-graph key NAME` makes "
        "one. FUSION_API_KEY stays yours, and sees all.",
    ),
]
FleetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--fleet",
        metavar="URL",
        rich_help_panel=KEEPING,
        help="Have the panels at work in the fleet of a LangGraph server, which keeps the runs. "
        "Repeat it for more addresses of the same fleet. Unset: FUSION_FLEET_URL, else here.",
    ),
]
KeepRunsOption = Annotated[
    str | None,
    typer.Option(
        "--keep-runs",
        metavar="DIR|none",
        rich_help_panel=KEEPING,
        help="Folder of runs, which survive a restart there; none keeps them in memory only. "
        "Unset: in your data folder.",
    ),
]
MostRunsOption = Annotated[
    int | None,
    typer.Option(
        "--max-runs",
        metavar="N",
        min=1,
        rich_help_panel=ALLOWED,
        help="Most runs at work at the same time; more are refused. Default 64.",
    ),
]
MaxCostOption = Annotated[
    float | None,
    typer.Option(
        "--max-cost",
        metavar="USD",
        rich_help_panel=RUN,
        help="Most dollars: no further call begins beyond, and the run ends with what it has.",
    ),
]
JsonOption = Annotated[
    bool,
    typer.Option("--json", rich_help_panel=OUTPUT, help="Print the whole report as JSON instead."),
]
ReportOption = Annotated[
    str | None,
    typer.Option(
        "--report",
        metavar="FILE",
        rich_help_panel=OUTPUT,
        help="Write the whole report to this file, as an HTML page.",
    ),
]
QuietOption = Annotated[
    bool,
    typer.Option("--quiet", "-q", rich_help_panel=OUTPUT, help="No progress and no summary."),
]
DebugOption = Annotated[
    bool,
    typer.Option("--debug", callback=set_debug, rich_help_panel=OUTPUT, help="Show tracebacks."),
]
