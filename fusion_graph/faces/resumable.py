"""Graphs of one's own on hosts that always send an input: a crashed run is finished, not redone."""

from __future__ import annotations

from langgraph.graph.state import CompiledStateGraph
from langgraph.typing import ContextT, InputT, OutputT, StateT

from fusion_graph.errors import ConfigurationError
from fusion_graph.langgraph_seams.unfinished import ResumableGraph, make_resumable


def resumable(
    graph: CompiledStateGraph[StateT, ContextT, InputT, OutputT],
) -> CompiledStateGraph[StateT, ContextT, InputT, OutputT]:
    """Have a compiled graph go on with an unfinished thread when its input says nothing new.

    LangGraph does so for None alone. Some hosts cannot send it (Aegra sends `{}`), and then a
    graph with a fusion in it asks the whole panel again after a crash. Graphs of
    `create_fusion_graph` go on anyway.

    Args:
        graph: What `compile` or an agent's factory returned. It is changed, not copied.

    Returns:
        The same graph.

    Raises:
        ConfigurationError: It is no compiled graph of LangGraph's, a `RemoteGraph` for one: that
            is to be done where its server makes the graph.
    """
    if isinstance(graph, ResumableGraph):
        return graph
    if type(graph) is not CompiledStateGraph:
        raise ConfigurationError(
            f"`resumable` was given a {type(graph).__name__}, which is no compiled graph.",
            "Give it what `StateGraph.compile()` or `create_agent()` returned.",
        )
    make_resumable(graph)
    return graph
