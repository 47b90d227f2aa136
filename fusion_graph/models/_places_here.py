"""Who is under way to a provider, counted within this process."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field

SHRINK = 0.7
"""What is left of the calls at once to a model after it answered 429."""

LEAST = 4
"""Calls at once to a model that no refusal takes away: where so few are under way, it is not their
number that was too much (tokens a minute, an overloaded provider), and the wait is all it takes."""

GROW = 0.25
"""How much of one more call at once is allowed after as many answers as are allowed at once: four
rounds for each, so that a limit which is found by running into it is run into seldom."""

FORGET_SECONDS = 600.0
"""After which nothing is known any more of what a model refused."""


@dataclass(frozen=True)
class Line:
    """Where a call stands in line.

    Attributes:
        provider: Whose calls are counted together.
        model: Whose refusals are.
        most: Most calls to the provider at once; None: any number.
    """

    provider: str
    model: str
    most: int | None


FULL = -1.0
"""What `enter` gives where others have to leave first; else seconds to wait, 0 for being in."""


@dataclass
class _Refused:
    allowed: float = 0.0
    room: float = 0.0
    shrunk: float = -FORGET_SECONDS
    paused: float = 0.0


@dataclass
class PlacesHere:
    """Counts the calls of this process, in whatever threads and loops they are made."""

    _calls: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    _refused: dict[str, _Refused] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    async def enter(self, line: Line, token: str) -> float:  # noqa: ARG002 - as in a Redis
        """Try to take a place.

        Args:
            line: Where the call stands.
            token: Names the call.

        Returns:
            0 if it has one; seconds until the model may be asked again; or `FULL`.
        """
        now = time.monotonic()
        with self._lock:
            known = self._refused.get(line.model)
            if known is not None:
                if known.paused > now:
                    return known.paused - now
                if now - known.shrunk > FORGET_SECONDS:
                    del self._refused[line.model]
                elif self._calls[line.model] >= int(known.allowed):
                    return FULL
            if line.most is not None and self._calls[line.provider] >= line.most:
                return FULL
            for name in (line.provider, line.model):
                self._calls[name] += 1
        return 0.0

    async def stay(self, line: Line, token: str) -> None:
        """Do nothing: a place of this process ends with it."""

    async def leave(
        self,
        line: Line,
        token: str,  # noqa: ARG002 - as in a Redis
        took: float,
        refused: float | None,
    ) -> None:
        """Give a place back.

        Args:
            line: Where the call stood.
            token: Names the call.
            took: Seconds that it took.
            refused: Seconds the provider asked to wait, with a 429; None if it sent none.
        """
        now = time.monotonic()
        with self._lock:
            before = self._calls[line.model]
            for name in (line.provider, line.model):
                self._calls[name] -= 1
                if self._calls[name] <= 0:
                    del self._calls[name]
            known = self._refused.get(line.model)
            if refused is None:
                if known is not None:
                    known.allowed += GROW / known.allowed
                return
            known = self._refused.setdefault(
                line.model, _Refused(allowed=float(max(before, LEAST)))
            )
            known.paused = max(known.paused, now + refused)
            # Calls under way together are one overload; who was refused had no room in it.
            if now - took > known.shrunk:
                known.allowed, known.room = min(known.allowed, before) * SHRINK, before
                known.shrunk = now
            known.room -= 1
            known.allowed = max(float(LEAST), min(known.allowed, known.room))
