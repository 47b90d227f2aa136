"""Foreign search tools' output, whatever its shape, as `SearchResult`s; one spelling per URL."""

from __future__ import annotations

import ast
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlsplit

from fusion_tools.results import SearchResult

MAX_RESULTS = 50
"""More hits than this from one call are noise, and a hostile tool's way to fill the source list."""

MAX_SNIPPET_CHARS = 2000
"""Some tools put whole pages in the snippet; a page belongs to `web_fetch`."""

MAX_LITERAL_CHARS = 200_000
"""Python's parser takes memory by the hundredfold of its text."""

CONTEXT_CHARS = 300
"""Text around a bare URL that serves as its snippet."""

_URL_KEYS = ("url", "link", "href", "source", "source_url")
_TITLE_KEYS = ("title", "name")
_SNIPPET_KEYS = ("snippet", "content", "body", "description", "text", "summary")
_DATE_KEYS = ("date", "published_date", "publishedDate", "published_at", "published", "page_age")
_LIST_KEYS = ("results", "items", "organic", "organic_results", "web", "hits", "data", "value")
_MAX_DEPTH = 6

_DEFAULT_PORTS = {"http": 80, "https": 443}
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_URL_IN_TEXT = re.compile(r"(?:https?|corpus)://[^\s<>\"'`|\\^{}\[\]\x00-\x1f]+", re.IGNORECASE)
_EMPHASIS = re.compile(r"</?(?:b|strong|em|i|mark)>", re.IGNORECASE)
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
_WIKIPEDIA = re.compile(r"^Page: (.+)\nSummary: (.*(?:\n(?!Page: ).*)*)", re.MULTILINE)
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_URL_PUNCTUATION = "%/:?#[]@!$&'()*+,;=-._~|"


def normalise_url(url: str) -> str:
    """One spelling for the ways to write a URL: the identity of a source.

    Scheme and host are lower-cased, the fragment and the scheme's own port dropped, escapes
    made uniform; path case and query stay. Text that is no URL comes back stripped.
    """
    stripped = url.strip()
    try:
        parts = urlsplit(stripped)
        port = parts.port
    except ValueError:
        return stripped
    if not parts.scheme or not _SCHEME.match(stripped):
        return stripped
    scheme = parts.scheme.lower()
    userinfo, at, _ = parts.netloc.rpartition("@")
    host = _ascii_host(parts.hostname or "")
    netloc = f"{userinfo}{at}{host}"
    if port is not None and port != _DEFAULT_PORTS.get(scheme):
        netloc += f":{port}"
    path = _uniform_escapes(parts.path) or ("/" if netloc else "")
    query = f"?{_uniform_escapes(parts.query)}" if parts.query else ""
    # By hand: urlunsplit drops the empty authority of corpus:///x before Python 3.12.
    return f"{scheme}://{netloc}{path}{query}"


def _ascii_host(host: str) -> str:
    if ":" in host:
        return f"[{host}]"
    try:
        return host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        return host


def _uniform_escapes(text: str) -> str:
    def uniform(match: re.Match[str]) -> str:
        char = chr(int(match.group()[1:], 16))
        return char if char in _UNRESERVED else match.group().upper()

    return quote(_PERCENT.sub(uniform, text), safe=_URL_PUNCTUATION, errors="replace")


def urls_in(text: str) -> list[str]:
    """The http, https and corpus URLs in `text`, in order, without the sentence's punctuation."""
    return [url for url, _ in _urls_at(text)]


def _urls_at(text: str) -> Iterator[tuple[str, int]]:
    for match in _URL_IN_TEXT.finditer(text):
        url = _trim(match.group())
        if len(url) > url.index("://") + 3:
            yield url, match.start()


def _trim(url: str) -> str:
    """Drop closing punctuation that belongs to the sentence; keep balanced parentheses."""
    unopened = url.count(")") - url.count("(")
    end = len(url)
    while end:
        if url[end - 1] == ")" and unopened > 0:
            unopened -= 1
        elif url[end - 1] not in ".,;:!?*_~\u2026\u3002\uff0c\u201d\u2019":
            break
        end -= 1
    return url[:end]


