"""A client of a fleet: any of its addresses will do, and its errors become ours."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar

from fusion_graph.errors import ApiError
from fusion_graph.faces.server.fleet.address import KEY_VARIABLE, FleetAddress

if TYPE_CHECKING:
    import httpx
    from langgraph_sdk.client import LangGraphClient

CONNECT_SECONDS, READ_SECONDS = 5.0, 30.0
"""How long an address may take to accept, and to say something: LangGraph's streams say every 5 s
that they are alive."""

ATTEMPTS = 2
"""How often a fleet of one address is asked."""

T = TypeVar("T")

_log = logging.getLogger("fusion_graph.server")


class FleetClient:
    """A client asks a fleet by one of its addresses, and by the next where that does not answer.

    Args:
        address: Where the fleet is.
    """

    def __init__(self, address: FleetAddress) -> None:
        self.address = address
        self._clients: list[LangGraphClient] = []
        self._place = 0
        self._complained = False

    async def ask(self, call: Callable[[LangGraphClient], Awaitable[T]]) -> T | None:
        """Ask something.

        Args:
            call: What is asked; it may be sent more than once.

        Returns:
            The reply; None for what is not there (404).

        Raises:
            ApiError: 503, no address answers, or the fleet refuses it.
        """
        import httpx

        # A connection that was kept open may have died with its worker.
        for _ in range(max(ATTEMPTS, len(self.address.urls))):
            try:
                reply = await call(self._client())
            except httpx.HTTPStatusError as error:
                if error.response.status_code == 404:
                    return None
                if error.response.status_code < 500 and error.response.status_code != 429:
                    raise self._refused(error) from None
                self._next(error)
            except httpx.TransportError as error:
                self._next(error)
            else:
                self._complained = False
                return reply
        raise _unreachable()

    async def stream(self, thread: str, run: str, after: str) -> AsyncGenerator[Any, None]:
        """Yield the parts of a run's stream, until it ends or breaks off.

        Args:
            thread: The run's thread.
            run: The run.
            after: The id of a part; those after it are sent.

        Raises:
            ApiError: The fleet refuses it.
        """
        import httpx

        client = self._client()
        try:
            # Without `stream_mode`: several in one query are read as the last of them alone.
            stream: Any = client.runs.join_stream(thread, run, last_event_id=after)
            async with aclosing(stream) as parts:
                async for part in parts:
                    yield part
        except httpx.HTTPStatusError as error:
            if error.response.status_code < 500 and error.response.status_code not in (404, 429):
                raise self._refused(error) from None
            self._next(error)
        except httpx.TransportError as error:
            self._next(error)

    async def close(self) -> None:
        """Close its connections."""
        clients, self._clients = self._clients, []
        for client in clients:
            await client.aclose()

    def _client(self) -> LangGraphClient:
        if not self._clients:
            self._clients = [_client_of(url, self.address.key) for url in self.address.urls]
        return self._clients[self._place]

    def _next(self, error: httpx.HTTPError) -> None:
        """Take the next address; say once, until one answers again, which did not."""
        if not self._complained:
            self._complained = True
            url = self.address.urls[self._place]
            _log.warning("the fleet does not answer at %s: %s", url, type(error).__name__)
        self._place = (self._place + 1) % len(self.address.urls)

    def _refused(self, error: httpx.HTTPStatusError) -> ApiError:
        status = error.response.status_code
        if status in (401, 403):
            _log.error("the fleet refuses this server's key (%d): set %s", status, KEY_VARIABLE)
            said = "The fleet does not let this server in; its owner finds more in its log."
        else:
            told = str(error)[:300].replace(self.address.key or "\0", "…")
            _log.error("the fleet refuses a request: %d %s", status, told)
            said = "The fleet refuses this request; the server's owner finds more in its log."
        return ApiError(503, said, "fleet_refused", type="server_error", retry=False)


def _client_of(url: str, key: str | None) -> LangGraphClient:
    import httpx
    from langgraph_sdk.client import LangGraphClient

    async def forget_where_it_came_from(response: httpx.Response) -> None:
        # The SDK would go on asking that one worker for a quarter of a minute when it has died.
        response.headers.pop("location", None)

    headers = {} if key is None else {"x-api-key": key, "authorization": f"Bearer {key}"}
    return LangGraphClient(
        httpx.AsyncClient(
            base_url=url,
            headers=headers,
            timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
            event_hooks={"response": [forget_where_it_came_from]},
        )
    )


def _unreachable() -> ApiError:
    said = "The fleet that this server's runs are at work in does not answer now. Ask again soon."
    headers = {"retry-after": "5"}
    return ApiError(
        503, said, "fleet_unreachable", type="server_error", retry=True, headers=headers
    )
