"""How a model server of the user's own is asked about itself: each page alone, its list once.

Every answer is a stranger's: bounded, never trusted to have a shape.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from fusion_graph.errors import ReplyTooLarge

if TYPE_CHECKING:
    import httpx2

ANSWER_SECONDS = 2.0
"""How long a server may take over one question; asking happens before a member's time begins."""

MOST_BYTES = 4_000_000
"""Most bytes of an answer that are read."""

REMEMBERED_SECONDS = 300.0
"""How long an answer holds: servers are started anew with other sizes."""

SILENCE_REMEMBERED_SECONDS = 30.0
"""How long a server that did not answer is not asked again."""


class Questions:
    """Questions to one server.

    Args:
        client: Asks.
        headers: Sent with each.
        base_url: The endpoint.

    Attributes:
        base: The endpoint's address, without a slash at its end.
        root: That without `/v1`.
    """

    def __init__(
        self, client: httpx2.AsyncClient, headers: Mapping[str, str], base_url: str
    ) -> None:
        self.client, self.headers = client, {**headers, "accept-encoding": "identity"}
        self.base = base_url.rstrip("/")
        self.root = self.base.removesuffix("/v1")

    async def models(self) -> tuple[int | None, Any]:
        """Status and JSON of its list of models, which is the same whichever is meant."""
        return await self.get(f"{self.base}/models")

    async def get(self, url: str) -> tuple[int | None, Any]:
        """Status and JSON of a page; no status when nothing answers, no JSON when it is none."""
        return await self._ask("GET", url, None)

    async def post(self, url: str, body: Mapping[str, Any]) -> tuple[int | None, Any]:
        """The same of a page that wants to be told something."""
        return await self._ask("POST", url, body)

    async def _ask(
        self, method: str, url: str, body: Mapping[str, Any] | None
    ) -> tuple[int | None, Any]:
        raw = bytearray()
        from fusion_graph.models._http import check_parts

        try:
            async with (
                asyncio.timeout(ANSWER_SECONDS),
                self.client.stream(
                    method, url, json=body, headers=self.headers, follow_redirects=False
                ) as reply,
            ):
                async for piece in reply.aiter_raw():
                    raw += piece
                    if len(raw) > MOST_BYTES:
                        return reply.status_code, None
        except Exception:
            # Whatever goes wrong in asking, the answer is that nobody knows.
            return None, None
        try:
            check_parts("answer", bytes(raw))
            return reply.status_code, json.loads(raw)
        except (ValueError, RecursionError, ReplyTooLarge):
            return reply.status_code, None


@dataclass
class _ModelList:
    """A server's answer when it was asked for its models.

    Attributes:
        turn: Held while it is asked, so that members that begin together ask once.
        status: Of its answer; None is silence.
        body: The answer.
        until: Until when it holds, in monotonic seconds.
    """

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    status: int | None = None
    body: Any = None
    until: float = 0.0


_Asked = tuple[str, tuple[tuple[str, str], ...]]

_lists: WeakKeyDictionary[httpx2.AsyncClient, defaultdict[_Asked, _ModelList]] = WeakKeyDictionary()
"""By client, which has one event loop as a lock has; then by address and headers."""


async def listed(ask: Questions, name: str) -> tuple[float, int | None, Any]:
    """Ask a server for its models, once for all of them.

    Asked for each member of a panel, its judge and its writer, the list was half of all requests of
    a run without tools. It is asked for again where it lacks a model, which may be new there.

    Args:
        ask: Asks the server.
        name: The model that is meant.

    Returns:
        Until when the answer holds, in monotonic seconds; its status, and its JSON, as of `get`.
    """
    mine = _lists.setdefault(ask.client, defaultdict(_ModelList))
    kept = mine[ask.base, tuple(sorted(ask.headers.items()))]
    async with kept.turn:
        if time.monotonic() >= kept.until or _lacks(kept.body, name):
            kept.status, kept.body = await ask.models()
            silent = kept.status is None
            seconds = SILENCE_REMEMBERED_SECONDS if silent else REMEMBERED_SECONDS
            kept.until = time.monotonic() + seconds
        return kept.until, kept.status, kept.body


def _lacks(body: Any, name: str) -> bool:
    """Tell whether a list has models and not this one."""
    entries = objects(body, "data")
    return bool(entries) and not any(same(entry.get("id"), name) for entry in entries)


def objects(body: Any, key: str) -> list[Mapping[str, Any]]:
    """Find the objects in the list under a key; none where there is no such list."""
    listed = body.get(key) if isinstance(body, Mapping) else None
    return (
        [each for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else []
    )


def same(listed: Any, name: str) -> bool:
    """Tell whether a listed model is the one meant; Ollama's `qwen3` is `qwen3:latest`."""
    return isinstance(listed, str) and name in (listed, listed.removesuffix(":latest"))
