"""`web_search` and `web_fetch` as LangChain tools: text for the model, an artifact for programs."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import re
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from langchain_core.tools import BaseTool, StructuredTool
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.v1 import ValidationError as ValidationErrorV1

from fusion_tools.errors import ToolError
from fusion_tools.ledger import UrlLedger
from fusion_tools.render import CHARS_PER_TOKEN, new_nonce, page_text, part_end, search_text
from fusion_tools.results import (
    Failure,
    Page,
    PageArtifact,
    PageFetcher,
    SearchArtifact,
    SearchProvider,
    SearchResult,
)
from fusion_tools.sources import SourceBook

logger = logging.getLogger(__name__)

T = TypeVar("T")

_NUMBER = re.compile(r"(?:source\s*)?\[?(\d{1,4})\]?", re.IGNORECASE)

MAX_QUERY_CHARS = 1000
"""Longer than any search engine reads; a model that pastes a page here should be told."""


class SearchInput(BaseModel):
    """Arguments of `web_search`."""

    query: str = Field(description="What to search for: a few words or a short question.")


class FetchInput(BaseModel):
    """Arguments of `web_fetch`."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    url: str = Field(
        description="A URL exactly as a result or the conversation gives it, or a source's number."
    )
    offset: int = Field(
        default=0, description="Character to start at, to read on in a long page; 0 is its start."
    )


def web_search_tool(
    provider: SearchProvider,
    *,
    max_results: int = 6,
    ledger: UrlLedger | None = None,
    nonce: str | None = None,
) -> BaseTool:
    """The tool `web_search(query)`; its artifact is a `SearchArtifact`.

    Failures come back as text (`code: detail`) and in the artifact, never as exceptions.

    Args:
        provider: Where to search.
        max_results: Hits per search, 1 or more.
        ledger: Told what was found, so that a `web_fetch` with the same ledger may fetch it.
        nonce: The delimiter's secret; by default one made for this tool.

    Example:
        >>> from fusion_tools.corpus import open_corpus
        >>> corpus = open_corpus("docs")
        >>> tools = [web_search_tool(corpus), web_fetch_tool(corpus)]
    """
    secret = nonce or new_nonce()

    async def search(query: str) -> tuple[str, SearchArtifact]:
        results: list[SearchResult] = []
        failure: Failure | None = None
        try:
            results = (await provider.search(_checked_query(query), max_results))[:max_results]
        except Exception as error:
            failure = _failure(error, "The search")
        if ledger is not None:
            ledger.add_results(results)
        artifact: SearchArtifact = {
            "kind": "search",
            "query": query,
            "provider": provider.name,
            "results": results,
            "failure": failure,
        }
        return search_text(artifact, None, secret), artifact

    def search_sync(query: str) -> tuple[str, SearchArtifact]:
        return _run(search(query))

    return StructuredTool.from_function(
        func=search_sync,
        coroutine=search,
        name="web_search",
        description=(
            f"Search for pages. Returns up to {max_results} hits, each with title, URL, date if "
            "known, and a snippet. Search several times with different words rather than once "
            "with many. Read a promising page with web_fetch before relying on it."
        ),
        args_schema=SearchInput,
        response_format="content_and_artifact",
        handle_validation_error=_invalid_input,
    )


