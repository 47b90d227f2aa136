"""What the nodes of a run exchange: records, the conversation, progress events."""

from fusion_graph.state.records import (
    CallRecord,
    FinalAnswer,
    FusionInput,
    FusionOutput,
    FusionState,
    Joined,
    Judgement,
    PanelAnswer,
    PanelMember,
    Replaced,
    Run,
    Scouting,
    StageName,
    ToolRecord,
    found_by_judge,
    seconds_at_work,
)

__all__ = [
    "CallRecord",
    "FinalAnswer",
    "FusionInput",
    "FusionOutput",
    "FusionState",
    "Joined",
    "Judgement",
    "PanelAnswer",
    "PanelMember",
    "Replaced",
    "Run",
    "Scouting",
    "StageName",
    "ToolRecord",
    "found_by_judge",
    "seconds_at_work",
]
