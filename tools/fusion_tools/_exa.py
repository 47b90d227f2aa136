"""Exa's search over its REST API: one request a search, passages of each page with it.

Not through langchain-exa: its client (exa-py) brings requests, httpx and a bound on openai of its
own, and tells a wrong key, spent credits and a rate limit apart only by their text.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import ssl
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from fusion_tools.errors import SearchNotSetUp, ToolError
from fusion_tools.normalise import MAX_SNIPPET_CHARS, normalise
from fusion_tools.politeness import Politeness
from fusion_tools.results import SearchResult

KEY = "EXA_API_KEY"
ADDRESS = "EXA_BASE_URL"
"""Variables: the key, and another address than `USUAL_ADDRESS` (a gateway's, a test's)."""

USUAL_ADDRESS = "https://api.exa.ai"

PASSAGE_CHARS = 1000
"""Characters of passages asked for per page: enough to choose by; `web_fetch` reads the page."""

DEADLINE = 30.0
"""Seconds for a search and its retry together."""

MOST_HITS = 100
"""Most hits of one request with passages (`INVALID_NUM_RESULTS` above it)."""

MOST_BYTES = 4 * 2**20
"""Longest reply that is read: a hundred pages' passages take a tenth of it."""

_TAG = re.compile(r"[A-Z][A-Z0-9_]{1,50}")

_REMEDIES = {
    401: f"the key in {KEY} is not accepted. Go on without searching",
    402: "the account's credits or the key's budget are used up. Go on without searching",
    403: f"the key in {KEY} may not do this. Go on without searching",
}
"""What a model is told about a status that asking again does not cure."""


class ExaSearch:
    """Exa as a search. Made by `exa_search`.

    Args:
        key: The API key.
        address: Where the API is, without `/search`.
        backoff: Seconds before the one retry, at least.
    """

    name = "exa"

    def __init__(self, key: str, address: str = USUAL_ADDRESS, *, backoff: float = 1.0) -> None:
        self._key = key
        self._url = f"{address.rstrip('/')}/search"
        self._place = address.rpartition("@")[2]  # what stands before it is a login
        self._politeness = Politeness("Exa", deadline=DEADLINE, backoff=backoff)

    async def search(self, query: str, limit: int) -> list[SearchResult]:
        """At most `limit` hits, best first; [] when there are none. Raises `ToolError`."""
        status, body = await self._politeness.ask(lambda: self._ask(query, limit))
        found = _json(body)
        if status != 200:
            raise _refused(status, found)
        hits = found.get("results") if isinstance(found, dict) else None
        if not isinstance(hits, list):
            raise ToolError(
                "unavailable",
                f"{self._place} answered, but not as Exa does: is {ADDRESS} right?",
            )
        return normalise(None, [_hit(hit) for hit in hits if isinstance(hit, dict)])[:limit]

    async def _ask(self, query: str, limit: int) -> tuple[int, bytes]:
        """Give status and body; raises `ToolError` for what a second try may cure."""
        import httpx2

        asked = {
            "query": query,
            "numResults": min(limit, MOST_HITS),
            "contents": {"highlights": {"maxCharacters": PASSAGE_CHARS}},
        }
        tls = await asyncio.to_thread(_tls)
        try:
            async with (
                httpx2.AsyncClient(verify=tls, timeout=DEADLINE) as client,
                client.stream(
                    "POST", self._url, json=asked, headers={"x-api-key": self._key}
                ) as reply,
            ):
                body = bytearray()
                async for part in reply.aiter_bytes():
                    body += part
                    if len(body) > MOST_BYTES:
                        raise ToolError("unavailable", "Exa's answer is longer than any of its.")
                status = reply.status_code
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise ToolError(
                "unavailable", f"Exa cannot be reached at {self._place} ({type(error).__name__})."
            ) from error
        if status == 429:
            raise ToolError("too_many_requests", "Exa is asked too often; try again later.")
        if status >= 500:
            raise ToolError("unavailable", f"Exa failed ({status}); try again later.")
        return status, bytes(body)


def exa_search() -> ExaSearch:
    """Exa with the key in EXA_API_KEY, at EXA_BASE_URL where that is set.

    Raises:
        SearchNotSetUp: The key is missing.
    """
    key = os.environ.get(KEY, "").strip()
    if not key:
        raise SearchNotSetUp(f"Search with exa needs the environment variable {KEY}.")
    if not (key.isascii() and key.isprintable()):
        raise SearchNotSetUp(f"{KEY} holds what no key does (letters beyond ASCII?).")
    address = os.environ.get(ADDRESS) or USUAL_ADDRESS
    if urlsplit(address).scheme not in ("http", "https"):
        raise SearchNotSetUp(f"{ADDRESS} is to be an address that begins with https://.")
    return ExaSearch(key, address)


def _hit(found: dict[str, Any]) -> dict[str, Any]:
    """A result of Exa's in the words that `normalise` reads; its passages are the snippet."""
    passages = found.get("highlights")
    said = [one for one in passages if isinstance(one, str)] if isinstance(passages, list) else []
    snippet = " … ".join(said)[:MAX_SNIPPET_CHARS]
    return {
        "url": found.get("url"),
        "title": found.get("title"),
        "publishedDate": found.get("publishedDate"),
        "snippet": snippet or found.get("text") or found.get("summary"),
    }


def _refused(status: int, found: Any) -> ToolError:
    # Of its words only the tag: the message may hold anything, the key too.
    tag = found.get("tag") if isinstance(found, dict) else None
    said = f"{status}, {tag}" if isinstance(tag, str) and _TAG.fullmatch(tag) else str(status)
    remedy = _REMEDIES.get(status, "try other words, or go on without searching")
    return ToolError("unavailable", f"Exa refused the search ({said}): {remedy}.")


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """One TLS context for all searches: making one takes 43 ms, and reads files."""
    import httpx2

    return httpx2.create_ssl_context()
