"""Fetching web pages for models: only public ones, only so much of them, never an exception
but `ToolError`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import httpcore2
import httpx2

from fusion_tools._charsets import decode
from fusion_tools._download import Downloader
from fusion_tools._hosts import canonical_host
from fusion_tools._limits import FetchLimits
from fusion_tools._readers import Document, Extracted
from fusion_tools._resolve import Resolver, system_resolver
from fusion_tools._response import Download
from fusion_tools._robots import MAX_ROBOTS_BYTES, Robots
from fusion_tools._session import Session, Sessions
from fusion_tools.address import Allow, CheckedUrl, check_url
from fusion_tools.domains import DomainRules
from fusion_tools.errors import HttpStatusError, ToolError
from fusion_tools.extract import Extractor, shared_extractor
from fusion_tools.netguard import GuardedBackend, GuardedTransport
from fusion_tools.results import Page

if TYPE_CHECKING:
    import ssl

__all__ = ["FetchLimits", "WebFetcher", "default_user_agent"]

logger = logging.getLogger(__name__)

AGENT = "fusion-graph"
"""The product token of the User-Agent, and the name to use in a robots.txt."""


@cache
def default_user_agent() -> str:
    """`fusion-graph/0.1.0 (fetches pages on a user's request)`: honest, and says why it comes."""
    try:
        version = "/" + metadata.version(AGENT)
    except metadata.PackageNotFoundError:
        version = ""
    return f"{AGENT}{version} (fetches pages on a user's request)"


class WebFetcher:
    """Fetches and extracts web pages. One instance serves many callers, in any event loop.

    Connections are per event loop and close with it; extraction processes are shared by the
    whole process, start when first needed, and end with it or after a minute without work.

    Args:
        allow: `(host, port)` pairs of your own sites, reachable whatever their address or
            port. The only way past the guard, site by site.
        allowed_domains: Only these, `example.com` or `example.com/path`, subdomains included.
        blocked_domains: Not these. Not together with `allowed_domains`.
        respect_robots: Keep to each site's robots.txt. Off by default: these are pages that
            a user's question leads to, one by one, not a crawl.
        proxy: `http://`, `https://` or `socks5://` URL of a proxy. **It moves the check of
            addresses to the proxy**: only the proxy sees where a name leads. URLs are still
            checked. Environment variables are never read.
        user_agent: Sent with every request.
        limits: See `FetchLimits`.
        resolver: Turns names into addresses, instead of the operating system.
        connector: Opens connections to checked addresses, instead of the operating system.
        ssl_context: For https, instead of the system's certificates.
        extractor: Instead of the process's shared one.

    Raises:
        ValueError: An argument is not of its form; the message names it.

    Example:
        >>> import asyncio
        >>> async def read(url):
        ...     fetcher = WebFetcher()
        ...     page = await fetcher.fetch(url)
        ...     return page["title"], page["text"]
        >>> asyncio.run(read("https://example.com"))  # doctest: +SKIP
    """

    def __init__(
        self,
        *,
        allow: Iterable[tuple[str, int]] = frozenset(),
        allowed_domains: Iterable[str] = (),
        blocked_domains: Iterable[str] = (),
        respect_robots: bool = False,
        proxy: str | None = None,
        user_agent: str | None = None,
        limits: FetchLimits | None = None,
        resolver: Resolver = system_resolver,
        connector: httpcore2.AsyncNetworkBackend | None = None,
        ssl_context: ssl.SSLContext | None = None,
        extractor: Extractor | None = None,
    ) -> None:
        self._limits = limits or FetchLimits()
        self._allow: Allow = frozenset((canonical_host(host) or host, port) for host, port in allow)
        self._domains = DomainRules(allowed_domains, blocked_domains)
        self._proxy = _proxy(proxy) if proxy else None
        self._backend = GuardedBackend(allow=self._allow, resolver=resolver, connector=connector)
        self._ssl_context = ssl_context
        self._extractor = extractor
        self._sessions = Sessions(self._open_session)
        agent = user_agent or default_user_agent()
        if not agent.isascii() or not agent.isprintable():
            raise ValueError(f"user_agent: {agent!r} cannot be sent in a header.")
        token = agent.partition("/")[0].partition(" ")[0]
        self._robots = Robots(token, self._robots_txt) if respect_robots else None
        self._downloader = Downloader(self._limits, agent, self._check_redirect)
        # Whether a robots.txt may be read is a question that no robots.txt answers.
        self._robots_downloader = Downloader(self._limits, agent, self._check)

    async def fetch(self, url: str) -> Page:
        """Fetch a page and extract its main content.

        Args:
            url: http or https, at most 2000 characters.

        Returns:
            The whole page's text, as Markdown where it was HTML. `note` says what is wrong
            with it, if anything: cut, badly decoded, not extracted.

        Raises:
            ToolError: Whatever went wrong; `detail` is a sentence for the model.
        """
        try:
            return await self._fetch(url)
        except ToolError:
            raise
        except Exception as error:
            logger.warning("fetching %.200s failed", url, exc_info=True)
            host = urlsplit(url).hostname if isinstance(url, str) else None
            raise ToolError(
                "unavailable",
                f"Fetching from {host or 'there'} failed inside the fetcher "
                f"({type(error).__name__}); use another source.",
            ) from error

    async def aclose(self) -> None:
        """Close the connections of the running event loop. They reopen when used again."""
        await self._sessions.aclose()

    async def _fetch(self, url: str) -> Page:
        checked = await self._check(url)
        if self._robots:
            await self._robots.check(checked)
        session = await self._session()
        download = await self._downloader.get(session, checked)
        try:
            retrieved_at = datetime.now(UTC).isoformat(timespec="seconds")
            extracted, notes = await self._extract(download)
        finally:
            session.in_hand.release()
        return {
            "url": url,
            "final_url": download.url,
            "title": extracted.title,
            "date": extracted.date,
            "text": extracted.text,
            "content_type": download.content_type,
            "retrieved_at": retrieved_at,
            "links": extracted.links,
            "note": " ".join(notes) or None,
        }

    async def _extract(self, download: Download) -> tuple[Extracted, list[str]]:
        limits, notes = self._limits, []
        body, cut = download.body, download.cut
        if download.kind == "html" and len(body) > limits.max_html_bytes:
            body, cut = body[: limits.max_html_bytes], True
        if cut:
            whole = "more than " if download.cut else ""
            notes.append(
                f"The page is {whole}{len(download.body):,} bytes long; only the first "
                f"{len(body):,} were read."
            )
        document = Document(
            body=body,
            kind=download.kind,
            url=download.url,
            charset=download.charset,
            cut=cut,
            max_text_chars=limits.max_text_chars,
            max_pdf_pages=limits.max_pdf_pages,
            max_links=limits.max_links,
            pdf_seconds=limits.extract_seconds * 0.75,  # stop in time, with what there is
        )
        extracted = await (self._extractor or shared_extractor()).extract(document, limits)
        return extracted, [*notes, *extracted.notes]

    async def _check(self, url: str) -> CheckedUrl:
        checked = check_url(url, allow=self._allow)
        self._domains.check(checked)
        return checked

    async def _check_redirect(self, url: str) -> CheckedUrl:
        checked = await self._check(url)
        if self._robots:
            await self._robots.check(checked)
        return checked

    async def _robots_txt(self, url: CheckedUrl) -> str | None:
        session = await self._session()
        try:
            download = await self._robots_downloader.get(session, url)
        except HttpStatusError as error:
            if 400 <= error.status < 500:
                return None
            raise
        session.in_hand.release()
        body = download.body[:MAX_ROBOTS_BYTES]
        return decode(body, download.charset, markup=False, cut=True).text

    async def _session(self) -> Session:
        if self._ssl_context is None:
            # In a thread: reading the system's certificates takes 75 ms the first time.
            self._ssl_context = await asyncio.to_thread(_system_certificates)
        return await self._sessions.current()

    def _open_session(self) -> Session:
        assert self._ssl_context is not None
        transport = GuardedTransport(
            self._backend,
            self._ssl_context,
            max_connections=self._limits.concurrency,
            proxy=self._proxy,
        )
        return Session(transport, self._limits)


@cache
def _system_certificates() -> ssl.SSLContext:
    return httpx2.create_ssl_context(trust_env=False)


def _proxy(url: str) -> httpcore2.Proxy:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https", "socks5", "socks5h") and parts.hostname
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 1080)
    except ValueError:
        usable = None
    if not usable:
        # The URL may hold a password: it is not repeated.
        raise ValueError("proxy: write it like 'http://host:3128' or 'socks5://host:1080'.")
    auth = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    shown = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return httpcore2.Proxy(f"{parts.scheme}://{shown}:{port}", auth=auth)
