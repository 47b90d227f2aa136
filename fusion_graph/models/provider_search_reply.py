"""What a provider's own search brought, read from the reply that came with it.

The reply itself stays as it came: Anthropic's `server_tool_use` and `web_search_tool_result`
blocks and OpenAI's `web_search_call` items have to go back with the turn (`reply.py`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AIMessage

from fusion_graph.models.citation_places import (
    Annotation,
    annotations_in,
    with_marks,
    with_numbers_marked,
)
from fusion_graph.models.reply import turn_of
from fusion_tools.normalise import iso_date
from fusion_tools.results import FailureCode, SearchResult

PERPLEXITY = "perplexity/"
"""How OpenRouter's names of Perplexity's models begin; they take no tools."""

MOST_EXCERPT_CHARS = 20_000
"""Longest excerpt of a page that is kept to check quotes in; OpenRouter's have some 4,000."""

_FAILURES: Mapping[str, FailureCode] = {
    "too_many_requests": "too_many_requests",
    "max_uses_exceeded": "max_uses_exceeded",
    "invalid_tool_input": "invalid_input",
    "query_too_long": "invalid_input",
    "request_too_large": "invalid_input",
}
"""Anthropic's error codes of a search as ours; any other is `unavailable`."""


@dataclass(frozen=True)
class Searched:
    """One call that a provider made for its model.

    Attributes:
        name: `web_search`, or `web_fetch` for a page that it opened.
        args: What it was called with, as far as that is told.
        status: `ok`, or how it failed.
        hits: What it found.
    """

    name: str
    args: dict[str, Any]
    status: str = "ok"
    hits: tuple[SearchResult, ...] = ()


@dataclass
class Begun:
    """The searches that were begun in one reply and may end in the next (`pause_turn`).

    Attributes:
        queries: What is searched for, by call.
    """

    queries: dict[str, dict[str, Any]] = field(default_factory=dict)


def searches_in(message: AIMessage, begun: Begun) -> list[Searched]:
    """The calls of its own search that a provider made for a reply, in order.

    Args:
        message: The reply.
        begun: Searches of replies before; those of this one are added.
    """
    turn = turn_of(message)
    if turn is not None and turn["protocol"] == "responses":
        items = [i for i in turn["items"] if i.get("type") == "web_search_call"]
        return [_openai_call(item) for item in items]
    if turn is not None:
        return _openrouter_calls(message, turn["items"])
    return _anthropic_calls(_blocks(message), begun)


def hit_of(annotation: Annotation) -> SearchResult:
    """A source that a provider's annotation names, as a search's hit.

    Args:
        annotation: The annotation.
    """
    return _hit(annotation.url, annotation.title, annotation.excerpt)


def cited_text(
    messages: Sequence[AIMessage], mark: Callable[[Annotation], str], *, counts: bool = True
) -> str:
    """The text of a reply with marks where its provider's annotations say that a source is cited.

    What Claude says before it searches is about what it will do, and left out.

    Args:
        messages: The reply; more than one where its provider paused in it.
        mark: Gives a source's mark.
        counts: Whether a number in the text may be the provider's own count of its sources.
    """
    turn = turn_of(messages[-1])
    if turn is not None and turn["protocol"] == "responses":
        from fusion_graph.models.responses import text_of

        return text_of([_marked_item(item, mark) for item in turn["items"]])
    if turn is not None:
        annotations = annotations_in(turn["items"][0].get("annotations"))
        text = with_marks(messages[-1].text, annotations, mark)
        if counts and str(turn.get("model")).startswith(PERPLEXITY):
            text = with_numbers_marked(text, annotations, mark)
        return text
    return _answer_in([b for message in messages for b in _blocks(message)], mark)


def searches_billed(message: AIMessage) -> int:
    """How many searches a provider made for a reply that it bills beside the tokens.

    OpenAI bills searches and not the pages that are opened (its list of November 2026).

    Args:
        message: The reply.
    """
    turn = turn_of(message)
    if turn is not None and turn["protocol"] == "responses":
        calls = [item for item in turn["items"] if item.get("type") == "web_search_call"]
        return sum(_mapping(call.get("action")).get("type", "search") == "search" for call in calls)
    return _counted(message) or 0


def _openai_call(item: Mapping[str, Any]) -> Searched:
    action = _mapping(item.get("action"))
    status = "unavailable" if item.get("status") == "failed" else "ok"
    url = action.get("url")
    if action.get("type", "search") != "search":
        args = {k: v for k in ("url", "pattern") if isinstance(v := action.get(k), str)}
        opened = [_hit(url)] if isinstance(url, str) and url else []
        return Searched("web_fetch", args, status, tuple(opened))
    queries = action.get("queries")
    query = "; ".join(map(str, queries)) if isinstance(queries, list) else action.get("query")
    sources = action.get("sources")
    urls = [_mapping(s).get("url") for s in sources] if isinstance(sources, list) else []
    hits = tuple(_hit(url) for url in urls if isinstance(url, str) and url)
    return Searched("web_search", {"query": query} if query else {}, status, hits)


