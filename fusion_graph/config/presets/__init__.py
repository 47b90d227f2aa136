"""Presets: stacks of models as TOML files, found by name, by path, or chosen from the keys."""

from fusion_graph.config.presets.choice import Choice, choose
from fusion_graph.config.presets.files import Preset, load, names, user_folder

__all__ = ["Choice", "Preset", "choose", "load", "names", "user_folder"]
