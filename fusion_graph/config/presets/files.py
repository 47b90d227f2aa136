"""Preset files: where they lie, and how one becomes fields of a configuration."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from fusion_graph.config.fields import FusionConfig
from fusion_graph.config.presets.discovery import Candidate, installed_stack, keyed_stack
from fusion_graph.errors import ConfigurationError, PresetFileError, UnknownPreset

SHIPPED = (
    "quality",
    "budget",
    "frontier",
    "self",
    "thrifty",
    "claude-leads",
    "codex-leads",
    "openai",
    "auto",
    "local",
    "offline",
)
"""The presets that come with the package, in the order they are listed."""

CONFIG_DIR_ENV = "FUSION_GRAPH_CONFIG_DIR"
"""Overrides the user's configuration folder."""


MOST_FINDINGS = 40
"""In a verdict: strangers' files are shown whole."""

FINDING_CHARACTERS = 1000
"""Longest text in a verdict."""

LARGEST_FINDING = 1e15
"""Largest number in a verdict: above it stand infinities, and whole numbers of any length."""


@dataclass(frozen=True)
class Preset:
    """A preset file, read and checked.

    Attributes:
        name: What it is called: the file's stem.
        description: One line for lists.
        source: `shipped`, or the file's path.
        fields: What it sets, as `FusionConfig` fields; a discovering preset sets panel, judge
            and writer only when `stack` is called.
        candidates: Models to pick from by the keys that are set (`auto`).
        discover: `local` to ask the servers on this machine for their models, if any.
        verdict: What its author's evaluation found of it, as `stacks --export` writes it: text
            and numbers, shown and not used.
    """

    name: str
    description: str
    source: str
    fields: dict[str, Any]
    candidates: tuple[Candidate, ...] = field(default=())
    discover: str | None = None
    verdict: dict[str, str | int | float] = field(default_factory=dict)

    @property
    def discovers(self) -> bool:
        """Whether its models depend on this machine's keys or servers."""
        return bool(self.candidates or self.discover)

    def stack(self) -> dict[str, Any]:
        """Its fields with the models decided; asks the local servers where it has to.

        Raises:
            ConfigurationError: No key is set, or no server answers or has a model.
        """
        return self.with_stack(self.discovered())

    def discovered(self) -> dict[str, Any]:
        """What this machine decides of its fields, as plain data; nothing for a fixed preset.

        Raises:
            ConfigurationError: As `stack`.
        """
        if self.candidates:
            return keyed_stack(self.name, self.candidates)
        return installed_stack(self.name) if self.discover else {}

    def with_stack(self, stack: Mapping[str, Any]) -> dict[str, Any]:
        """Its fields with a stack that was discovered, now or when the run began.

        Providers are merged by name; the file's own go before discovered ones.
        """
        merged = {**self.fields, **stack}
        providers = {**stack.get("providers", {}), **self.fields.get("providers", {})}
        return {**merged, "providers": providers} if providers else merged


def user_folder() -> Path:
    """Folder of the user's own presets; it need not exist."""
    if override := os.environ.get(CONFIG_DIR_ENV):
        return Path(override).expanduser() / "presets"
    from platformdirs import user_config_path

    return user_config_path("fusion-graph") / "presets"


def names() -> list[str]:
    """Every preset that can be loaded by name: shipped ones first, then the user's."""
    own = sorted(path.stem for path in user_folder().glob("*.toml"))
    return [*SHIPPED, *(name for name in own if name not in SHIPPED)]


def load(name: str) -> Preset:
    """The preset of that name or path; a user's file goes before a shipped one of its name.

    Args:
        name: A name (`budget`), or a path that ends in `.toml` or has a separator in it.

    Raises:
        UnknownPreset: There is none.
        PresetFileError: Its file cannot be used.
    """
    if name.endswith(".toml") or "/" in name or os.sep in name:
        path = Path(name).expanduser()
        if not path.is_file():
            raise UnknownPreset(f"There is no preset file {name}.", "Check the path.")
        return _read(path)
    own = user_folder() / f"{name}.toml"
    if own.is_file():
        return _read(own)
    if name in SHIPPED:
        return _shipped(name)
    raise UnknownPreset(
        f"There is no preset '{name}'.",
        f"Known: {', '.join(names())}. Your own go into {user_folder()} as NAME.toml.",
    )


@lru_cache
def _shipped(name: str) -> Preset:
    text = (resources.files("fusion_graph.config.presets") / f"{name}.toml").read_text("utf-8")
    return _parse(text, name, "shipped")


def _read(path: Path) -> Preset:
    try:
        return _cached(path, path.stat().st_mtime_ns)
    except OSError as error:
        problem = error.strerror or type(error).__name__
        raise PresetFileError(f"Preset file {path} cannot be read: {problem}.") from None
    except UnicodeDecodeError:
        raise PresetFileError(f"Preset file {path} is not UTF-8 text.") from None


@lru_cache(maxsize=64)
def _cached(path: Path, _changed_ns: int) -> Preset:
    return _parse(path.read_text("utf-8"), path.stem, str(path))


def _parse(text: str, name: str, source: str) -> Preset:
    where = f"Preset {name}" if source == "shipped" else f"Preset file {source}"
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PresetFileError(f"{where} is not valid TOML: {error}.", "Mend that line.") from None
    description = str(data.pop("description", ""))
    discover = data.pop("discover", None)
    listed = data.pop("candidates", [])
    verdict = data.pop("verdict", {})
    if not _is_verdict(verdict):
        raise PresetFileError(
            f"{where}: 'verdict' is not a table of at most {MOST_FINDINGS} texts and numbers.",
            "Leave it out, or take what fusion-graph stacks --export wrote.",
        )
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise PresetFileError(f"{where}: 'candidates' is not a list of tables.", "[[candidates]]")
    try:
        candidates = tuple(Candidate(**item) for item in listed)
        fields = FusionConfig(**data).given()
    except ConfigurationError as error:
        raise PresetFileError(f"{where}: {error}") from None
    if "preset" in fields:
        raise PresetFileError(f"{where} names another preset.", "Copy its lines instead.")
    if discover not in (None, "local", "ollama"):  # "ollama" is what it was called at first
        raise PresetFileError(f"{where}: discover is {discover!r}.", "Only 'local' is known.")
    if not (fields.get("panel") or candidates or discover):
        raise PresetFileError(f"{where} has no panel.", 'Add panel = ["provider:model", …].')
    return Preset(name, description, source, fields, candidates, discover, verdict)


def _is_verdict(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and len(value) <= MOST_FINDINGS
        and all(
            (isinstance(item, str) and len(item) <= FINDING_CHARACTERS)
            or (isinstance(item, int | float) and abs(item) <= LARGEST_FINDING)
            for item in value.values()
        )
    )
