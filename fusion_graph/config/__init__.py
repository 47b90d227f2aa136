"""What a run is to do: the fields people set, how forms show them, providers, presets."""

from fusion_graph.config.fields import (
    MAX_PANEL,
    MAX_TOOL_CALLS,
    FusionConfig,
    Panelist,
    Price,
    Provider,
    ResolvedConfig,
    coerce,
    combine,
    explain,
    inherited,
    model_name,
)

__all__ = [
    "MAX_PANEL",
    "MAX_TOOL_CALLS",
    "FusionConfig",
    "Panelist",
    "Price",
    "Provider",
    "ResolvedConfig",
    "coerce",
    "combine",
    "explain",
    "inherited",
    "model_name",
]
