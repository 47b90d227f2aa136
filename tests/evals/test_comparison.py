"""Arms side by side: exact figures from answers made by hand."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from fusion_graph.cli.eval_tables import shown
from fusion_graph.errors import MixedGraders
from fusion_graph.evals._grades import Grade
from fusion_graph.evals.comparison import compare
from fusion_graph.evals.output.html import render_html
from fusion_graph.evals.output.markdown import render_markdown
from fusion_graph.evals.tallies import STRICT
from tests.evals.marks import arm, call, evaluation, mark, question

P, S = arm("p"), arm("s", "solo")


def results(panel: list, solo: list, **costs):
    marked = []
    for number, (one, other) in enumerate(zip(panel, solo, strict=True)):
        asked = question(number, "even" if number % 2 == 0 else "odd")
        marked += [
            mark(asked, P, one, cost=costs.get("panel_cost", 0.04), tokens=400, seconds=3),
            mark(asked, S, other, cost=costs.get("solo_cost", 0.01), tokens=100, seconds=1),
        ]
    return compare(marked, ["p", "s"], STRICT)


def test_scores_differences_and_ratios_are_exact():
    found = results([True] * 8 + [False] * 2, [True] * 5 + [False] * 5)

    one, other = found.arms
    assert (one.score.score, other.score.score) == (80, 50)
    assert one.cost == pytest.approx(0.4)
    assert (one.tokens_in_all, one.seconds_each, one.calls) == (4000, 3, 10)
    (pair,) = found.comparisons
    assert pair.score.estimate == pytest.approx(30)
    assert [getattr(pair, name).estimate for name in ("cost", "tokens", "seconds")] == (
        pytest.approx([4, 4, 3])
    )
    assert (pair.helped, pair.hurt, pair.same) == (3, 0, 7)


def test_gains_are_told_question_by_question_best_first():
    (pair,) = results([True, False, True, None], [False, True, True, True]).comparisons

    assert pair.gains == (("q000", 100), ("q002", 0), ("q001", -100), ("q003", -100))


def test_identical_arms_show_no_difference_and_a_clean_sweep_shows_one():
    same = results([True, False] * 20, [True, False] * 20).comparisons[0]
    sweep = results([True] * 20, [False] * 20).comparisons[0]

    assert not same.score.shown
    assert same.score.low < 0 < same.score.high
    assert sweep.score.shown


def test_questions_that_could_not_be_marked_are_left_out_of_a_comparison_and_named():
    marked = [mark(question(n), of, True) for n in range(9) for of in (P, S)]
    for place in (2, 5, 7):  # two of the first arm's, one of the second's
        item = marked[place]
        lost = Grade(item.question.id, "ungraded")
        marked[place] = replace(item, grade=lost)

    (pair,) = compare(marked, ["p", "s"], STRICT).comparisons

    assert pair.left_out == ("q001", "q002", "q003")
    assert (pair.score.pairs, pair.score.left_out, len(pair.gains)) == (6, 3, 6)


def test_an_answer_that_failed_scores_zero_and_counts():
    one = results([None] * 2 + [True] * 2, [True] * 4).arms[0]

    assert one.score.score == 50
    assert one.score.questions == 4
    assert one.score.failed == ("q000", "q001")


@pytest.mark.parametrize(
    "costs", [{"panel_cost": None}, {"solo_cost": None}, {"panel_cost": 0.0, "solo_cost": 0.0}]
)
def test_a_ratio_of_costs_that_are_unknown_or_nothing_is_not_made_up(costs):
    found = results([True] * 6, [True] * 6, **costs)

    (pair,) = found.comparisons
    assert pair.cost is None
    assert pair.tokens is not None
    if costs.get("panel_cost", 0) is None:
        assert found.arms[0].cost is None


def test_an_arm_that_a_plan_pays_costs_plan_and_is_not_cheaper_than_another():
    panel, asked = mark(question(0), P, True, cost=0.04), question(0)
    solo = mark(asked, S, True)
    by_plan = replace(solo.answer, calls=({**call(None), "plan": True},))
    found = evaluation([panel, replace(solo, answer=by_plan)])
    (pair,) = found.results.comparisons
    assert pair.cost is None
    for text in (shown(found), render_markdown(found), render_html(found)):
        [row] = [line for line in text.splitlines() if re.search(r"\bplan\b", line)]
        assert "$" not in row


def test_domains_with_enough_questions_have_an_interval_of_their_own():
    (pair,) = results([True] * 12, [True, False] * 6).comparisons
    assert pair.domains["odd"].estimate == 100
    assert pair.domains["even"].estimate == 0

    (small,) = results([True] * 8, [True, False] * 4).comparisons
    assert small.domains == {}


def test_the_first_arm_is_compared_with_every_other():
    third = arm("t")
    marked = [mark(question(n), of, True) for n in range(3) for of in (P, S, third)]

    found = compare(marked, ["p", "s", "t"], STRICT)

    assert [(pair.one, pair.other) for pair in found.comparisons] == [
        ("p", "s"),
        ("p", "t"),
    ]


def test_arms_marked_by_two_graders_are_not_compared():
    one, other = mark(question(1), P, True), mark(question(1), S, True)
    marked = [
        replace(item, grade=replace(item.grade, grader={"model": model}))
        for item, model in ((one, "g"), (other, "h"))
    ]
    with pytest.raises(MixedGraders):
        compare(marked, ["p", "s"], STRICT)
