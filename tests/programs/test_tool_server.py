"""Our tools as an MCP server: spoken to by hand, as a client does that keeps to no rules."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fusion_graph.models.programs._tool_server import tool_server

TOOL = {"type": "function", "function": {"name": "look", "description": "Look.", "parameters": {}}}


class Client:
    """A client over the bridge, as a program starts it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def send(self, message: Any) -> None:
        line = message if isinstance(message, str) else json.dumps({"jsonrpc": "2.0", **message})
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        await self._process.stdin.drain()

    async def hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        told: dict[str, Any] = json.loads(await self._process.stdout.readline())
        return told

    async def ask(self, number: int, method: str, **params: Any) -> dict[str, Any]:
        await self.send({"id": number, "method": method, "params": params})
        return await self.hear()


@asynccontextmanager
async def client(call: Any) -> AsyncIterator[Client]:
    with tempfile.TemporaryDirectory(prefix="fg-", dir="/tmp") as folder:
        async with tool_server(Path(folder) / "tools", [TOOL], call) as command:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
            )
            try:
                yield Client(process)
            finally:
                assert process.stdin is not None
                process.stdin.close()
                await process.wait()


async def found(name: str, args: dict[str, Any] | None) -> tuple[str, bool]:
    return f"{name} {args}", args is None


async def test_a_client_is_greeted_told_the_tools_and_answered() -> None:
    async with client(found) as program:
        begun = await program.ask(1, "initialize", protocolVersion="2025-03-26")
        assert begun["result"]["protocolVersion"] == "2025-03-26"
        assert begun["result"]["capabilities"] == {"tools": {}}
        await program.send({"method": "notifications/initialized"})
        [listed] = (await program.ask(2, "tools/list"))["result"]["tools"]
        assert (listed["name"], listed["inputSchema"]["type"]) == ("look", "object")
        told = await program.ask(3, "tools/call", name="look", arguments={"at": "water"})
        assert told == {
            "jsonrpc": "2.0",
            "id": 3,
            "result": {
                "content": [{"type": "text", "text": "look {'at': 'water'}"}],
                "isError": False,
            },
        }
        assert (await program.ask(4, "ping"))["result"] == {}


async def test_a_newer_protocol_than_ours_is_answered_with_ours() -> None:
    async with client(found) as program:
        begun = await program.ask(1, "initialize", protocolVersion="2026-07-28")
        assert begun["result"]["protocolVersion"] == "2025-06-18"


async def test_what_is_no_request_is_passed_over_and_what_is_unknown_is_refused() -> None:
    async with client(found) as program:
        for line in ("no JSON", "[1, 2]", '"text"', "[" * 5_000, '{"id": 1}', '{"method": 3}'):
            await program.send(line)
        refused = await program.ask(2, "resources/list")
        assert (refused["id"], refused["error"]["code"]) == (2, -32601)
        told = await program.ask(3, "tools/call", name="look", arguments="water")
        assert told["result"]["isError"]


async def test_a_tool_that_breaks_is_a_failure_and_no_silence(caplog: Any) -> None:
    async def breaks(name: str, args: Any) -> tuple[str, bool]:
        raise RuntimeError("secret words")

    async with client(breaks) as program:
        told = await program.ask(1, "tools/call", name="look", arguments={})
        assert told["result"]["isError"]
        assert "RuntimeError" in told["result"]["content"][0]["text"]
        assert "secret words" not in str(told)


async def test_calls_run_side_by_side_and_one_that_is_cancelled_is_ended() -> None:
    ended, begun = asyncio.Event(), asyncio.Event()

    async def waits(name: str, args: dict[str, Any] | None) -> tuple[str, bool]:
        if args == {"at": "once"}:
            return "at once", False
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return "", False

    async with client(waits) as program:
        slow = {"name": "look", "arguments": {}}
        await program.send({"id": 1, "method": "tools/call", "params": slow})
        await begun.wait()
        told = await program.ask(2, "tools/call", name="look", arguments={"at": "once"})
        assert told["id"] == 2
        await program.send({"method": "notifications/cancelled", "params": {"requestId": 1}})
        await ended.wait()
