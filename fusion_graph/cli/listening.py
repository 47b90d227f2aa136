"""Commands that serve HTTP open their socket here, say who may reach it, and log."""

from __future__ import annotations

import logging
import socket
import sys
from ipaddress import ip_address
from typing import TYPE_CHECKING

from fusion_graph.cli.exits import debugging
from fusion_graph.errors import ConfigurationError

if TYPE_CHECKING:
    from types import FrameType

    import uvicorn
    from starlette.types import ASGIApp

    from fusion_graph.faces.server.connections import Bounds
    from fusion_graph.faces.server.runs import Runs
    from fusion_graph.faces.server.settings import ServerSettings


def listen(host: str, port: int) -> socket.socket:
    """Open a socket.

    Args:
        host: Name or address.
        port: TCP port; 0 takes a free one.

    Raises:
        ConfigurationError: The address cannot be had.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=1024)
    except (OSError, OverflowError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigurationError(
            f"Cannot listen on {host} port {port}: {why}.", "Try another --host or --port."
        ) from None


def refuse_open(listener: socket.socket, host: str) -> None:
    """Refuse an address that others can reach, for a server without a key.

    Raises:
        ConfigurationError: Others can reach it.
    """
    if not ip_address(listener.getsockname()[0]).is_loopback:
        raise ConfigurationError(
            f"--host {host} lets everyone who can reach it spend your keys.",
            "Set FUSION_API_KEY to a secret of yours, or say --without-key if that is meant.",
        )


def url_of(listener: socket.socket) -> str:
    """Word where a socket is reached: `http://127.0.0.1:8484`."""
    address, port = listener.getsockname()[:2]
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"


def access_told(listener: socket.socket, settings: ServerSettings) -> str:
    """Word who is let in."""
    if settings.keys is not None:
        names = settings.keys.names
        told = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        own = "$FUSION_API_KEY, which sees all, or " if settings.key is not None else ""
        return f"callers give {own}a key of {settings.keys.path} ({told})"
    if settings.key is not None:
        return "callers give the key: Authorization: Bearer $FUSION_API_KEY"
    if not ip_address(listener.getsockname()[0]).is_loopback:
        return "NO KEY IS WANTED: everyone who reaches this address can spend your keys"
    return "no key is wanted, and only this machine is let in"


def log_to_stderr() -> None:
    """Write one line a request, and a word on faults; tracebacks only where they are wanted."""
    log = logging.getLogger("fusion_graph.server")
    log.setLevel(logging.DEBUG if debugging() else logging.INFO)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log.addHandler(handler)
    log.propagate = False


def http_server(app: ASGIApp, runs: Runs, bounds: Bounds | None = None) -> uvicorn.Server:
    """Create a server of an app that stops its runs first when it is stopped.

    Args:
        app: What answers.
        runs: The runs that its answers may wait for.
        bounds: What its connections may take; None for the usual.
    """
    import uvicorn

    from fusion_graph.faces.server.connections import Bounds, bounded_protocol

    bounds = bounds or Bounds()

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            runs.will_close()
            super().handle_exit(sig, frame)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            # First the runs: uvicorn waits for connections, and these wait for their runs.
            await runs.close()
            await super().shutdown(sockets)

    config = uvicorn.Config(
        app,
        http=bounded_protocol(bounds),
        backlog=bounds.accepted_at_once,  # asyncio accepts so many before it looks at one
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
        ws="none",
    )
    return Server(config)
