"""The timeline's geometry."""

from __future__ import annotations

import pytest

from fusion_graph.report.html._timeline import lay_out, ticks
from fusion_graph.report.html.panel import Member
from fusion_graph.report.model import TimelineRow

MODELS = frozenset({"m"})


def call(name: str, start: float, end: float, **fields: str) -> TimelineRow:
    row = {"stage": "panel", "what": "m", "outcome": "ok", **fields}
    return TimelineRow(name=name, start=start, end=end, **row)


def member(name: str, position: int = 1) -> Member:
    return Member(name, position, 0.0, True)


def test_lanes_stand_in_panel_order_then_judge_and_writer():
    rows = [
        call("writer", 3, 4, stage="synthesis"),
        call("judge", 2, 3, stage="judge"),
        call("b", 0, 1),
        call("a", 0.5, 2),
        call("router", 0, 0.1, stage="route"),
    ]

    drawn = lay_out(rows, [member("a"), member("b", 2)], MODELS)

    assert [lane.name for lane in drawn.lanes] == ["choice", "a", "b", "judge", "writer"]
    assert [len(lane.bars) for lane in drawn.lanes] == [1, 1, 1, 1, 1]


def test_a_panelist_called_judge_keeps_a_lane_of_its_own():
    rows = [call("judge", 0, 1), call("judge", 1, 2, stage="judge")]

    drawn = lay_out(rows, [member("judge")], MODELS)

    assert [(lane.name, lane.member is None) for lane in drawn.lanes] == [
        ("judge", False),
        ("judge", True),
    ]


def test_bars_are_percent_of_the_run():
    drawn = lay_out([call("a", 1, 2), call("a", 2, 4)], [member("a")], MODELS)

    assert drawn.length == 4
    assert [(bar.left, bar.width) for bar in drawn.lanes[0].bars] == [(25, 25), (50, 50)]


def test_calls_at_the_same_time_stand_below_each_other_and_rows_are_used_again():
    rows = [call("a", 0, 3), call("a", 1, 2), call("a", 2, 4), call("a", 3, 4)]

    (lane,) = lay_out(rows, [member("a")], MODELS).lanes

    assert lane.rows == 2
    assert [bar.row for bar in lane.bars] == [0, 1, 1, 0]


def test_tools_are_told_from_models():
    (lane,) = lay_out(
        [call("a", 0, 1), call("a", 1, 2, what="web_search")], [member("a")], MODELS
    ).lanes

    assert [bar.tool for bar in lane.bars] == [False, True]


def test_whoever_made_no_call_has_an_empty_lane():
    drawn = lay_out([], [member("a")], MODELS)

    assert [(lane.name, lane.bars) for lane in drawn.lanes] == [("a", [])]
    assert drawn.length > 0


def test_one_model_alone_stands_in_its_lane_with_its_tools():
    rows = [call("w", 0, 1, stage="direct"), call("w", 1, 2, what="web_search")]

    (lane,) = lay_out(rows, [member("w")], MODELS).lanes

    assert len(lane.bars) == 2


@pytest.mark.parametrize("length", [0.0004, 0.03, 0.41, 1, 5.9, 6, 59, 61, 600, 7200, 86_400])
def test_ticks_are_few_round_and_within_the_run(length):
    marks = ticks(length)

    assert 2 <= len(marks) <= 6
    assert marks[0].left == 0
    assert all(0 <= mark.left <= 100 for mark in marks)
    assert len({mark.label for mark in marks}) == len(marks)


def test_times_that_make_no_sense_stay_inside_the_chart():
    (lane,) = lay_out([call("a", -5, -1), call("a", 9, 3)], [member("a")], MODELS).lanes

    assert all(0 <= bar.left <= 100 and 0 <= bar.width <= 100 for bar in lane.bars)
