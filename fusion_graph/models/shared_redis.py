"""The Redis that all processes of a deployment share, if they have one."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from fusion_graph.config.shared_limits import REDIS_URL, shared_limits
from fusion_graph.errors import ARROW
from fusion_graph.langgraph_seams.loops import loop_owned

ANSWER_SECONDS = 2.0
"""How long a Redis may take to answer before it counts as gone."""

AGAIN_SECONDS = 5.0
"""After which a Redis that was gone is asked again."""

_INSTALL = f"{ARROW}pip install 'fusion-graph[redis]'."


class SharedRedis:
    """The Redis, as one event loop reaches it.

    Args:
        url: Its address.

    Attributes:
        client: A client of `redis.asyncio`.
        why: Why it counts as gone, in a sentence.
    """

    def __init__(self, url: str) -> None:
        from redis.asyncio import BlockingConnectionPool, Redis

        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=32,
            timeout=ANSWER_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS,
        )
        self.client: Any = Redis(connection_pool=pool)
        self._gone = 0.0
        self.why = ""

    @property
    def answers(self) -> bool:
        """Whether it is worth asking: it did not fail a moment ago."""
        return self._gone <= time.monotonic()

    def fail(self, error: BaseException) -> str:
        """Leave it alone for a while; gives the sentence that says so."""
        self._gone = time.monotonic() + AGAIN_SECONDS
        self.why = _not_shared(type(error).__name__)
        return self.why

    async def close(self) -> None:
        """Close its connections."""
        with suppress(Exception):
            await self.client.aclose()
            await self.client.connection_pool.disconnect()


async def shared_redis(lost: Callable[[str], None]) -> SharedRedis | None:
    """Find the Redis of `FUSION_REDIS_URL`; None where there is none, or it is gone.

    Args:
        lost: Told why it cannot be used, where it should be.

    Raises:
        ConfigurationError: Its address, or a limit, cannot be read.
    """
    url = shared_limits().redis_url
    if not url:
        return None
    try:
        shared = await loop_owned(f"redis {url}", lambda: SharedRedis(url), SharedRedis.close)
    except ImportError:
        lost(_not_shared("its client is not installed") + _INSTALL)
        return None
    except ValueError as error:
        lost(_not_shared(type(error).__name__))
        return None
    if not shared.answers:
        lost(shared.why)
        return None
    return shared


def _not_shared(why: str) -> str:
    return (
        f"The Redis of {REDIS_URL} cannot be used ({why}): limits of calls and of a day's dollars "
        "hold for this process alone."
    )
