"""The network below every fetch: names are resolved and checked here, at the connection.

A check of the URL alone is worth little: a name can lead anywhere, elsewhere the second time,
and so can a redirect. Here the address that was checked is the one connected to, for every
connection there is, while certificate, SNI, Host and connection pool keep the name.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Any, cast

import httpcore2
import httpx2

from fusion_tools._resolve import Resolver, system_resolver
from fusion_tools.address import WEB_PORTS, Allow, check_address
from fusion_tools.errors import ToolError

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterable, Iterator

HEAD_START_SECONDS = 0.25
"""Between connection attempts to a host's addresses (RFC 8305: 250 ms)."""

MAX_ADDRESSES = 6
"""Addresses of one host that are tried; all are checked."""

MAX_CHUNKS = 20_000
"""Pieces in which one body may come, at 60 µs each: five megabytes byte by byte would take five
minutes of CPU time. Servers send pieces of kilobytes."""

_CHUNKS_AT_A_STRETCH = 32


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Connects to public addresses only, and only to ones it has checked.

    Args:
        allow: `(host, port)` pairs of the caller's own sites, named as in the URL. Nothing
            else lifts a check; there is no switch for that.
        resolver: What turns names into addresses.
        connector: What opens the connection to a checked address.
    """

    def __init__(
        self,
        *,
        allow: Allow = frozenset(),
        resolver: Resolver = system_resolver,
        connector: httpcore2.AsyncNetworkBackend | None = None,
    ) -> None:
        self._allow = allow
        self._resolver = resolver
        self._connector = connector or httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore2's interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Resolve `host`, check all its addresses, connect to the first that answers.

        Raises:
            ToolError: `url_not_allowed` when any address is refused: a mix of public and
                private ones is a trick. `url_not_accessible` when there is none.
            httpcore2.ConnectError: No address could be connected to.
            httpcore2.ConnectTimeout: Not within `timeout` seconds, name included.
        """
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._addresses(host, port)
                return await self._connect(addresses, port, local_address, socket_options)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout(f"no connection within {timeout:g} s") from error

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore2.AsyncNetworkStream:
        """Refuse: a socket in the file system is never a public web site."""
        raise ToolError("url_not_allowed", "Unix sockets cannot be fetched from.")

    async def sleep(self, seconds: float) -> None:
        """Part of the backend interface."""
        await asyncio.sleep(seconds)

    async def _addresses(self, host: str, port: int) -> list[str]:
        try:
            addresses = list(await self._resolver(host, port))
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN:
                raise httpcore2.ConnectError("its name could not be resolved just now") from error
            raise _unknown(host) from error
        except UnicodeError as error:
            raise _unknown(host) from error
        except OSError as error:
            raise httpcore2.ConnectError(f"its name could not be resolved: {error}") from error
        if not addresses:
            raise _unknown(host)
        if (host, port) not in self._allow:
            if port not in WEB_PORTS:
                raise ToolError("url_not_allowed", f"Port {port} of {host} is not open to fetches.")
            for address in addresses:
                if reason := check_address(address):
                    raise ToolError(
                        "url_not_allowed",
                        f"{host} leads to {reason}; only public web sites can be fetched.",
                    )
        return addresses[:MAX_ADDRESSES]

    async def _connect(
        self,
        addresses: list[str],
        port: int,
        local_address: str | None,
        socket_options: Iterable[Any] | None,
    ) -> httpcore2.AsyncNetworkStream:
        """Try the addresses one by one without waiting for a slow one to fail (RFC 8305)."""
        untried = list(addresses)
        pending: set[asyncio.Task[httpcore2.AsyncNetworkStream]] = set()
        connected: list[httpcore2.AsyncNetworkStream] = []
        failure: BaseException | None = None
        try:
            while not connected and (untried or pending):
                if untried:
                    attempt = self._connector.connect_tcp(
                        untried.pop(0),
                        port,
                        local_address=local_address,
                        socket_options=socket_options,
                    )
                    pending.add(asyncio.ensure_future(attempt))
                done, pending = await asyncio.wait(
                    pending,
                    timeout=HEAD_START_SECONDS if untried else None,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                for task in done:
                    if task.cancelled() or task.exception() is not None:
                        failure = failure or (None if task.cancelled() else task.exception())
                    else:
                        connected.append(task.result())
            if not connected:
                raise failure or httpcore2.ConnectError("no connection")
            return connected.pop(0)
        finally:
            for task in pending:
                task.cancel()
            late = await asyncio.gather(*pending, return_exceptions=True)
            for stream in [*connected, *late]:
                if isinstance(stream, httpcore2.AsyncNetworkStream):
                    await stream.aclose()


def _unknown(host: str) -> ToolError:
    return ToolError(
        "url_not_accessible", f"There is no host {host}; check the spelling or use another source."
    )


class GuardedTransport(httpx2.AsyncBaseTransport):
    """HTTP over a `GuardedBackend`, or over a proxy, which then is what must do the checking.

    Written over the public connection pool of httpcore2 because httpx2's own transport takes
    no network backend. Reads no environment variable. HTTP/1.1 only.

    Args:
        backend: The guard.
        ssl_context: For https.
        max_connections: Open at a time.
        proxy: An http, https or socks5 proxy. Then only the proxy sees where a name leads:
            the guard cannot check it, and does not try.
    """

    def __init__(
        self,
        backend: GuardedBackend,
        ssl_context: ssl.SSLContext,
        *,
        max_connections: int,
        proxy: httpcore2.Proxy | None = None,
    ) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=ssl_context,
            proxy=proxy,
            max_connections=max_connections,
            max_keepalive_connections=max_connections,
            keepalive_expiry=5.0,
            network_backend=httpcore2.AnyIOBackend() if proxy else backend,
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request. Raises httpx2's errors, and `ToolError` where the guard refuses."""
        with _httpx2_errors():
            response = await self._pool.handle_async_request(
                httpcore2.Request(
                    method=request.method,
                    url=httpcore2.URL(
                        scheme=request.url.raw_scheme,
                        host=request.url.raw_host,
                        port=request.url.port,
                        target=request.url.raw_path,
                    ),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        return httpx2.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_Body(response, request.url.host),
            extensions=response.extensions,
            request=request,
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.aclose()


class _Body(httpx2.AsyncByteStream):
    """A response body that lets others run: one read can hold thousands of tiny chunks."""

    def __init__(self, response: httpcore2.Response, host: str) -> None:
        self._response = response
        self._host = host

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = 0
        stream = cast("AsyncIterable[bytes]", self._response.stream)
        with _httpx2_errors():
            async with aclosing(cast(Any, aiter(stream))) as parts:
                async for part in parts:
                    yield part
                    chunks += 1
                    if chunks % _CHUNKS_AT_A_STRETCH == 0:
                        await asyncio.sleep(0)
                    if chunks > MAX_CHUNKS:
                        raise ToolError(
                            "url_not_accessible",
                            f"{self._host} sends its page in crumbs, more than {MAX_CHUNKS:,}; "
                            "use another source.",
                        )

    async def aclose(self) -> None:
        await self._response.aclose()


@contextmanager
def _httpx2_errors() -> Iterator[None]:
    """httpcore2's errors as httpx2's, which have the same names."""
    try:
        yield
    except (
        httpcore2.TimeoutException,
        httpcore2.NetworkError,
        httpcore2.ProtocolError,
        httpcore2.ProxyError,
        httpcore2.UnsupportedProtocol,
    ) as error:
        known = getattr(httpx2, type(error).__name__, httpx2.TransportError)
        raise known(str(error)) from error
