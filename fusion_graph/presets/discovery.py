"""Stacks that depend on the machine: models whose key is set, models that Ollama has."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any
from urllib.request import ProxyHandler, build_opener

from fusion_graph.errors import ConfigurationError

AUTO_PANEL = 4
"""Most members of the `auto` panel: cost grows with each, OpenRouter's third added 0.7 points."""

LOCAL_PANEL = 3
"""Most members of the `local` panel: they run one after the other."""

PROBE_SECONDS = 1.0
"""How long a server on this machine may take to list its models."""


@dataclass(frozen=True)
class Candidate:
    """A model that joins the panel if its key is set and its package is installed."""

    family: str
    model: str
    key: str
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
    """Base address of Ollama: `OLLAMA_HOST` as Ollama itself reads it, else its default."""
    host = os.environ.get("OLLAMA_HOST", "").strip().rstrip("/") or "127.0.0.1:11434"
    if "://" not in host:
        host = f"http://{host}"
    scheme, _, rest = host.partition("://")
    # 0.0.0.0 is where a server listens, not where a client connects.
    rest = rest.replace("0.0.0.0", "127.0.0.1")  # noqa: S104
    return f"{scheme}://{rest}" if ":" in rest else f"{scheme}://{rest}:11434"


def ollama_models() -> list[dict[str, Any]] | None:
    """What Ollama lists (`GET /api/tags`), or None when nothing answers."""
    opener = build_opener(ProxyHandler({}))
    try:
        with opener.open(f"{ollama_url()}/api/tags", timeout=PROBE_SECONDS) as reply:
            models = json.loads(reply.read(4_000_000))["models"]
        return [dict(model) for model in models]
    except (OSError, ValueError, KeyError, TypeError):
        return None


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
    chat = [m for m in models if "embed" not in str(m.get("name", ""))]
    if not chat:
        raise ConfigurationError(
            f"Preset {name}: Ollama at {ollama_url()} has no chat model.",
            "Fetch one, as in `ollama pull qwen3`.",
        )
    chat.sort(key=lambda m: -int(m.get("size") or 0))
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
