"""Marks that ask a provider to keep the beginning of a conversation in its cache.

Most providers cache by themselves whatever repeats an earlier request from its beginning.
Anthropic's and Alibaba's models do so only up to a mark in the request (OpenRouter's documentation,
"prompt caching").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

MARK = {"type": "ephemeral"}
"""What is put beside a piece of text, under `cache_control`: keep all up to here for 5 minutes."""

MARKED_VENDORS = ("anthropic/", "qwen/", "alibaba/")
"""Whose models OpenRouter caches on demand only."""


def wants_marks(provider: str, model: str, base_url: str | None) -> bool:
    """Tell whether an endpoint caches a model's prompts only where they are marked.

    Other endpoints may refuse a field that they do not know, and get none.

    Args:
        provider: Its name here.
        model: The model's name there; `~anthropic/…` is an alias.
        base_url: Where it is.
    """
    host = urlsplit(base_url or "").hostname or ""
    name = model.lower().lstrip("~")
    if provider == "openrouter" or host == "openrouter.ai":
        return name.startswith(MARKED_VENDORS)
    return host.startswith("dashscope") and name.startswith("qwen")


def with_marks(messages: Sequence[Mapping[str, Any]], *, goes_on: bool) -> list[dict[str, Any]]:
    """The messages of a request with marks: what they end with now, the next one repeats.

    A mark on the end lets the next request read all of this one. The end of the request before
    (what stood before the last turn of the model) is marked too: a cached beginning is looked for
    at marks and at most 20 pieces before one, and a turn may bring more results than that. With
    the instructions that makes three; Anthropic takes four.

    Every text becomes a list of one part, marked or not, so that a message looks the same in all
    requests; the model's own turns stay as they are. Nothing is put beside a tool message's
    content: OpenRouter hangs on a mark there (NousResearch/hermes-agent#2362).

    Args:
        messages: As they are to be sent; they stay as they are.
        goes_on: Whether another request is likely to repeat this one: writing to the cache costs
            a quarter more than reading the text once.
    """
    marked = [_in_parts(message) for message in messages]
    ends = {0} if marked and marked[0].get("role") == "system" else set()
    turns = [n for n, message in enumerate(marked) if message.get("role") == "assistant"]
    if turns:
        ends.add(turns[-1] - 1)
    if goes_on or not turns:
        ends.add(len(marked) - 1)
    for end in ends:
        if end >= 0 and marked[end].get("role") != "assistant":
            _mark(marked[end])
    return marked


def _in_parts(message: Mapping[str, Any]) -> dict[str, Any]:
    text = message.get("content")
    if message.get("role") == "assistant" or not isinstance(text, str) or not text:
        return dict(message)
    return {**message, "content": [{"type": "text", "text": text}]}


def _mark(message: dict[str, Any]) -> None:
    parts = message.get("content")
    if not isinstance(parts, list):
        return
    texts = [n for n, part in enumerate(parts) if _is_text(part)]
    if texts:  # an image after it is not cached; no mark is worth a refusal
        last = texts[-1]
        message["content"] = [
            {**part, "cache_control": MARK} if n == last else part for n, part in enumerate(parts)
        ]


def _is_text(part: Any) -> bool:
    return isinstance(part, Mapping) and part.get("type") == "text" and bool(part.get("text"))
