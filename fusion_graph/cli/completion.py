"""What a shell may complete: names of presets and threads."""

from __future__ import annotations

from fusion_graph.errors import FusionError


def preset_names(incomplete: str) -> list[str]:
    """Presets whose name begins so; a path is left to the shell."""
    from fusion_graph.config.presets import names

    try:
        return [name for name in names() if name.startswith(incomplete)]
    except FusionError:  # nobody reads an error while he types
        return []


def thread_names(incomplete: str) -> list[str]:
    """Threads whose name begins so, the latest first."""
    import asyncio

    from fusion_graph.faces.threads import list_threads

    try:
        threads = asyncio.run(list_threads())
    except FusionError:
        return []
    return [thread.name for thread in threads if thread.name.startswith(incomplete)]
