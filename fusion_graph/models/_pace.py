"""How many calls a provider takes at once, found out with few refusals.

Two rules. A model that refuses is asked by fewer at once, and slowly by more again (`Refused`). And
a provider of which nothing is known is asked by few at first and by twice as many after each second
in which they were under way and none was refused (`Pace`): a refusal comes at once, an answer after
half a minute, so nobody waits for answers to learn that more are taken. The same rules are written
in Lua in `_places_in_redis`; a test holds both against each other.

Times are milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass

SHRINK = 0.7
"""What is left of the calls at once to a model after it answered 429."""

LEAST = 4
"""Calls at once to a model that no refusal takes away: where so few are under way, it is not their
number that was too much (tokens a minute, an overloaded provider), and the wait is all it takes."""

GROW = 0.25
"""How much of one more call at once is allowed after as many answers as are allowed at once: four
rounds for each, so that a limit which is found by running into it is run into seldom."""

FORGET_MS = 600_000
"""After which nothing is known any more of what was refused."""

START = 24
"""Calls at once to a provider of which nothing is known: three panels of eight members."""

LEAST_OF_ALL = 8
"""Calls at once to a provider that no refusal takes away: models of one provider have limits of
their own, and a panel of eight is not slowed by another's."""

SECOND_LOOK_MS = 1_000
"""How long calls are under way before more are let in: by then a refusal would have come."""

PROBE_MS = 10_000
"""The same after a refusal: then each look may cost another."""

MOST_PROBE_MS = 160_000
"""The same after several looks that each cost a refusal: twice as long after each. A storm of five
minutes at one limit costs five looks, where one each ten seconds cost twenty
(`tests.benchmarks.fleet storm`)."""

FADE = 0.9
"""What is left of what a provider was seen to take, after each refusal of no more than that."""


@dataclass
class Refused:
    """What is known of a model that refused.

    Attributes:
        allowed: Calls at once.
        room: What its last overload left room for.
        shrunk: When it last was found to be one.
        paused: Until when it is not asked.
        forget: When all this is forgotten.
    """

    allowed: float = 0.0
    room: float = 0.0
    shrunk: int = 0
    paused: int = 0
    forget: int = 0

    def again(self, calls: int, began: int, now: int, wait: int) -> None:
        """Take another refusal.

        Args:
            calls: Those under way to the model, the refused one included.
            began: When that began.
            now: The time.
            wait: What the provider asks to wait.
        """
        self.paused = max(self.paused, now + wait)
        # Calls under way together are one overload; who was refused had no room in it.
        if began > self.shrunk:
            allowed = min(calls, self.allowed) if self.allowed else calls
            self.allowed, self.room, self.shrunk = allowed * SHRINK, calls, now
        self.room -= 1
        self.allowed = max(float(LEAST), min(self.allowed, self.room))
        self.forget = now + FORGET_MS

    def answered(self) -> None:
        """Take an answer."""
        self.allowed += GROW / self.allowed


@dataclass
class Pace:
    """How many calls at once a provider is asked, all its models together.

    Attributes:
        ceiling: So many.
        full: Since when so many are under way; 0 while they are not.
        step: By how many more it grows next; 0 doubles it.
        look: How long it is full before it grows again; 0 before the first refusal.
        grown: Whether it grew after the last refusal.
        seen: How many were under way when answers came.
        forget: When all this is forgotten.
    """

    ceiling: int = START
    full: int = 0
    step: int = 0
    look: int = 0
    grown: bool = False
    seen: float = 0.0
    forget: int = 0

    def let_in(self, calls: int, now: int) -> bool:
        """Tell whether another call may begin.

        Args:
            calls: Those under way to the provider.
            now: The time.
        """
        if calls >= self.ceiling:
            if not self.full:
                self.full = now
            if now - self.full < (self.look or SECOND_LOOK_MS):
                return False
            self.ceiling += self.step or self.ceiling
            self.step *= 2
            if self.look and self.grown:  # more were taken the last time
                self.look = PROBE_MS
            self.full, self.grown = 0, True
        if calls + 1 >= self.ceiling and not self.full:
            self.full = now
        self.forget = now + FORGET_MS
        return True

    def answered(self, calls: int, now: int) -> None:
        """Take an answer; `calls` are those under way, the answered one included."""
        self.seen = max(self.seen, float(calls))
        self.forget = now + FORGET_MS

    def refused(self, calls: int, now: int) -> None:
        """Take a refusal; `calls` are those under way, the refused one included."""
        self.forget = now + FORGET_MS
        if calls <= self.seen:  # so many are taken, but not of this model
            self.seen *= FADE
            return
        self.ceiling = max(LEAST_OF_ALL, min(self.ceiling, calls - 1))
        if self.grown or not self.look:  # one look, however many it let in that are refused
            self.look = min(2 * self.look, MOST_PROBE_MS) or PROBE_MS
        self.step, self.full, self.grown = 1, now, False
