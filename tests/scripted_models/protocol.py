"""HTTP/1.1 by hand: reads requests, plays timed replies, notices clients that leave."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Protocol, cast

to_json = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, whole.

    path, query: the two parts of the target, still percent-encoded.
    headers: lower-case names; the dict is shared between requests, never change it.
    port: the client's, which tells its connections apart.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    port: int


class Record(Protocol):
    """Told how the sending of a reply goes, just before the bytes in question leave."""

    def begin(self, status: int) -> None:
        """The first byte goes out."""

    def end(self, *, disconnected: bool) -> None:
        """The last byte goes out, or the client has left; later calls change nothing."""

    def left_unread(self) -> None:
        """The client, or its process, has ended with bytes of the reply unread in its socket."""


@dataclass(slots=True)
class Reply:
    """One HTTP reply, as timed writes.

    writes: (seconds since the request, bytes), times ascending; never empty.
    close: close the connection afterwards, whatever the head promised.
    usage: what a completion says it used; None if it does not say, or breaks off before.
    after: awaited before the writes begin; their times count from its end.
    """

    status: int
    writes: list[tuple[float, bytes]]
    close: bool = False
    record: Record | None = None
    usage: dict[str, Any] | None = None
    after: Callable[[], Coroutine[Any, Any, None]] | None = None


Answer = Callable[[Request], Reply | Coroutine[Any, Any, Reply]]
"""What the server does with a request; only a reply that must wait for others is a coroutine."""


def json_reply(status: int, body: object) -> Reply:
    """A JSON document, at once."""
    return text_reply(status, to_json(body))


def text_reply(status: int, text: str) -> Reply:
    """A text that is already JSON, at once."""
    data = text.encode()
    return Reply(status, [(0.0, head(status, {"content-length": len(data)}) + data)])


def error_reply(
    status: int, message: str, *, param: str | None = None, code: str | None = None
) -> Reply:
    """An error in OpenAI's shape, at once."""
    kind = "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
    error = {"message": message, "type": kind, "param": param, "code": code}
    return json_reply(status, {"error": error})


def head(status: int, headers: Mapping[str, object]) -> bytes:
    """The head of a reply; the content type is JSON unless the headers (lower-case) say other."""
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = "Unknown"
    fields = {"content-type": "application/json"} | dict(headers)
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} {reason}\r\n{lines}\r\n".encode("latin-1")


def chunked(parts: Iterable[bytes]) -> list[bytes]:
    """Frames parts for `transfer-encoding: chunked`; an empty part ends the body."""
    return [b"%x\r\n%b\r\n" % (len(part), part) for part in parts]


# A client repeats the same head for bodies of the same length: parse it once.
@lru_cache(maxsize=4096)
def _parse_head(data: bytes) -> tuple[str, str, str, dict[str, str], int]:
    first, *lines = data.decode("latin-1").split("\r\n")
    method, target, _version = first.split(" ")
    path, _, query = target.partition("?")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError(f"not a header: {line!r}")
        name, value = name.strip().lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    if "transfer-encoding" in headers:
        raise ValueError("a request body needs a content-length here")
    return method, path, query, headers, int(headers.get("content-length", 0))


class Connection(asyncio.Protocol):
    """One client: its requests are answered one at a time, in order.

    A reply without pauses is written right where the request was read, without a task: that is
    what makes this server quick enough for benchmarks. (asyncio itself sets TCP_NODELAY.)
    """

    _transport: asyncio.Transport

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._buffer = bytearray()
        self._playing: asyncio.Task[None] | None = None
        self._record: Record | None = None
        self._sent: Record | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answers what is complete; during a reply, further requests wait in the buffer."""
        self._buffer += data
        self._answer_requests()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the reply under way, and notes of one that was sent whether it was read.

        The system resets a connection whose end is closed with something unread in it; one that
        was read to its end is closed in the usual way.
        """
        if self._sent is not None and isinstance(exc, ConnectionResetError):
            self._sent.left_unread()
        if self._playing is not None:
            self._playing.cancel()
            # Not left to the task: one cancelled before its first step runs none of its code.
            if self._record is not None:
                self._record.end(disconnected=True)

    def _answer_requests(self) -> None:
        while self._playing is None and not self._transport.is_closing():
            try:
                request = self._next_request()
            except ValueError as error:
                self._send(error_reply(400, f"Unreadable request: {error}"), close=True)
                return
            if request is None:
                return
            close = request.headers.get("connection", "").lower() == "close"
            answer = self._answer(request)
            if isinstance(answer, Reply) and not answer.writes[-1][0] and not answer.after:
                self._send(answer, close=close)
            else:
                self._record = answer.record if isinstance(answer, Reply) else None
                self._sent = None  # who asks again has read the last one
                self._playing = asyncio.create_task(self._play(answer, close=close))

    def _next_request(self) -> Request | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        method, path, query, headers, length = _parse_head(bytes(self._buffer[:end]))
        start, stop = end + 4, end + 4 + length
        if len(self._buffer) < stop:
            return None
        body = bytes(self._buffer[start:stop])
        del self._buffer[:stop]
        port = self._transport.get_extra_info("peername")[1]
        return Request(method, path, query, headers, body, port)

    def _send(self, reply: Reply, *, close: bool) -> None:
        if reply.record is not None:
            reply.record.begin(reply.status)
            reply.record.end(disconnected=False)
        self._sent = reply.record
        self._transport.write(b"".join([data for _, data in reply.writes]))
        if close or reply.close:
            self._transport.close()

    async def _play(self, answer: Reply | Coroutine[Any, Any, Reply], *, close: bool) -> None:
        begun = asyncio.get_running_loop().time()
        reply = answer if isinstance(answer, Reply) else await answer
        if reply.after is not None:
            await reply.after()
            begun = asyncio.get_running_loop().time()
        last = len(reply.writes) - 1
        for index, (due, data) in enumerate(reply.writes):
            pause = begun + due - asyncio.get_running_loop().time()
            if pause > 0:
                await asyncio.sleep(pause)
            if reply.record is not None:
                if index == 0:
                    reply.record.begin(reply.status)
                if index == last:
                    reply.record.end(disconnected=False)
            if index == last:
                self._sent = reply.record
            self._transport.write(data)
        if close or reply.close:
            self._transport.close()
        self._playing = self._record = None
        self._answer_requests()
