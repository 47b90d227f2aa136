"""Where finished steps of a run are kept and found again: one seam for all that costs or changes.

Whoever runs the graph (`fusion-graph eval`) may say, around the run, that what its model calls and
its web tools bring is to be kept. `Caller` and `Toolbox` ask here; nothing between them knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from fusion_graph.models.journal import Journal

_current: ContextVar[Journal | None] = ContextVar("fusion_graph_recording", default=None)


@contextmanager
def recording(journal: Journal) -> Iterator[None]:
    """Keep what is finished within, in whatever tasks and threads, and give again what was kept.

    Args:
        journal: Where it is kept.
    """
    token = _current.set(journal)
    try:
        yield
    finally:
        _current.reset(token)


def current_journal() -> Journal | None:
    """The journal of the work this belongs to; None where nobody asked for one."""
    return _current.get()
