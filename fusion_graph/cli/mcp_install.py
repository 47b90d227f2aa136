"""`fusion-graph mcp --install CLIENT`: put the server into a client, and say what is written."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from fusion_graph.cli.exits import ANSWERED, complain
from fusion_graph.errors import ConfigurationError

FURTHER_VARIABLES = (
    "FUSION_GRAPH_CONFIG_DIR",
    "OLLAMA_HOST",
    "LLAMACPP_HOST",
    "LMSTUDIO_HOST",
    "EXA_BASE_URL",
)
"""Variables besides keys that say where presets, model servers and a search are."""


def install(client: str, options: Mapping[str, Any], *, print_only: bool, yes: bool) -> int:
    """Put the server into a client's settings. Returns the exit code.

    Args:
        client: One of `CLIENTS`.
        options: The command's own options, which the client is to start it with.
        print_only: Say what would be written, and write nothing.
        yes: Write without asking.

    Raises:
        ConfigurationError: The client is unknown, nobody can be asked, or its file cannot be
            changed without losing something.
    """
    from fusion_graph.faces.mcp.clients import CLIENTS, NAME, launch
    from fusion_graph.faces.mcp.merging import merged, snippet, write

    if client not in CLIENTS:
        raise ConfigurationError(
            f"--install knows no client {client[:60]!r}.", f"Known: {', '.join(CLIENTS)}."
        )
    known = CLIENTS[client]
    start = launch(_given(options), _variables())
    entry = known.entry(start)
    path = known.file(os.environ, Path.home())
    typer.echo(f"{known.title} reads {path}. This goes into it:\n")
    typer.echo(snippet(known.form, known.table, NAME, entry))
    if print_only:
        return ANSWERED
    change = merged(path, known.form, known.table, NAME, entry)
    if known.inherits:
        complain(f"Keys are not written: {known.title} hands its own environment on.")
    elif start.variables:
        complain(f"Keys are not written, only named: {', '.join(start.variables)}.")
    else:
        complain("No key is set here, so none is named; with a key set, install once more.")
    if not change.needed:
        complain("It stands there already; nothing is changed.")
        return ANSWERED
    if change.replaces:
        complain(f"The entry `{NAME}` that stands there now is replaced.")
    if not yes and not _agreed(path):
        complain("Nothing was written.")
        return ANSWERED
    write(change)
    complain(f"Written. Start {known.title} anew to use it.")
    return ANSWERED


def _agreed(path: Path) -> bool:
    if not sys.stdin.isatty():
        raise ConfigurationError(
            "Nobody is here to say yes.", "Give --yes to write it, or --print to see it only."
        )
    return typer.confirm(f"Write {path}?", err=True)


def _given(options: Mapping[str, Any]) -> list[str]:
    """The options that were given, as a command line has them; files as they are from anywhere."""
    args: list[str] = []
    for name, value in options.items():
        values: Sequence[Any] = value if isinstance(value, list | tuple) else [value]
        for one in values:
            if one is None:
                continue
            text = str(one)
            if name == "preset" and Path(text).is_file():
                text = str(Path(text).resolve())
            args += [f"--{name.replace('_', '-')}", text]
    return args


def _variables() -> list[str]:
    """The variables that are set here and matter to a run, by name."""
    from fusion_graph.config.keys import KEY_OF_PROVIDER, SEARCH_KEYS

    names = dict.fromkeys([*KEY_OF_PROVIDER.values(), *SEARCH_KEYS, *FURTHER_VARIABLES])
    return [name for name in names if name and os.environ.get(name)]
