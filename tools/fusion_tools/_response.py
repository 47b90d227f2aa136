"""One HTTP response to one body, or to the reason why there is none."""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, cast

import httpx2

from fusion_tools._limits import FetchLimits
from fusion_tools._media import (
    Kind,
    MediaType,
    actual_kind,
    announced_kind,
    content_type,
    parse_content_type,
)
from fusion_tools.address import CheckedUrl
from fusion_tools.errors import HttpStatusError, ToolError
from fusion_tools.retry_after import parse_retry_after

ENCODINGS = ("gzip", "deflate")
"""Content encodings asked for. brotli and zstd need libraries that nothing else here needs."""

BOMB_RATIO = 50
"""Decoded to sent bytes beyond which an oversized body is a bomb: text packs to a tenth, gzip
reaches 1000. Bytes are counted as they are read, 64 KiB at a time, so 80 is the most seen."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TRANSIENT = frozenset({429, 502, 503, 504})


@dataclass(frozen=True)
class Download:
    """A body. `cut` says that its end is missing; `content_type` is what it really is."""

    url: str
    kind: Kind
    content_type: str
    charset: str | None
    body: bytes = field(repr=False)
    cut: bool


@dataclass(frozen=True)
class Elsewhere:
    """A redirect, to a URL nobody has checked."""

    location: str


@dataclass(frozen=True)
class Later:
    """The host asks for patience: `seconds` if it says how much."""

    status: int
    seconds: float | None


async def read_response(
    url: CheckedUrl, response: httpx2.Response, limits: FetchLimits
) -> Download | Elsewhere | Later:
    """Read a response: its body, or where and when to ask instead.

    Raises:
        ToolError: It is neither, or the body is one that is not read.
        httpx2.TransportError: The connection failed.
        httpx2.DecodingError: The body is not encoded as it says.
    """
    size = sum(len(name) + len(value) for name, value in response.headers.raw)
    if size > limits.max_header_bytes:
        raise ToolError(
            "url_not_accessible",
            f"{url.host} sent {size:,} bytes of headers, {limits.max_header_bytes:,} "
            "are allowed; use another source.",
        )
    status = response.status_code
    if status in _REDIRECTS and "location" in response.headers:
        return Elsewhere(response.headers["location"].strip().replace(" ", "%20"))
    if status in _TRANSIENT:
        return Later(status, parse_retry_after(response.headers.get("retry-after", "")))
    if not 200 <= status < 300 or status in (204, 205):
        raise HttpStatusError(url.host, status)
    return await _body(url, response, limits)


async def _body(url: CheckedUrl, response: httpx2.Response, limits: FetchLimits) -> Download:
    media = parse_content_type(response.headers.get("content-type", ""))
    announced = announced_kind(media.name)
    if announced == "unreadable":
        raise _unsupported(url, _token(media.name))
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in (*ENCODINGS, "identity", ""):
        raise ToolError(
            "unsupported_content_type",
            f"{url.host} sent its page encoded as {_token(encoding)}, which was not asked for "
            "and is not read; use another source.",
        )
    limit = limits.max_bytes
    length = response.headers.get("content-length", "")
    if announced == "pdf" and length.isdigit() and len(length) < 20 and int(length) > limit:
        raise _too_large(url, limits)
    body = bytearray()
    async with aclosing(cast(Any, response.aiter_bytes())) as chunks:
        async for chunk in chunks:
            body += chunk
            if len(body) > limit:
                break
            await asyncio.sleep(0)  # decompressing a megabyte takes milliseconds
    cut = len(body) > limit
    if cut and limit > BOMB_RATIO * response.num_bytes_downloaded:
        raise ToolError(
            "url_not_accessible",
            f"{url.host} sent a decompression bomb: {response.num_bytes_downloaded:,} bytes "
            f"unpack to more than {limit:,}; use another source.",
        )
    return _recognised(url, media, announced, bytes(memoryview(body)[:limit]), cut, limits)


def _recognised(
    url: CheckedUrl,
    media: MediaType,
    announced: Kind | None,
    body: bytes,
    cut: bool,
    limits: FetchLimits,
) -> Download:
    if not re.search(rb"\S", body):
        raise ToolError("url_not_accessible", f"{url.host} sent an empty page; use another source.")
    kind = actual_kind(announced, body, url.path)
    if kind not in _KINDS:
        raise _unsupported(url, kind)
    known = cast(Kind, kind)
    if known == "pdf" and cut:
        raise _too_large(url, limits)
    return Download(url.url, known, content_type(known, media.name), media.charset, body, cut)


def _too_large(url: CheckedUrl, limits: FetchLimits) -> ToolError:
    return ToolError(
        "unsupported_content_type",
        f"The PDF from {url.host} is larger than {limits.max_bytes / 2**20:.3g} MiB; "
        "use another source.",
    )


_KINDS = frozenset(("html", "pdf", "text", "markdown", "json", "xml"))


def _token(value: str) -> str:
    """A header's value if it is a plain word, so that no message comes in through it."""
    return value if re.fullmatch(r"[a-z0-9.+/_-]{1,80}", value) else "something unknown"


def _unsupported(url: CheckedUrl, what: str) -> ToolError:
    return ToolError(
        "unsupported_content_type",
        f"{url.host} sent {what}; only HTML, PDF, text, Markdown, JSON and XML can be read.",
    )
