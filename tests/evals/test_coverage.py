"""Models of known ability: the pipeline reports what they did, the intervals hold the truth.

`tests/benchmarks/coverage.py` is the whole of it. The seeds are fixed, so nothing here is chance.
"""

from __future__ import annotations

import pytest

from tests.benchmarks.coverage import (
    DISTRIBUTIONS,
    drawn,
    holds,
    misses,
    repetition,
    through_the_pipeline,
    true_difference,
)

REPETITIONS = 100
RESAMPLES = 400


@pytest.mark.slow
async def test_the_pipeline_reports_who_was_right_question_by_question(models, tmp_path):
    scores = drawn(1, count=24)

    assert await through_the_pipeline(models, tmp_path, scores) == scores
    assert {len(set(scores[arm].values())) for arm in scores} == {2}


@pytest.mark.slow
def test_intervals_hold_the_true_difference_about_as_often_as_they_claim():
    truth = true_difference()
    found = [repetition(seed, RESAMPLES) for seed in range(REPETITIONS)]

    assert truth > 10
    assert sum(holds(one.panel, truth) for one in found) >= 90
    assert all(one.panel.shown for one in found)
    assert sum(not one.twins.shown for one in found) >= 90


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.slow
def test_arms_that_are_alike_are_called_different_in_at_most_10_of_100(name):
    # Of the table in coverage.md, a sample: 20 questions, where rare disasters mostly go unseen.
    found = misses(name, 20, repetitions=100, resamples=200)

    assert found.missed <= 12  # 10, and what chance allows in 100 repetitions
    assert found.shown <= found.missed
