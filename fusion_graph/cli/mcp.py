"""`fusion-graph mcp`: the MCP server, for one client on standard streams or many over HTTP."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Annotated, Any

import typer

from fusion_graph.cli.app import Work, app
from fusion_graph.cli.exits import ANSWERED, complain, leave
from fusion_graph.cli.options import (
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

PACKAGES = ("mcp", "starlette", "uvicorn", "sse_starlette")
"""What the extra `mcp` installs."""


@dataclass(frozen=True)
class Address:
    """An address says where to listen, and for whom.

    Attributes:
        host: Name or address.
        port: TCP port; 0 takes a free one.
        without_key: Whether an open address without a key is meant.
        keep_runs: The folder of runs, `none` for no keeping; None for the usual folder.
        keys: The file of further keys; None for none.
        fleet: Addresses of the fleet; None for the environment's.
    """

    host: str
    port: int
    without_key: bool
    keep_runs: str | None = None
    keys: str | None = None
    fleet: tuple[str, ...] | None = None


def serve_streams(options: Mapping[str, Any]) -> int:
    """Serve the client on standard input and output until it leaves. Returns the exit code.

    Args:
        options: Fields of `Limits` by name; None where an option was not given.

    Raises:
        ConfigurationError: The extra is missing, or an option is wrong.
    """
    _need_packages()
    _forget_placeholders()
    if sys.stdin is None or not _is_open(0) or not _is_open(1):
        raise ConfigurationError(
            "`mcp` talks to its client over standard input and output, and one of them is closed.",
            "Start it with both, or over HTTP with --http.",
        )
    if sys.stdin.isatty():
        complain("fusion-graph mcp waits for an MCP client on standard input. Ctrl-C stops it.")
        complain("  `fusion-graph mcp --install CLIENT` lets a client start it by itself.")
    # The reader first: it answers the handshake while the rest is being imported.
    from fusion_graph.faces.mcp.cancellations import Cancellations
    from fusion_graph.faces.mcp.stdio import Stdio

    cancellations = Cancellations()
    stdio = Stdio(cancellations.note, lambda: leave(ANSWERED))
    stdio.start()
    from fusion_graph.cli.serve import limits_of
    from fusion_graph.faces.mcp.serving import serve_stdio

    limits = limits_of(options)

    async def serve() -> int:
        with suppress(asyncio.CancelledError):  # SIGINT, SIGTERM
            await serve_stdio(stdio, limits, cancellations)
        # Straight out: the loop's end would wait for threads, which may still be importing, or
        # fetching a page for a run that has been given up.
        leave(ANSWERED)

    return asyncio.run(serve())


def serve_http(address: Address, options: Mapping[str, Any]) -> int:
    """Serve clients over streamable HTTP until SIGINT or SIGTERM. Returns the exit code.

    Args:
        address: Where to listen.
        options: Fields of `Limits` by name; None where an option was not given.

    Raises:
        ConfigurationError: The extra is missing, the address cannot be had, an option is wrong,
            or everyone on the network would be let in without a key.
    """
    _need_packages()
    from fusion_graph.cli.fleet import checked_fleet, fleet_runs, fleet_told
    from fusion_graph.cli.keeping import keeping_told, opened_store
    from fusion_graph.cli.listening import (
        access_told,
        http_server,
        listen,
        log_to_stderr,
        refuse_open,
        url_of,
    )
    from fusion_graph.cli.serve import limits_of
    from fusion_graph.faces.server.fleet.address import FleetAddress
    from fusion_graph.faces.server.settings import ServerSettings

    fleet = FleetAddress.from_environment(address.fleet)
    limits = limits_of({**options, "elsewhere": None if fleet is None else True})
    settings = ServerSettings.from_environment(limits, access_log=True, keys=address.keys)
    with listen(address.host, address.port) as listener:
        if not settings.has_keys and not address.without_key:
            refuse_open(listener, address.host)
        from fusion_graph.faces.mcp.fusions import import_graph
        from fusion_graph.faces.mcp.http import PATH, create_mcp_app
        from fusion_graph.faces.server.runs import Runs

        import_graph()  # before the event loop runs: there everybody would wait for it
        log_to_stderr()
        runs: Runs
        if fleet is not None:
            checked_fleet(fleet, settings, address.keep_runs)
            runs, kept = fleet_runs(fleet, settings), fleet_told(fleet)
        else:
            store = opened_store(address.keep_runs, "mcp")
            runs = Runs(at_once=settings.limits.max_runs, store=store)
            kept = keeping_told(store)
        server = http_server(create_mcp_app(settings, runs), runs)
        complain(f"fusion-graph listens on {url_of(listener)}{PATH} (MCP, streamable HTTP)")
        complain(f"  access: {access_told(listener, settings)}")
        complain(f"  runs: {kept}")
        complain("  Ctrl-C stops it")
        with suppress(KeyboardInterrupt):  # uvicorn raises its signal again when it is done
            asyncio.Runner().run(server.serve(sockets=[listener]))
    complain("stopped")
    leave(ANSWERED)


def _need_packages() -> None:
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"`mcp` needs packages that are not installed: {', '.join(missing)}.",
            "Install them with: pip install 'fusion-graph[mcp]'",
        )


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _forget_placeholders() -> None:
    """Drop variables that the client passed unexpanded: a name is no key."""
    from fusion_graph.faces.mcp.clients import placeholders

    for name in placeholders(os.environ):
        del os.environ[name]
        complain(f"warning: the client passed {name} without a value: it is not set there.")


_INTO, _OVER_HTTP = "Into a client", "Over HTTP"


@app.command("mcp")
def _mcp(
    install: Annotated[
        str | None,
        typer.Option(
            "--install",
            metavar="CLIENT",
            rich_help_panel=_INTO,
            help="Write the server into claude-code, codex, opencode, gemini or cursor, after "
            "saying what is written. Other options given here go with it.",
        ),
    ] = None,
    print_only: Annotated[
        bool,
        typer.Option(
            "--print", rich_help_panel=_INTO, help="With --install: show it, write nothing."
        ),
    ] = False,
    yes: Annotated[
        bool,
        typer.Option("--yes", "-y", rich_help_panel=_INTO, help="With --install: do not ask."),
    ] = False,
    http: Annotated[
        bool,
        typer.Option(
            "--http",
            rich_help_panel=_OVER_HTTP,
            help="Listen for clients, instead of serving the one that started this.",
        ),
    ] = False,
    host: Annotated[
        str,
        typer.Option(
            "--host",
            metavar="HOST",
            rich_help_panel=_OVER_HTTP,
            help="Name or address to listen on.",
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            "--port",
            metavar="N",
            min=0,
            max=65535,
            rich_help_panel=_OVER_HTTP,
            help="TCP port; 0 takes a free one.",
        ),
    ] = 8485,
    without_key: Annotated[
        bool,
        typer.Option(
            "--without-key",
            rich_help_panel=_OVER_HTTP,
            help="Listen on an open address although FUSION_API_KEY is not set.",
        ),
    ] = False,
    preset: OfferedPresetsOption = None,
    max_tool_calls: MostToolCallsOption = None,
    max_tokens: MostTokensOption = None,
    max_cost: MostCostOption = None,
    max_runs: MostRunsOption = None,
    keep_runs: KeepRunsOption = None,
    keys: KeysOption = None,
    fleet: FleetOption = None,
) -> Work:
    """Serve the panel as tools to coding agents and chat programs, over MCP.

    [bold]Examples[/bold]

    fusion-graph mcp --install codex
    fusion-graph mcp --preset budget --max-cost 0.50
    fusion-graph mcp --http --port 8485
    """
    from fusion_graph.cli.serve import split

    numbers = {
        "max_tool_calls": max_tool_calls,
        "max_tokens": max_tokens,
        "max_cost": max_cost,
        "max_runs": max_runs,
    }
    if install is not None:
        from fusion_graph.cli.mcp_install import install as install_into

        given = {"preset": split(preset), **numbers}
        return lambda: install_into(install, given, print_only=print_only, yes=yes)
    if print_only or yes:
        raise typer.BadParameter("--print and --yes go with --install")
    options = {"presets": split(preset), "models": (), **numbers}
    if http:
        address = Address(host, port, without_key, keep_runs, keys, split(fleet))
        return lambda: serve_http(address, options)
    if keep_runs is not None or keys is not None or fleet:
        raise typer.BadParameter("--keep-runs, --keys and --fleet go with --http")
    return lambda: serve_streams(options)
