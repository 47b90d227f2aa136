"""State and settings that LangGraph hands to a node under keys of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langgraph.config import get_config

from fusion_graph.langgraph_seams._presence import gone

READ = "__pregel_read"
"""Where LangGraph puts the function that reads the state (1.2.22); it has no public name."""

DURABILITY = "__pregel_durability"
"""Where LangGraph hands a parent's `durability` down (1.2.22)."""


def read_state(*keys: str) -> list[Any]:
    """The node at work reads keys of the state that were not sent to it.

    LangGraph shows a node that others are sent to only what was sent, and keeps that twice in
    every checkpoint: a long conversation for each of 16 panelists. LangGraph's own ToolNode reads
    the state in this way too. If `__pregel_read` is gone, panelists cannot see the conversation:
    look in `langgraph/prebuilt/tool_node.py` for the way ToolNode takes instead, or put the
    conversation into each `Send`.

    Args:
        keys: Channels of the graph's state.

    Returns:
        Their values, in the order of `keys`.

    Raises:
        IncompatibleLibrary: LangGraph hands no such function over.
    """
    read = get_config()["configurable"].get(READ)
    if read is None:
        raise gone("langgraph", READ, "a panelist cannot read the conversation")
    state = read(list(keys), False)
    return [state[key] for key in keys]


def without_checkpoints(inherited: Mapping[str, Any]) -> dict[str, Any] | None:
    """Settings for a graph that keeps no checkpoints inside one that may; None as they are.

    LangGraph hands `durability` down. With "sync" it waits for the checkpoint of a graph that
    keeps none, and fails (1.2.22). If `__pregel_durability` is gone, `durability="sync"` works or
    fails by LangGraph's own doing: run the test of this name, and delete this function if it does.

    Args:
        inherited: The `configurable` of the node around.
    """
    return {**inherited, DURABILITY: "async"} if DURABILITY in inherited else None
