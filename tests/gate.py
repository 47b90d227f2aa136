"""A way to the model server that closes after so many calls: from then on nobody is there."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_CONNECTION = re.compile(rb"\r\nconnection: [^\r]*", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)


@asynccontextmanager
async def gate(port: int, *, calls: int) -> AsyncIterator[int]:
    """A port on this machine that lets `calls` model calls through to another one.

    Then, and from the start if `calls` is 0, connections to it are refused. The port stays taken,
    so that nobody else can answer there.

    Args:
        port: Where the calls go.
        calls: How many are let through, one a connection.
    """
    own = socket.socket()
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    own.bind(("127.0.0.1", 0))
    address = own.getsockname()
    held = own
    listener: asyncio.Server | None = None
    left = calls

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal left, held
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        body = await reader.readexactly(int(length[1]) if length else 0)
        left -= head.startswith(b"POST")  # a question to the server about itself is no call
        if not left:
            # Before the caller has its reply, and can come back.
            assert listener is not None
            listener.close()
            held = socket.socket()
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            held.bind(address)
        there, answer = await asyncio.open_connection("127.0.0.1", port)
        plain = _CONNECTION.sub(b"", head[:-4])
        answer.write(plain + b"\r\nconnection: close\r\n\r\n" + body)
        writer.write(await there.read())
        answer.close()
        writer.close()

    try:
        if calls:
            listener = await asyncio.start_server(pass_on, sock=own)
        yield address[1]
    finally:
        if listener is not None:
            listener.close()
        held.close()
