"""`fusion-graph serve`: the models' APIs and the page, until it is stopped."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fusion_graph.cli.app import Work, app
from fusion_graph.cli.exits import ANSWERED, complain, leave
from fusion_graph.cli.keeping import keeping_told, opened_store
from fusion_graph.cli.listening import (
    access_told,
    http_server,
    listen,
    log_to_stderr,
    refuse_open,
    url_of,
)
from fusion_graph.cli.options import (
    ALLOWED,
    FleetOption,
    KeepRunsOption,
    KeysOption,
    MostCostOption,
    MostRunsOption,
    MostTokensOption,
    MostToolCallsOption,
    OfferedPresetsOption,
)
from fusion_graph.errors import ConfigurationError

if TYPE_CHECKING:
    import uvicorn

    from fusion_graph.faces.server.limits import Limits
    from fusion_graph.faces.server.run_store import RunStore
    from fusion_graph.faces.server.runs import Runs
    from fusion_graph.faces.server.settings import ServerSettings

PACKAGES = ("starlette", "uvicorn", "sse_starlette")
"""What the extra `serve` installs."""


@dataclass(frozen=True)
class Service:
    """What was asked for on the command line.

    Attributes:
        host: Name or address to listen on.
        port: TCP port; 0 takes a free one.
        limits: Fields of `Limits` by name; None where an option was not given.
        without_key: Whether an open address without a key is meant.
        allow_origins: Origins of web pages that are let in.
        keep_runs: The folder of runs, `none` for no keeping; None for the usual folder.
        keys: The file of further keys; None for none.
        fleet: Addresses of the fleet; None for the environment's.
    """

    host: str
    port: int
    limits: Mapping[str, Any]
    without_key: bool = False
    allow_origins: tuple[str, ...] = ()
    keep_runs: str | None = None
    keys: str | None = None
    fleet: tuple[str, ...] | None = None


def serve(service: Service) -> int:
    """Serve until SIGINT or SIGTERM. Returns the exit code.

    Raises:
        ConfigurationError: The extra is missing, the address cannot be had, an option is wrong,
            or everyone on the network would be let in without a key.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"`serve` needs packages that are not installed: {', '.join(missing)}.",
            "Install them with: pip install 'fusion-graph[serve]'",
        )
    from fusion_graph.cli.fleet import checked_fleet, fleet_runs, fleet_told
    from fusion_graph.faces.server.fleet.address import FleetAddress
    from fusion_graph.faces.server.settings import ServerSettings

    fleet = FleetAddress.from_environment(service.fleet)
    settings = ServerSettings.from_environment(
        limits_of({**service.limits, "elsewhere": None if fleet is None else True}),
        access_log=True,
        allow_origins=service.allow_origins,
        keys=service.keys,
    )
    listener = listen(service.host, service.port)
    with listener:
        if not settings.has_keys and not service.without_key:
            refuse_open(listener, service.host)
        working = _working(settings)
        log_to_stderr()
        if fleet is not None:
            checked_fleet(fleet, settings, service.keep_runs)
            kept = fleet_told(fleet)
            server = _server(settings, fleet_runs(fleet, settings))
        else:
            store = opened_store(service.keep_runs, "serve")
            kept = keeping_told(store)
            server = _server(settings, _own_runs(settings, store))
        _announce(listener, settings, working, kept)
        with suppress(KeyboardInterrupt):  # uvicorn raises its signal again when it is done
            asyncio.Runner().run(server.serve(sockets=[listener]))
    # Straight out: a thread may still be fetching a page for a run that has been given up.
    complain("stopped")
    leave(ANSWERED)


def split(given: Sequence[str] | None) -> tuple[str, ...] | None:
    """Values of an option given several times or with commas; None if it was not given."""
    if not given:
        return None
    return tuple(item.strip() for part in given for item in part.split(",") if item.strip())


def limits_of(options: Mapping[str, Any]) -> Limits:
    """Make the owner's limits, of presets that there are.

    Args:
        options: Fields of `Limits` by name; None where an option was not given.

    Raises:
        ConfigurationError: There is no preset of a given name.
    """
    from fusion_graph.config.presets import load
    from fusion_graph.faces.server.limits import Limits

    for name in options.get("presets") or ():
        load(name)
    return Limits(**{name: value for name, value in options.items() if value is not None})


