"""A panel of models researches a question, a judge compares, a writer answers: one LangGraph graph.

    from fusion_graph import create_fusion_graph

    builder.add_node("fusion", create_fusion_graph("budget"))

Names are imported when first used: `import fusion_graph` itself costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fusion_graph.config import FusionConfig, Panelist, Provider
    from fusion_graph.errors import (
        AllPanelistsFailed,
        ConfigurationError,
        EmptyQuestion,
        FusionError,
        FusionRecursion,
        IncompatibleLibrary,
        InvalidEdit,
        MissingKey,
        MissingProgram,
        PresetFileError,
        RemoteRunFailed,
        RunLogError,
        ThreadError,
        UnknownPreset,
        UnknownProvider,
        UnreadableReport,
        UnreadableThread,
    )
    from fusion_graph.faces.chat_model import ChatFusion
    from fusion_graph.faces.follow import follow
    from fusion_graph.faces.resumable import resumable
    from fusion_graph.faces.tool import create_fusion_tool
    from fusion_graph.graph import create_fusion_graph
    from fusion_graph.judgement import Analysis
    from fusion_graph.report import FusionReport

_HOMES = {
    "Analysis": "judgement",
    "FusionConfig": "config",
    "Panelist": "config",
    "Provider": "config",
    "AllPanelistsFailed": "errors",
    "ConfigurationError": "errors",
    "EmptyQuestion": "errors",
    "FusionError": "errors",
    "FusionRecursion": "errors",
    "IncompatibleLibrary": "errors",
    "InvalidEdit": "errors",
    "MissingKey": "errors",
    "MissingProgram": "errors",
    "PresetFileError": "errors",
    "RemoteRunFailed": "errors",
    "RunLogError": "errors",
    "ThreadError": "errors",
    "UnknownPreset": "errors",
    "UnknownProvider": "errors",
    "UnreadableReport": "errors",
    "UnreadableThread": "errors",
    "create_fusion_graph": "graph",
    "ChatFusion": "faces.chat_model",
    "create_fusion_tool": "faces.tool",
    "FusionReport": "report",
    "follow": "faces.follow",
    "resumable": "faces.resumable",
}

__all__ = [
    "AllPanelistsFailed",
    "Analysis",
    "ChatFusion",
    "ConfigurationError",
    "EmptyQuestion",
    "FusionConfig",
    "FusionError",
    "FusionRecursion",
    "FusionReport",
    "IncompatibleLibrary",
    "InvalidEdit",
    "MissingKey",
    "MissingProgram",
    "Panelist",
    "PresetFileError",
    "Provider",
    "RemoteRunFailed",
    "RunLogError",
    "ThreadError",
    "UnknownPreset",
    "UnknownProvider",
    "UnreadableReport",
    "UnreadableThread",
    "create_fusion_graph",
    "create_fusion_tool",
    "follow",
    "resumable",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'fusion_graph' has no attribute '{name}'")
    value = getattr(import_module(f"fusion_graph.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
