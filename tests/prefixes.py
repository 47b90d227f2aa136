"""How much of a request repeats the one before, as a provider's cache sees it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any


def read(request: dict[str, Any]) -> str:
    """What a model reads of a request, in its order: tools, then messages; marks are no text."""
    pieces = [json.dumps(request.get("tools") or [], sort_keys=True)]
    for message in request["messages"]:
        told = {key: value for key, value in message.items() if key != "content"}
        content = message.get("content")
        if isinstance(content, list):
            content = "".join(
                part["text"] if part.get("type") == "text" else json.dumps(part) for part in content
            )
        pieces.append(f"{json.dumps(told, sort_keys=True)}\n{content}")
    return "\n\n".join(pieces)


def repeated(requests: Sequence[dict[str, Any]]) -> list[tuple[int, int]]:
    """For each request: characters that it has in common with the one before, and all of them."""
    texts = [read(request) for request in requests]
    shared = [0, *(_common(before, after) for before, after in pairwise(texts))]
    return list(zip(shared, map(len, texts), strict=True))


def repeated_share(requests: Sequence[dict[str, Any]]) -> float:
    """The part of all that was read that repeats the request before."""
    counts = repeated(requests)
    return sum(shared for shared, _ in counts) / sum(whole for _, whole in counts)


def marks_in(request: dict[str, Any]) -> list[int]:
    """Places of the messages in which something is marked for the cache."""
    return [
        n
        for n, message in enumerate(request["messages"])
        if isinstance(message.get("content"), list)
        and any("cache_control" in part for part in message["content"])
    ]


def _common(one: str, other: str) -> int:
    length = min(len(one), len(other))
    low, high = 0, length
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