def _working(settings: ServerSettings) -> list[str]:
    """The models that can work here, after a word on those that were named and cannot.

    Raises:
        ConfigurationError: None of those named can.
    """
    from fusion_graph.faces.server.offer import PREFIX, Offer

    offer = Offer(settings.limits.presets, elsewhere=settings.limits.elsewhere)
    problems = {name: offer.problem(ref) for name, ref in offer.refs().items()}
    working = [f"{PREFIX}{name}" for name, trouble in problems.items() if trouble is None]
    if settings.limits.presets is not None:
        for name, trouble in problems.items():
            if trouble is not None:
                complain(f"warning: {PREFIX}{name} cannot work here now. {trouble}")
        if not working:
            raise ConfigurationError("None of the presets given can work here.", "See above.")
    return working


def _announce(
    listener: socket.socket, settings: ServerSettings, working: list[str], kept: str
) -> None:
    url = url_of(listener)
    complain(f"fusion-graph listens on {url}/v1 (page: {url}/)")
    complain(f"  access: {access_told(listener, settings)}")
    complain(f"  models: {', '.join(working)}")
    complain(f"  runs: {kept}")
    name = "FUSION_API_KEY" if settings.key is not None else "KEY"
    key = f'-H "Authorization: Bearer ${name}" ' if settings.has_keys else ""
    body = (
        f'{{"model": "{working[0]}", '
        '"messages": [{"role": "user", "content": "What is self-fusion?"}]}'
    )
    kind = "-H 'Content-Type: application/json'"
    complain(f"  try: curl {url}/v1/chat/completions {key}{kind} -d '{body}'")
    complain("  Ctrl-C stops it")


def _own_runs(settings: ServerSettings, store: RunStore | None) -> Runs:
    # Imported before the event loop runs: there Ctrl-C would wait for the end of the import, and
    # everybody for the first request.
    import fusion_graph.models.openai_protocol  # noqa: F401
    from fusion_graph.faces.server.runs import Runs
    from fusion_graph.graph import create_fusion_graph

    return Runs(create_fusion_graph(), at_once=settings.limits.max_runs, store=store)


def _server(settings: ServerSettings, runs: Runs) -> uvicorn.Server:
    from fusion_graph.faces.server.app import create_app

    # What is imported by now stays for good: a pass of the garbage collector over its million
    # objects would stop every client for 0.1 s.
    gc.freeze()
    return http_server(create_app(settings, runs), runs)


_ADDRESS = "Where"


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
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-origin",
            metavar="ORIGIN",
            rich_help_panel=_ADDRESS,
            help="Web pages that may ask, as in https://chat.example. Repeat it, or use commas. "
            "'*' is for all, and needs FUSION_API_KEY.",
        ),
    ] = None,
    preset: OfferedPresetsOption = None,
    allow_model: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-model",
            metavar="PATTERN",
            rich_help_panel=ALLOWED,
            help="Models that requests may name besides the preset's own, as in 'openrouter:*'. "
            "Repeat it, or use commas. Unset: those of the usual providers.",
        ),
    ] = None,
    no_models: Annotated[
        bool,
        typer.Option(
            "--no-models",
            rich_help_panel=ALLOWED,
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
            rich_help_panel=ALLOWED,
            help="Most panelists that a request may name. Default 16.",
        ),
    ] = None,
    max_tool_calls: MostToolCallsOption = None,
    max_tokens: MostTokensOption = None,
    max_cost: MostCostOption = None,
    max_runs: MostRunsOption = None,
    keep_runs: KeepRunsOption = None,
    keys: KeysOption = None,
    fleet: FleetOption = None,
) -> Work:
    """Serve the presets over OpenAI's and Anthropic's APIs, with a page to watch them at work.

    Any OpenAI client can use it: the base URL is http://127.0.0.1:8484/v1, a model is
    fusion/PRESET. Anthropic's clients leave the /v1 out. With FUSION_API_KEY set, callers have to
    give that key.

    [bold]Examples[/bold]

    fusion-graph serve
    fusion-graph serve --preset offline --port 9000
    fusion-graph serve --preset budget --no-models --max-runs 8
    FUSION_API_KEY=… fusion-graph serve --host 0.0.0.0
    """

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
    origins = split(allow_origin) or ()
    service = Service(host, port, limits, without_key, origins, keep_runs, keys, split(fleet))
    return lambda: serve(service)
