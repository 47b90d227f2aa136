"""Failures that are told again: to programs that ask on, not to people who mended something."""

from __future__ import annotations

from typing import Any

import pytest

from fusion_graph.errors import ApiError
from fusion_graph.faces.server._failed_runs import FailedRuns
from fusion_graph.faces.server.run import Run

OPENCODE = (2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds that opencode 1.18 waits before it asks again."""


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def failed(cost: float | None, **further: Any) -> Run:
    """A run that failed at once."""
    report = {"usage": {"total": {"cost_usd": cost}}}
    failure = ApiError(
        502, "No panelist answered.", "all_panelists_failed", report=report, **further
    )
    return Run("id", "How wet?", "fusion/p", 1_000.0, status="failed", failure=failure)


def found_after(run: Run, *gaps: float) -> list[bool]:
    """Whether it is found again, each time so many seconds after the last."""
    clock = Clock()
    failures = FailedRuns(clock)
    failures.remember("key", run)
    found = []
    for gap in gaps:
        clock.now += gap
        found.append(failures.find("key") is run)
    return found


@pytest.mark.parametrize("chance", [0.8, 1.0, 1.25])
@pytest.mark.parametrize("cost", [0.01, None])
def test_a_program_that_asks_at_growing_distances_pays_no_second_panel(
    chance: float, cost: float | None
) -> None:
    run = failed(cost, retry=False)
    assert found_after(run, *(gap * chance for gap in OPENCODE)) == [True] * 5


def test_who_comes_back_later_gets_a_panel() -> None:
    assert found_after(failed(0.01, retry=False), 5.0) == [False]
    assert found_after(failed(0.01, retry=False), 1.0, 8.0) == [True, False]
    assert found_after(failed(0.01, retry=False), *OPENCODE, 40.0)[-1] is False


def test_a_failure_that_cost_nothing_is_told_for_seconds_only() -> None:
    assert found_after(failed(0.0, retry=False), 2.0, 4.0) == [True, False]


def test_a_failure_that_may_pass_is_not_told_again() -> None:
    assert found_after(failed(0.01, retry=True), 0.1) == [False]
