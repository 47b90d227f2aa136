"""The tools a panel researches with: which, and over what."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from langchain_core.tools import BaseTool

from fusion_graph.config import ResolvedConfig
from fusion_graph.errors import ConfigurationError
from fusion_graph.models.recording import Asked, Recording, asker, current_recording
from fusion_graph.run._mcp_tools import mcp_tools
from fusion_graph.run._recorded import found
from fusion_graph.run.tool_servers import ToolServers, open_tool_servers
from fusion_tools.corpus import open_corpus
from fusion_tools.domains import DomainRules
from fusion_tools.foreign_search import tool_provider
from fusion_tools.ledger import Followed, FollowLinks, UrlLedger
from fusion_tools.results import Page, PageFetcher, SearchProvider, SearchResult
from fusion_tools.search import named_search
from fusion_tools.sharing import SharedFetch, SharedSearch
from fusion_tools.sources import SourceBook
from fusion_tools.tools import web_fetch_tool, web_search_tool


def bundled_corpus() -> Path:
    """Folder of the documents that come with the package."""
    return Path(str(resources.files("fusion_graph.offline") / "corpus"))


class Toolbox:
    """A run's tools, over one shared search and one shared fetcher.

    Args:
        search: Where `web_search` looks; None for no search.
        fetcher: What `web_fetch` reads with; None for no fetching.
        own: The caller's tools, used instead of both.
        follow_links: Which links of the pages that were read may be followed.
        followed: The run's count of them.
        servers: The run's MCP servers, whose tools come beside; None where there are none.
        by_providers: Whether models search with what their providers have, where they have it.
    """

    def __init__(
        self,
        search: SearchProvider | None,
        fetcher: PageFetcher | None,
        own: Sequence[BaseTool] | None = None,
        follow_links: FollowLinks = "same_site",
        followed: Followed | None = None,
        servers: ToolServers | None = None,
        by_providers: bool = False,
    ) -> None:
        self._follow_links = follow_links
        self._followed = followed if followed is not None else Followed()
        self._search = SharedSearch(search) if search is not None else None
        self._fetcher = SharedFetch(fetcher) if fetcher is not None else None
        self._own = own
        self.servers = servers
        self.by_providers = by_providers

    @classmethod
    def open(
        cls,
        settings: ResolvedConfig,
        own: Sequence[BaseTool] | None = None,
        followed: Followed | None = None,
    ) -> Toolbox:
        """The tools of a configuration, without those of MCP servers.

        Args:
            settings: The configuration.
            own: The caller's tools, used instead of the web tools.
            followed: The run's count of followed links.

        Raises:
            ConfigurationError: The search is not available here, or the folder cannot be read.
        """
        if own is not None:
            return cls(None, None, own)
        if settings.search == "none":
            return cls(None, None)
        try:
            name = search_name(settings)
            if name == "corpus":
                corpus = open_corpus(Path(settings.corpus or bundled_corpus()).expanduser())
                return cls(
                    *_kept(corpus, corpus, ["corpus"]),
                    follow_links=settings.follow_links,
                    by_providers=settings.search == "provider",
                )
            allowed, blocked = tuple(settings.allowed_domains), tuple(settings.blocked_domains)
            search = _search(name)
            if allowed or blocked:
                search = _Filtered(search, DomainRules(allowed, blocked))
            fetcher = _web_fetcher(allowed, blocked, settings.respect_robots)
            return cls(
                *_kept(search, fetcher, [allowed, blocked]),
                follow_links=settings.follow_links,
                followed=followed,
                by_providers=settings.search == "provider",
            )
        except ValueError as error:  # of fusion_tools: one line that says what is missing
            raise ConfigurationError(str(error)) from None

    def __bool__(self) -> bool:
        return bool(self._own or self._search or self._fetcher or self.servers)

    @property
    def searches(self) -> bool:
        """Whether there is a search among the tools, and they are not the caller's."""
        return self._search is not None

    def ledger(self, said: str, urls: Iterable[str] = ()) -> UrlLedger:
        """A ledger of the addresses that one researcher may fetch.

        Args:
            said: What the user and the application said; addresses in it may be fetched.
            urls: Further addresses that it may fetch.
        """
        ledger = UrlLedger.from_text(said, follow_links=self._follow_links, followed=self._followed)
        ledger.add_urls(urls)
        return ledger

    def tools(self, ledger: UrlLedger, nonce: str, book: SourceBook) -> list[BaseTool]:
        """The tools for one researcher.

        Args:
            ledger: The addresses it may fetch.
            nonce: The run's delimiter secret.
            book: The researcher's sources, which it may fetch by number.
        """
        if self._own is not None:
            return [*self._own, *self._served(self._own, nonce, None)]
        tools = []
        if self._search is not None:
            tools.append(web_search_tool(self._search, ledger=ledger, nonce=nonce))
        if self._fetcher is not None:
            tools.append(web_fetch_tool(self._fetcher, ledger=ledger, book=book, nonce=nonce))
        return [*tools, *self._served(tools, nonce, ledger)]

    def _served(
        self, beside: Sequence[BaseTool], nonce: str, ledger: UrlLedger | None
    ) -> list[BaseTool]:
        if self.servers is None:
            return []
        names = [tool.name for tool in beside]
        return mcp_tools(self.servers.tools(), names, nonce, ledger)


