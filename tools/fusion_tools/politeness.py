"""How often and how long a search engine is asked: few at a time, one retry, a deadline."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar
from weakref import WeakKeyDictionary

from fusion_tools.errors import ToolError
from fusion_tools.results import FailureCode

T = TypeVar("T")


class Politeness:
    """The limits of one search engine. One instance serves every caller, in any event loop.

    Args:
        name: The engine, for error messages.
        concurrency: Calls at a time.
        deadline: Seconds for a call and its retry together.
        backoff: Seconds before the retry, at least; at most twice as many.
        retried: The failures that a second try may cure.
    """

    def __init__(
        self,
        name: str,
        *,
        concurrency: int = 3,
        deadline: float = 20.0,
        backoff: float = 1.0,
        retried: frozenset[FailureCode] = frozenset(("too_many_requests", "unavailable")),
    ) -> None:
        self._name = name
        self._concurrency = concurrency
        self._deadline = deadline
        self._backoff = backoff
        self._retried = retried
        # A semaphore belongs to the first event loop that waits for it.
        self._slots: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = (
            WeakKeyDictionary()
        )

    async def ask(self, call: Callable[[], Awaitable[T]]) -> T:
        """The result of `call`, within the limits.

        Raises:
            ToolError: What `call` raised the second time, or `unavailable` at the deadline.
        """
        loop = asyncio.get_running_loop()
        async with self._slots.setdefault(loop, asyncio.Semaphore(self._concurrency)):
            try:
                async with asyncio.timeout(self._deadline):
                    return await self._twice(call)
            except TimeoutError as error:
                raise ToolError(
                    "unavailable",
                    f"{self._name} did not answer within {self._deadline:g} seconds. "
                    "Try again later, or go on with what you have.",
                ) from error

    async def _twice(self, call: Callable[[], Awaitable[T]]) -> T:
        try:
            return await call()
        except ToolError as error:
            if error.code not in self._retried:
                raise
        # Uneven, so that panelists refused together do not come back together.
        await asyncio.sleep(self._backoff * random.uniform(1, 2))
        return await call()
