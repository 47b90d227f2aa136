"""A sample of a day's load: three keys, odd panels and clients, a restart and a kill; nothing lost.

The whole is `python -m tests.benchmarks.day`, whose figures stand in `tests/benchmarks/day.md`.
"""

from __future__ import annotations

import sys
from argparse import Namespace

import pytest

from tests.benchmarks.day import CLIENTS, run, text_of

RUNS = 80


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_every_client_is_answered_or_told_over_a_restart_and_a_kill():
    given = Namespace(runs=RUNS, at_once=12)
    figures = run(given)
    day = figures.day
    said = text_of(figures, given)
    assert sum(day.outcomes.values()) == RUNS, said
    assert {outcome for _, outcome in day.outcomes} <= {"answered", "told", "left"}, said
    asked = {client for client, outcome in day.outcomes if outcome == "answered"}
    assert asked == set(CLIENTS) - {"leaving", "deaf", "stranger", "forbidden"}, said
    assert [name for name, *_ in day.kept] == ["SIGTERM", "SIGKILL"]
    for _, there, _, number in day.kept:
        assert there == number > 0, said
    # A run ends its spending before the next call: those under way may go over what it was given.
    assert figures.counted["carol"] <= figures.limit * 1.1, said
    assert "Traceback" not in figures.log
    assert "internal_error" not in figures.log
