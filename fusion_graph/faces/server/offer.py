"""Presets as models: which are on offer, which of them can work here, and what a client is told."""

from __future__ import annotations

import time
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fusion_graph.config.keys import is_installed, is_set, keys_of, programs_of
from fusion_graph.config.presets import Choice, Preset, choose, load, names
from fusion_graph.errors import ApiError, ConfigurationError, FusionError, UnknownPreset
from fusion_graph.faces.server._public import preset_name

PREFIX = "fusion/"
"""A preset's id as a model is this and its name, as OpenRouter's `openrouter/fusion`."""

DIRECT = ":direct"
"""Behind a preset's id: its writer's model answers alone. The cheap twin of every preset."""

SUPPORTED = (
    "max_completion_tokens",
    "max_tokens",
    "parallel_tool_calls",
    "reasoning_effort",
    "response_format",
    "seed",
    "stop",
    "structured_outputs",
    "temperature",
    "tool_choice",
    "tools",
)
"""Said of every model in OpenRouter's words: clients hide one whose list lacks `tools`."""


@dataclass(frozen=True)
class Found:
    """A preset that a model id names.

    Attributes:
        name: What it is offered as.
        ref: What a configuration calls it (`preset`).
        preset: The preset.
        direct: Whether its writer's model is to answer alone.
    """

    name: str
    ref: str
    preset: Preset
    direct: bool = False


class Offer:
    """The presets of a server.

    Args:
        presets: By name or by the path of a file; None for every preset there is, which may
            change while the server runs.
        allowed: The names of those that whoever asks may have; None for all.
        elsewhere: Whether they are at work on other machines: what they need is not here.

    Attributes:
        elsewhere: As given.
    """

    def __init__(
        self,
        presets: tuple[str, ...] | None = None,
        allowed: tuple[str, ...] | None = None,
        *,
        elsewhere: bool = False,
    ) -> None:
        self._presets = presets
        self._allowed = allowed
        self.elsewhere = elsewhere
        self._since = int(time.time())

    def only(self, allowed: tuple[str, ...] | None) -> Offer:
        """The same offer for somebody who may have fewer presets.

        Args:
            allowed: Their names; None for all.
        """
        if allowed is None:
            return self
        narrowed = copy(self)
        narrowed._allowed = allowed
        return narrowed

    def refs(self) -> dict[str, str]:
        """What to load by the name it is offered under."""
        refs = self._all_refs()
        if self._allowed is None:
            return refs
        return {name: ref for name, ref in refs.items() if name in self._allowed}

    def _all_refs(self) -> dict[str, str]:
        return {
            preset_name(ref): ref for ref in (names() if self._presets is None else self._presets)
        }

    def likely(self) -> dict[str, str]:
        """The presets whose keys, programs and local servers are here, with their descriptions.

        Nothing that calls models is imported for it; what else a preset lacks is told to who asks
        for it. May take a second when something holds a local server's port without answering.
        """
        told = {}
        for name, ref in self.refs().items():
            try:
                preset = load(ref)
                fields = preset.stack()
            except ConfigurationError:
                continue
            # A fallback's missing key matters to nobody until it is asked.
            needed = {**fields, "fallbacks": []}
            here = all(map(is_set, keys_of(needed))) and all(map(is_installed, programs_of(needed)))
            if here or self.elsewhere:
                told[name] = preset.description
        return told

    def chosen(self) -> Choice:
        """The preset for who names none: the machine's, else the first on offer.

        May take a second when something holds Ollama's port without answering.
        """
        refs = self.refs()
        if not self.elsewhere and (choice := choose()).name in refs:
            return choice
        if not refs:
            raise ApiError(403, "This key may ask no preset on offer here.", "preset_not_allowed")
        return Choice(next(iter(refs)), "the first that this server offers")

    def preferred(self) -> Choice:
        """The preset that the page has chosen: the first that the owner named, else `chosen`."""
        if self._presets and preset_name(self._presets[0]) in self.refs():
            return Choice(preset_name(self._presets[0]), "the first that this server offers")
        return self.chosen()

    def find(self, model: str, param: str = "model") -> Found:
        """Find the preset of a model id.

        Args:
            model: As the client wrote it: `fusion/NAME` or `fusion/NAME:direct`.
            param: The request's field it stands in.

        Raises:
            ApiError: 404, there is none; 403, this key may not ask it.
            PresetFileError: Its file cannot be read.
        """
        refs = self.refs()
        name = model.removeprefix(PREFIX)
        direct = name not in refs and name.endswith(DIRECT)
        name = name.removesuffix(DIRECT) if direct else name
        try:
            if model.startswith(PREFIX) and name in refs:
                return Found(name, refs[name], load(refs[name]), direct)
        except UnknownPreset:
            pass  # its file has gone since
        known = ", ".join(f"{PREFIX}{name}" for name in refs)
        if model.startswith(PREFIX) and name.removesuffix(DIRECT) in self._all_refs():
            said = f"This key may not ask {model[:100]!r}. It may ask: {known or 'nothing'}."
            raise ApiError(403, said, "preset_not_allowed", param=param)
        said = f"The model {model[:100]!r} does not exist here. Models: {known}."
        raise ApiError(404, said, "model_not_found", param=param)

    def working(self) -> list[dict[str, Any]]:
        """The models that can work here, as `/v1/models` lists them.

        May take a second when something holds Ollama's port without answering.
        """
        names = [name for name, ref in self.refs().items() if self.problem(ref) is None]
        return [self.told(name, direct) for name in names for direct in (False, True)]

    def problem(self, ref: str) -> FusionError | None:
        """Why a preset cannot work here and now; None if it can, or where that is not seen."""
        return _unreadable(ref) if self.elsewhere else problem(ref)

    def told(self, name: str, direct: bool = False) -> dict[str, Any]:
        """One preset as OpenAI's model object, with what OpenRouter and Anthropic say besides.

        Args:
            name: What it is offered as.
            direct: Whether its writer's model is meant alone.
        """
        shown = f"Fusion: {name}{' (one model)' if direct else ''}"
        about = load(self.refs()[name]).description
        if direct:
            about = f"The writer of {PREFIX}{name} alone, without a panel."
        return {
            "id": f"{PREFIX}{name}{DIRECT if direct else ''}",
            "object": "model",
            "created": self._since,
            "owned_by": "fusion-graph",
            "name": shown,
            "type": "model",
            "display_name": shown,
            "created_at": datetime.fromtimestamp(self._since, UTC).isoformat(),
            "description": about,
            "supported_parameters": list(SUPPORTED),
        }


def _unreadable(ref: str) -> FusionError | None:
    try:
        load(ref)
    except FusionError as error:
        return error
    return None


def problem(ref: str) -> FusionError | None:
    """Why a preset cannot work here and now: no key, no package, no server; None if it can."""
    from fusion_graph.nodes.fan_out import check
    from fusion_graph.run.settings import GraphConfig

    try:
        given = GraphConfig({"preset": ref})
        settings, _ = given.begin(None)
        check(settings, given)
    except FusionError as error:
        return error
    return None
