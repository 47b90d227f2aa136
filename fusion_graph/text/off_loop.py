"""Work that could hold the event loop up, in a thread where there is much of it.

Reading citations and checking quotes takes time in proportion to the answer and to its pages,
and pages may lie on a disk. A run has twenty such pieces of work. With short answers that rest on
no page, a thread for each was a seventh of all its processor time (the panel of
`tests.benchmarks.panel`, with threads and without, November 2026).

One piece at a time: threads of one interpreter gain nothing by being two, and where two of them
work, the loop waits for both, several times 5 ms each: 50 to 120 ms where one held it for 20
(`tests.benchmarks.event_loop`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

LONG_TEXT = 4_000
"""Characters of text that is no longer read while everybody waits: where every sentence cites,
reading the citations of so many takes 5 ms."""


@dataclass
class _Turns:
    """Whose turn it is in one loop, and how many are at it or wait for it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


# Of loops in which there is such work now. A lock that was waited for holds on to its loop: kept
# any longer, it would keep each loop of a program that calls `invoke` again and again.
_turns: dict[asyncio.AbstractEventLoop, _Turns] = {}


async def off_loop(much: bool, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do a piece of work, in a thread if there is much of it.

    Args:
        much: Whether it reads files or pages, or a text that is long.
        work: What does it.
        args: Its arguments.
        kwargs: Those by name.
    """
    if not much:
        return work(*args, **kwargs)
    loop = asyncio.get_running_loop()
    turns = _turns.setdefault(loop, _Turns())
    turns.users += 1
    try:
        async with turns.lock:
            return await asyncio.to_thread(work, *args, **kwargs)
    finally:
        turns.users -= 1
        if not turns.users:
            del _turns[loop]


def is_long(*texts: str) -> bool:
    """Tell whether texts are too long, together, to be read in the event loop."""
    return sum(map(len, texts)) > LONG_TEXT
