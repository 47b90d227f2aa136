"""Who is under way to a provider, counted within this process."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from fusion_graph.models._pace import FORGET_MS, Pace, Refused


@dataclass(frozen=True)
class Line:
    """Where a call stands in line.

    Attributes:
        provider: Whose calls are counted together.
        model: Whose refusals are.
        most: Most calls to the provider at once; None: whatever it takes.
    """

    provider: str
    model: str
    most: int | None


FULL = -1.0
"""What `enter` gives where others have to leave first; else seconds to wait, 0 for being in."""


def _milliseconds() -> int:
    return int(time.monotonic() * 1000)


@dataclass
class PlacesHere:
    """Counts the calls of this process, in whatever threads and loops they are made.

    Attributes:
        clock: Gives the time in milliseconds.
    """

    clock: Callable[[], int] = _milliseconds
    _calls: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    _refused: dict[str, Refused] = field(default_factory=dict)
    _paces: dict[str, Pace] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    async def enter(self, line: Line, token: str) -> float:  # noqa: ARG002 - as in a Redis
        """Try to take a place.

        Args:
            line: Where the call stands.
            token: Names the call.

        Returns:
            0 if it has one; seconds until the model may be asked again; or `FULL`.
        """
        now = self.clock()
        with self._lock:
            known = self._known(line.model, now)
            if known is not None and known.paused > now:
                return (known.paused - now) / 1000
            if known is not None and self._calls[line.model] >= int(known.allowed):
                return FULL
            calls = self._calls[line.provider]
            if line.most is not None:
                if calls >= line.most:
                    return FULL
            elif not self._pace(line.provider, now).let_in(calls, now):
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
        now, began = self.clock(), self.clock() - int(took * 1000)
        with self._lock:
            of_model, of_all = self._calls[line.model], self._calls[line.provider]
            for name in (line.provider, line.model):
                self._calls[name] -= 1
                if self._calls[name] <= 0:
                    del self._calls[name]
            known, pace = self._known(line.model, now), self._pace(line.provider, now)
            if refused is None:
                pace.answered(of_all, now)
                if known is not None:
                    known.answered()
                return
            pace.refused(of_all, now)
            if known is None:
                known = self._refused[line.model] = Refused()
            known.again(of_model, began, now, int(refused * 1000))

    def _known(self, model: str, now: int) -> Refused | None:
        known = self._refused.get(model)
        if known is not None and known.forget <= now:
            del self._refused[model]
            return None
        return known

    def _pace(self, provider: str, now: int) -> Pace:
        pace = self._paces.get(provider)
        if pace is None or pace.forget <= now:
            pace = self._paces[provider] = Pace(forget=now + FORGET_MS)
        return pace
