"""Checkpoints are ordered by ids that hold the time; a clock that was set back must not matter."""

from __future__ import annotations

from uuid import UUID

from langgraph.checkpoint.base import id as checkpoint_ids

from fusion_graph.langgraph_seams._presence import gone

_LAST = "_last_v6_timestamp"


def come_after(checkpoint_id: str) -> None:
    """Have the checkpoints that this process makes from now on sort after a given one.

    LangGraph takes the checkpoint with the greatest id for a thread's latest. After a clock was set
    back a new run's would sort before the old ones: it would be lost, and paid for again.

    Args:
        checkpoint_id: A UUID of version 6; any other says nothing of time.

    Raises:
        IncompatibleLibrary: The clock of ids cannot be set: look at `uuid6` in
            `langgraph.checkpoint.base.id`.
    """
    if not hasattr(checkpoint_ids, _LAST):
        raise gone("langgraph-checkpoint", _LAST, "a clock set back would lose runs")
    try:
        known = UUID(checkpoint_id)
    except ValueError:
        return
    if known.version != 6:
        return
    # 48 bits of the time stand before the version, the other 12 after it (RFC 9562, 5.6).
    stamp = (known.int >> 80) << 12 | (known.int >> 64) & 0xFFF
    last = getattr(checkpoint_ids, _LAST)
    if last is None or last < stamp:
        setattr(checkpoint_ids, _LAST, stamp)
