"""The MCP servers of a run: started once, when the first member gets to work, ended with the run.

Each server is kept by a task of its own, which enters and leaves its connection: the SDK wants
that to be one task, and members come and go. It ends when the run says so (`close_tool_servers`),
when a stage is cut off (`stop_tool_servers`), when the loop ends, and at the latest when nobody has
asked for it for longer than any stage may take: a run may be given up between two stages, where no
code of ours is at work. What a program started goes with it, even if this process is killed
(`models/programs/watch.py`).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from importlib.util import find_spec

from fusion_graph.config import ResolvedConfig, ToolServer, missing_variables
from fusion_graph.errors import ConfigurationError, Degradation, MissingKey
from fusion_graph.run._running_server import OfferedTool, RunningServer

CLOSING_SECONDS = 8.0
"""How long the end of a run waits for its servers' ends: the SDK takes six at most."""

IDLE_MARGIN = 60.0
"""Seconds beyond the longest stage after which a server that nobody asks is ended."""


class ToolServers:
    """The servers of one run.

    Args:
        settings: The run's settings.
    """

    def __init__(self, settings: ResolvedConfig) -> None:
        stages = (settings.panelist_timeout, settings.judge_timeout, settings.synthesis_timeout)
        idle = max(stages) + IDLE_MARGIN
        self._servers = [RunningServer(name, given, idle) for name, given in settings.tools.items()]

    async def ready(self) -> None:
        """Wait until each has named its tools, or cannot."""
        for server in self._servers:
            server.touch()
        await asyncio.gather(*(server.ready() for server in self._servers))

    def tools(self) -> list[OfferedTool]:
        """The tools of those that are at work, in the order of the configuration."""
        return [tool for server in self._servers for tool in server.tools]

    def losses(self) -> list[Degradation]:
        """What the run has to do without by now."""
        return [
            {"code": "tool_server_failed", "detail": f"The MCP server {server.name} {server.loss}."}
            for server in self._servers
            if server.loss
        ]

    @property
    def were_idle(self) -> bool:
        """Whether they were ended because nobody asked for them."""
        return all(server.was_stopped for server in self._servers)

    def stop(self) -> None:
        """Have all of them end."""
        for server in self._servers:
            server.stop()

    async def close(self) -> None:
        """End all of them, and wait for it."""
        self.stop()
        await asyncio.wait([server.task for server in self._servers], timeout=CLOSING_SECONDS)


def check_tool_servers(given: Mapping[str, ToolServer]) -> None:
    """Find what cannot work before anything is paid.

    Args:
        given: The servers by name.

    Raises:
        ConfigurationError: The package that asks them is missing.
        MissingKey: A variable that one of them needs is not set.
    """
    if given and find_spec("mcp") is None:
        raise ConfigurationError(
            f"The MCP server {next(iter(given))} cannot be asked: the package mcp is missing.",
            'pip install "fusion-graph[mcp]"',
        )
    for name, variable in missing_variables(given):
        raise MissingKey(
            f"The MCP server {name} needs {variable}, which is not set.",
            f"Set it, or take [tools.{name}] out.",
        )


_Key = tuple[str, asyncio.AbstractEventLoop]
_open: dict[_Key, ToolServers] = {}
_lock = threading.Lock()


async def open_tool_servers(run_id: str, settings: ResolvedConfig) -> ToolServers | None:
    """Give the run's servers, started by whoever asks first; None where it has none.

    Args:
        run_id: The run.
        settings: Its settings.
    """
    if not settings.tools:
        return None
    key = run_id, asyncio.get_running_loop()
    with _lock:
        servers = _open.get(key)
        if servers is None or servers.were_idle:
            servers = _open[key] = ToolServers(settings)
            for old in [key for key in _open if key[1].is_closed()]:
                del _open[old]
    await servers.ready()
    return servers


def stop_tool_servers(run_id: str) -> None:
    """Have the servers of a run end, from where nothing can be waited for.

    Args:
        run_id: The run.
    """
    for (_, loop), servers in _taken(run_id):
        if not loop.is_closed():
            loop.call_soon_threadsafe(servers.stop)


async def close_tool_servers(run_id: str) -> None:
    """End the servers of a run, and wait for it.

    Args:
        run_id: The run.
    """
    here = asyncio.get_running_loop()
    for (_, loop), servers in _taken(run_id):
        if loop is here:
            await servers.close()
        elif not loop.is_closed():
            loop.call_soon_threadsafe(servers.stop)


def _taken(run_id: str) -> list[tuple[_Key, ToolServers]]:
    with _lock:
        return [(key, _open.pop(key)) for key in list(_open) if key[0] == run_id]
