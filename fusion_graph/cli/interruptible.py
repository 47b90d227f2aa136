"""Asynchronous work of a command, which an interrupt ends at once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fusion_graph.errors import ReaderGone

T = TypeVar("T")


def run_to_end(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end; an interrupt cancels it and goes on at once.

    Args:
        work: The coroutine. Threads that it has left behind are waited for, unless it was
            interrupted or its reader has gone: the process is about to end.
    """
    runner = asyncio.Runner()
    waits = True
    try:
        return runner.run(work)
    except (KeyboardInterrupt, ReaderGone):
        waits = False
        raise
    finally:
        if waits:
            runner.close()
