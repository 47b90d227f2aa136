"""Cancellations tell why a client gave a call up: its own time limit, or its user.

A call that was cut by a time limit is wanted still, and its run goes on. The SDKs cancel a call's
handler and keep the `reason` to themselves, so it is read from the messages on their way in.

Codex 0.171 gives one reason for both. What tells them apart there is the time: a limit ends a call
after so many whole seconds, and a person at any moment.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

CallKey = tuple[str | None, str | int]
"""A call: its session (None over stdio) and its request's id."""

REMEMBERED = 1_000
"""Calls that are kept, the newest; each is looked up within moments, or when a run is asked for
again."""

_TIME_LIMIT = re.compile(r"time[ds]?[ -]?out|time limit|deadline", re.IGNORECASE)
"""TypeScript SDK: `Request timed out`, `Maximum total timeout exceeded`; rmcp (Codex): `request
timeout`; Python SDK 2: `timed out after 60s`. Whoever gives another means it."""

_NO_REASON = re.compile(r"^$|cancelled by caller", re.IGNORECASE)
"""What says nothing of why. Codex 0.171 sends the words for its limit and its user alike."""

LIMIT_SECONDS = 30.0
"""Limits are multiples of this: Codex's own is 300 s, ours there 1,800; people write minutes."""

JITTER_SECONDS = 0.25
"""How far from its time a limit's cancellation is read (7 ms on a quiet machine). Of a hundred
people who cancel, two happen to do it then: their run goes on, and can be joined."""


def is_time_limit(reason: str, seconds: float | None) -> bool:
    """Tell whether a call was given up because a client's own time was up.

    Args:
        reason: What the client said; empty where it said nothing.
        seconds: How long the call had taken; None if that is not known.
    """
    if _TIME_LIMIT.search(reason):
        return True
    if seconds is None or seconds < LIMIT_SECONDS - JITTER_SECONDS:
        return False
    off = abs(seconds - round(seconds / LIMIT_SECONDS) * LIMIT_SECONDS)
    return bool(_NO_REASON.search(reason)) and off <= JITTER_SECONDS


class Cancellations:
    """Cancellations remember which calls clients gave up, and why."""

    def __init__(self) -> None:
        self._cut: dict[CallKey, bool] = {}
        self._begun: dict[CallKey, float] = {}

    def note(self, message: Mapping[str, Any], session: str | None = None) -> None:
        """Take a call's beginning or end out of a message; may come from any thread.

        Args:
            message: A message of the client's, as JSON-RPC.
            session: The session that it belongs to.
        """
        now, id = time.monotonic(), message.get("id")
        if message.get("method") == "tools/call" and isinstance(id, str | int):
            _remember(self._begun, (session, id), now)
        if message.get("method") != "notifications/cancelled":
            return
        params = message.get("params") or {}
        id = params.get("requestId")
        if not isinstance(id, str | int):
            return
        reason = params.get("reason")
        begun = self._begun.pop((session, id), None)
        seconds = None if begun is None else now - begun
        cut = is_time_limit(reason[:500] if isinstance(reason, str) else "", seconds)
        _remember(self._cut, (session, id), cut)

    def was_cut(self, call: CallKey) -> bool:
        """Tell whether a call was given up because the client's own time was up."""
        return self._cut.get(call, False)


def _remember(kept: dict[CallKey, Any], call: CallKey, value: Any) -> None:
    kept[call] = value
    while len(kept) > REMEMBERED:
        del kept[next(iter(kept))]