def _openrouter_calls(message: AIMessage, items: Sequence[Mapping[str, Any]]) -> list[Searched]:
    """OpenRouter tells how many searches there were, and of the words at most in a detail."""
    annotations = annotations_in(items[0].get("annotations"))
    hits = tuple(_hit(a.url, a.title, a.excerpt) for a in annotations)
    details = items[0].get("reasoning_details")
    told = [
        _query(detail.get("arguments"))
        for detail in (details if isinstance(details, list) else ())
        if isinstance(detail, Mapping)
        and detail.get("type") == "reasoning.server_tool_call"
        and "web_search" in str(detail.get("tool_name"))
    ]
    count = max(_counted(message) or 0, len(told), bool(annotations))
    args = [told[n] if n < len(told) else {} for n in range(count)]
    # Which search brought what is not told: all of it stands with the first.
    return [Searched("web_search", a, hits=hits if n == 0 else ()) for n, a in enumerate(args)]


def _query(arguments: Any) -> dict[str, Any]:
    try:
        read = json.loads(arguments) if isinstance(arguments, str) else arguments
    except (ValueError, RecursionError):
        return {}
    query = _mapping(read).get("query")
    return {"query": query} if isinstance(query, str) else {}


def _anthropic_calls(blocks: Iterable[Mapping[str, Any]], begun: Begun) -> list[Searched]:
    calls: list[Searched] = []
    for block in blocks:
        if block.get("type") == "server_tool_use" and block.get("name") == "web_search":
            begun.queries[str(block.get("id"))] = _query(block.get("input"))
        if block.get("type") != "web_search_tool_result":
            continue
        args = begun.queries.pop(str(block.get("tool_use_id")), {})
        content = block.get("content")
        if isinstance(content, list):
            found = [c for c in content if isinstance(c, Mapping) and isinstance(c.get("url"), str)]
            hits = tuple(
                _hit(str(c["url"]), c.get("title"), "", iso_date(str(c.get("page_age"))))
                for c in found
            )
            calls.append(Searched("web_search", args, hits=hits))
        else:
            code = str(_mapping(content).get("error_code"))
            calls.append(Searched("web_search", args, _FAILURES.get(code, "unavailable")))
    return calls


def _answer_in(blocks: Sequence[Mapping[str, Any]], mark: Callable[[Annotation], str]) -> str:
    results = [at for at, b in enumerate(blocks) if b.get("type") == "web_search_tool_result"]
    texts = [at for at, b in enumerate(blocks) if b.get("type") == "text"]
    cited = [at for at in texts if blocks[at].get("citations")]
    after = [at for at in texts if not results or at > results[-1]]
    begin = min([*cited, *after], default=0)
    return "".join(_marked_block(blocks[at], mark) for at in texts if at >= begin)


def _marked_block(block: Mapping[str, Any], mark: Callable[[Annotation], str]) -> str:
    text, citations = str(block.get("text") or ""), block.get("citations")
    marks: list[str] = []
    for one in citations if isinstance(citations, list) else ():
        fields = _mapping(one)
        if isinstance(url := fields.get("url"), str) and url:
            excerpt = str(fields.get("cited_text") or "")
            marks.append(mark(Annotation(url, str(fields.get("title") or ""), excerpt)))
    said = text.rstrip()
    return said + "".join(dict.fromkeys(marks)) + text[len(said) :]


def _marked_item(item: Mapping[str, Any], mark: Callable[[Annotation], str]) -> dict[str, Any]:
    content = item.get("content")
    if item.get("type") != "message" or not isinstance(content, list):
        return dict(item)
    return {**item, "content": [_marked_part(part, mark) for part in content]}


def _marked_part(part: Any, mark: Callable[[Annotation], str]) -> Any:
    if not isinstance(part, Mapping) or not isinstance(text := part.get("text"), str):
        return part
    return {**part, "text": with_marks(text, annotations_in(part.get("annotations")), mark)}


def _counted(message: AIMessage) -> int | None:
    """The provider's own count of searches: Anthropic's place for it, and OpenRouter's two."""
    metadata = message.response_metadata
    for usage in (metadata.get("usage"), metadata.get("token_usage")):
        for name in ("server_tool_use", "server_tool_use_details"):
            count = _mapping(_mapping(usage).get(name)).get("web_search_requests")
            if isinstance(count, int) and not isinstance(count, bool) and 0 <= count <= 100:
                return count
    return None


def _hit(url: str, title: Any = "", excerpt: str = "", date: str | None = None) -> SearchResult:
    # OpenAI marks every address it gives; the mark would stand in every list of sources.
    clean = url.replace("?utm_source=openai&", "?").removesuffix("?utm_source=openai")
    clean = clean.removesuffix("&utm_source=openai")
    named = str(title or "").strip() or clean
    return {"url": clean, "title": named, "snippet": excerpt[:MOST_EXCERPT_CHARS], "date": date}


def _blocks(message: AIMessage) -> list[Mapping[str, Any]]:
    content = message.content
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return [
        block if isinstance(block, Mapping) else {"type": "text", "text": str(block)}
        for block in content
    ]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
