"""Progress events: what a run says about itself while it goes on, as custom stream data.

Every event is a dict with `type` and `at` (seconds since the run began):

    fusion.started        question, preset, preset_reason, panel: [name], invoked, reason
    panel.added           name, model
    panel.tool            name, tool, args             a search or fetch begins
    panel.tool.completed  name, tool, status, seconds, found
    panel.completed       name, model, characters, tool_calls, seconds
    panel.failed          name, model, reason, detail, seconds
                          (`timed_out` also for one left behind after quorum and grace)
    call.retried          stage, name, model, reason, seconds     waiting before another try
    analysis.in_progress  model, answers
    analysis.completed    consensus, contradictions, partial_coverage, unique_insights, blind_spots
                          (the number of each)
    analysis.failed       code, detail
    synthesis.in_progress model
    synthesis.restarted   model, reason                what was streamed so far is void
    fusion.completed      status, degradations, cost_usd, calls, seconds
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

Emit = Callable[..., None]
"""`emit(type, **data)`: sends one event; never fails, never waits."""


def emitter(write: Callable[[Any], None], started: float) -> Emit:
    """An `Emit` over a LangGraph stream writer.

    Args:
        write: The node's stream writer.
        started: Unix time the run began, seconds.
    """

    def emit(type: str, **data: Any) -> None:
        write({"type": type, "at": round(time.time() - started, 3), **data})

    return emit
