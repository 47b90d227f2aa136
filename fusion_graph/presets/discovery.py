"""Stacks that depend on the machine: models whose key is set, models that Ollama has."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

from fusion_graph.config import EnvironmentVariable, ModelRef, Strict
from fusion_graph.errors import ConfigurationError

AUTO_PANEL = 4
"""Most members of the `auto` panel: cost grows with each, OpenRouter's third added 0.7 points."""

LOCAL_PANEL = 3
"""Most members of the `local` panel: they run one after the other."""

OLLAMA_PORT = 11434
"""Where Ollama listens unless told otherwise."""

PROBE_SECONDS = 1.0
"""How long a server on this machine may take to list its models."""


class Candidate(Strict):
    """A model that joins the panel if its key is set and its package is installed."""

    family: str
    """Models of one family are alike; one of each joins."""
    model: ModelRef
    key: EnvironmentVariable
    package: str | None = None

    @property
    def usable(self) -> bool:
        """Whether it could be called here."""
        return bool(os.environ.get(self.key)) and not (
            self.package and find_spec(self.package) is None
        )


def keyed_stack(name: str, candidates: Sequence[Candidate]) -> dict[str, Any]:
    """Panel, judge and writer from the keys in the environment, one model a family.

    Raises:
        ConfigurationError: None of the keys is set.
    """
    chosen: dict[str, str] = {}
    for candidate in candidates:
        if candidate.usable and len(chosen) < AUTO_PANEL:
            chosen.setdefault(candidate.family, candidate.model)
    models = list(chosen.values())
    if not models:
        keys = ", ".join(dict.fromkeys(c.key for c in candidates))
        raise ConfigurationError(
            f"Preset {name} found no API key it can use.",
            f"Set one of {keys}, or take --preset offline.",
        )
    # A family alone is asked twice: most of a panel's gain is a second sample and a judge.
    panel = models if len(models) > 1 else models * 2
    return {"panel": panel, "judge": models[0], "synthesizer": models[0]}


def ollama_url() -> str:
    """Base address of Ollama: `OLLAMA_HOST` as Ollama itself reads it, else its default.

    A host alone gets Ollama's port, a URL its scheme's; 0.0.0.0 and [::] are where a server
    listens, not where a client connects.
    """
    given = os.environ.get("OLLAMA_HOST", "").strip().strip("\"'")
    scheme, found, rest = given.partition("://")
    if not found:
        scheme, rest = "http", given
    default_port = {"http": 80, "https": 443}.get(scheme, OLLAMA_PORT) if found else OLLAMA_PORT
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        host, port = parts.hostname or "127.0.0.1", parts.port or default_port
    except ValueError:
        return f"http://127.0.0.1:{OLLAMA_PORT}"
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}:{port}{parts.path.rstrip('/')}"


def ollama_models() -> list[dict[str, Any]] | None:
    """What Ollama lists (`GET /api/tags`), or None when nothing answers."""
    opener = build_opener(ProxyHandler({}))
    try:
        with opener.open(f"{ollama_url()}/api/tags", timeout=PROBE_SECONDS) as reply:
            models = json.loads(reply.read(4_000_000))["models"]
        return [dict(model) for model in models]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def chat_models(models: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of Ollama's models that can hold a conversation, largest first."""
    chat = [
        model
        for model in models
        if "embed" not in str(model.get("name", ""))
        and "bert" not in str((model.get("details") or {}).get("family", ""))
    ]
    return sorted(chat, key=lambda model: -int(model.get("size") or 0))


def installed_stack(name: str) -> dict[str, Any]:
    """Panel, judge and writer from the models Ollama has: largest first, one a family first.

    Raises:
        ConfigurationError: Ollama does not answer or has no chat model.
    """
    models = ollama_models()
    if models is None:
        raise ConfigurationError(
            f"Preset {name}: Ollama does not answer at {ollama_url()}.",
            "Start it (`ollama serve`) or set OLLAMA_HOST.",
        )
    chat = chat_models(models)
    if not chat:
        raise ConfigurationError(
            f"Preset {name}: Ollama at {ollama_url()} has no chat model.",
            "Fetch one, as in `ollama pull qwen3`.",
        )
    seen: set[str] = set()
    firsts: list[str] = []
    others: list[str] = []
    for model in chat:
        family = str((model.get("details") or {}).get("family") or model["name"])
        (others if family in seen else firsts).append(f"ollama:{model['name']}")
        seen.add(family)
    panel = (firsts + others)[:LOCAL_PANEL]
    panel = panel if len(panel) > 1 else panel * 2
    return {"panel": panel, "judge": panel[0], "synthesizer": panel[0]}
