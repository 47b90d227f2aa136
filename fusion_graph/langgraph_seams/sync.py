"""Coroutines as graph nodes: `invoke` and `ainvoke` can run and stop them, drawings show them."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, ClassVar

from langchain_core.runnables import Runnable, ensure_config
from langgraph.graph import StateGraph
from langgraph.pregel import Pregel
from langgraph.typing import ContextT, InputT, OutputT, StateT

from fusion_graph.langgraph_seams.loops import leaving_stops, run_blocking
from fusion_graph.langgraph_seams.node_checkpoint import synchronously
from fusion_graph.langgraph_seams.unfinished import ResumableGraph


class Node(Runnable[Any, Any]):
    """A node from a coroutine function of the state.

    LangGraph refuses to run an async node synchronously; here the synchronous face runs the
    coroutine on the package's background loop, with the node's context.

    Args:
        run: Takes the node's input and returns its update.
    """

    def __init__(self, run: Callable[[Any], Awaitable[Any]]) -> None:
        self._run = run
        self.name = run.__name__

    def invoke(self, input: Any, *_: Any, **__: Any) -> Any:
        """Run the node from synchronous code."""

        async def work() -> Any:
            with synchronously():
                return await self._run(input)

        return run_blocking(work())

    async def ainvoke(self, input: Any, *_: Any, **__: Any) -> Any:
        """Run the node."""
        return await self._run(input)


THREADS = 16 + 4
"""Threads of a synchronous run: `MAX_PANEL` (16), and some for the checkpointer. LangGraph has
Python's default of them, processors + 4, and a panel of 16 would take three turns on two."""


class StoppableGraph(ResumableGraph[StateT, ContextT, InputT, OutputT]):
    """A compiled graph of such nodes, whose `invoke` and `stream` stop when their caller does."""

    nothing: ClassVar[Any] = {}  # so that its first node, and not LangGraph, says what is missing

    if not TYPE_CHECKING:  # the signatures are LangGraph's

        def stream(self, input: Any, config: Any = None, **kwargs: Any) -> Any:
            """As LangGraph's; Ctrl-C and leaving early end the nodes at work. So with `invoke`.

            All members of a panel work at once unless the caller says otherwise.
            """
            told = ensure_config(config).get("max_concurrency") or (self.config or {}).get(
                "max_concurrency"
            )
            if not told and (os.cpu_count() or 1) + 4 < THREADS:
                config = {**(config or {}), "max_concurrency": THREADS}
            return leaving_stops(super().stream(input, config, **kwargs))


class StoppableBuilder(StateGraph[StateT, ContextT, InputT, OutputT]):
    """LangGraph's builder, compiling to a `StoppableGraph`."""

    if not TYPE_CHECKING:

        def compile(self, *args: Any, **kwargs: Any) -> Any:
            """As LangGraph's, which offers no way to name the class."""
            compiled = super().compile(*args, **kwargs)
            compiled.__class__ = StoppableGraph
            return compiled


def show_inside(
    graph: Pregel[Any, Any, Any, Any], node: str, inside: Pregel[Any, Any, Any, Any]
) -> None:
    """Let drawings with `xray` show the graph that a node runs.

    LangGraph finds such a graph by itself only if its steps are checkpointed. What is shown is
    never run, so no checkpoint is written.

    Args:
        graph: The compiled graph.
        node: One of its nodes.
        inside: The graph to draw in the node's place; compiled without `checkpointer=False`.
    """
    graph.nodes[node].subgraphs = [inside]
