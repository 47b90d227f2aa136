"""How a form shows the configuration: choices, controls, and the nodes a field belongs to.

Three readers: JSON Schema (`enum`, `examples`), LangGraph Studio (`langgraph_nodes`,
`langgraph_type`) and the Open Agent Platform (`x_oap_ui_config`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib import resources
from typing import Any

from pydantic import GetJsonSchemaHandler
from pydantic_core import CoreSchema

_CALLING = ("max_completion_tokens", "reasoning_effort", "providers")
_RESEARCHING = (
    "search",
    "corpus",
    "allowed_domains",
    "blocked_domains",
    "follow_links",
    "respect_robots",
    "max_tool_calls",
    "research",
    "temperature",
    "panelist_timeout",
    "panelist_stall",
)
_WRITING = ("synthesizer", "writer_tools", "writer_tool_choice", "response_format")

_PANEL = (
    "panel",
    "panel_policy",
    "scouts",
    "quorum",
    "grace",
    "max_concurrency",
    "provider_concurrency",
    *_RESEARCHING,
    *_CALLING,
)

FIELDS_OF_NODES = {
    "panelist": _PANEL,
    "second_wave": _PANEL,
    "judge": (
        "judge",
        "recheck",
        "fallbacks",
        "criteria",
        "judge_tools",
        "judge_timeout",
        *_CALLING,
    ),
    "recheck": ("recheck", "max_concurrency", "panelist_timeout", *_CALLING),
    "synthesis": (*_WRITING, "fallbacks", "synthesis_timeout", *_CALLING),
    "verify": ("verify", "verifier", "fallbacks", "synthesizer", "judge_timeout", *_CALLING),
    "direct": (*_WRITING, *_RESEARCHING, *_CALLING),
}
"""What of the configuration single nodes work by; Studio shows it there."""

SETTLED_AT = "fan_out"
"""Where all other fields belong: they are for the whole run."""

PROMPTS = frozenset({"criteria"})
"""Fields whose text becomes part of a prompt."""

WIDEST_SLIDER = 100
"""A slider with more steps than this cannot be set with a mouse."""


class Offers:
    """Annotation of a text field: values a form offers; any other text may be written too.

    Args:
        values: Gives them; called when a schema is made, since that may read files.
    """

    def __init__(self, values: Callable[[], Sequence[str]]) -> None:
        self._values = values

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        written = handler(core_schema)
        text = {"type": "string", "examples": list(self._values())}
        if written.keys() & {"$ref", "anyOf"}:
            return {"anyOf": [text, written]}
        return {**written, **text}


@lru_cache(maxsize=1)
def _shipped() -> dict[str, dict[str, Any]]:
    """The preset files that come with the package, by name."""
    folder = resources.files("fusion_graph.config") / "presets"
    return {
        file.name.removesuffix(".toml"): tomllib.loads(file.read_text("utf-8"))
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".toml")
    }


def shipped_presets() -> list[str]:
    """Names of the presets that come with the package, by alphabet."""
    return list(_shipped())


def shipped_models() -> list[str]:
    """Every model of a shipped preset, each once: panelists, judges, writers, candidates."""
    models: dict[str, None] = {}
    for preset in _shipped().values():
        members = [*preset.get("panel", ()), *preset.get("candidates", ())]
        written = [m["model"] if isinstance(m, dict) else m for m in members]
        written += [preset[role] for role in ("judge", "synthesizer") if role in preset]
        models.update(dict.fromkeys(written))
    return sorted(models)


def as_form(schema: dict[str, Any]) -> None:
    """Complete a configuration's JSON schema, so that a form can be made of it.

    Texts with values on offer become a choice between those and any other text, help is one
    line, and each field gets its nodes and its control.

    Args:
        schema: The schema of `FusionConfig`; changed in place.
    """
    for name, field in schema["properties"].items():
        field["description"] = " ".join(field.get("description", "").split())
        _open_choice(field)
        nodes = [node for node, fields in FIELDS_OF_NODES.items() if name in fields]
        field["langgraph_nodes"] = nodes or [SETTLED_AT]
        if name in PROMPTS:
            field["langgraph_type"] = "prompt"
        field["x_oap_ui_config"] = {
            **_control(field),
            "default": field.get("default"),
            "description": field["description"],
        }


def _open_choice(field: dict[str, Any]) -> None:
    """Put the values on offer first among the alternatives: forms take the first as control."""
    text, *others = field.get("anyOf", [field])
    if offered := text.get("examples"):
        plain = {key: text[key] for key in ("type", "minLength") if key in text}
        for key in plain:
            field.pop(key, None)
        field["anyOf"] = [{"type": "string", "enum": offered}, plain, *others]
        field["examples"] = offered


def _control(field: dict[str, Any]) -> dict[str, Any]:
    """The control of the Open Agent Platform for a field: its `ConfigurableFieldUIType`s."""
    alternatives = field.get("anyOf", [field])
    kind = alternatives[0]
    if "langgraph_type" in field:
        return {"type": "textarea", "placeholder": ", ".join(field.get("examples", ()))}
    if "enum" in kind:
        return {"type": "select", "options": [{"label": v, "value": v} for v in kind["enum"]]}
    if kind.get("type") in ("integer", "number"):
        limits = {
            short: kind[key]
            for short, key in (("min", "minimum"), ("max", "maximum"))
            if key in kind
        }
        span = limits.get("max", WIDEST_SLIDER + 1) - limits.get("min", 0)
        # A slider always stands somewhere, so it cannot say "unset".
        slides = span <= WIDEST_SLIDER and {"type": "null"} not in alternatives
        step = 1 if kind["type"] == "integer" or span > WIDEST_SLIDER else 0.1
        return {"type": "slider" if slides else "number", **limits, "step": step}
    return {"type": {"boolean": "boolean", "string": "text"}.get(kind.get("type", ""), "json")}
