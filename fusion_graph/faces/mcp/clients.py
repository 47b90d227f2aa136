"""Clients keep their MCP servers in files: where each does, and in what shape."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

NAME = "fusion"
"""What the server is called there: Claude Code's models see `mcp__fusion__fusion`."""

CODEX_TOOL_SECONDS, CODEX_START_SECONDS = 1_800, 60
"""Codex cuts a call after 300 s unless told otherwise, and a start after 10 s, silently."""

GEMINI_TOOL_MS = 1_800_000
"""Gemini CLI cuts a call after 10 minutes unless told otherwise."""


@dataclass(frozen=True)
class Launch:
    """A launch says how a client starts the server.

    Attributes:
        command: A program, absolute or on PATH.
        args: Its arguments.
        variables: Environment variables that hold keys now: they are named, never copied.
    """

    command: str
    args: tuple[str, ...]
    variables: tuple[str, ...] = ()


@dataclass(frozen=True)
class Client:
    """A program that MCP servers can be put into.

    Attributes:
        title: What it is called.
        home: The variable that moves its folder, the folder under the user's that stands in for
            it, and the folder below either.
        files: Its file in that folder; the first that is there, else the first.
        table: The key that holds its servers.
        form: What the file is written in.
        entry: Makes the server's entry.
        inherits: Whether its servers see its whole environment, so that no key has to be named.
    """

    title: str
    home: tuple[str, str, str]
    files: tuple[str, ...]
    table: str
    form: Literal["json", "toml"]
    entry: Callable[[Launch], dict[str, Any]]
    inherits: bool = False

    def file(self, environment: Mapping[str, str], user: Path) -> Path:
        """Find the file that holds its servers.

        Args:
            environment: Variables that may move its folder.
            user: The user's folder.
        """
        variable, usual, below = self.home
        base = Path(environment[variable]) if environment.get(variable) else user / usual
        folder = base / below
        found = [folder / name for name in self.files if (folder / name).exists()]
        return found[0] if found else folder / self.files[0]


def launch(
    options: Sequence[str], variables: Sequence[str], prefix: str = "", executable: str = ""
) -> Launch:
    """Say how to start the server that this very environment holds.

    Args:
        options: What follows `fusion-graph mcp`.
        variables: The environment variables to name.
        prefix: The environment's folder; by default this one's.
        executable: Its Python; by default this one.
    """
    parts = Path(prefix or sys.prefix).parts
    if any(part.startswith(("archive-v", "environments-v")) for part in parts):
        # An environment of uvx's own lives in a cache, and is gone some day.
        args = ("--from", "fusion-graph[mcp]", "fusion-graph", "mcp", *options)
        return Launch("uvx", args, tuple(variables))
    python = Path(executable or sys.executable)
    script = python.with_name("fusion-graph.exe" if python.suffix == ".exe" else "fusion-graph")
    if script.exists():
        return Launch(str(script), ("mcp", *options), tuple(variables))
    return Launch(str(python), ("-m", "fusion_graph", "mcp", *options), tuple(variables))


def _claude_code(start: Launch) -> dict[str, Any]:
    return {"type": "stdio", "command": start.command, "args": list(start.args)}


def _codex(start: Launch) -> dict[str, Any]:
    # Its servers see a short list of variables, and those that are named.
    named = {"env_vars": list(start.variables)} if start.variables else {}
    return {
        "command": start.command,
        "args": list(start.args),
        **named,
        "startup_timeout_sec": CODEX_START_SECONDS,
        "tool_timeout_sec": CODEX_TOOL_SECONDS,
    }


def _opencode(start: Launch) -> dict[str, Any]:
    return {"type": "local", "command": [start.command, *start.args], "enabled": True}


def _gemini(start: Launch) -> dict[str, Any]:
    # It withholds variables that look like keys, unless they are named.
    named = {"env": {name: f"${name}" for name in start.variables}} if start.variables else {}
    return {
        "command": start.command,
        "args": list(start.args),
        **named,
        "timeout": GEMINI_TOOL_MS,
    }


def _cursor(start: Launch) -> dict[str, Any]:
    named = {"env": {name: f"${{env:{name}}}" for name in start.variables}}
    return {
        "command": start.command,
        "args": list(start.args),
        **(named if start.variables else {}),
    }


CLIENTS: dict[str, Client] = {
    "claude-code": Client(
        "Claude Code",
        ("CLAUDE_CONFIG_DIR", "", ""),
        (".claude.json",),
        "mcpServers",
        "json",
        _claude_code,
        inherits=True,
    ),
    "codex": Client(
        "Codex", ("CODEX_HOME", ".codex", ""), ("config.toml",), "mcp_servers", "toml", _codex
    ),
    "opencode": Client(
        "opencode",
        ("XDG_CONFIG_HOME", ".config", "opencode"),
        ("opencode.json", "opencode.jsonc"),
        "mcp",
        "json",
        _opencode,
        inherits=True,
    ),
    "gemini": Client(
        "Gemini CLI",
        ("GEMINI_CLI_HOME", "", ".gemini"),
        ("settings.json",),
        "mcpServers",
        "json",
        _gemini,
    ),
    "cursor": Client("Cursor", ("", "", ".cursor"), ("mcp.json",), "mcpServers", "json", _cursor),
}
"""Every client by the name that `--install` takes."""


def placeholders(environment: Mapping[str, str]) -> list[str]:
    """Find variables that a client passed unexpanded: their value is their own name.

    Args:
        environment: The server's variables.
    """
    return [
        name
        for name, value in environment.items()
        if value in (f"${name}", f"${{{name}}}", f"${{env:{name}}}", f"{{env:{name}}}")
    ]
