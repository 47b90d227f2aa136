"""Search providers by name: DuckDuckGo and others through ddgs, a folder, Exa, Tavily, any tool."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fusion_tools._exa import exa_search
from fusion_tools.corpus import open_corpus
from fusion_tools.errors import SearchNotSetUp, ToolError, UnknownSearch
from fusion_tools.foreign_search import (
    COMMUNITY_SEARCHES,
    community_search,
    either,
    tavily_search,
    tool_provider,
)
from fusion_tools.normalise import normalise
from fusion_tools.own_thread import in_own_thread
from fusion_tools.politeness import Politeness
from fusion_tools.results import SearchProvider, SearchResult
from fusion_tools.sharing import SharedSearch

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool
    from typing_extensions import TypeIs

DDGS_BACKENDS = ("duckduckgo", "brave", "mojeek", "startpage", "yahoo")
"""Named, since ddgs's own choice puts two encyclopedias first."""


class DdgsSearch:
    """Search engines without a key, through ddgs. It scrapes them: be ready for refusals.

    Args:
        backends: Engines to ask, by ddgs's names.
        region: Country and language, such as `us-en`.
        timeout: Seconds for one request to one engine.
        proxy: Proxy URL; None leaves it to the environment variable DDGS_PROXY.
        deadline: Seconds for a search as a whole.
        backoff: Seconds before the one retry, at least.
    """

    name = "ddgs"

    def __init__(
        self,
        backends: Sequence[str] = DDGS_BACKENDS,
        region: str = "us-en",
        timeout: float = 5.0,
        proxy: str | None = None,
        *,
        deadline: float = 20.0,
        backoff: float = 1.0,
    ) -> None:
        self._backends = ",".join(backends)
        self._region = region
        self._timeout = math.ceil(timeout)
        self._proxy = proxy
        self._politeness = Politeness(
            "Web search",
            deadline=deadline,
            backoff=backoff,
            retried=frozenset(("no_results", "too_many_requests", "unavailable")),
        )

    async def search(self, query: str, limit: int) -> list[SearchResult]:
        """At most `limit` hits, best first. Raises `ToolError` when there are none."""

        async def ask() -> list[SearchResult]:
            return normalise(None, await in_own_thread(self._text, query, limit))[:limit]

        return await self._politeness.ask(ask)

    def _text(self, query: str, limit: int) -> list[dict[str, Any]]:
        from ddgs import DDGS
        from ddgs.exceptions import DDGSException, RatelimitException, TimeoutException

        try:
            # One DDGS for each call: its engines keep the URL of the query under way.
            return DDGS(proxy=self._proxy, timeout=self._timeout).text(
                query, region=self._region, max_results=limit, backend=self._backends
            )
        except RatelimitException as error:
            raise ToolError("too_many_requests", f"Web search was refused: {error}") from error
        except TimeoutException as error:
            raise ToolError("unavailable", f"Web search timed out: {error}") from error
        except DDGSException as error:
            if "No results found" not in str(error):
                raise ToolError("unavailable", f"Web search failed: {error}") from error
            raise ToolError(
                "no_results",
                "Nothing was found, or the search engines refused to answer because they are "
                "asked too often: the two look alike. Try other words, once or twice.",
            ) from error


SEARCHES = ("ddgs", "corpus", "exa", "tavily", *COMMUNITY_SEARCHES)
"""The names that `search_provider` knows."""


def search_provider(
    name_or_tool: str | BaseTool | SearchProvider,
    *,
    corpus_folder: str | os.PathLike[str] | None = None,
) -> SearchProvider:
    """A provider by name, or around a tool, asked once for each query. Make one for each run.

    Args:
        name_or_tool: One of `SEARCHES`, a LangChain search tool, or a provider.
        corpus_folder: The folder for `corpus`.

    Raises:
        UnknownSearch: No such name.
        SearchNotSetUp: A package, a key or the folder is missing.
        CorpusError: The folder cannot serve as a corpus.
    """
    if isinstance(name_or_tool, str):
        return SharedSearch(named_search(name_or_tool, corpus_folder))
    return SharedSearch(tool_provider(name_or_tool) if _is_tool(name_or_tool) else name_or_tool)


def named_search(name: str, corpus_folder: str | os.PathLike[str] | None = None) -> SearchProvider:
    """A provider by name. One may serve many runs: its limits hold for all of them.

    Args:
        name: One of `SEARCHES`.
        corpus_folder: The folder for `corpus`.

    Raises:
        UnknownSearch: No such name.
        SearchNotSetUp: A package, a key or the folder is missing.
        CorpusError: The folder cannot serve as a corpus.
    """
    if name == "ddgs":
        return DdgsSearch()
    if name == "corpus":
        if corpus_folder is None:
            raise SearchNotSetUp("Search in a corpus needs a folder: give corpus_folder.")
        return open_corpus(corpus_folder)
    if name == "exa":
        return exa_search()
    if name == "tavily":
        return tavily_search()
    if name in COMMUNITY_SEARCHES:
        return community_search(name)
    raise UnknownSearch(f"Unknown search {name!r}. Use {either(SEARCHES)}, or pass a tool.")


def _is_tool(value: BaseTool | SearchProvider) -> TypeIs[BaseTool]:
    return hasattr(value, "ainvoke")  # without importing LangChain to find out
