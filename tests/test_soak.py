"""Many runs at once in one process; `tests/benchmarks/soak.py` is the whole of it."""

from __future__ import annotations

import sys

import pytest

from tests.benchmarks.soak import script, soak

RUNS, ROUNDS = 20, 4


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_no_run_is_lost_or_mixed_up_and_nothing_is_left_behind(models):
    script(models, seconds=0.2)

    seen = await soak(models, RUNS, ROUNDS)  # checks every run's marker in every stage

    settled, last = seen[2][1], seen[-1][1]
    assert last.tasks == seen[0][1].tasks
    assert last.files <= settled.files
    assert last.threads <= settled.threads
    assert last.children <= settled.children
