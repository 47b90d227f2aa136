"""A connection that broke: where it went, and what it could be."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

_BROKEN = frozenset(
    {
        "APIConnectionError",
        "TransportError",
        "ConnectionError",
        "ClientConnectionError",
        "TimeoutError",
        "ErrorReply",
        "APIError",
        "ClientPayloadError",
    }
)
"""Classes of clients by name, since every client brings its own."""

_LOCAL = ("127.", "localhost", "[::1]", "0.0.0.0", "host.docker.internal")  # noqa: S104

SERVER_DOWN = "is the server running, and is the port right?"


def is_broken(error: BaseException) -> bool:
    """Tell whether the connection broke, or what came over it was no reply."""
    names = {cls.__name__ for cls in type(error).__mro__}
    # A client of LangChain's own may still hold a connection of an event loop that is gone.
    return "Event loop is closed" in str(error) or bool(names & _BROKEN)


def place_of(error: BaseException) -> str:
    """Host, port and path of the request that failed; empty if no exception says it."""
    for link in _causes(error):
        try:
            request = getattr(link, "request", None)
        except RuntimeError:  # httpx: an exception without its request
            request = None
        url = str(getattr(request, "url", "") or getattr(request, "real_url", "") or "")
        if url and (place := shown_address(url)):
            return place
        host, port = getattr(link, "host", None), getattr(link, "port", None)
        if isinstance(host, str) and isinstance(port, int):  # aiohttp's
            return f"{host}:{port}"
    return ""


def shown_address(url: str) -> str:
    """Host, port and path of a URL: no name, password or query, which may hold keys."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return ""
    if not host:
        return ""
    host = f"[{host}]" if ":" in host else host
    shown = f"{host}:{port}" if port is not None else host
    return f"{shown}{parts.path}".rstrip("/")


def connection_words(error: BaseException, place: str) -> tuple[str, str]:
    """Say what broke, and what to do next.

    Args:
        error: The exception.
        place: Host, port and path that were asked; empty if nobody knows.
    """
    there = place or "the provider"
    causes = list(_causes(error))
    names = " ".join(type(link).__name__ for link in causes)
    said = _innermost(causes)
    if type(error).__name__ == "ErrorReply":
        return str(error) or "The reply was none.", "ask again later, or set fallbacks"
    if "Event loop is closed" in str(error):
        return f"The connection to {there} belonged to an event loop that is gone", "ask again"
    if _is_name(causes, said):
        return (
            f"Could not connect to {there}: the host name is not known",
            "check the spelling of base_url, and the network",
        )
    if any(isinstance(link, ssl.SSLError) for link in causes) or "SSL" in said or "TLS" in said:
        return (
            f"Could not connect to {there}: no TLS ({said})",
            "check https or http in base_url, and the certificate",
        )
    if _is_refused(causes, said):
        hint = _local_hint(place)
        return f"Could not connect to {there}: nothing listens there", hint
    if "ConnectTimeout" in names:
        return f"Could not connect to {there} in time", f"{SERVER_DOWN} Check the network too"
    if isinstance(error, TimeoutError) or "Timeout" in type(error).__name__:
        return f"No reply from {there} in time", "raise the time limit, or ask again later"
    if "Connect" in type(error).__name__ or "ConnectError" in names:
        return f"Could not connect to {there} ({said})", _local_hint(place)
    return (
        f"The connection to {there} broke off ({said})",
        "ask again later, or set fallbacks; a server of one's own may have crashed: see its log",
    )


def _local_hint(place: str) -> str:
    local = not place or place.startswith(_LOCAL)
    return SERVER_DOWN if local else f"{SERVER_DOWN} Check base_url and the network"


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo and len(seen) < 20:
        link = todo.pop(0)
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        # asyncio and anyio try several addresses, and tell of each in a group.
        todo += [*getattr(link, "exceptions", ()), link.__cause__, link.__context__]


def _innermost(causes: list[BaseException]) -> str:
    """The last words that say more than that there was an error."""
    vague = ("connection error", "all connection attempts failed", "multiple exceptions")
    for link in reversed(causes):
        text = " ".join(str(link).split())
        if text and not text.lower().startswith(vague):
            return text[:200].rstrip(".")
    return type(causes[-1]).__name__


def _is_name(causes: list[BaseException], said: str) -> bool:
    unknown = ("name or service not known", "nodename nor servname", "getaddrinfo failed",
               "name resolution", "no address associated")  # fmt: skip
    return any(isinstance(link, socket.gaierror) for link in causes) or any(
        words in said.lower() for words in unknown
    )


def _is_refused(causes: list[BaseException], said: str) -> bool:
    numbers: list[Any] = [getattr(link, "errno", None) for link in causes]
    refused = any(isinstance(link, ConnectionRefusedError) for link in causes)
    return refused or errno.ECONNREFUSED in numbers or "refused" in said.lower()
