"""What the nodes of a run exchange: records, the conversation, progress events."""

from fusion_graph.state.records import (
    CallRecord,
    FusionInput,
    FusionOutput,
    FusionState,
    Joined,
    Judgement,
    PanelAnswer,
    PanelTask,
    Replaced,
    Run,
    Seat,
    StageName,
    ToolRecord,
    Written,
    found_by_judge,
    seconds_at_work,
)

__all__ = [
    "CallRecord",
    "FusionInput",
    "FusionOutput",
    "FusionState",
    "Joined",
    "Judgement",
    "PanelAnswer",
    "PanelTask",
    "Replaced",
    "Run",
    "Seat",
    "StageName",
    "ToolRecord",
    "Written",
    "found_by_judge",
    "seconds_at_work",
]
