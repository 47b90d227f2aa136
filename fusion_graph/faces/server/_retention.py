"""Which finished runs a server forgets, so that neither its memory nor its disk fills up."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping

from fusion_graph.faces.server.run import Run

KEEP_CHARACTERS = 64_000_000
"""Finished runs are forgotten, the oldest of the longest list first, once all hold more than this
(as JSON)."""

KEEP_DAYS = 30
"""Finished runs are forgotten when they are older."""


def size_of(run: Run) -> int:
    """How many characters a run holds, as JSON."""
    return len(json.dumps([run.events, run.turns, run.files], default=str))


def forgettable(runs: Iterable[Run], sizes: Mapping[str, int], keep: int, now: float) -> list[str]:
    """Choose the finished runs to forget: old ones, the oldest of each list, and what is too much.

    Each key has two lists, what it asked on the page and what its programs asked: none of them
    pushes out another's. The last run of the longest list stays, whatever it holds.

    Args:
        runs: All runs, in the order in which they were started.
        sizes: Characters of each finished run, by its id.
        keep: How many of a list are kept.
        now: Unix time, seconds.

    Returns:
        Their ids.
    """
    lists: defaultdict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in runs:
        if not run.running and run.id in sizes:
            lists[run.owner, run.origin].append(run)
    forgotten = []
    for listed in lists.values():
        while len(listed) > keep or (listed and listed[0].started < now - KEEP_DAYS * 86_400):
            forgotten.append(listed.pop(0).id)
    left = {key: sum(sizes[run.id] for run in listed) for key, listed in lists.items()}
    while sum(left.values()) > KEEP_CHARACTERS:
        longest = max(left, key=lambda key: left[key])
        if len(lists[longest]) < 2:
            break
        gone = lists[longest].pop(0)
        left[longest] -= sizes[gone.id]
        forgotten.append(gone.id)
    return forgotten
