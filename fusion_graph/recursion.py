"""A fusion inside a fusion is refused: its cost multiplies, and nobody meant it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from fusion_graph.errors import FusionRecursion

_inside: ContextVar[bool] = ContextVar("fusion_graph_inside", default=False)


@contextmanager
def inside_fusion() -> Iterator[None]:
    """Marks what runs within as part of a fusion: panelists, their tools, nested graphs."""
    token = _inside.set(True)
    try:
        yield
    finally:
        _inside.reset(token)


def refuse_recursion() -> None:
    """Refuse to start here if this is already inside a fusion.

    Raises:
        FusionRecursion: It is.
    """
    if _inside.get():
        raise FusionRecursion(
            "A fusion was started inside a fusion (fusion_recursion). Do not give a panelist a "
            "tool that runs one."
        )
