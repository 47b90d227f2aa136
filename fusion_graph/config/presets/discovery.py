"""Models that depend on the machine: models whose key is set, models that local servers have."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from fusion_graph.config.endpoints import EnvironmentVariable
from fusion_graph.config.presets.servers import USUAL, Found, find_servers, server_url
from fusion_graph.config.references import ModelRef
from fusion_graph.config.strict import Strict
from fusion_graph.errors import ConfigurationError

AUTO_PANEL = 4
"""Most members of the `auto` panel: cost grows with each, OpenRouter's third added 0.7 points."""

LOCAL_PANEL = 3
"""Most members of the `local` panel: they run one after the other."""


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


def installed_stack(name: str) -> dict[str, Any]:
    """Panel, judge and writer from the models of the servers on this machine.

    Largest first, one a family first. A server that listens elsewhere than usual comes with its
    address, under `providers`.

    Raises:
        ConfigurationError: No server answers, or none has a chat model.
    """
    servers = find_servers()
    named = _named(servers)
    chat = [(where, model) for where, found in named.items() for model in found.models]
    if not chat:
        raise _nothing_found(name, servers)
    chat.sort(key=lambda item: -item[1].size)
    seen: set[str] = set()
    firsts: list[str] = []
    others: list[str] = []
    for where, model in chat:
        (others if model.family in seen else firsts).append(f"{where}:{model.name}")
        seen.add(model.family)
    panel = (firsts + others)[:LOCAL_PANEL]
    panel = panel if len(panel) > 1 else panel * 2
    stack: dict[str, Any] = {"panel": panel, "judge": panel[0], "synthesizer": panel[0]}
    elsewhere = _elsewhere(named)
    return {**stack, "providers": elsewhere} if elsewhere else stack


def _named(servers: Sequence[Found]) -> dict[str, Found]:
    """The servers that were recognised, by the provider's name that their models get."""
    named: dict[str, Found] = {}
    for found in servers:
        if found.kind is None or any(found.url == other.url for other in named.values()):
            continue
        name = str(found.kind)
        while name in named:
            name += "-2"
        named[name] = found
    return named


def _elsewhere(named: Mapping[str, Found]) -> dict[str, Any]:
    """The providers whose address the name alone does not say, as plain data."""
    return {
        name: {
            "base_url": f"{found.url}/v1",
            "prices": {model.name: {"input": 0.0, "output": 0.0} for model in found.models},
        }
        for name, found in named.items()
        if found.kind != name or found.url != server_url(found.kind)
    }


def _nothing_found(name: str, servers: Sequence[Found]) -> ConfigurationError:
    """Why there is no local panel: servers without a model, or what answered instead."""
    empty = [found for found in servers if found.kind is not None]
    if empty:
        has = "; ".join(f"{USUAL[f.kind].title} at {f.url}" for f in empty if f.kind)
        return ConfigurationError(
            f"Preset {name}: no chat model is there ({has}).",
            "Fetch one, as in `ollama pull qwen3`, or start the server with one.",
        )
    looked = "; ".join(f"{f.url} ({USUAL[f.looked_for].title}): {f.said}" for f in servers)
    return ConfigurationError(
        f"Preset {name} found no model server on this machine: {looked}.",
        f"Start one (`ollama serve`, `{USUAL['llamacpp'].start}`), or say where it is with "
        f"{', '.join(usual.variable for usual in USUAL.values())}.",
    )