def normalise(content: Any, artifact: Any) -> list[SearchResult]:
    """Search results out of a tool's answer; [] when there are none to be found. Never raises.

    Looks in the artifact, then for lists and dicts in the content, then for URLs in the text.
    Results are de-duplicated by `normalise_url`, in order, at most `MAX_RESULTS`.

    Args:
        content: The tool message's content: text, content blocks, or decoded JSON.
        artifact: The tool message's artifact: lists and dicts of hits, LangChain Documents.
    """
    try:
        found = _unique(_items(artifact, 0))
        if not found and not isinstance(content, str):
            found = _unique(_items(content, 0))
        if not found:
            text = _text_of(content)
            found = _unique(_items(_data(text), 0)) or _unique(_from_text(text))
    except Exception:  # other people's objects: a property of theirs may raise anything
        return []
    return found


def _unique(results: Iterable[SearchResult]) -> list[SearchResult]:
    by_url: dict[str, SearchResult] = {}
    for result in results:
        by_url.setdefault(normalise_url(result["url"]), result)
        if len(by_url) >= MAX_RESULTS:
            break
    return list(by_url.values())


def _items(value: Any, depth: int) -> Iterator[SearchResult]:
    """Every hit inside nested lists and dicts, whatever the lists are called."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, Mapping):
        lists = [value[key] for key in _LIST_KEYS if isinstance(value.get(key), list | dict)]
        result = None if lists else _item(value)
        if result is not None:
            yield result
            return
        for inner in lists or value.values():
            yield from _items(inner, depth + 1)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for inner in value:
            yield from _items(inner, depth + 1)
    elif isinstance(getattr(value, "page_content", None), str):  # a LangChain Document
        metadata = getattr(value, "metadata", None) or {}
        result = _item({"content": value.page_content, **metadata})
        if result is not None:
            yield result


def _item(hit: Mapping[Any, Any]) -> SearchResult | None:
    url = _first(hit, _URL_KEYS, _is_url)
    if url is None:
        return None
    snippet = _plain(_first(hit, _SNIPPET_KEYS) or "")[:MAX_SNIPPET_CHARS]
    title = _plain(_first(hit, _TITLE_KEYS) or "") or url
    return {"url": url, "title": title, "snippet": snippet, "date": _date_of(hit)}


def _first(hit: Mapping[Any, Any], keys: Sequence[str], accept: Any = bool) -> str | None:
    for key in keys:
        value = hit.get(key)
        if isinstance(value, str) and accept(value.strip()):
            return value.strip()
    return None


def _is_url(text: str) -> bool:
    return bool(_SCHEME.match(text)) and not any(char.isspace() for char in text)


def _plain(text: str) -> str:
    return " ".join(html.unescape(_EMPHASIS.sub("", text)).split())


def _date_of(hit: Mapping[Any, Any]) -> str | None:
    text = _first(hit, _DATE_KEYS)
    return iso_date(text) if text else None


def iso_date(text: str) -> str | None:
    """`text` as an ISO 8601 date, when it is a date in ISO 8601 or RFC 2822 form, else None."""
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            return parse(text).date().isoformat()
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None


def _text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, Sequence) and not isinstance(content, bytes):
        return "\n".join(_block_text(block) for block in content)
    return "" if content is None else str(content)


def _block_text(block: Any) -> str:
    if isinstance(block, Mapping):
        text = block.get("text")
        return text if isinstance(text, str) else ""
    return block if isinstance(block, str) else ""


def _data(text: str) -> Any:
    """The lists and dicts that a tool's text writes out, as JSON or as Python does."""
    stripped = text.strip()
    if not stripped.startswith(("[", "{")):
        return None
    try:
        return json.loads(stripped)
    except (ValueError, RecursionError):
        pass
    if len(stripped) > MAX_LITERAL_CHARS:
        return None
    try:
        return ast.literal_eval(stripped)  # langchain-community's SearXNG tool gives str(results)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None


def _from_text(text: str) -> Iterator[SearchResult]:
    found = False
    for url, start in _urls_at(text):
        found = True
        begin = max(0, start - CONTEXT_CHARS // 3)
        snippet = " ".join(text[begin : begin + CONTEXT_CHARS].split())
        yield {"url": url, "title": url, "snippet": snippet, "date": None}
    if found:
        return
    # LangChain's Wikipedia tool names its pages and leaves out where they are.
    for match in _WIKIPEDIA.finditer(text):
        title = match.group(1).strip()
        url = "https://en.wikipedia.org/wiki/" + quote(title.replace(" ", "_"))
        snippet = _plain(match.group(2))[:MAX_SNIPPET_CHARS]
        yield {"url": url, "title": title, "snippet": snippet, "date": None}
