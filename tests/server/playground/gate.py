"""A door between the server and the scripted models that stays shut until a test opens it.

What a test wants to see in the middle of a run must not depend on how fast the machine is: here
a call, or the rest of a reply, waits for the test and not for a clock.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit

Stops = list[tuple[re.Pattern[bytes], asyncio.Event]]


class Gate:
    """Passes bytes on, to and fro, and stops where it was told to.

    base_url: what an OpenAI client takes as its base URL.
    """

    def __init__(self, behind: str) -> None:
        self._parts = urlsplit(behind)
        self._calls: Stops = []
        self._replies: Stops = []
        self._connections: set[asyncio.Task[Any]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.base_url = ""

    def hold_calls(self, model: str) -> asyncio.Event:
        """Keep all calls to a model from it until the event is set."""
        return _stop(self._calls, rf'"model":\s*"{model}"')

    def hold_replies(self, words: str) -> asyncio.Event:
        """Keep what follows these words in any reply back until the event is set."""
        return _stop(self._replies, re.escape(words))

    async def open(self) -> asyncio.Server:
        """Begin to listen, on a port of its own."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        self.base_url = urlunsplit(self._parts._replace(netloc=f"127.0.0.1:{port}"))
        return server

    def drop(self) -> None:
        """Break every connection off; new ones are let through."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def close(self, server: asyncio.Server) -> None:
        """End it, and every connection: clients keep theirs open for the next call."""
        server.close()
        for _, opened in [*self._calls, *self._replies]:
            opened.set()
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*self._connections)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        self._writers.add(writer)
        models = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        there = asyncio.create_task(_pass(reader, models[1], self._calls, words_too=False))
        back = asyncio.create_task(_pass(models[0], writer, self._replies, words_too=True))
        try:
            await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for part in (there, back):
                part.cancel()
            await asyncio.gather(there, back, return_exceptions=True)
            models[1].close()
            writer.close()


@asynccontextmanager
async def gate(behind: str) -> AsyncIterator[Gate]:
    """A gate before a server.

    behind: the base URL of what stands behind it.
    """
    door = Gate(behind)
    server = await door.open()
    try:
        yield door
    finally:
        await door.close(server)


def _stop(stops: Stops, pattern: str) -> asyncio.Event:
    opened = asyncio.Event()
    stops.append((re.compile(pattern.encode()), opened))
    return opened


async def _pass(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stops: Stops, *, words_too: bool
) -> None:
    while data := await reader.read(65536):
        for pattern, opened in stops:
            match = pattern.search(data)
            if match and not opened.is_set():
                cut = match.end() if words_too else 0
                writer.write(data[:cut])
                data = data[cut:]
                await writer.drain()
                await opened.wait()
        writer.write(data)
        await writer.drain()
