"""Cancellations tell why a client gave a call up: its own time limit, or its user.

A call that was cut by a time limit is wanted still, and its run goes on. The SDKs cancel a call's
handler and keep the `reason` to themselves, so it is read from the messages on their way in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

CallKey = tuple[str | None, str | int]
"""A call: its session (None over stdio) and its request's id."""

REMEMBERED = 1_000
"""Reasons that are kept, the newest; each is looked up within moments, or when a run is asked for
again."""

_TIME_LIMIT = re.compile(r"time[ds]?[ -]?out|time limit|deadline", re.IGNORECASE)
"""TypeScript SDK: `Request timed out`, `Maximum total timeout exceeded`; rmcp (Codex): `request
timeout`; Python SDK 2: `timed out after 60s`. Whoever gives no reason, or another, means it."""


class Cancellations:
    """Cancellations remember which calls clients gave up, and why."""

    def __init__(self) -> None:
        self._reasons: dict[CallKey, str] = {}

    def note(self, message: Mapping[str, Any], session: str | None = None) -> None:
        """Take the reason out of a message, if it is a cancellation; may come from any thread.

        Args:
            message: A message of the client's, as JSON-RPC.
            session: The session that it belongs to.
        """
        if message.get("method") != "notifications/cancelled":
            return
        params = message.get("params") or {}
        id = params.get("requestId")
        if not isinstance(id, str | int):
            return
        reason = params.get("reason")
        self._reasons[session, id] = reason[:500] if isinstance(reason, str) else ""
        while len(self._reasons) > REMEMBERED:
            del self._reasons[next(iter(self._reasons))]

    def was_cut(self, call: CallKey) -> bool:
        """Tell whether a call was given up because the client's own time was up."""
        return bool(_TIME_LIMIT.search(self._reasons.get(call, "")))
