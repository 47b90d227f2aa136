"""Which preset a run takes when it names none: said aloud, with its reason."""

from __future__ import annotations

import os
from dataclasses import dataclass

from fusion_graph.presets.discovery import chat_models, ollama_models, ollama_url


@dataclass(frozen=True)
class Choice:
    """A preset's name and, in one sentence, why it was taken."""

    name: str
    reason: str


def choose() -> Choice:
    """The preset for this machine: by key, by a local server, else the keyless one.

    May take up to a second when something holds Ollama's port without answering.
    """
    if os.environ.get("OPENROUTER_API_KEY"):
        return Choice("budget", "OPENROUTER_API_KEY is set")
    if os.environ.get("OPENAI_API_KEY"):
        return Choice("openai", "OPENAI_API_KEY is set")
    if chat_models(ollama_models() or []):
        return Choice("local", f"Ollama answers at {ollama_url()}")
    return Choice(
        "offline",
        "no OPENROUTER_API_KEY, no OPENAI_API_KEY and no Ollama; extractive models, no LLM",
    )
