"""Following a run: one stream of events from a graph, or from whatever graph it is part of.

LangGraph streams in several shapes (one mode or many, with namespaces or without, version 1 or
2), and a parent's stream holds its own data besides ours. Here they become the events of
`fusion_graph.state.events`, and two more: `answer.delta` (message_id, text), a piece of the final
answer, where a new message_id voids what came before it; and, from `follow` alone,
`fusion.result` (message, report), the last one.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessageChunk

from fusion_graph.state.events import EVENTS

if TYPE_CHECKING:
    from fusion_graph.graph import FusionGraph

Event = dict[str, Any]
"""A progress event, an `answer.delta` or a `fusion.result`: a dict with a `type`."""

MESSAGE_PREFIX = "fusion-"
"""Ids of the writer's messages begin so, which tells them from a parent's."""


async def follow(
    graph: FusionGraph,
    messages: Sequence[Any] | None,
    *,
    context: Any = None,
    config: Mapping[str, Any] | None = None,
    **options: Any,
) -> AsyncIterator[Event]:
    """Run a fusion graph and tell what happens, as it happens.

    Args:
        graph: From `create_fusion_graph`.
        messages: The conversation, in any form LangChain takes; None resumes the thread that
            `config` names.
        context: The run's configuration, above the graph's own.
        config: LangGraph's own: thread, callbacks, recursion limit.
        options: More of `astream`'s, such as `durability`.

    Yields:
        Every event of the run, and at the end one `fusion.result`. Leaving early cancels the run.

    Raises:
        FusionError: As `ainvoke` raises it.
        KeyError: The run stopped before its end, at a breakpoint.

    Example:
        >>> import asyncio
        >>> from fusion_graph import create_fusion_graph
        >>> from fusion_graph import follow
        >>> async def main():
        ...     async for event in follow(create_fusion_graph("offline"), ["What is DRACO?"]):
        ...         if event["type"] == "panel.completed":
        ...             names.add(event["name"])
        ...         if event["type"] == "fusion.result":
        ...             return event["report"]["status"]
        >>> names = set()
        >>> asyncio.run(main())
        'ok'
        >>> sorted(names)
        ['central', 'figures', 'keyword']
    """
    given: Any = None if messages is None else {"messages": list(messages)}
    settings: Any = dict(config or {})
    stream: Any = graph.astream(
        given,
        settings,
        context=context,
        stream_mode=["custom", "messages", "values"],
        **options,
    )
    last: Mapping[str, Any] = {}
    async with aclosing(stream) as parts:
        async for mode, data in parts:
            if mode == "values":
                last = data
            elif (event := _event(mode, data)) is not None:
                yield event
    yield {"type": "fusion.result", "message": last["messages"][-1], "report": last["fusion"]}


async def afusion_events(stream: AsyncIterable[Any]) -> AsyncIterator[Event]:
    """The fusion events in any graph's `astream`.

    Args:
        stream: What `astream` returned, with `custom` or `messages` (or both) among its modes.
            Give it `subgraphs=True` where the fusion is a node of the graph, else LangGraph
            keeps its events to itself.

    Yields:
        The events; what the graph says besides is passed over. Where the fusion is a subgraph,
        `namespace` says which.
    """
    async for part in stream:
        if (event := event_of(part)) is not None:
            yield event


def fusion_events(stream: Iterable[Any]) -> Iterator[Event]:
    """The fusion events in any graph's `stream`; see `afusion_events`."""
    for part in stream:
        if (event := event_of(part)) is not None:
            yield event


def event_of(part: Any) -> Event | None:
    """The fusion event that one part of a LangGraph stream is, if it is one.

    Args:
        part: What the stream yielded: data, `(mode, data)`, `(namespace, data)`,
            `(namespace, mode, data)`, or version 2's dict.
    """
    namespace: tuple[str, ...] = ()
    mode = None
    if isinstance(part, Mapping) and {"type", "ns", "data"} <= part.keys():
        mode, namespace, data = part["type"], tuple(part["ns"]), part["data"]
    else:
        data = part
        if isinstance(data, tuple) and isinstance(data[0], tuple):
            namespace, *rest = data
            data = rest[0] if len(rest) == 1 else tuple(rest)
        if isinstance(data, tuple) and isinstance(data[0], str):
            mode, data = data
    event = _event(mode, data)
    if event is not None and namespace:
        event["namespace"] = namespace
    return event


def _event(mode: str | None, data: Any) -> Event | None:
    if mode in (None, "custom") and isinstance(data, Mapping):
        return dict(data) if data.get("type") in EVENTS else None
    if mode in (None, "messages") and isinstance(data, tuple) and data:
        chunk = data[0]
        # The finished message comes too, under the same id: it would be the text once more.
        if isinstance(chunk, AIMessageChunk) and str(chunk.id).startswith(MESSAGE_PREFIX):
            if not chunk.text:
                return None
            return {"type": "answer.delta", "message_id": str(chunk.id), "text": chunk.text}
    return None
