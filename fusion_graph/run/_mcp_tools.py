"""The tools of MCP servers as a panelist sees and calls them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from langchain_core.tools import BaseTool
from langchain_core.tools.base import ToolException
from pydantic import Field

from fusion_graph.errors import ToolServerError
from fusion_graph.models.recording import Asked, asker, current_recording
from fusion_graph.run._mcp_results import (
    result_hits,
    result_links,
    result_page,
    result_text,
    short_args,
)
from fusion_graph.run._recorded import found
from fusion_graph.run._running_server import OfferedTool
from fusion_tools.errors import ToolError
from fusion_tools.ledger import UrlLedger
from fusion_tools.render import (
    foreign_text,
    page_text,
    search_text,
    without_invisibles,
)
from fusion_tools.results import PageArtifact, SearchArtifact

LONGEST_NAME = 64
"""Characters of a tool's name, as OpenAI and Anthropic take them."""

LONGEST_DESCRIPTION = 1024
"""Characters of a tool's description: it is in every prompt."""

LONGEST_SCHEMA = 16_000
"""Characters of a tool's schema of arguments; of a longer one only the names are told."""


class McpTool(BaseTool):
    """One tool of a server, as a panelist calls it.

    Attributes:
        offered: The tool, and the server that is asked.
        nonce: The run's delimiter secret.
        ledger: Told of the addresses that were found, so that they may be fetched.
    """

    offered: Any = Field(exclude=True, repr=False)
    nonce: str = Field(exclude=True, repr=False)
    ledger: Any = Field(default=None, exclude=True, repr=False)

    def _run(self, /, **_: Any) -> Any:
        raise ToolException("it can only be awaited")

    async def _arun(self, /, **args: Any) -> tuple[str, PageArtifact | SearchArtifact]:
        try:
            result = await self._result(args)
        except ToolError as error:
            return self._failure(f"{error.code}: {error.detail}", error)
        except ToolServerError as error:
            return self._told_error(str(error))
        text = result_text(result)
        if result.get("isError"):
            return self._told_error(text)
        server, tool = self.offered.server.name, self.offered.told["name"]
        if hits := result_hits(result):
            search: SearchArtifact = {
                "kind": "search",
                "query": short_args(args),
                "provider": server,
                "results": hits,
                "failure": None,
            }
            if self.ledger is not None:
                self.ledger.add_results(hits)
            return search_text(search, None, self.nonce), search
        page = result_page(server, tool, args, text)
        if self.ledger is not None:
            self.ledger.add_results(result_links(result))
        return page_text(page, None, self.nonce), page

    async def _result(self, args: dict[str, Any]) -> dict[str, Any]:
        server, tool = self.offered.server, self.offered.told["name"]
        recording = current_recording()
        if recording is None:
            called: dict[str, Any] = await server.call(tool, args)
            return called
        asked = Asked("tool", *asker(), f"{server.name}/{tool}", [server.digest, args])
        kept: dict[str, Any] = await found(recording, asked, lambda: server.call(tool, args))
        return kept

    def _told_error(self, words: str) -> tuple[str, SearchArtifact]:
        error = ToolError("unavailable", f"{self.name} answered with an error.")
        told = foreign_text(words[:2000], [], [], self.nonce)
        return self._failure(f"{error}\n{told}", error)

    def _failure(self, text: str, error: ToolError) -> tuple[str, SearchArtifact]:
        return text, {
            "kind": "search",
            "query": "",
            "provider": self.offered.server.name,
            "results": [],
            "failure": error.failure(),
        }


def mcp_tools(
    offered: Iterable[OfferedTool], taken: Iterable[str], nonce: str, ledger: UrlLedger | None
) -> list[BaseTool]:
    """The tools of a run's servers for one researcher.

    Args:
        offered: What the servers offer.
        taken: Names that other tools have.
        nonce: The run's delimiter secret.
        ledger: The addresses that the researcher may fetch.
    """
    names = {*taken}
    tools = list[BaseTool]()
    for one in offered:
        told = one.told
        name = _unique(tool_name(one.server.name, str(told.get("name", ""))), names)
        names.add(name)
        about = without_invisibles(str(told.get("description") or told.get("title") or ""))
        tools.append(
            McpTool(
                name=name,
                description=about[:LONGEST_DESCRIPTION] or f"A tool of {one.server.name}.",
                args_schema=schema_of(told.get("inputSchema")),
                response_format="content_and_artifact",
                offered=one,
                nonce=nonce,
                ledger=ledger,
            )
        )
    return tools


def tool_name(server: str, tool: str) -> str:
    """What models call a tool: `SERVER_tool`, as every provider takes it.

    Args:
        server: The server's name.
        tool: As the server calls it.
    """
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", f"{server}_{tool}")
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[: LONGEST_NAME - 9]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _unique(name: str, taken: set[str]) -> str:
    number, unique = 2, name
    while unique in taken:
        unique = f"{name[: LONGEST_NAME - 4]}_{number}"
        number += 1
    return unique


def schema_of(given: Any) -> dict[str, Any]:
    """A tool's schema of arguments as models take it.

    Args:
        given: As the server tells it.
    """
    schema = dict(given) if isinstance(given, Mapping) else {}
    schema.pop("$schema", None)
    properties = schema.get("properties")
    known = properties.items() if isinstance(properties, Mapping) else ()
    parts = {str(name): part if isinstance(part, Mapping) else {} for name, part in known}
    if len(json.dumps(schema)) > LONGEST_SCHEMA:
        schema = {"required": schema.get("required", [])}
        parts = {name: {} for name in parts}
    return {**schema, "type": "object", "properties": parts}
