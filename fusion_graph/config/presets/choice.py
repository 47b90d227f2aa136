"""Which preset a run takes when it names none: said aloud, with its reason."""

from __future__ import annotations

import os
from dataclasses import dataclass

from fusion_graph.config.presets.servers import USUAL, find_servers


@dataclass(frozen=True)
class Choice:
    """A preset's name and, in one sentence, why it was taken."""

    name: str
    reason: str


def choose() -> Choice:
    """The preset for this machine: by key, by a local server, else the keyless one.

    May take a few seconds when something holds a local server's port without answering.
    """
    if os.environ.get("OPENROUTER_API_KEY"):
        return Choice("budget", "OPENROUTER_API_KEY is set")
    if os.environ.get("OPENAI_API_KEY"):
        return Choice("openai", "OPENAI_API_KEY is set")
    for found in find_servers():
        if found.kind is not None and found.models:
            return Choice("local", f"{USUAL[found.kind].title} answers at {found.url}")
    return Choice(
        "offline",
        "no OPENROUTER_API_KEY, no OPENAI_API_KEY and no local model server; extractive models, "
        "no LLM",
    )
