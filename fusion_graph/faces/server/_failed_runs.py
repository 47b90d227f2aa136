"""Failed runs answer whoever asks the same again at once, in place of another panel.

Claude Code 2.1 asks again without a stream what failed in one, Codex 0.171 up to five times,
opencode 1.18 five times within a minute (after 2, 4, 8, 16 and 30 s, each up to a quarter longer).
Each time the panel would be paid and fail anew: its members had been tried three times already.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fusion_graph.faces.server.run import Run

if TYPE_CHECKING:
    from langchain_core.messages import AnyMessage

ANSWER_SECONDS = 5.0
"""How long a failure is told again. The programs ask within a second; people who have mended
something take longer."""

BACKOFF = 2.5
"""A program that asks again at growing distances takes at most so many times the last one: twice,
and a quarter of chance."""

MOST_SECONDS = 40.0
"""Longest that a failure is told after it was told last; programs wait for 30 s at most."""

REMEMBERED = 64
"""Runs that are looked at, the newest: as many as may be at work at once."""


@dataclass
class _Remembered:
    """A run that may fail, when its failure was told again, and for how long it is told after."""

    run: Run
    told: float | None = None
    room: float = ANSWER_SECONDS


class FailedRuns:
    """Failed runs are remembered by what was asked.

    Args:
        clock: The time, Unix seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._kept: dict[str, _Remembered] = {}

    def remember(self, key: str, run: Run) -> None:
        """Remember a run, which may fail.

        Args:
            key: What was asked, from `asked_key`.
            run: The run that answers it.
        """
        kept = {k: one for k, one in self._kept.items() if one.run.running or one.run.failure}
        kept.pop(key, None)
        self._kept = {**kept, key: _Remembered(run)}
        while len(self._kept) > REMEMBERED:
            del self._kept[next(iter(self._kept))]

    def find(self, key: str) -> Run | None:
        """Find a run that has just failed, in a way that asking again does not mend.

        One that was paid for is told on to a program that asks at growing distances. One that cost
        nothing is not: asking again is free, and may help.

        Args:
            key: What is asked, from `asked_key`.
        """
        kept = self._kept.get(key)
        if kept is None or kept.run.running or kept.run.failure is None:
            return None
        # One without a report was stopped, or never began: that is to be tried again.
        report = kept.run.failure.report
        if report is None or kept.run.failure.may_pass:
            return None
        now, ended = self._clock(), kept.run.started + kept.run.seconds
        since = now - (kept.told or ended)
        if since >= kept.room:
            return None
        if report["usage"]["total"]["cost_usd"] != 0:
            kept.told, kept.room = now, min(ANSWER_SECONDS + BACKOFF * since, MOST_SECONDS)
        return kept.run


def asked_key(model: str, fusion: Mapping[str, Any], messages: Sequence[AnyMessage]) -> str:
    """Name what is asked, whatever else the request says: how it is answered, and for how long.

    Args:
        model: As the client wrote it.
        fusion: What it sets of the panel.
        messages: The conversation.
    """
    told = [model, fusion, *([one.type, one.content] for one in messages)]
    return hashlib.sha256(json.dumps(told, default=str).encode("utf-8", "replace")).hexdigest()
