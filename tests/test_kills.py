"""A killed run is resumed; `tests/benchmarks/kills.py` is the whole of it."""

from __future__ import annotations

import pytest

from tests.benchmarks.kills import ANSWER, CALLS, Point, kill_and_resume, script

POINTS = [
    Point(arrived=CALLS - 3, ended=CALLS - 4, delay=0.02),
    pytest.param(Point(arrived=1, ended=0, delay=0), marks=pytest.mark.slow),
    pytest.param(Point(arrived=CALLS - 1, ended=0, delay=0), marks=pytest.mark.slow),
    pytest.param(Point(arrived=CALLS, ended=CALLS - 1, delay=0), marks=pytest.mark.slow),
]


@pytest.mark.parametrize("point", POINTS, ids=str)
def test_a_killed_run_answers_when_it_is_resumed_and_pays_for_nobody_twice(models, tmp_path, point):
    preset = script(models, tmp_path)

    outcome = kill_and_resume(models, preset, tmp_path, point, "t")

    assert outcome.answer == ANSWER
    assert outcome.repeated == set()
    answers, sources, analysis = outcome.record
    assert [(name, content) for name, _, content in answers] == [
        (name, f"The answer of {name}: wet [1].") for name in "abc"
    ]
    assert len(sources) == 1
    assert analysis is not None


def test_past_the_judge_every_panelist_is_on_disk(models, tmp_path):
    preset = script(models, tmp_path)

    outcome = kill_and_resume(models, preset, tmp_path, Point(CALLS, 0, 0), "t")

    assert outcome.finished == {"a", "b", "c"}
    assert outcome.repeated == set()
