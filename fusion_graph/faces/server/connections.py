"""Connections that cannot hold a server up: bounded in number, in time, and in what they hold.

uvicorn waits for the rest of a request's head for ever, for its body too, and for a client that
does not read; with `httptools` a head may grow for ever. Three hundred half heads then take every
descriptor, and nobody else is let in.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS = 4096
"""However many descriptors there are."""

SHARE_OF_DESCRIPTORS = 0.75
"""The rest is for what runs open: models, pages, files."""

SECONDS_BETWEEN_WARNINGS = 10.0

_log = logging.getLogger("fusion_graph.server")


@dataclass(frozen=True)
class Bounds:
    """How long a server waits for a client, and for how much.

    Attributes:
        head_seconds: For the whole head of a request, from its first byte or the connection on.
        body_seconds: For the whole body, from its head on: 10 MB at 1.4 Mbit/s.
        read_seconds: For a client to read on when it has left 64 KB of an answer unread.
        connections: Open at once; None for three quarters of the process's descriptors.
        upload_bytes: Held at once of bodies that have not come whole.
    """

    head_seconds: float = 10.0
    body_seconds: float = 60.0
    read_seconds: float = 60.0
    connections: int | None = None
    upload_bytes: int = 64_000_000

    @property
    def most_connections(self) -> int:
        """Connections open at once, by the descriptors that the process may have."""
        return self.connections or min(MOST_CONNECTIONS, int(_descriptors() * SHARE_OF_DESCRIPTORS))

    @property
    def accepted_at_once(self) -> int:
        """Connections that may be accepted before the first of them is looked at."""
        return max(16, min(1024, _descriptors() - self.most_connections))


def bounded_protocol(bounds: Bounds) -> type[H11Protocol]:
    """Make the protocol class of one server (uvicorn's `http`), whose connections know each other.

    Args:
        bounds: What each connection, and all of them together, may take.
    """
    open_now: dict[_Bounded, None] = {}  # in the order in which they began to wait
    warn = _Warnings()
    most = bounds.most_connections

    class Bounded(_Bounded):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.bounds, self.open_now, self.most, self.warn = bounds, open_now, most, warn

    return Bounded


class _Warnings:
    """A line of each kind at a time: who besieges a server must not fill its disk with the log."""

    def __init__(self) -> None:
        self._next: dict[str, float] = {}

    def __call__(self, now: float, words: str) -> None:
        if now >= self._next.get(words, 0.0):
            self._next[words] = now + SECONDS_BETWEEN_WARNINGS
            _log.warning(words)


class _Bounded(H11Protocol):
    """One connection."""

    bounds: Bounds
    open_now: dict[_Bounded, None]
    most: int
    warn: _Warnings
    held = 0
    """Bytes of a body that has not come whole."""
    _waiting: asyncio.TimerHandle | None = None
    _reading: asyncio.TimerHandle | None = None

    @property
    def at_work(self) -> bool:
        """Whether a request has come whole and is being answered."""
        return self._answering and not self.cycle.more_body

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.open_now[self] = None
        self._wait(self.bounds.head_seconds, self._no_head)
        if len(self.open_now) > self.most:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self.open_now.pop(self, None)
        self.held = 0
        for timer in (self._waiting, self._reading):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)
        if self.transport.is_closing():
            return
        if not self._answering:
            if self._waiting is None:
                self._wait(self.bounds.head_seconds, self._no_head)
            return
        if not self.cycle.more_body:
            self.held = 0
            self._wait(None)
            return
        if self.cycle is not before:
            self.held = 0
            self._wait(self.bounds.body_seconds, self._no_body)
        self.held += len(data)
        self._last_in_line()
        if sum(connection.held for connection in self.open_now) > self.bounds.upload_bytes:
            self._give_up_an_upload()

    def on_response_complete(self) -> None:
        self.held = 0
        self._last_in_line()
        self._wait(None)  # uvicorn's keep-alive timer waits for the first byte of the next one
        if self.cycle.more_body and not self.transport.is_closing():
            # Answered before the body had come: what is left of it has no more than a head's time.
            self._wait(self.bounds.head_seconds, self._no_head)
        super().on_response_complete()
        if self._answering and self.cycle.more_body:  # the next one's head had come already
            self._wait(self.bounds.body_seconds, self._no_body)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._reading = self.loop.call_later(self.bounds.read_seconds, self._not_read)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def refuse(self, status: int, words: str) -> None:
        """Answer, if no answer has begun, and close the connection.

        Args:
            status: Of HTTP.
            words: The answer's text.
        """
        self._wait(None)
        if self._answering:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.transport.is_closing():
            return
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = words.encode()
            head = [
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", str(len(body)).encode()),
                (b"connection", b"close"),
            ]
            for event in (
                h11.Response(status_code=status, headers=head),
                h11.Data(data=body),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _wait(self, seconds: float | None, then: Callable[[], None] | None = None) -> None:
        """Begin to wait for the client, in place of what was waited for; None for nothing."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        if seconds is not None and then is not None:
            self._waiting = self.loop.call_later(seconds, then)

    def _last_in_line(self) -> None:
        if self.open_now.pop(self, 0) is None:
            self.open_now[self] = None

    def _no_head(self) -> None:
        if self.conn.our_state is h11.IDLE and not self.conn.trailing_data[0]:
            self.transport.close()  # opened to have it ready, as browsers do
            return
        self.refuse(408, f"No whole request came within {self.bounds.head_seconds:g} s.")

    def _no_body(self) -> None:
        self.refuse(408, f"The body had not come within {self.bounds.body_seconds:g} s.")

    def _not_read(self) -> None:
        self.warn(
            self.loop.time(),
            f"a client read nothing for {self.bounds.read_seconds:g} s and was dropped",
        )
        self.transport.abort()

    def _make_room(self) -> None:
        """Close the connection that has waited longest without a whole request, or this one."""
        idle = next((one for one in self.open_now if not one.at_work), self)
        self.warn(
            self.loop.time(),
            f"{self.most} connections are open, the most that this process's file descriptors "
            "allow (`ulimit -n`): the one that has waited longest for its client is closed",
        )
        idle.refuse(503, "Too many connections; try again.")
        idle.open_now.pop(idle, None)
        idle.transport.abort()  # at once: who does not read our last words would keep the place

    def _give_up_an_upload(self) -> None:
        """Close the upload that has waited longest for its client."""
        oldest = next(one for one in self.open_now if one.held)
        self.warn(
            self.loop.time(),
            f"unfinished uploads hold {self.bounds.upload_bytes:,} bytes: the one that has waited "
            "longest for its client is given up",
        )
        oldest.held = 0
        oldest.refuse(503, "Too many uploads at once; try again.")


def _descriptors() -> int:
    """How many file descriptors this process may open."""
    if sys.platform == "win32":
        return MOST_CONNECTIONS
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS * 2 if soft == resource.RLIM_INFINITY else soft