def search_name(settings: ResolvedConfig) -> Any:
    """The search that the tools have: for those whose provider has none, where it is theirs.

    Args:
        settings: The configuration.
    """
    if settings.search != "provider":
        return settings.search
    return "corpus" if settings.corpus else "ddgs"


async def open_toolbox(
    run_id: str,
    settings: ResolvedConfig,
    own: Sequence[BaseTool] | None,
    followed: Followed,
) -> Toolbox:
    """Open a run's tools, those of its MCP servers too.

    Args:
        run_id: The run.
        settings: Its settings.
        own: The caller's tools, used instead of the web tools.
        followed: The run's count of followed links.

    Raises:
        ConfigurationError: As `Toolbox.open`.
    """
    # In a thread: it looks through folders.
    toolbox = await asyncio.to_thread(Toolbox.open, settings, own, followed)
    toolbox.servers = await open_tool_servers(run_id, settings)
    return toolbox


def _kept(
    search: SearchProvider, fetcher: PageFetcher, scope: Sequence[Any]
) -> tuple[SearchProvider, PageFetcher]:
    """Both as the run's recording wants them, if it has one.

    Args:
        search: Where is searched.
        fetcher: What reads pages.
        scope: What else decides what they bring.
    """
    recording = current_recording()
    if recording is None:
        return search, fetcher
    return _KeptSearch(search, recording, scope), _KeptFetch(fetcher, recording, scope)


class _KeptSearch:
    """A search whose hits are kept: the web answers otherwise the next time."""

    def __init__(self, search: SearchProvider, recording: Recording, scope: Sequence[Any]) -> None:
        self.name = search.name
        self._search, self._recording, self._scope = search, recording, scope

    async def search(self, query: str, limit: int) -> list[SearchResult]:
        asked = Asked("search", *asker(), self.name, [*self._scope, query, limit])
        hits: list[SearchResult] = await found(
            self._recording, asked, lambda: self._search.search(query, limit)
        )
        return hits


class _KeptFetch:
    """A fetcher whose pages are kept."""

    def __init__(self, fetcher: PageFetcher, recording: Recording, scope: Sequence[Any]) -> None:
        self._fetcher, self._recording, self._scope = fetcher, recording, scope

    async def fetch(self, url: str) -> Page:
        asked = Asked("page", *asker(), "", [*self._scope, url])
        page: Page = await found(self._recording, asked, lambda: self._fetcher.fetch(url))
        return page


class _Filtered:
    """A search whose hits keep to the allowed domains: one that may not be read is no use."""

    def __init__(self, search: SearchProvider, rules: DomainRules) -> None:
        self.name = search.name
        self._search = search
        self._rules = rules

    async def search(self, query: str, limit: int) -> list[SearchResult]:
        hits = await self._search.search(query, limit)
        return [hit for hit in hits if self._rules.allow(hit["url"])]


def _search(search: Any) -> SearchProvider:
    return _named(search) if isinstance(search, str) else tool_provider(search)


@lru_cache(maxsize=8)
def _named(name: str) -> SearchProvider:
    """One provider a name for all runs, so that its limits hold for the process."""
    return named_search(name)


@lru_cache(maxsize=64)
def _web_fetcher(
    allowed: tuple[str, ...], blocked: tuple[str, ...], respect_robots: bool
) -> PageFetcher:
    """One fetcher for all runs of the same rules, so that its limits hold for the process."""
    from fusion_tools.fetch import WebFetcher

    return WebFetcher(
        allowed_domains=allowed, blocked_domains=blocked, respect_robots=respect_robots
    )
