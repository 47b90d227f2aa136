"""Replies that have come and are not in the database yet, in the Redis that all workers share.

A database takes a reply in tens of milliseconds where a worker has many runs: its saver writes for
one run after another, and each write ends with the disk. A Redis takes it with the first packet
that is sent. A worker that is killed between the two costs nobody a reply.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fusion_graph.langgraph_seams.node_checkpoint import NodeCheckpoint
from fusion_graph.models.shared_redis import shared_redis

LIFE_SECONDS = 3600
"""How long a reply waits for whoever goes on with the run of a worker that died."""


class RepliesInRedis:
    """Keeps the replies of a checkpoint's nodes until the database has them.

    Without a Redis nothing is kept and found; one that fails costs no run anything, and the report
    says so where it tells of limits.

    Args:
        checkpoint: The checkpoint. Its saver's serializer, which may encrypt, writes them.
    """

    def __init__(self, checkpoint: NodeCheckpoint) -> None:
        self._checkpoint = checkpoint
        self._name = f"{{fusion}}:received:{checkpoint.name}"

    async def read(self) -> dict[str, Any]:
        """Read all that is there, by its keys."""

        async def work(client: Any) -> dict[str, Any]:
            found = await client.hgetall(self._name)
            return {key.decode(): self._checkpoint.opened(data) for key, data in found.items()}

        return await self._do(work) or {}

    async def put(self, key: str, data: bytes) -> bool:
        """Keep a reply; tells whether it is there.

        Args:
            key: Its key.
            data: The reply.
        """

        async def work(client: Any) -> bool:
            async with client.pipeline(transaction=True) as pipe:
                pipe.hset(self._name, key, self._checkpoint.sealed(data))
                pipe.expire(self._name, LIFE_SECONDS)
                await pipe.execute()
            return True

        return bool(await self._do(work))

    async def drop(self, key: str) -> None:
        """Forget a reply that the database has."""

        async def work(client: Any) -> None:
            await client.hdel(self._name, key)

        await self._do(work)

    async def _do(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        shared = await shared_redis(lambda _: None)  # a call that follows tells it
        if shared is None:
            return None
        try:
            return await work(shared.client)
        except Exception as error:
            shared.fail(error)
            return None
