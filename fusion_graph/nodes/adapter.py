"""One coroutine as a graph node that `invoke` and `ainvoke` can run and drawings can show."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from langchain_core.runnables import Runnable
from langgraph.pregel import Pregel

from fusion_graph.loops import run_blocking


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
            return await self._run(input)

        return run_blocking(work())

    async def ainvoke(self, input: Any, *_: Any, **__: Any) -> Any:
        """Run the node."""
        return await self._run(input)


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
