"""The MCP servers whose tools a panel gets: how each is started or reached, and with what."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from fusion_graph.config.endpoints import EnvironmentVariable
from fusion_graph.config.strict import Strict

MAX_TOOL_SERVERS = 16
"""Most servers of one run; each is a process or a connection."""

_ADDRESS = re.compile(r"https?://", re.IGNORECASE)


def _as_words(value: Any) -> Any:
    """Split a command as a shell does; a list stays as it is."""
    if not isinstance(value, str):
        return value
    try:
        return shlex.split(value, posix=os.name != "nt")
    except ValueError as error:
        raise ValueError(f"that command cannot be read: {error}") from None


def _as_variables(value: Any) -> Any:
    """Read a list of variables as those that keep their names."""
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return {name: name for name in value}
    return value


def _check_url(value: str) -> str:
    if not re.match(r"https?://[^/\s]", value):
        raise ValueError("an address begins with http:// or https://")
    return value


class ToolServer(Strict):
    """An MCP server: a program that is started, or an address that is asked."""

    command: Annotated[list[str], BeforeValidator(_as_words)] | None = Field(
        default=None, min_length=1, title="Command"
    )
    """The program that serves over its standard input and output, with its arguments: as typed in
    a shell, or as a list."""
    args: list[str] = Field(default=[], title="Arguments")
    """Further arguments of the command."""
    env: Annotated[dict[str, EnvironmentVariable], BeforeValidator(_as_variables)] = Field(
        default={}, title="Environment"
    )
    """Variables of this environment that the program is to see, by the name it knows them by; a
    list keeps their names. It sees no other key of yours. Never write a value here."""
    url: Annotated[str, AfterValidator(_check_url)] | None = Field(default=None, title="Address")
    """Where it is served over streamable HTTP, as in `https://example.org/mcp`."""
    headers: dict[str, EnvironmentVariable] = Field(default={}, title="Headers")
    """Headers sent to the address, each with the name of the variable that holds its value. A bare
    token in `Authorization` is sent as `Bearer`."""
    only: list[str] | None = Field(default=None, title="Tools")
    """Which of its tools the panel gets. Unset: all but those that say of themselves that they
    change something (`readOnlyHint = false`)."""
    timeout: float = Field(default=30, gt=0, le=55, title="Timeout (s)")
    """Seconds that one call may take."""
    start_timeout: float = Field(default=30, gt=0, le=300, title="Start (s)")
    """Seconds it has to start and to name its tools; the panel waits for it."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.command is None) == (self.url is None):
            raise ValueError("give a command or a url, and not both")
        if self.url is not None and (self.args or self.env):
            raise ValueError("args and env are for a command; a url takes headers")
        if self.command is not None and self.headers:
            raise ValueError("headers are for a url; a command takes env")
        return self

    @property
    def line(self) -> list[str]:
        """The command with all its arguments."""
        return [*(self.command or ()), *self.args]

    @property
    def variables(self) -> list[str]:
        """The variables of this environment that it needs."""
        return [*self.env.values(), *self.headers.values()]

    @property
    def digest(self) -> str:
        """What tells it from another of its name: a hash of all its fields."""
        fields = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(fields.encode(errors="replace")).hexdigest()[:12]

    def shown(self) -> dict[str, Any]:
        """What may be shown of it: people put keys into arguments and addresses."""
        if self.url is not None:
            return {"url": shown_url(self.url), "digest": self.digest}
        return {"command": os.path.basename(self.line[0]), "digest": self.digest}

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        return self.shown().items()


def shown_url(url: str) -> str:
    """An address as it may be shown: without name, password and query.

    Args:
        url: The address.
    """
    return re.sub(r"\?.*", "?***", re.sub(r"//[^/]*@", "//***@", url))


def _as_server(value: Any) -> Any:
    """Read a text as an address or a command."""
    if not isinstance(value, str):
        return value
    return {"url": value.strip()} if _ADDRESS.match(value.strip()) else {"command": value}


ToolServerRef = Annotated[ToolServer, BeforeValidator(_as_server)]
"""An MCP server, or only its command or address."""


def _check_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,31}", value):
        raise ValueError(
            "a server is called by at most 32 letters, digits, _ and -, a letter first"
        )
    return value


ToolServerName = Annotated[str, AfterValidator(_check_name)]
"""What a server's tools are called after: letters, digits, `_` and `-`."""


def missing_variables(servers: Mapping[str, ToolServer]) -> list[tuple[str, str]]:
    """The variables that servers need and the environment lacks, as `(server, variable)`.

    Args:
        servers: The servers by name.
    """
    return [
        (name, variable)
        for name, server in servers.items()
        for variable in server.variables
        if not os.environ.get(variable)
    ]
