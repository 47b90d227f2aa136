"""The layers of a configuration, from a run's context down to the defaults, become one."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from fusion_graph.config.fields import FusionConfig, ResolvedConfig, as_panelist
from fusion_graph.errors import ConfigurationError


def coerce(given: FusionConfig | Mapping[str, Any] | str | None) -> dict[str, Any]:
    """The fields a caller set, from any form a configuration comes in.

    Args:
        given: A `FusionConfig`, a dict (as a parent graph's context is inherited), a preset's
            name or path, or nothing.

    Raises:
        ConfigurationError: An unknown field or a wrong value.
    """
    if given is None:
        return {}
    if isinstance(given, str):
        return {"preset": given}
    if isinstance(given, FusionConfig):
        return given.given()
    if isinstance(given, Mapping):
        return FusionConfig(**given).given()
    raise ConfigurationError(
        f"A configuration of type {type(given).__name__} cannot be read.",
        "Give a FusionConfig, a dict of its fields, or a preset's name.",
    )


def inherited(context: Any) -> dict[str, Any]:
    """The fields a run's context sets, in any form LangGraph hands it over.

    A context given to this graph has become a `FusionConfig`. Anything else comes from a parent
    graph, whose context may be about other things: of a dict the fields known here are taken
    (if it holds others too, those that fit), and of any other object nothing.

    Args:
        context: What the node's runtime holds.

    Raises:
        ConfigurationError: A known field has a wrong value.
    """
    if isinstance(context, FusionConfig):
        given = context.given()
        if len(context.model_fields_set) == len(FusionConfig.model_fields):
            # A form that sends every field (Studio's) says by a default: as the preset has it.
            usual = {name: field.default for name, field in FusionConfig.model_fields.items()}
            return {name: value for name, value in given.items() if value != usual[name]}
        return given
    if not isinstance(context, Mapping):
        return {}
    known = {k: v for k, v in context.items() if k in FusionConfig.model_fields}
    if len(known) == len(context):
        return coerce(known)
    # Among fields of the parent's own, one with a name of ours need not be meant for us.
    fields: dict[str, Any] = {}
    for name, value in known.items():
        if value is None:
            continue
        with suppress(ConfigurationError):
            fields |= coerce({name: value})
    return fields


_LIFTABLE = frozenset(
    name for name, field in FusionConfig.model_fields.items() if field.default is None
) - {"preset", "panel"}
"""Fields that None lifts."""


def combine(*layers: Mapping[str, Any]) -> ResolvedConfig:
    """One resolved configuration from layers of set fields, the strongest first.

    Providers are merged by name; every other field is taken whole from the strongest layer that
    sets it. None is a value where it is the default, and lifts what a weaker layer says.

    Raises:
        ConfigurationError: A field is wrong, or panel, judge or writer stayed open.
    """
    fields: dict[str, Any] = {}
    providers: dict[str, Any] = {}
    for layer in reversed(layers):
        fields.update({n: v for n, v in layer.items() if v is not None or n in _LIFTABLE})
        providers.update(layer.get("providers") or {})
    fields["providers"] = providers
    if fields.get("search") is None:
        fields["search"] = "corpus" if fields.get("corpus") else "ddgs"
    if fields.get("panel"):
        if fields.get("judge") is None:
            fields["judge"] = as_panelist(fields["panel"][0]).model
        if fields.get("synthesizer") is None:
            fields["synthesizer"] = fields["judge"]
    return ResolvedConfig(**fields)
