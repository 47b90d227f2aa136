"""What an evaluation has cost, what it may still cost, and the cap at which it stops."""

from __future__ import annotations

from collections.abc import Iterable

from fusion_graph.errors import CapReached
from fusion_graph.state import CallRecord


class Spending:
    """Counts the money of an evaluation, calls in flight included.

    Args:
        cap: Most US dollars, or None.
        before: Calls already paid, of earlier runs in the same folder.
    """

    def __init__(self, cap: float | None, before: Iterable[CallRecord] = ()) -> None:
        self.cap = cap
        self.spent = 0.0
        self.fresh = 0.0
        self.unknown = 0
        self._flying = 0.0
        self._seen: dict[str, list[float]] = {}
        for call in before:
            self._count(call)

    def begin(self, kind: str) -> float:
        """Let a piece of work begin, and count what such work has cost so far as in flight.

        Args:
            kind: What kind of work, as in `panel scripted:a`.

        Returns:
            What was counted, to be given to `end`.

        Raises:
            CapReached: Nothing may begin any more.
        """
        seen = self._seen.get(kind, [])
        likely = sum(seen) / len(seen) if seen else 0.0
        if self.cap is not None and self.spent + self._flying >= self.cap:
            raise CapReached(self.cap, self.spent)
        self._flying += likely
        return likely

    def end(self, kind: str, likely: float, calls: Iterable[CallRecord]) -> None:
        """A piece of work is over, and took these calls; none if it broke off unrecorded."""
        self._flying -= likely
        before = self.spent
        for call in calls:
            self._count(call)
        cost = self.spent - before
        self.fresh += cost
        self._seen.setdefault(kind, []).append(cost)

    def _count(self, call: CallRecord) -> None:
        if call["cost_usd"] is not None:
            self.spent += call["cost_usd"]
        elif call["outcome"] == "ok":
            self.unknown += 1
