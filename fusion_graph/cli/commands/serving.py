"""`serve`: the OpenAI-compatible endpoint and its page."""

from __future__ import annotations

from typing import Annotated

import typer

from fusion_graph.cli.commands.app import Work, app

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
