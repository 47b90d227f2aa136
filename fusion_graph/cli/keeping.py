"""Commands that serve open the folder of their runs here, and say where it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fusion_graph.faces.server.run_store import RunStore

NOTHING = "none"
"""What keeps nothing."""


def opened_store(given: str | None, command: str) -> RunStore | None:
    """Open the folder of a server's runs; what cannot be used is said, and ends nothing.

    Args:
        given: The folder, or `none`; None for the usual one.
        command: The command that serves: each has a folder of its own.

    Returns:
        The store; None where nothing is to be kept.
    """
    from fusion_graph.config.folders import data_folder
    from fusion_graph.faces.server.run_store import RunStore

    if given == NOTHING:
        return None
    folder = data_folder() / command if given is None else Path(given).expanduser()
    store = RunStore(folder)
    store.open()
    return store


def keeping_told(store: RunStore | None) -> str:
    """Word where runs are kept."""
    if store is None or store.lost:
        return "in memory, gone when this server ends"
    return f"kept in {store.folder} (--keep-runs none keeps nothing)"
