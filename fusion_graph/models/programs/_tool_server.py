"""Our tools as an MCP server for one program, on a Unix socket that this user alone can reach.

The few requests that a client of tools sends are answered here, without the SDK: it belongs to an
extra, takes seconds to import, and its two majors differ.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from fusion_graph.models.programs._program import SERVER
from fusion_graph.version import own_version

logger = logging.getLogger(__name__)

CallTool = Callable[[str, dict[str, Any] | None], Awaitable[tuple[str, bool]]]
"""Calls a tool by its name and arguments, None for what are none; gives the text to read, and
whether it is a failure."""

PROTOCOL = "2025-06-18"
"""The newest version of the protocol that is spoken here; a client's own, if it is older."""

_MOST_BYTES = 4 * 1024 * 1024
_NO_METHOD, _NO_REQUEST = -32601, -32600


@asynccontextmanager
async def tool_server(
    socket: Path, tools: Sequence[Mapping[str, Any]], call: CallTool
) -> AsyncIterator[tuple[str, ...]]:
    """Serve tools while the body runs, and give the command that brings a program there.

    Args:
        socket: Where to.
        tools: The tools, in OpenAI's format.
        call: Calls one.
    """
    clients: set[asyncio.Task[None]] = set()
    version = await asyncio.to_thread(own_version)  # which reads the package's metadata

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = asyncio.ensure_future(_Client(reader, writer, tools, call, version).serve())
        clients.add(client)
        client.add_done_callback(clients.discard)

    server = await asyncio.start_unix_server(connected, str(socket), limit=_MOST_BYTES)
    try:
        bridge = str(Path(__file__).with_name("_bridge.py"))
        yield (sys.executable, "-I", "-S", bridge, str(socket))
    finally:
        server.close()
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)


class _Client:
    """A client on its connection."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        tools: Sequence[Mapping[str, Any]],
        call: CallTool,
        version: str,
    ) -> None:
        self._version = version
        self._reader, self._writer = reader, writer
        self._tools, self._call = tools, call
        self._calls: dict[Any, asyncio.Task[None]] = {}

    async def serve(self) -> None:
        """Answer until the client has left."""
        try:
            with suppress(ConnectionError, ValueError):  # a line longer than any request
                while line := await self._reader.readline():
                    self._take(line)
        finally:
            for call in list(self._calls.values()):
                call.cancel()
            await asyncio.gather(*self._calls.values(), return_exceptions=True)
            self._writer.close()
            with suppress(ConnectionError):
                await self._writer.wait_closed()

    def _take(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(message, dict):
            return
        params = message.get("params")
        params = params if isinstance(params, dict) else {}
        if message.get("method") == "notifications/cancelled":
            if (call := self._calls.get(params.get("requestId"))) is not None:
                call.cancel()
            return
        number = message.get("id")
        if isinstance(number, str | int) and message.get("method") == "tools/call":
            self._calls[number] = asyncio.ensure_future(self._answer_call(number, params))
            self._calls[number].add_done_callback(lambda _: self._calls.pop(number, None))
        elif isinstance(number, str | int) and "method" in message:
            self._write(number, *self._answer(str(message["method"]), params))

    def _answer(self, method: str, params: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        if method == "initialize":
            wanted = params.get("protocolVersion")
            older = isinstance(wanted, str) and wanted < PROTOCOL
            return "result", {
                "protocolVersion": wanted if older else PROTOCOL,
                "capabilities": {"tools": {}},
                "serverInfo": {"name": SERVER, "version": self._version},
            }
        if method == "tools/list":
            return "result", {"tools": [_described(tool) for tool in self._tools]}
        if method == "ping":
            return "result", {}
        return "error", {"code": _NO_METHOD, "message": f"There is no {method} here."}

    async def _answer_call(self, number: str | int, params: dict[str, Any]) -> None:
        args = params.get("arguments", {})
        name = str(params.get("name") or "")
        try:
            text, failed = await self._call(name, args if isinstance(args, dict) else None)
        except Exception as error:
            # A bug here: without an answer the program would wait until its time is over.
            logger.exception("The tool %s failed", name)
            text, failed = f"unavailable: {name} failed: {type(error).__name__}", True
        result = {"content": [{"type": "text", "text": text}], "isError": failed}
        self._write(number, "result", result)

    def _write(self, number: str | int, kind: str, body: dict[str, Any]) -> None:
        with suppress(ConnectionError):
            self._writer.write(
                json.dumps({"jsonrpc": "2.0", "id": number, kind: body}).encode() + b"\n"
            )


def _described(tool: Mapping[str, Any]) -> dict[str, Any]:
    function = tool["function"]
    return {
        "name": function["name"],
        "description": function.get("description") or "",
        "inputSchema": function.get("parameters") or {"type": "object", "properties": {}},
        "annotations": {"readOnlyHint": True},
    }
