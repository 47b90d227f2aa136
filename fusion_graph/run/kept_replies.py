"""Replies are kept from the moment they are received, where the run has a checkpointer.

LangGraph keeps a node's work when the node is done. A process that dies before that loses what a
panelist had of its research, the judge's verdict, the writer's answer, and whoever goes on with the
run pays for them again. So each reply, search and page is written beside the checkpoint that its
node works from; a node that is run again finds them there. A call that failed is tried anew. Where
workers share a Redis, a model's reply is put there first, until the database has it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial, wraps
from hashlib import sha256
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from fusion_graph.langgraph_seams.node_checkpoint import NodeCheckpoint, checkpoint_of_node
from fusion_graph.models.recording import Asked, current_recording, recorded
from fusion_graph.run._replies_in_redis import RepliesInRedis
from fusion_graph.state import CallRecord

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

CHANNEL = "fusion_received"
"""Under which name they stand in the database."""

MOST_BYTES = 64_000
"""Of a page or search, compressed: what is larger is fetched again, and not put into a database."""


def keeping_replies(node: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """Have a node find what it had received before it was interrupted, and keep what it receives.

    Args:
        node: The node's work. Where its steps are kept otherwise, as in an evaluation, or the run
            has no checkpointer, nothing changes.
    """

    @wraps(node)
    async def keeping(*args: P.args, **kwargs: P.kwargs) -> T:
        checkpoint = checkpoint_of_node()
        if checkpoint is None or current_recording() is not None:
            return await node(*args, **kwargs)
        with recorded(_Beside(checkpoint)):
            return await node(*args, **kwargs)

    return keeping


class _Beside:
    """Keeps the steps of a node beside the checkpoint that it works from."""

    def __init__(self, checkpoint: NodeCheckpoint) -> None:
        self._checkpoint = checkpoint
        self._first = RepliesInRedis(checkpoint)
        self._found: dict[str, Any] | None = None
        self._asked: Counter[str] = Counter()

    def fixed(self, name: str, value: str) -> str:  # noqa: ARG002 - the seam's signature
        """The value as it is: what a run draws itself stands in its state."""
        return value

    @asynccontextmanager
    async def step(self, asked: Asked) -> AsyncIterator[_Step]:
        """A step's place; what is kept in it is written when it is left without an error."""
        key = self._key(asked)
        step = _Step(await self._kept(key), partial(self._first.put, key))
        try:
            yield step
        except asyncio.CancelledError:
            if step.received:  # and cancelled before it was read
                await self._write(asked, key, step)
            raise
        if step.data:
            await self._write(asked, key, step)

    def _key(self, asked: Asked) -> str:
        # What several members search or read is found once for all of them.
        who = [asked.stage, asked.name] if asked.kind == "call" else []
        content = json.dumps([asked.kind, *who, asked.of, asked.content], default=repr)
        number = 0
        if asked.kind == "call":  # one that was answered with nothing is asked in the same words
            number = self._asked[content]
            self._asked[content] += 1
        digest = sha256(f"{content}\0{number}".encode()).digest()
        return str(UUID(bytes=digest[:16]))

    async def _kept(self, key: str) -> dict[str, Any] | None:
        if self._found is None:
            # A reply goes from here to the database: whoever looked there first could miss it.
            first = await self._first.read()
            try:
                self._found = first | await self._checkpoint.read(CHANNEL)
            except Exception as error:
                self._found = first
                self._warn("read", error)
        found = self._found.get(key)
        return json.loads(zlib.decompress(found)) if isinstance(found, bytes) else None

    async def _write(self, asked: Asked, key: str, step: _Step) -> None:
        if asked.kind != "call" and len(step.data) > MOST_BYTES:
            return
        writing = asyncio.ensure_future(self._keep(key, step))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            # A server that is stopped cancels its runs: what was received is kept all the same.
            await asyncio.wait({writing})
            raise
        except Exception as error:
            # A paid reply is not lost for want of a second place to keep it.
            self._warn("kept", error)

    async def _keep(self, key: str, step: _Step) -> None:
        await self._checkpoint.write(CHANNEL, key, step.data)
        if step.in_redis:
            await self._first.drop(key)

    def _warn(self, what: str, error: Exception) -> None:
        logger.warning(
            "What a run had received could not be %s: it is paid again if this process dies (%s)",
            what,
            type(error).__name__,
        )


class _Step:
    """One step's place.

    Attributes:
        kept: What it brought before.
        data: What it brings now, as it is kept; empty if that is nothing.
        received: Whether that is a model's reply.
        in_redis: Whether it is kept in the Redis.
    """

    same_run = True

    def __init__(
        self, kept: dict[str, Any] | None, put: Callable[[bytes], Awaitable[bool]]
    ) -> None:
        self.kept = kept
        self.data = b""
        self.received = self.in_redis = False
        self._put = put

    def keep(self, value: dict[str, Any]) -> None:
        """Note what it brought."""
        self.data = zlib.compress(json.dumps(value).encode())

    async def receive(self, value: dict[str, Any]) -> None:
        """Note a model's reply, and put it into the Redis."""
        self.keep(value)
        self.received = True
        self.in_redis = await self._put(self.data)

    def cut(self, calls: Sequence[CallRecord]) -> None:
        """Note nothing: a call that was cut off is made again."""
