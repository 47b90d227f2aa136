"""A model endpoint that means harm, in a process of its own: `python -m tests.hostile_server`.

POST /KIND/v1/chat/completions is answered as `KINDS` has it, for as long as the client listens.
POST /redirect-HEX/v1/... answers with a redirect to the address whose bytes HEX are.
Every request is a line on stdout.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

EVENTS, JSON = "text/event-stream", "application/json"
PIECE = 65_536


def _event(**delta: Any) -> bytes:
    return f"data: {json.dumps({'choices': [{'index': 0, 'delta': delta}]})}\n\n".encode()


def _for_ever(piece: bytes, before: bytes = b"") -> Iterator[bytes]:
    yield before
    while True:
        yield piece


def _zipped(size: int) -> Iterator[bytes]:
    """So many bytes of blanks as gzip: a thousandth of them."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    for _ in range(size // 2**20):
        yield packer.compress(b" " * 2**20)
    yield packer.flush()


_CALL = {"index": 0, "function": {"arguments": "x" * 10_000}}

KINDS: dict[str, tuple[int, str, dict[str, str], Any]] = {
    "text": (200, EVENTS, {}, lambda: _for_ever(_event(content="blah " * 2_000))),
    "tokens": (200, EVENTS, {}, lambda: _for_ever(_event(content="blah ") * 200)),
    "reasoning": (200, EVENTS, {}, lambda: _for_ever(_event(reasoning="hm " * 2_000))),
    "items": (200, EVENTS, {}, lambda: _for_ever(_event(reasoning_details=[{}] * 900))),
    "arguments": (200, EVENTS, {}, lambda: _for_ever(_event(tool_calls=[_CALL]))),
    "nothing": (200, EVENTS, {}, lambda: _for_ever(_event(content="") * 100)),
    "comments": (200, EVENTS, {}, lambda: _for_ever(b": still here\n\n" * 5_000)),
    "line": (200, EVENTS, {}, lambda: _for_ever(b"x" * PIECE, b"data: ")),
    "lines": (200, EVENTS, {}, lambda: _for_ever(b"data: x\n" * 8_000)),
    "json": (200, JSON, {}, lambda: _for_ever(b"x" * PIECE, b'{"choices": "')),
    "objects": (200, JSON, {}, lambda: _for_ever(b"{}," * 20_000, b'{"choices": [')),
    "parts": (200, JSON, {}, lambda: iter([b'{"choices": [', b"{}," * 1_300_000, b"{}]}"])),
    "error": (500, "text/plain", {}, lambda: _for_ever(b"x" * PIECE)),
    "refusal": (400, JSON, {}, lambda: _for_ever(b"x" * PIECE, b'{"error": {"message": "')),
    "bomb": (200, JSON, {"content-encoding": "gzip"}, lambda: _zipped(2**30)),
    "bomb-in-stream": (200, EVENTS, {"content-encoding": "gzip"}, lambda: _zipped(2**30)),
    "bomb-in-error": (429, JSON, {"content-encoding": "gzip"}, lambda: _zipped(2**30)),
    "bomb-in-bomb": (
        200,
        JSON,
        {"content-encoding": "gzip, gzip"},
        lambda: iter([gzip.compress(b"".join(_zipped(2**26)), 1)]),
    ),
}
"""Status, content type, headers and body of each kind."""

WELL = {
    "model": "well",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Redirected."},
            "finish_reason": "stop",
        }
    ],
}


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
        body = await reader.readexactly(int(fields.get("content-length", 0)))
        print(json.dumps({"first": first, "headers": fields, "body": body.decode()}), flush=True)
        kind = first.split(" ")[1].split("/")[1]
        if kind.startswith("redirect"):
            target = bytes.fromhex(kind.removeprefix("redirect-")).decode()
            told = f"location: {target}\r\ncontent-length: 0\r\nconnection: close"
            writer.write(f"HTTP/1.1 307 Moved\r\n{told}\r\n\r\n".encode())
            await writer.drain()
        elif kind == "well":
            reply = json.dumps(WELL).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n")
            writer.write(b"content-type: application/json\r\n")
            writer.write(b"content-length: %d\r\n\r\n%b" % (len(reply), reply))
            await writer.drain()
        else:
            status, content_type, headers, pieces = KINDS[kind]
            headers = {"content-type": content_type, "connection": "close", **headers}
            told = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            writer.write(f"HTTP/1.1 {status} Hostile\r\n{told}\r\n".encode())
            for piece in pieces():
                writer.write(piece)
                await writer.drain()
    writer.close()


async def _serve() -> None:
    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


class HostileServer:
    """The server in its process, which ends with this object.

    url: http://127.0.0.1:PORT
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.hostile_server"],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{self._process.stdout.readline().strip()}"

    def close(self) -> list[dict[str, Any]]:
        """Ends the process; the conversations it was sent."""
        told, _ = self._process.communicate(timeout=60)
        requests = [json.loads(line) for line in told.splitlines()]
        return [request for request in requests if request["first"].startswith("POST")]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self.close()


def _exit_at_eof() -> None:
    while os.read(0, PIECE):
        pass
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=_exit_at_eof, daemon=True).start()
    asyncio.run(_serve())
