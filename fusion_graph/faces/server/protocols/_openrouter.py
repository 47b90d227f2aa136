"""OpenRouter's own ways to ask for a fusion: a plugin, or a tool that runs on the server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FUSION_TOOL = "openrouter:fusion"
"""OpenRouter's name for a fusion that goes on inside an answer."""

PRESETS = {"general-high": "quality", "general-budget": "budget", "general-fast": "thrifty"}
"""OpenRouter's presets by ours; the members of its two cheaper ones are not published."""


def plugin_settings(data: Mapping[str, Any]) -> dict[str, Any]:
    """Read what a request's fusion plugin or fusion tool asks for, as settings of a run.

    Args:
        data: The body, of any protocol.
    """
    settings: dict[str, Any] = {}
    for plugin in _objects(data.get("plugins")):
        if plugin.get("id") == "fusion":
            settings |= _settings(plugin)
            if plugin.get("enabled") is False:
                settings["invocation"] = "never"
    for tool in _objects(data.get("tools")):
        if tool.get("type") == FUSION_TOOL:
            settings |= _settings(tool.get("parameters"))
    return settings


def wants_fusion_items(data: Mapping[str, Any]) -> bool:
    """Whether a request asks for a fusion by OpenRouter's name, so that its items are known to it.

    Args:
        data: The body.
    """
    tools, plugins = _objects(data.get("tools")), _objects(data.get("plugins"))
    return any(tool.get("type") == FUSION_TOOL for tool in tools) or any(
        plugin.get("id") == "fusion" for plugin in plugins
    )


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _settings(given: Any) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        return {}
    settings: dict[str, Any] = {}
    if (models := given.get("analysis_models")) is not None:
        settings["panel"] = (
            [model_ref(model) for model in models] if isinstance(models, list) else models
        )
    if (model := given.get("model")) is not None:
        settings["judge"] = settings["synthesizer"] = model_ref(model)
    if (preset := PRESETS.get(str(given.get("preset")))) is not None:
        settings["preset"] = preset
    for name in ("max_tool_calls", "max_completion_tokens", "temperature"):
        if given.get(name) is not None:
            settings[name] = given[name]
    reasoning = given.get("reasoning")
    if isinstance(reasoning, Mapping) and reasoning.get("effort") is not None:
        settings["reasoning_effort"] = reasoning["effort"]
    if given.get("tools") == []:
        settings["max_tool_calls"] = 0
    return settings


def model_ref(slug: Any) -> Any:
    """A model by its OpenRouter slug, as `provider:model`; others stay as they are.

    Args:
        slug: As in `google/gemini-3-flash-preview:free`.
    """
    if not isinstance(slug, str) or "/" not in slug.partition(":")[0]:
        return slug
    return f"openrouter:{slug}"
