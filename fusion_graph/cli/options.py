"""The options that say who answers and how, for every command that takes them."""

from __future__ import annotations

from typing import Annotated

import typer

STACK, RUN, OUTPUT = "Who answers", "How", "Output"

PresetOption = Annotated[
    str | None,
    typer.Option(
        "--preset",
        "-p",
        metavar="NAME",
        rich_help_panel=STACK,
        help="A preset's name or file. Unset: chosen from the API keys found, and said.",
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
        help="Where to search: ddgs, corpus, tavily, searxng, brave, wikipedia or none.",
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
InvocationOption = Annotated[
    str | None,
    typer.Option(
        "--invocation",
        metavar="WHEN",
        rich_help_panel=RUN,
        help="always: the panel; never: one model; auto: one short call decides.",
    ),
]
