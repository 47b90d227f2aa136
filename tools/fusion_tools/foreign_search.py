"""Other packages' search tools and clients as providers: any LangChain tool, Tavily, SearXNG…"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fusion_tools.errors import SearchNotSetUp, ToolError, UnknownSearch
from fusion_tools.normalise import normalise
from fusion_tools.own_thread import in_own_thread, use_tool
from fusion_tools.politeness import Politeness
from fusion_tools.results import FailureCode, SearchProvider, SearchResult

if TYPE_CHECKING:
    from langchain_core.messages import ToolCall, ToolMessage
    from langchain_core.tools import BaseTool

DEADLINE = 30.0
"""Seconds for a search: some tools read the pages they find."""

EXCERPT_CHARS = 200

_RATE_LIMIT = re.compile(r"\b429\b|rate.?limit|too many requests", re.IGNORECASE)


class ToolSearch:
    """Any LangChain search tool as a provider. Made by `tool_provider`."""

    def __init__(self, tool: BaseTool, *, backoff: float = 1.0) -> None:
        self.name = tool.name
        self._tool = tool
        self._argument = _query_argument(tool)
        self._politeness = Politeness(tool.name, deadline=DEADLINE, backoff=backoff)

    async def search(self, query: str, limit: int) -> list[SearchResult]:
        """At most `limit` hits of those that the tool names a URL for."""
        return await self._politeness.ask(lambda: self._ask(query, limit))

    async def _ask(self, query: str, limit: int) -> list[SearchResult]:
        message = await self._call(query)
        results = normalise(message.content, message.artifact)[:limit]
        if results:
            return results
        said = " ".join(str(message.content).split())[:EXCERPT_CHARS]
        code: FailureCode = "unavailable" if message.status == "error" else "no_results"
        raise ToolError(code, f"{self.name} named no page. It said: {said or 'nothing'}")

    async def _call(self, query: str) -> ToolMessage:
        # As a tool call, since only then does the artifact come along.
        call: ToolCall = {
            "type": "tool_call",
            "id": "search",
            "name": self.name,
            "args": {self._argument: query},
        }
        try:
            message: ToolMessage = await use_tool(self._tool, call)
        except Exception as error:  # another package's tool: it may raise anything
            raise _engine_error(self.name, error) from error
        return message


def tool_provider(tool: BaseTool) -> SearchProvider:
    """A LangChain search tool as a provider, its results read by `normalise`."""
    return ToolSearch(tool)


def _query_argument(tool: BaseTool) -> str:
    """The argument that takes the query: `query` by name, else the first text, else the first."""
    arguments: Mapping[str, Any] = tool.args
    for name in ("query", "q", "search_query", "tool_input"):
        if name in arguments:
            return name
    if not arguments:
        raise SearchNotSetUp(f"The tool {tool.name!r} cannot search: it takes no argument.")
    texts = [name for name, schema in arguments.items() if schema.get("type") == "string"]
    return (texts or list(arguments))[0]


def _engine_error(name: str, error: Exception) -> ToolError:
    said = " ".join(str(error).split())[:EXCERPT_CHARS] or type(error).__name__
    if _RATE_LIMIT.search(said):
        return ToolError("too_many_requests", f"{name} is asked too often: {said}")
    return ToolError("unavailable", f"{name} failed: {said}")


class EngineSearch:
    """A search engine behind a client of langchain-community. Made by `community_search`."""

    def __init__(
        self, name: str, hits: Callable[[str, int], Awaitable[Any]], *, backoff: float = 1.0
    ) -> None:
        self.name = name
        self._hits = hits
        self._politeness = Politeness(name, deadline=DEADLINE, backoff=backoff)

    async def search(self, query: str, limit: int) -> list[SearchResult]:
        """At most `limit` hits, best first; [] when there are none."""
        return await self._politeness.ask(lambda: self._ask(query, limit))

    async def _ask(self, query: str, limit: int) -> list[SearchResult]:
        try:
            hits = await self._hits(query, limit)
        except Exception as error:  # another package's client: it may raise anything
            raise _engine_error(self.name, error) from error
        return normalise(None, hits)[:limit]


def community_search(name: str) -> SearchProvider:
    """SearXNG, Brave or Wikipedia through langchain-community.

    Args:
        name: `searxng` (its address in SEARX_HOST), `brave` (key in BRAVE_SEARCH_API_KEY), or
            `wikipedia`.

    Raises:
        SearchNotSetUp: The package or the environment variable is missing.
        UnknownSearch: Another name.
    """
    if name not in COMMUNITY_SEARCHES:
        raise UnknownSearch(f"Unknown community search {name!r}. Use {either(COMMUNITY_SEARCHES)}.")
    packages, variable, hits = COMMUNITY_SEARCHES[name]
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        raise SearchNotSetUp(
            f"Search with {name} needs {' and '.join(missing)}: "
            "pip install 'fusion-graph[community]'"
        )
    _require_variable(name, variable)
    return EngineSearch(name, hits)


def _require_variable(name: str, variable: str | None) -> None:
    if variable is not None and not os.environ.get(variable):
        raise SearchNotSetUp(f"Search with {name} needs the environment variable {variable}.")


async def _searxng(query: str, limit: int) -> Any:
    module = importlib.import_module("langchain_community.utilities.searx_search")
    return await module.SearxSearchWrapper().aresults(query, num_results=limit)


async def _brave(query: str, limit: int) -> Any:
    module = importlib.import_module("langchain_community.utilities.brave_search")
    engine = module.BraveSearchWrapper(search_kwargs={"count": min(limit, 20)})
    return await in_own_thread(engine.download_documents, query)


async def _wikipedia(query: str, limit: int) -> Any:
    module = importlib.import_module("langchain_community.utilities.wikipedia")
    engine = module.WikipediaAPIWrapper(wiki_client=None, top_k_results=limit)
    return await in_own_thread(engine.load, query)


COMMUNITY_SEARCHES: Mapping[
    str, tuple[Sequence[str], str | None, Callable[[str, int], Awaitable[Any]]]
] = {
    "searxng": (("langchain_community",), "SEARX_HOST", _searxng),
    "brave": (("langchain_community",), "BRAVE_SEARCH_API_KEY", _brave),
    "wikipedia": (("langchain_community", "wikipedia"), None, _wikipedia),
}
"""By name: the packages needed, the environment variable needed, and how to ask."""


def tavily_search() -> SearchProvider:
    """Tavily through langchain-tavily, key in TAVILY_API_KEY.

    Raises:
        SearchNotSetUp: The package or the key is missing.
    """
    if importlib.util.find_spec("langchain_tavily") is None:
        raise SearchNotSetUp("Search with tavily needs its package: pip install langchain-tavily")
    _require_variable("tavily", "TAVILY_API_KEY")
    tool = importlib.import_module("langchain_tavily").TavilySearch(max_results=10)
    tool.handle_tool_error = True  # it raises when it finds nothing
    return ToolSearch(tool)


def either(names: Iterable[str]) -> str:
    """The names as a choice: "a, b or c"."""
    *rest, last = names
    return f"{', '.join(rest)} or {last}"
