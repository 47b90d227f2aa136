"""What a search and a fetch bring back, as plain data that tools carry as artifacts."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, Protocol, TypedDict

FailureCode = Literal[
    "invalid_input",
    "url_too_long",
    "url_not_allowed",
    "url_not_accessible",
    "too_many_requests",
    "unsupported_content_type",
    "max_uses_exceeded",
    "no_results",
    "unavailable",
]
"""Why a tool brought nothing: Anthropic's web-tool codes, and `no_results` for searches."""


class Failure(TypedDict):
    """A failed search or fetch: a code for programs, a sentence for the model."""

    code: FailureCode
    detail: str


class SearchResult(TypedDict):
    """One hit. `date` is ISO 8601 or None; `snippet` is untrusted text."""

    url: str
    title: str
    snippet: str
    date: str | None


class SearchArtifact(TypedDict):
    """Artifact of `web_search`: hits in the provider's order, or a failure."""

    kind: Literal["search"]
    query: str
    provider: str
    results: list[SearchResult]
    failure: Failure | None


class PageArtifact(TypedDict):
    """Artifact of `web_fetch`: the whole extracted page, of which the model sees a part.

    `text` is the full extracted text, against which quotes are checked. `offset` and `limit`
    (characters) say which part the model was shown. `links` are absolute URLs on the page.
    """

    kind: Literal["page"]
    url: str
    final_url: str
    title: str
    date: str | None
    text: str
    content_type: str
    retrieved_at: str
    links: list[str]
    note: str | None
    offset: int
    limit: int
    failure: Failure | None


Artifact = SearchArtifact | PageArtifact


class Page(TypedDict):
    """A fetched and extracted page. `retrieved_at` is ISO 8601 UTC; `note` warns the reader."""

    url: str
    final_url: str
    title: str
    date: str | None
    text: str
    content_type: str
    retrieved_at: str
    links: list[str]
    note: NotRequired[str | None]


class SearchProvider(Protocol):
    """Something that finds pages. One instance serves many concurrent callers."""

    name: str

    async def search(self, query: str, limit: int) -> list[SearchResult]:
        """Return at most `limit` hits, best first. Raise `ToolError` when it cannot."""
        ...


class PageFetcher(Protocol):
    """Something that brings a page. One instance serves many concurrent callers."""

    async def fetch(self, url: str) -> Page:
        """Return the extracted page. Raise `ToolError` when it cannot."""
        ...


def is_artifact(value: Any) -> bool:
    """Whether `value` is an artifact of this package's tools."""
    return isinstance(value, dict) and value.get("kind") in ("search", "page")
