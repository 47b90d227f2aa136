"""Work that blocks, in a thread of its own that nobody has to wait for.

The event loop's executor will not do. A dozen slow names or tools would fill it, and the host
application with them; and the end of `asyncio.run`, and of the process, waits for its threads: a
synchronous tool of 70 s made a run that had long ended last 70 s.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from langchain_core.messages import ToolCall
    from langchain_core.runnables import RunnableConfig
    from langchain_core.tools import BaseTool

T = TypeVar("T")


async def in_own_thread(work: Callable[..., T], *args: Any) -> T:
    """Do a piece of work in a thread of its own, which sees the caller's context variables.

    Whoever stops waiting is let go at once; the work goes on until it ends, or the process does.

    Args:
        work: What blocks.
        args: What it is given.

    Raises:
        BaseException: What the work raised.
    """
    loop = asyncio.get_running_loop()
    end: asyncio.Future[T] = loop.create_future()
    context = copy_context()

    def settle(result: Any, error: BaseException | None) -> None:
        if end.done():
            return
        if error is None:
            end.set_result(result)
        elif isinstance(error, StopIteration):  # which a future may not hold
            end.set_exception(RuntimeError(f"{type(error).__name__}: {error}"))
        else:
            end.set_exception(error)

    def do() -> None:
        result, failure = None, None
        try:
            result = context.run(work, *args)
        except BaseException as error:
            failure = error
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=do, name="fusion-work", daemon=True).start()
    return await end


async def use_tool(tool: BaseTool, call: ToolCall, config: RunnableConfig | None = None) -> Any:
    """Call a LangChain tool; one without an asynchronous side blocks nobody.

    Args:
        tool: The tool.
        call: Its arguments, as a model asks for it: only then does the artifact come along.
        config: LangChain's settings around the call.
    """
    if is_synchronous(tool):
        return await in_own_thread(tool.invoke, call, config)
    return await tool.ainvoke(call, config)


def is_synchronous(tool: BaseTool) -> bool:
    """Tell whether a tool has nothing to await: a plain function, or a class with `_run` alone."""
    from langchain_core.tools import BaseTool, StructuredTool, Tool

    if isinstance(tool, StructuredTool | Tool):
        return tool.coroutine is None
    return type(tool)._arun is BaseTool._arun