def web_fetch_tool(
    fetcher: PageFetcher,
    *,
    ledger: UrlLedger | None = None,
    book: SourceBook | None = None,
    max_content_tokens: int = 6000,
    nonce: str | None = None,
) -> BaseTool:
    """The tool `web_fetch(url, offset=0)`; its artifact is a `PageArtifact` with the whole text.

    With a ledger, what is fetched is the ledger's own spelling of an address: nothing that the
    model writes reaches the network.

    Failures come back as text (`code: detail`) and in the artifact, never as exceptions.

    Args:
        fetcher: What brings the page.
        ledger: Which URLs may be fetched; it learns the fetched page's own. None allows all
            that the fetcher does.
        book: The sources that a number stands for, as in `web_fetch("3")`.
        max_content_tokens: How much of a page the model sees in one call, in tokens of about
            four characters.
        nonce: The delimiter's secret; by default one made for this tool.
    """
    secret = nonce or new_nonce()
    limit = max_content_tokens * CHARS_PER_TOKEN

    async def fetch(url: str, offset: int = 0) -> tuple[str, PageArtifact]:
        url = url.strip()
        try:
            _check_fetch(url, offset)
            url = _numbered(url, book)
            if ledger is not None:
                url = ledger.check(url)
            page = await fetcher.fetch(url)
            _check_offset(offset, len(page["text"]))
        except Exception as error:
            artifact = _failed_page(url, offset, _failure(error, "The fetch"))
        else:
            artifact = _part(page, offset, limit)
            if ledger is not None:
                ledger.add_page(artifact)
        return page_text(artifact, None, secret), artifact

    def fetch_sync(url: str, offset: int = 0) -> tuple[str, PageArtifact]:
        return _run(fetch(url, offset))

    return StructuredTool.from_function(
        func=fetch_sync,
        coroutine=fetch,
        name="web_fetch",
        description=(
            "Read a page. The URL must come from earlier results, fetched pages or the "
            "conversation; do not make one up. Returns title, URL, date if known, and about "
            f"{max_content_tokens} tokens of text from `offset` on, then says at which offset to "
            "read on."
        ),
        args_schema=FetchInput,
        response_format="content_and_artifact",
        handle_validation_error=_invalid_input,
    )


def _checked_query(query: str) -> str:
    query = " ".join(query.split())
    if not query:
        raise ToolError("invalid_input", "The query is empty. Say what to search for.")
    if len(query) > MAX_QUERY_CHARS:
        raise ToolError(
            "invalid_input",
            f"The query has {len(query)} characters, {MAX_QUERY_CHARS} at most. Use a few words.",
        )
    return query


def _check_fetch(url: str, offset: int) -> None:
    if not url:
        raise ToolError("invalid_input", "The URL is empty. Give one from the search results.")
    if offset < 0:
        raise ToolError("invalid_input", f"The offset is {offset}; it counts from 0.")


def _numbered(url: str, book: SourceBook | None) -> str:
    """The address of the source that a number stands for; an address as it is."""
    number = _NUMBER.fullmatch(url)
    if number is None or book is None:
        return url
    entries = {entry["id"]: entry["url"] for entry in book.entries()}
    found = entries.get(int(number[1]))
    if found is None:
        there = f"There are [1] to [{len(entries)}]." if entries else "There are none yet: search."
        raise ToolError("invalid_input", f"There is no source [{number[1]}]. {there}")
    return found


def _check_offset(offset: int, length: int) -> None:
    if offset and offset >= length:
        raise ToolError(
            "invalid_input", f"The offset is {offset}, but the page has {length} characters."
        )


def _part(page: Page, offset: int, limit: int) -> PageArtifact:
    return {
        "kind": "page",
        "url": page["url"],
        "final_url": page["final_url"],
        "title": page["title"],
        "date": page["date"],
        "text": page["text"],
        "content_type": page["content_type"],
        "retrieved_at": page["retrieved_at"],
        "links": page["links"],
        "note": page.get("note"),
        "offset": offset,
        "limit": part_end(page["text"], offset, limit) - offset,
        "failure": None,
    }


def _failed_page(url: str, offset: int, failure: Failure) -> PageArtifact:
    return {
        "kind": "page",
        "url": url,
        "final_url": url,
        "title": "",
        "date": None,
        "text": "",
        "content_type": "",
        "retrieved_at": "",
        "links": [],
        "note": None,
        "offset": offset,
        "limit": 0,
        "failure": failure,
    }


def _failure(error: Exception, what: str) -> Failure:
    if isinstance(error, ToolError):
        return error.failure()
    # A provider's own fault must not end the researcher; the log keeps what happened.
    logger.warning("%s failed unexpectedly", what, exc_info=error)
    return {"code": "unavailable", "detail": f"{what} failed ({type(error).__name__}): {error}"}


def _invalid_input(error: ValidationError | ValidationErrorV1) -> str:
    problems = "; ".join(
        f"{'.'.join(map(str, problem['loc'])) or 'arguments'}: {problem['msg']}"
        for problem in error.errors()
    )
    return f"invalid_input: {problems}"


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run to the end from synchronous code, also where a loop is already running (notebooks)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    context = contextvars.copy_context()
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(context.run, asyncio.run, coroutine).result()
