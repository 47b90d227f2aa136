"""What a fetcher holds for one event loop: connections, and turns at using them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from weakref import WeakValueDictionary

from fusion_tools._limits import FetchLimits
from fusion_tools.errors import ToolError
from fusion_tools.netguard import GuardedTransport

PAGES_IN_HAND = 32
"""Bodies waiting for extraction or in it. Times 5 MiB, this bounds what they take together."""


class Session:
    """Connections and turns of one event loop.

    Args:
        transport: Closed with the session.
        limits: `per_host`, `concurrency` and `queue_seconds` apply here.
    """

    def __init__(self, transport: GuardedTransport, limits: FetchLimits) -> None:
        self.transport = transport
        self.in_hand = asyncio.Semaphore(PAGES_IN_HAND)
        self._limits = limits
        self._network = asyncio.Semaphore(limits.concurrency)
        self._starting = asyncio.Lock()
        # A host's entry lasts as long as somebody waits for it or uses it.
        self._hosts: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, host: str) -> AsyncIterator[None]:
        """Wait for a turn at `host`, then for one at the network, so that a busy host holds
        up nobody else.

        Raises:
            ToolError: `too_many_requests` when it did not come within `queue_seconds`.
        """
        at_host = self._hosts.get(host)
        if at_host is None:
            at_host = self._hosts[host] = asyncio.Semaphore(self._limits.per_host)
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(self._limits.queue_seconds):
                    await held.enter_async_context(at_host)
                    await held.enter_async_context(self._network)
                    # One start for each round of the loop: thirty at once would take it 40 ms.
                    async with self._starting:
                        await asyncio.sleep(0)
            except TimeoutError as error:
                raise ToolError(
                    "too_many_requests",
                    f"Too many pages of {host} were waited for, for more than "
                    f"{self._limits.queue_seconds:g} s; use another source.",
                ) from error
            yield


class Sessions:
    """One `Session` for every event loop that fetches, closed with its loop.

    Args:
        open_session: Makes one; called in the loop's thread.
    """

    def __init__(self, open_session: Callable[[], Session]) -> None:
        self._open = open_session
        self._held: dict[asyncio.AbstractEventLoop, tuple[Session, AsyncGenerator[None]]] = {}

    async def current(self) -> Session:
        """The running loop's session."""
        loop = asyncio.get_running_loop()
        if loop not in self._held:
            self._forget_closed()
            session = self._open()
            # The loop finalises the generators that were begun in it: `asyncio.run` and its
            # kin end by closing this session, while sockets can still be closed in order.
            hold = self._hold(loop, session)
            self._held[loop] = (session, hold)
            await anext(hold)
        return self._held[loop][0]

    async def _hold(
        self, loop: asyncio.AbstractEventLoop, session: Session
    ) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            self._held.pop(loop, None)
            await session.transport.aclose()

    async def aclose(self) -> None:
        """Close the running loop's session, and forget those of closed loops."""
        held = self._held.get(asyncio.get_running_loop())
        if held is not None:
            await held[1].aclose()
        self._forget_closed()

    def _forget_closed(self) -> None:
        for loop in list(self._held):  # a copy: other threads have their own loops
            if loop.is_closed():
                self._held.pop(loop, None)
