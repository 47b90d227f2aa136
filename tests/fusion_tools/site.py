"""A local web site, served over real sockets from threads of its own, as rude as a test needs.

It also is the secret server of the guard's tests: `connections` and `received` say whether
anything at all arrived.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

Handler = Callable[["Exchange"], None]


@dataclass
class Request:
    """One request as it arrived. `connection` numbers the TCP connections from 0."""

    method: str
    path: str
    headers: dict[str, str]
    connection: int


@dataclass
class Exchange:
    """A request and the means to answer it, properly or not."""

    request: Request
    site: Site
    _socket: socket.socket = field(repr=False)

    def send(self, data: bytes) -> None:
        """Send raw bytes. Raises `OSError` when the client has gone."""
        self._socket.sendall(data)

    def head(self, status: int = 200, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Send a status line and headers."""
        lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in headers)]
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1"))

    def reply(
        self,
        body: bytes = b"",
        content_type: str | None = "text/html; charset=utf-8",
        status: int = 200,
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        """Send a whole, well-formed response."""
        typed = [("Content-Type", content_type)] if content_type is not None else []
        self.head(status, [*typed, ("Content-Length", str(len(body))), *headers])
        self.send(body)

    def redirect(self, location: str, status: int = 302) -> None:
        """Send the client elsewhere."""
        self.reply(status=status, headers=[("Location", location)])

    def wait_until_gone(self) -> None:
        """Block until the client closes the connection."""
        with suppress(OSError):
            while self._socket.recv(65536):
                pass


class Site:
    """Serves handlers by path until closed.

    Args:
        host: Address to listen on.
        port: 0 for any free one.
        tls: Serve https with this context.
    """

    def __init__(
        self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=128)
        self.host = host
        self.port: int = self._listener.getsockname()[1]
        self.requests: list[Request] = []
        self.received = bytearray()
        self.connections = 0
        self._tls = tls
        self._handlers: dict[str, Handler] = {}
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def address(self) -> tuple[str, int]:
        """For an allow set."""
        return self.host, self.port

    def url(self, path: str = "/", host: str | None = None) -> str:
        """The URL of a path, maybe under another name for this host."""
        shown = host or (f"[{self.host}]" if ":" in self.host else self.host)
        return f"{'https' if self._tls else 'http'}://{shown}:{self.port}{path}"

    def route(self, path: str, handler: Handler) -> str:
        """Have `handler` answer `path`; return its URL."""
        self._handlers[path] = handler
        return self.url(path)

    def page(
        self,
        path: str,
        body: bytes | str,
        content_type: str | None = "text/html; charset=utf-8",
        headers: Iterable[tuple[str, str]] = (),
    ) -> str:
        """Have a fixed body at `path`; return its URL."""
        data = body.encode() if isinstance(body, str) else body
        return self.route(path, lambda exchange: exchange.reply(data, content_type, 200, headers))

    def paths(self) -> list[str]:
        """The paths asked for so far."""
        return [request.path for request in self.requests]

    def close(self) -> None:
        """Stop, and hang up on whoever is still connected."""
        with self._lock:
            # shutdown wakes the accepting thread; close alone would leave it waiting.
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            for connection in self._open:
                connection.close() if self._tls else _hang_up(connection)
        for thread in self._threads:
            thread.join(timeout=10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                number = self.connections
                self.connections += 1
                self._open.add(connection)
                thread = threading.Thread(
                    target=self._serve, args=(connection, number), daemon=True
                )
                self._threads.append(thread)
                thread.start()

    def _serve(self, raw: socket.socket, number: int) -> None:
        connection = raw
        try:
            if self._tls:
                connection = self._tls.wrap_socket(raw, server_side=True)
                with self._lock:
                    self._open.discard(raw)
                    self._open.add(connection)
            pending = b""
            while True:
                while b"\r\n\r\n" not in pending:
                    data = connection.recv(65536)
                    if not data:
                        return
                    self.received += data
                    pending += data
                head, _, pending = pending.partition(b"\r\n\r\n")
                self._answer(head.decode("latin-1"), number, connection)
        except OSError:
            pass  # the client has gone, or the site was closed
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def _answer(self, head: str, number: int, connection: socket.socket) -> None:
        first, *lines = head.split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value for name, _, value in (ln.partition(": ") for ln in lines)}
        request = Request(method, target, headers, number)
        with self._lock:
            self.requests.append(request)
        exchange = Exchange(request, self, connection)
        handler = self._handlers.get(target.partition("?")[0])
        if handler is None:
            exchange.reply(b"not here", "text/plain", 404)
        else:
            handler(exchange)


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
