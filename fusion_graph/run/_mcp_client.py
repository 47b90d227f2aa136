"""The official `mcp` package's client, whichever major of it is installed.

Ours and theirs meet in plain data as it goes over the wire, which is the same for both. It takes
seconds to import, so it is imported where a run has a server to ask.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, TextIO

from fusion_graph.config import ToolServer
from fusion_graph.errors import ToolServerError, ToolServerGone
from fusion_graph.models.programs import watch
from fusion_graph.run.recursion import DEPTH_VARIABLE

MOST_PAGES = 20
"""Pages of a list of tools that are asked for: one that never ends is no list."""

ANSWER_SECONDS = 60.0
"""How long an HTTP response may be silent; what a call may take is less."""

_CONNECTION_CLOSED = -32000

_PASSED = frozenset(
    [
        *("LANG", "LANGUAGE", "TZ", "TMPDIR"),
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"),
        *("http_proxy", "https_proxy", "no_proxy", "all_proxy"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"),
        *("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"),
    ]
)
"""What a server's program sees of our environment, besides what the SDK passes (`HOME`, `PATH` and
the like) and what its table names. No key is among them."""


class Session:
    """An open session with a server.

    Args:
        client: The SDK's client or session.
        first: Whether it is of the first major.
    """

    def __init__(self, client: Any, first: bool) -> None:
        self._client, self._first = client, first

    async def tools(self) -> list[dict[str, Any]]:
        """List its tools, as they go over the wire.

        Raises:
            ToolServerError, ToolServerGone: It does not tell.
        """
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            listed = await self._asked(
                self._client.list_tools(**({"cursor": cursor} if cursor else {}))
            )
            found += listed.get("tools") or []
            cursor = listed.get("nextCursor")
            if not cursor:
                break
        return found

    async def call(self, name: str, args: Mapping[str, Any]) -> dict[str, Any]:
        """Call a tool; its result as it goes over the wire.

        Args:
            name: As the server calls it.
            args: Its arguments.

        Raises:
            ToolServerError, ToolServerGone: There is no result.
        """
        return await self._asked(self._client.call_tool(name, dict(args)))

    async def _asked(self, asking: Any) -> dict[str, Any]:
        try:
            result = await asking
        except Exception as error:
            raise _read(error) from None
        plain: dict[str, Any] = result.model_dump(mode="json", by_alias=True, exclude_none=True)
        return plain


def _read(error: Exception) -> Exception:
    """Tell an answer that is an error from no answer at all."""
    told = getattr(error, "error", None)  # McpError and MCPError
    message = str(getattr(told, "message", "") or error)
    if getattr(told, "code", None) == _CONNECTION_CLOSED:
        return ToolServerGone(message)
    # The SDK raises RuntimeError for a result that is not what the tool's schema says.
    if told is not None or isinstance(error, RuntimeError | ValueError):
        return ToolServerError(message)
    return ToolServerGone(message or type(error).__name__)


@asynccontextmanager
async def connected(server: ToolServer, complaints: TextIO) -> AsyncIterator[Session]:
    """Start or reach a server for as long as the body runs; afterwards nothing of it is left.

    To be entered and left by one task.

    Args:
        server: The server.
        complaints: A file for its program's standard error.
    """
    # What a server prints among its messages is logged with tracebacks: for those who log.
    logging.getLogger("mcp").addHandler(logging.NullHandler())
    first = version("mcp").startswith("1.")
    # Off the loop: the first import takes a second, and the panel's others are at work.
    mcp: Any = await asyncio.to_thread(import_module, "mcp")
    transport = _program if server.command is not None else _address
    async with transport(server, complaints, first) as streams, AsyncExitStack() as stack:
        if first:
            client = await stack.enter_async_context(mcp.ClientSession(*streams[:2]))
            await client.initialize()
        else:
            given = _Given(streams)
            client = await stack.enter_async_context(mcp.Client(given, cache=None))
        yield Session(client, first)


class _Given:
    """A transport that is open already, as the SDK's second major takes one."""

    def __init__(self, streams: Any) -> None:
        self._streams = streams

    async def __aenter__(self) -> Any:
        return self._streams

    async def __aexit__(self, *_: object) -> None:
        return None


@asynccontextmanager
async def _program(server: ToolServer, complaints: TextIO, _first: bool) -> AsyncIterator[Any]:
    stdio: Any = await asyncio.to_thread(import_module, "mcp.client.stdio")
    line = server.line
    if os.name == "posix":
        # The SDK ends a server by waiting and signals; when we are killed, nobody would.
        line = [sys.executable, "-I", "-S", str(Path(watch.__file__)), json.dumps({}), *line]
    ours = {name: value for name, value in os.environ.items() if _is_passed(name)}
    named = {name: os.environ.get(variable, "") for name, variable in server.env.items()}
    parameters = stdio.StdioServerParameters(
        command=line[0], args=line[1:], env={**ours, **named, DEPTH_VARIABLE: "1"}
    )
    async with stdio.stdio_client(parameters, errlog=complaints) as streams:
        yield streams


def _is_passed(name: str) -> bool:
    return name in _PASSED or name.startswith("LC_")


@asynccontextmanager
async def _address(server: ToolServer, _complaints: TextIO, first: bool) -> AsyncIterator[Any]:
    http: Any = await asyncio.to_thread(import_module, "mcp.client.streamable_http")
    library: Any = import_module("httpx" if first else "httpx2")
    assert server.url is not None
    headers = {
        name: _header(name, os.environ.get(variable, ""))
        for name, variable in server.headers.items()
    }
    if not hasattr(http, "streamable_http_client"):  # mcp 1.23
        async with http.streamablehttp_client(server.url, headers=headers) as streams:
            yield streams
        return
    async with (
        library.AsyncClient(headers=headers, timeout=ANSWER_SECONDS) as client,
        http.streamable_http_client(server.url, http_client=client) as streams,
    ):
        yield streams


def _header(name: str, value: str) -> str:
    value = value.strip()
    bare = name.lower() == "authorization" and re.fullmatch(r"\S+", value)
    return f"Bearer {value}" if bare else value
