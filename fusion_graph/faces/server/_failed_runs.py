"""Failed runs answer whoever asks the same again at once, in place of another panel.

Claude Code 2.1 asks again without a stream what failed in one, and Codex 0.171 up to five times.
Each time the panel would be paid and fail anew: its members had been tried three times already.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fusion_graph.faces.server.run import Run

if TYPE_CHECKING:
    from langchain_core.messages import AnyMessage

ANSWER_SECONDS = 5.0
"""How long a failure is told again. The programs ask within a second; people who have mended
something take longer."""

REMEMBERED = 64
"""Runs that are looked at, the newest: as many as may be at work at once."""


class FailedRuns:
    """Failed runs are remembered by what was asked."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}

    def remember(self, key: str, run: Run) -> None:
        """Remember a run, which may fail.

        Args:
            key: What was asked, from `asked_key`.
            run: The run that answers it.
        """
        kept = {k: r for k, r in self._runs.items() if r.running or r.failure is not None}
        kept.pop(key, None)
        self._runs = {**kept, key: run}
        while len(self._runs) > REMEMBERED:
            del self._runs[next(iter(self._runs))]

    def find(self, key: str) -> Run | None:
        """Find a run that has just failed, in a way that asking again does not mend.

        Args:
            key: What is asked, from `asked_key`.
        """
        run = self._runs.get(key)
        if run is None or run.running or run.failure is None:
            return None
        # One without a report was stopped, or never began: that is to be tried again.
        final = run.failure.report is not None and not run.failure.may_pass
        since = time.time() - run.started - run.seconds
        return run if final and since < ANSWER_SECONDS else None


def asked_key(model: str, fusion: Mapping[str, Any], messages: Sequence[AnyMessage]) -> str:
    """Name what is asked, whatever else the request says: how it is answered, and for how long.

    Args:
        model: As the client wrote it.
        fusion: What it sets of the panel.
        messages: The conversation.
    """
    told = [model, fusion, *([one.type, one.content] for one in messages)]
    return hashlib.sha256(json.dumps(told, default=str).encode("utf-8", "replace")).hexdigest()
