"""The checkpoint that a node works from, and a place beside it for what the node has by now."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from langgraph.config import get_config

CHECKPOINTER = "__pregel_checkpointer"
"""Where LangGraph hands a node the checkpointer of its run (1.2.24); it has no public name."""

DURABILITY = "__pregel_durability"
"""Where LangGraph says how a run is kept, if its caller did (1.2.24)."""

_synchronous: ContextVar[bool] = ContextVar("fusion_graph_synchronous", default=False)


@contextmanager
def synchronously() -> Iterator[None]:
    """Say that the node was called by LangGraph's synchronous face, whose savers may be so too."""
    token = _synchronous.set(True)
    try:
        yield
    finally:
        _synchronous.reset(token)


@dataclass(frozen=True)
class NodeCheckpoint:
    """A checkpoint in its saver, with what was written beside it.

    A saver keeps writes by checkpoint and task; LangGraph takes up those of its own tasks, and
    leaves all others be. They go with the thread.

    Attributes:
        saver: The checkpointer.
        config: Names the checkpoint in it.
        synchronous: Whether only its synchronous methods can be relied on.
    """

    saver: Any
    config: dict[str, Any]
    synchronous: bool

    @property
    def name(self) -> str:
        """What no other checkpoint is called, without what its thread is called."""
        return sha256(json.dumps(self.config, sort_keys=True).encode()).hexdigest()

    def sealed(self, value: Any) -> bytes:
        """Write something as the saver would: encrypted where that encrypts.

        Args:
            value: Plain data.
        """
        kind, data = self.saver.serde.dumps_typed(value)
        return bytes(kind.encode() + b"\0" + data)

    def opened(self, sealed: bytes) -> Any:
        """Read what was sealed."""
        kind, _, data = sealed.partition(b"\0")
        return self.saver.serde.loads_typed((kind.decode(), data))

    async def read(self, channel: str) -> dict[str, Any]:
        """Read what was written beside the checkpoint; the values by their keys.

        Args:
            channel: What kind of thing.
        """
        if self.synchronous:
            found = await asyncio.to_thread(self.saver.get_tuple, self.config)
        else:
            found = await self.saver.aget_tuple(self.config)
        writes = (found.pending_writes or ()) if found is not None else ()
        return {task: value for task, name, value in writes if name == channel}

    async def write(self, channel: str, key: str, value: Any) -> None:
        """Write something beside the checkpoint.

        Args:
            channel: What kind of thing.
            key: Its key: a UUID, as savers expect of a task.
            value: Plain data.
        """
        writes = [(channel, value)]
        if self.synchronous:
            await asyncio.to_thread(self.saver.put_writes, self.config, writes, key)
        else:
            await self.saver.aput_writes(self.config, writes, key)


def checkpoint_of_node() -> NodeCheckpoint | None:
    """Find the checkpoint that the node at work was started from; None where nothing is kept.

    If one of the names is gone, nothing breaks, but a reply that was received before its node's
    end is paid again after a kill: look for what `PregelLoop.put_writes` saves under.
    """
    given = get_config().get("configurable", {})
    saver, thread = given.get(CHECKPOINTER), given.get("thread_id")
    around = str(given.get("checkpoint_ns", "")).rpartition("|")[0]
    checkpoint = given.get("checkpoint_map", {}).get(around)
    if saver is None or thread is None or checkpoint is None or given.get(DURABILITY) == "exit":
        return None
    names = {"thread_id": thread, "checkpoint_ns": around, "checkpoint_id": checkpoint}
    return NodeCheckpoint(saver, {"configurable": names}, _synchronous.get())
