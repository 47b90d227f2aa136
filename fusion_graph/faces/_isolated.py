"""A fusion run apart from the graph that its caller may be a node of.

A chat model is one call to whoever calls it. If its inner graph took LangGraph's settings from
around it, it would keep checkpoints in the caller's thread, and its messages would stand in the
caller's stream a second time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from typing import Any

from langchain_core.callbacks import BaseCallbackManager, BaseRunManager, CallbackManager
from langchain_core.messages import BaseMessage
from langchain_core.runnables.config import RunnableConfig, ensure_config
from langchain_core.tracers import BaseTracer
from langgraph.config import get_stream_writer

from fusion_graph.faces.follow import Event, follow
from fusion_graph.graph import FusionGraph
from fusion_graph.langgraph_seams.surroundings import with_surroundings
from fusion_graph.state.events import EVENTS


async def run_apart(
    graph: FusionGraph,
    messages: Sequence[BaseMessage],
    context: Any,
    call: BaseRunManager | None,
) -> AsyncGenerator[Event]:
    """Follow a run that knows nothing of the graph around it but its thread's name.

    Args:
        graph: From `create_fusion_graph`.
        messages: The conversation.
        context: The run's configuration.
        call: The model call it belongs to, so that traces show it there. LangChain tells of it
            only where nothing is streamed; else the code around it stands in.

    Yields:
        As `follow`.
    """
    around = ensure_config()
    thread_id = around.get("configurable", {}).get("thread_id")
    queue: asyncio.Queue[Event | None] = asyncio.Queue()

    async def pump() -> None:
        try:
            # Ids are the caller's business: under equal ones LangGraph would keep one message.
            copies = [message.model_copy(update={"id": None}) for message in messages]
            async with aclosing(follow(graph, copies, context=context)) as events:  # type: ignore[type-var]
                async for event in events:
                    queue.put_nowait(event)
        finally:
            queue.put_nowait(None)

    own: RunnableConfig = {
        "callbacks": _within(call) if call is not None else _tracers(around.get("callbacks")),
        "configurable": {"thread_id": thread_id} if thread_id is not None else {},
    }
    with with_surroundings(own) as variables:
        task = asyncio.create_task(pump(), context=variables)
        try:
            while (event := await queue.get()) is not None:
                yield event
            await task
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task


def progress_teller() -> Callable[[Event], None]:
    """Sends a run's progress events into the custom stream of the node around, if there is one."""
    try:
        write = get_stream_writer()
    except (RuntimeError, KeyError):
        return lambda _: None
    return lambda event: write(event) if event["type"] in EVENTS else None


def _within(call: BaseRunManager) -> BaseCallbackManager:
    """The callbacks of what runs within a call (a model's call has no `get_child`)."""
    inner = CallbackManager(handlers=[], parent_run_id=call.run_id)
    inner.set_handlers(_tracers(call.inheritable_handlers))
    inner.add_tags(call.inheritable_tags)
    inner.add_metadata(call.inheritable_metadata)
    return inner


def _tracers(callbacks: Any) -> Any:
    """The tracers among callbacks.

    Others are to see one model's call: a counter of tokens would count twice, and LangGraph's own
    would stream the writer's words twice.
    """
    if isinstance(callbacks, BaseCallbackManager):
        inner = callbacks.copy()
        inner.handlers = _tracers(inner.handlers)
        inner.inheritable_handlers = _tracers(inner.inheritable_handlers)
        return inner
    return [handler for handler in callbacks or () if isinstance(handler, BaseTracer)]
