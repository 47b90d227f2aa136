"""One coroutine as a graph node that both `invoke` and `ainvoke` can run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from langchain_core.runnables import Runnable

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
