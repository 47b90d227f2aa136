"""Standard input and output carry MCP's messages, one a line, from the first moment on.

The wire belongs to the protocol alone: what a library prints goes to standard error, and what it
reads is empty.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NoReturn

from fusion_graph.faces.mcp.handshake import Handshake, first_progress, pong
from fusion_graph.text.json_data import encodable

PARSE_ERROR, INVALID_REQUEST = -32700, -32600
"""JSON-RPC 2.0, section 5.1."""


class Stdio:
    """Stdio makes the process's standard streams into lines of messages.

    It is both what the SDK reads from (an async iterator of lines) and what it writes to.

    Args:
        note: Told of every message of the client's before anybody else sees it; called in the
            reader's thread.
        on_end: Called in the reader's thread when the client has closed its side before `attach`.
    """

    def __init__(
        self, note: Callable[[Mapping[str, Any]], None], on_end: Callable[[], object]
    ) -> None:
        self._note = note
        self._on_end = on_end
        self._handshake = Handshake()
        self._lines: deque[str | None] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = asyncio.Event()
        self.ended = asyncio.Event()
        self._turn = threading.Lock()
        self._writing = threading.Lock()
        self._writer = ThreadPoolExecutor(1, "fusion-mcp-out")
        self._in, self._out = _take_streams()

    def start(self) -> None:
        """Begin to read."""
        threading.Thread(target=self._read, name="fusion-mcp-in", daemon=True).start()

    def attach(self) -> None:
        """Hand what has come, and what will come, to the running event loop."""
        with self._turn:
            self._loop = asyncio.get_running_loop()
            self._tell()

    def __aiter__(self) -> Stdio:
        return self

    async def __anext__(self) -> str:
        while not self._lines:
            self._news.clear()
            await self._news.wait()
        line = self._lines.popleft()
        if line is None:
            raise StopAsyncIteration
        return line

    async def write(self, line: str) -> None:
        """Send a message of the SDK's, unless the client has had it already."""
        if self._handshake.repeated(line):
            return
        # A thread of its own: a client that does not read would hold up everything else.
        await asyncio.get_running_loop().run_in_executor(self._writer, self._send, line)

    async def flush(self) -> None:
        """Nothing is held back."""

    def _read(self) -> None:
        with suppress(OSError), open(self._in, "rb") as lines:
            for line in lines:
                if line.strip():
                    self._take(line)
        with self._turn:
            if self._loop is None:
                self._on_end()
            self._lines.append(None)
            self._tell()

    def _take(self, line: bytes) -> None:
        try:
            text = line.decode("utf-8")
            message = json.loads(text, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            self._refuse(PARSE_ERROR, f"This line is not JSON: {str(error)[:200]}.", None)
            return
        if problem := _malformed(message):
            id = message.get("id") if isinstance(message, dict) else None
            self._refuse(INVALID_REQUEST, problem, id if isinstance(id, str | int) else None)
            return
        if "\\ud" in text.lower():
            # Half an emoji, as a client cuts it: the SDK would drop the message unanswered.
            message = encodable(message)
            text = json.dumps(message)
        self._note(message)
        if self._loop is None and (answer := pong(message)) is not None:
            self._send(json.dumps(answer))
            return
        if (answer := self._handshake.answer(message)) is not None:
            self._send(json.dumps(answer))
        if (told := first_progress(message)) is not None:
            self._send(json.dumps(told))
        with self._turn:
            self._lines.append(text)
            self._tell()

    def _tell(self) -> None:
        """Wake the reader on the loop; the caller holds the turn."""
        if self._loop is None:
            return
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._news.set)
            if None in self._lines:
                self._loop.call_soon_threadsafe(self.ended.set)

    def _refuse(self, code: int, problem: str, id: str | int | None) -> None:
        error = {"code": code, "message": problem}
        self._send(json.dumps({"jsonrpc": "2.0", "id": id, "error": error}))

    def _send(self, line: str) -> None:
        data = line.rstrip("\n").encode("utf-8", "replace") + b"\n"
        # A client that has gone closes both sides: the reader sees to the end.
        with self._writing, suppress(OSError):
            while data:
                data = data[os.write(self._out, data) :]


def _take_streams() -> tuple[int, int]:
    """Keep descriptors 0 and 1 for the wire alone; whoever uses them from now on misses it."""
    wire = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    try:
        os.dup2(2, 1)
    except OSError:  # started without a standard error
        os.dup2(nothing, 1)
    os.close(nothing)
    return wire


def _malformed(message: Any) -> str:
    """Why something is no message of JSON-RPC; empty if it is one."""
    if not isinstance(message, dict):
        return "A line holds one JSON-RPC message, an object."
    if message.get("jsonrpc") != "2.0":
        return "The message lacks `jsonrpc`: `2.0`."
    if "method" not in message:
        return "" if {"result", "error"} & message.keys() else "The message has no `method`."
    if not isinstance(message["method"], str):
        return "`method` is a text."
    if not isinstance(message.get("params", {}), dict):
        return "`params` is an object."
    id = message.get("id", 0)
    return "" if isinstance(id, str | int) and not isinstance(id, bool) else "`id` is no id."


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
