"""Which fusion-graph this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def own_version() -> str:
    """The installed package's version, or `unknown` when it runs from a folder."""
    try:
        return version("fusion-graph")
    except PackageNotFoundError:
        return "unknown"
