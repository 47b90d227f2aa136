"""A call of a model's endpoint: what it may send back is bounded, and nobody else is told.

An endpoint may be anybody's: a reply that never ends, a megabyte of gzip that becomes a
gigabyte, a redirect to a stranger. All of that is stopped here, in the HTTP client: whoever
shares it is covered.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx2
from openai import APIConnectionError

from fusion_graph.errors import ForeignRedirect, ReplyTooLarge
from fusion_graph.models._endpoint import Endpoint

MOST_STREAM_BYTES = 100 * 2**20
"""Decoded bytes of one streamed reply. The longest replies of 2026 have 200,000 tokens, and a
token comes as an event of up to 500 bytes (OpenRouter's, with `reasoning_details`). Events are
dropped as they are read: this bounds time, not memory."""

MOST_EVENTS = 300_000
"""Events and comments of one streamed reply: a token is one at most. Empty ones would otherwise
keep a processor busy for a minute before they make up `MOST_STREAM_BYTES`."""

MOST_BODY_BYTES = 4 * 2**20
"""Decoded bytes of a reply in one piece, of one line and one event of a stream, and of everything
that is kept of a stream. 200,000 tokens are about a megabyte; reasoning may come twice."""

MOST_ERROR_BYTES = 2**20
"""Decoded bytes of an error's body; of the words in it 500 characters are kept."""

MOST_PARTS = 50_000
"""Objects and lists in one piece of JSON. An empty one takes 2 bytes of the wire and 64 of memory,
so that 4 MB of them would be 130."""


async def guard(response: httpx2.Response) -> None:
    """Bound a response's body, decoded, and let it lead to no other origin.

    A hook for an HTTP client's responses, called before anything of the body is read.

    Raises:
        ForeignRedirect: The response points at another origin.
    """
    if response.has_redirect_location:
        asked = response.request.url
        target = asked.join(response.headers["location"])
        if _origin(target) != _origin(asked):
            raise ForeignRedirect(plain_address(asked), plain_address(target))
    response.stream = _Bounded(response)
    for name in ("content-encoding", "content-length"):
        response.headers.pop(name, None)


class _Bounded(httpx2.AsyncByteStream):
    """The decoded bytes of a response, up to as many as its kind may have."""

    def __init__(self, response: httpx2.Response) -> None:
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        self._coded = response.stream
        self._pieces: AsyncIterable[bytes] = response.stream
        self._status = response.status_code
        if "content-encoding" in response.headers:
            # Decoded here, where the bytes are counted, piece by piece of at most a megabyte.
            self._pieces = httpx2.Response(
                response.status_code,
                headers=response.headers,
                stream=response.stream,
                request=response.request,
            ).aiter_bytes()
        if response.status_code >= 300:
            self._what, self._most = "error body", MOST_ERROR_BYTES
        elif is_stream(response):
            self._what, self._most = "streamed reply", MOST_STREAM_BYTES
        else:
            self._what, self._most = "reply", MOST_BODY_BYTES

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self.pieces()

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The bytes, in pieces."""
        read = 0
        async for piece in self._pieces:
            read += len(piece)
            if read > self._most:
                raise ReplyTooLarge(self._what, _mebibytes(self._most), self._status)
            yield piece

    async def aclose(self) -> None:
        await self._coded.aclose()


@dataclass(frozen=True)
class Event:
    """One server-sent event; a comment has no data and is a sign of life.

    Attributes:
        data: Its `data` lines, joined by line feeds.
        name: Its `event` field.
    """

    data: str = ""
    name: str = ""


@asynccontextmanager
async def opened(
    endpoint: Endpoint, path: str, payload: Mapping[str, Any]
) -> AsyncIterator[httpx2.Response]:
    """The response to a POST, its body still to be read; closed in the end.

    Args:
        endpoint: Whom to ask; its HTTP client has the hook `guard`.
        path: Below its address.
        payload: Sent as JSON.

    Raises:
        APIStatusError: The endpoint refused.
        APIConnectionError: The connection broke, also while the body is read.
        ReplyTooLarge: What came is beyond a bound.
        ForeignRedirect: It points somewhere else.
    """
    response = await endpoint.post(path, payload)
    try:
        yield response
    except httpx2.HTTPError as error:
        words = f"The connection broke while the reply was read: {error or type(error).__name__}"
        raise APIConnectionError(message=words, request=response.request) from error
    finally:
        await response.aclose()


def is_stream(response: httpx2.Response) -> bool:
    """Tell whether a response is a stream of events; some servers answer in one piece."""
    return "event-stream" in response.headers.get("content-type", "")


async def body_of(response: httpx2.Response) -> bytes:
    """The whole body of a response.

    Raises:
        ReplyTooLarge: It has more bytes than a reply needs, or more parts.
    """
    pieces: list[bytes] = []
    size = 0
    async for piece in response.aiter_bytes():
        size += len(piece)
        _check_size("reply", size)
        pieces.append(piece)
    body = b"".join(pieces)
    check_parts("reply", body)
    return body


async def events_of(response: httpx2.Response) -> AsyncGenerator[Event, None]:
    """The events of a stream, comments included, as they arrive.

    The OpenAI SDK's reader drops comments, which some providers send for minutes while a model
    thinks (`: OPENROUTER PROCESSING`), and bounds nothing.

    Raises:
        ReplyTooLarge: A line, or an event, has more bytes than a reply needs.
    """
    lines, reader = _Lines(), _EventReader()
    # What `guard` bounds is decoded already; going through the response again takes as long as
    # reading a token does.
    bounded = response.stream if isinstance(response.stream, _Bounded) else None
    async with aclosing(bounded.pieces() if bounded else response.aiter_bytes()) as pieces:
        turn = time.perf_counter()
        async for piece in pieces:
            for line in lines.take(piece):
                event = reader.take(line)
                if event is None:
                    continue
                yield event
                if time.perf_counter() - turn > TURN_SECONDS:
                    await asyncio.sleep(0)
                    turn = time.perf_counter()
    for event in (reader.take(lines.end()), reader.take(b"")):
        if event is not None and event.data:
            yield event


async def read_out(events: AsyncGenerator[Event, None]) -> None:
    """Read what follows the last event of a stream, so that its connection is used again.

    Closed before its body has ended, a response takes its connection with it, and the next call
    pays for a new one, TLS and all. A server that is silent for `REST_SECONDS` is not waited for.
    """
    with suppress(TimeoutError, httpx2.HTTPError, ReplyTooLarge):
        async with asyncio.timeout(REST_SECONDS):
            async for _ in events:
                pass


TURN_SECONDS = 0.002
"""Work on the events of one piece before others have their turn. A fast server sends 400 events at
once, whose 70 ms, with 16 members, everybody else in the program would wait for."""

REST_SECONDS = 0.1
"""Wait for the end of a body behind its last event: as long as a new connection takes."""

_LINE_OVERHEAD = 64
"""Bytes of memory that a line takes besides its own: a million lines of one letter are no event."""


class _Lines:
    """Splits bytes at the ends of lines: LF, CR LF or CR, as the HTML standard has it."""

    def __init__(self) -> None:
        self._begun: list[bytes] = []
        self._size = 0
        self._after_cr = False

    def take(self, arrived: bytes) -> Iterator[bytes]:
        """The lines that the next bytes end, without their ends."""
        piece = arrived[1:] if self._after_cr and arrived.startswith(b"\n") else arrived
        self._after_cr = piece.endswith(b"\r")
        if b"\r" in piece:
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *ended, rest = piece.split(b"\n")
        for end in ended:
            _check_size("line", self._size + len(end))
            yield b"".join([*self._begun, end]) if self._begun else end
            if self._begun:
                self._begun, self._size = [], 0
        if rest:
            self._size += len(rest)
            _check_size("line", self._size)
            self._begun.append(rest)

    def end(self) -> bytes:
        """The line that nothing ended."""
        return b"".join(self._begun)


class _EventReader:
    """Puts the lines of a stream together to events."""

    def __init__(self) -> None:
        self._data: list[str] = []
        self._size = self._count = 0
        self._name = ""

    def take(self, line: bytes) -> Event | None:
        """The event that a line ends, if any; a comment is one of its own."""
        if not line or line.startswith(b":"):
            self._count += 1
            if self._count > MOST_EVENTS:
                raise ReplyTooLarge("streamed reply", f"{MOST_EVENTS:,} events")
            if line:
                return Event()
            event = Event("\n".join(self._data), self._name) if self._data else None
            self._data, self._size, self._name = [], 0, ""
            return event
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._size += len(value) + _LINE_OVERHEAD
            _check_size("event", self._size)
            check_parts("event", value)
            self._data.append(value.decode("utf-8", "replace"))
        elif field == b"event":
            self._name = value.decode("utf-8", "replace")
        return None


def check_parts(what: str, text: bytes) -> None:
    """Refuse JSON of so many objects and lists that reading it would take the memory.

    Args:
        what: What the text is, for the error.
        text: The JSON.

    Raises:
        ReplyTooLarge: It holds more than `MOST_PARTS`.
    """
    if len(text) > MOST_PARTS and text.count(b"{") + text.count(b"[") > MOST_PARTS:
        raise ReplyTooLarge(what, f"{MOST_PARTS:,} objects")


def _check_size(what: str, size: int) -> None:
    if size > MOST_BODY_BYTES:
        raise ReplyTooLarge(what, _mebibytes(MOST_BODY_BYTES))


def _mebibytes(size: int) -> str:
    return f"{size // 2**20} MiB"


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)


def plain_address(url: httpx2.URL) -> str:
    """An address without what may be secret in it: user, password, query, fragment."""
    return str(url.copy_with(userinfo=b"", query=None, fragment=None))
