"""A reader's place in a run's stream, which it may have to join again.

LangGraph numbers the parts of a stream by a clock's ms. Over Redis each has a number of its own;
the runtime of `langgraph dev` gives all of one ms the same, and sends what comes while somebody
joins twice.
"""

from __future__ import annotations

from typing import Any

JOINING_MS = 100
"""How long joining takes at most, and how far clocks may differ. Only what is numbered in that time
can have come twice; elsewhere the same piece of text once more is one that the model wrote."""

_LAST = 999_999


class Place:
    """A place knows which parts of a stream have been read."""

    def __init__(self) -> None:
        self._at = (0, 0)
        self._here: list[Any] = []
        self._skip = 0
        self._joined: tuple[float, float] | None = None
        self._joining = 0.0

    @property
    def after(self) -> str:
        """The id to join the stream after: just before the last ms of which parts were read."""
        ms, _ = self._at
        return f"{ms - 1}-{_LAST}" if ms else "0-0"

    def join(self, now_ms: float) -> None:
        """Note that the stream is joined (again).

        Args:
            now_ms: Unix time, ms.
        """
        self._skip, self._joining, self._joined = len(self._here), now_ms, None

    def take(self, id: str | None, data: Any, now_ms: float) -> bool:
        """Take a part in; tells whether it is new.

        Args:
            id: The part's; None or empty where the fleet gives none.
            data: What it holds.
            now_ms: Unix time, ms.
        """
        if not id:
            return True
        if self._joined is None:
            self._joined = (self._joining - JOINING_MS, now_ms + JOINING_MS)
        number = _number(id)
        if number < self._at:
            return False
        if number > self._at:
            self._at, self._here, self._skip = number, [data], 0
            return True
        if self._skip:
            self._skip -= 1
            return False
        begun, ended = self._joined
        if begun <= number[0] <= ended and data in self._here:
            return False
        self._here.append(data)
        return True


def _number(id: str) -> tuple[int, int]:
    ms, _, number = id.partition("-")
    try:
        return int(ms), int(number or 0)
    except ValueError:
        return 0, 0
