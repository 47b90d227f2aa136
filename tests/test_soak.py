"""Many runs at once in one process; `tests/benchmarks/soak.py` is the whole of it."""

from __future__ import annotations

import os
import sys

import pytest

from tests.benchmarks.soak import script, soak

KEPT_CONNECTIONS = 64
"""Of the process's client; 640 calls that each left one open would be ten times as many."""

MOST_WORKERS = min(32, (os.cpu_count() or 1) + 4)
"""Threads of asyncio's own executor."""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_no_run_is_lost_or_mixed_up_and_nothing_is_left_behind(models):
    script(models, seconds=0.2)

    seen = await soak(models, runs=20, rounds=4)  # checks every run's marker in every stage

    before, last = seen[0][1], seen[-1][1]
    assert last.tasks == before.tasks
    # How many of the kept connections and threads are in use is the machine's affair.
    assert last.files <= before.files + KEPT_CONNECTIONS
    assert last.threads <= before.threads + MOST_WORKERS
    assert last.children <= before.children
