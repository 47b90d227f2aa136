"""Following a run: one stream of events from a graph, or from whatever graph it is part of.

LangGraph streams in several shapes (one mode or many, with namespaces or without, version 1 or
2, and from a server as JSON), and a parent's stream holds its own data besides ours. Here they
become the events of `fusion_graph.state.events`, and two more: `answer.delta` (message_id, text), a
piece of the final answer, where a new message_id voids what came before it; and, from `follow`
alone, `fusion.result` (message, report), the last one.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessageChunk, convert_to_messages
from pydantic import BaseModel

from fusion_graph.errors import RemoteRunFailed
from fusion_graph.state.events import EVENTS

if TYPE_CHECKING:
    from langgraph.pregel.remote import RemoteGraph

    from fusion_graph.graph import FusionGraph

Event = dict[str, Any]
"""A progress event, an `answer.delta` or a `fusion.result`: a dict with a `type`."""

MESSAGE_PREFIX = "fusion-"
"""Ids of the writer's messages begin so, which tells them from a parent's."""


async def follow(
    graph: FusionGraph | RemoteGraph,
    messages: Sequence[Any] | None,
    *,
    context: Any = None,
    config: Mapping[str, Any] | None = None,
    **options: Any,
) -> AsyncIterator[Event]:
    """Run a fusion graph and tell what happens, as it happens.

    Args:
        graph: From `create_fusion_graph`, or a `RemoteGraph` of one on a LangGraph server.
        messages: The conversation, in any form LangChain takes; None resumes the thread that
            `config` names.
        context: The run's configuration, above the graph's own.
        config: LangGraph's own: thread, callbacks, recursion limit.
        options: More of `astream`'s, such as `durability`.

    Yields:
        Every event of the run, and at the end one `fusion.result`. Leaving early cancels the run,
        on a server too.

    Raises:
        FusionError: As `ainvoke` raises it; `RemoteRunFailed` for whatever a server tells.
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
    modes: Any = ["custom", "messages", "values"]
    last: Mapping[str, Any] = {}
    with _told_apart(graph) as remote:
        if remote:
            context = _as_json(context)
            options.setdefault("on_disconnect", "cancel")  # a server's own way is to go on
        stream: Any = graph.astream(given, settings, context=context, stream_mode=modes, **options)
        async with aclosing(stream) as parts:
            async for part in parts:
                _, mode, data = _split(part)
                if mode == "values":
                    last = data
                elif (event := _event(mode, data)) is not None:
                    yield event
    (message,) = convert_to_messages(last["messages"][-1:])  # JSON, from a server
    yield {"type": "fusion.result", "message": message, "report": last["fusion"]}


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
            `(namespace, mode, data)`, version 2's dict, or what the LangGraph SDK's client yields.
    """
    namespace, mode, data = _split(part)
    event = _event(mode, data)
    if event is not None and namespace:
        event["namespace"] = namespace
    return event


def _split(part: Any) -> tuple[tuple[str, ...], str | None, Any]:
    """Namespace, mode (None where the stream has but one) and data of one part of a stream."""
    if isinstance(part, Mapping) and {"type", "ns", "data"} <= part.keys():
        return tuple(part["ns"]), part["type"], part["data"]
    if isinstance(part, tuple) and hasattr(part, "event"):
        # The SDK's, and so a RemoteGraph's without namespaces: `mode|namespace|…`, data, number.
        mode, *inside = part.event.split("|")
        return tuple(inside), mode, part.data  # type: ignore[attr-defined]
    namespace: tuple[str, ...] = ()
    data = part
    if isinstance(data, tuple) and isinstance(data[0], tuple):
        namespace, *rest = data
        data = rest[0] if len(rest) == 1 else tuple(rest)
    if isinstance(data, tuple) and isinstance(data[0], str):
        mode, data = data
        return namespace, mode, data
    return namespace, None, data


def _event(mode: str | None, data: Any) -> Event | None:
    if mode in (None, "custom") and isinstance(data, Mapping):
        return dict(data) if data.get("type") in EVENTS else None
    # A list where it came as JSON.
    if mode in (None, "messages") and isinstance(data, tuple | list) and data:
        chunk = data[0]
        # The finished message comes too, under the same id: it would be the text once more.
        if isinstance(chunk, Mapping) and chunk.get("type") == "AIMessageChunk":
            chunk = AIMessageChunk(content=chunk.get("content") or "", id=chunk.get("id"))
        if isinstance(chunk, AIMessageChunk) and str(chunk.id).startswith(MESSAGE_PREFIX):
            if not chunk.text:
                return None
            return {"type": "answer.delta", "message_id": str(chunk.id), "text": chunk.text}
    return None


@contextmanager
def _told_apart(graph: Any) -> Iterator[bool]:
    """Whether a graph is on a server, whose failures are raised as an error of ours.

    Raises:
        RemoteRunFailed: The server failed, refused the run, or cannot be reached.
    """
    from langgraph.pregel.remote import RemoteException, RemoteGraph

    if not isinstance(graph, RemoteGraph):
        yield False
        return
    from httpx import HTTPError

    try:
        yield True
    except RemoteException as error:
        told = error.args[0] if error.args and isinstance(error.args[0], Mapping) else {}
        kind, message = str(told.get("error") or ""), str(told.get("message") or error)
        raise RemoteRunFailed(graph.assistant_id, kind, message) from error
    except HTTPError as error:
        raise RemoteRunFailed(graph.assistant_id, type(error).__name__, str(error)) from error


def _as_json(context: Any) -> Any:
    """A run's context as it can be sent: what is set in it, and no more."""
    if not isinstance(context, BaseModel):
        return context
    return context.model_dump(mode="json", exclude_unset=True)
