"""What a run is to do: the fields people set, how forms show them, providers, presets."""

from fusion_graph.config.endpoints import Price, Provider, shown_address
from fusion_graph.config.fields import (
    MAX_PANEL,
    MAX_TOOL_CALLS,
    FusionConfig,
    Panelist,
    ResolvedConfig,
    coerce,
    combine,
    inherited,
)
from fusion_graph.config.references import model_name
from fusion_graph.config.strict import explain
from fusion_graph.config.tool_servers import ToolServer, missing_variables

__all__ = [
    "MAX_PANEL",
    "MAX_TOOL_CALLS",
    "FusionConfig",
    "Panelist",
    "Price",
    "Provider",
    "ResolvedConfig",
    "ToolServer",
    "coerce",
    "combine",
    "explain",
    "inherited",
    "missing_variables",
    "model_name",
    "shown_address",
]
