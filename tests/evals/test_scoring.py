"""The arithmetic of grades, on verdicts written by hand."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

import pytest

from fusion_graph.errors import MixedGraders
from fusion_graph.evals._grades import CriterionVerdict, Grade
from fusion_graph.evals._questions import Criterion, Question, Reference, Rubric
from fusion_graph.evals._scoring import Mean, score, score_run
from fusion_graph.evals.tallies import OPENROUTER, POLICIES, STRICT, tally

# Positive weights: 10 + 6 + 4 = 20. Errors: -8 on facts, -30 on citations.
CRITERIA = (
    Criterion("f1", "Says 5.", 10, "facts"),
    Criterion("f2", "Says 6.", 6, "facts"),
    Criterion("f3", "Errs.", -8, "facts"),
    Criterion("c1", "Links.", 4, "citations"),
    Criterion("c2", "Invents a source.", -30, "citations"),
)
QUESTION = Question("q", "How wet is water?", Rubric(CRITERIA), "Water")
GRADER = {"model": "scripted:grader", "temperature": 0.2}

WORDS = {"+": True, "-": False, "?": None}


def marked(signs: str, criteria: tuple[Criterion, ...] = CRITERIA) -> tuple[CriterionVerdict, ...]:
    """`+-?` for each criterion in order: met, unmet, no verdict."""
    return tuple(
        CriterionVerdict(item.id, WORDS[sign])
        for item, sign in zip(criteria, signs.replace(" ", ""), strict=True)
    )


def graded(*passes: str, question: Question = QUESTION, **fields: Any) -> Grade:
    verdicts = tuple(marked(one, question.criteria) for one in passes)
    return Grade(question.id, "graded", verdicts, grader=GRADER, **fields)


@pytest.mark.parametrize(
    ("signs", "raw", "normalised", "pass_rate"),
    [
        ("++- +-", 20, 100.0, 100.0),  # all that is good, no error
        ("--- --", 0, 0.0, 40.0),  # nothing: two errors avoided of five criteria
        ("+++ ++", -18, 0.0, 60.0),  # all met, errors too: kept at 0
        ("--+ -+", -38, 0.0, 0.0),  # nothing but errors
        ("+-- --", 10, 50.0, 60.0),
        ("+-+ +-", 6, 30.0, 60.0),  # mixed: 10 - 8 + 4 of 20
        ("-+- --", 6, 30.0, 60.0),
    ],
)
@pytest.mark.parametrize("policy", POLICIES.values(), ids=str)
def test_a_pass_is_the_sum_of_weights_met_over_the_positive_ones(
    signs, raw, normalised, pass_rate, policy
):
    counted = tally(CRITERIA, marked(signs), policy)

    assert (counted.raw, counted.possible, counted.unread) == (raw, 20, 0)
    assert counted.normalised == normalised
    assert counted.pass_rate == pytest.approx(pass_rate)


def test_heavy_errors_stop_at_nothing():
    criteria = (Criterion("a", "A.", 2), Criterion("b", "Harms.", -500))

    assert tally(criteria, marked("++", criteria), STRICT).normalised == 0.0


@pytest.mark.parametrize(
    ("signs", "dropped", "strict"),
    [
        # dropped: raw and possible lose the criterion; strict: not met, or the error made.
        ("?+- +-", (10, 10, 100.0), (10, 20, 50.0)),
        ("++? +-", (20, 20, 100.0), (12, 20, 60.0)),
        ("++- +?", (20, 20, 100.0), (-10, 20, 0.0)),
        ("??- +-", (4, 4, 100.0), (4, 20, 20.0)),
        ("-?? ?-", (0, 10, 0.0), (-8, 20, 0.0)),
    ],
)
def test_a_missing_verdict_is_dropped_or_counts_against(signs, dropped, strict):
    for policy, expected in ((OPENROUTER, dropped), (STRICT, strict)):
        counted = tally(CRITERIA, marked(signs), policy)
        assert (counted.raw, counted.possible, counted.normalised) == expected
        assert counted.unread == signs.count("?")


def test_the_pass_rate_leaves_out_what_is_dropped_and_counts_what_is_not():
    signs = "?+- ?+"

    assert tally(CRITERIA, marked(signs), OPENROUTER).pass_rate == pytest.approx(200 / 3)
    assert tally(CRITERIA, marked(signs), STRICT).pass_rate == 40.0


def test_with_every_verdict_missing_there_is_no_score_or_the_worst():
    assert tally(CRITERIA, marked("?????"), OPENROUTER).normalised is None
    assert tally(CRITERIA, marked("?????"), OPENROUTER).pass_rate is None
    assert tally(CRITERIA, marked("?????"), STRICT).normalised == 0.0
    assert tally(CRITERIA, marked("?????"), STRICT).pass_rate == 0.0


def test_a_criterion_that_a_pass_does_not_speak_of_has_no_verdict():
    counted = tally(CRITERIA, marked("++- +-")[:3], OPENROUTER)

    assert (counted.possible, counted.unread) == (16, 2)


# One answer


def test_a_question_is_the_mean_of_its_passes_with_their_deviation():
    one = score(QUESTION, graded("++-+-", "+----", "-+---"), OPENROUTER)

    assert one.passes == (100.0, 50.0, 30.0)
    assert one.score == pytest.approx(60.0)
    # Population: mean of (40², 10², 30²) = 2600/3.
    assert one.deviation == pytest.approx(math.sqrt(2600 / 3))
    assert one.pass_rate == pytest.approx((100 + 60 + 60) / 3)
    assert one.status == "graded"


def test_axes_are_scored_by_themselves():
    one = score(QUESTION, graded("+-+ +-", "++- --"), OPENROUTER)

    # facts: (10 - 8) / 16, then 16 / 16; citations: 4 / 4, then 0 / 4.
    assert one.axes == {"facts": pytest.approx(56.25), "citations": pytest.approx(50.0)}


def test_an_axis_of_errors_only_has_no_score():
    criteria = (Criterion("a", "A.", 5, "facts"), Criterion("b", "Harms.", -5, "safety"))
    question = Question("q", "A?", Rubric(criteria))

    one = score(question, graded("+-", question=question), OPENROUTER)

    assert one.axes == {"facts": 100.0, "safety": None}


def test_one_pass_has_no_noise():
    assert score(QUESTION, graded("++-+-"), OPENROUTER).deviation is None


@pytest.mark.parametrize("policy", POLICIES.values(), ids=str)
def test_a_failed_answer_scores_nothing_on_every_axis(policy):
    one = score(QUESTION, Grade("q", "failed"), policy)

    assert (one.score, one.pass_rate, one.deviation, one.passes) == (0.0, 0.0, None, ())
    assert one.axes == {"facts": 0.0, "citations": 0.0}


@pytest.mark.parametrize("policy", POLICIES.values(), ids=str)
def test_an_answer_without_a_single_readable_verdict_scores_nothing_and_stays_in_the_mean(policy):
    silent = graded("?????", "?????", "?????")

    one = score(QUESTION, silent, policy)
    assert (one.score, one.pass_rate, one.status) == (0.0, 0.0, "graded")
    assert one.axes == {"facts": 0.0, "citations": 0.0}
    assert (one.unread, one.verdicts) == (15, 15)

    run = score_run([(QUESTION, silent), (question("r", "UX"), graded("++-+-"))], policy)
    assert run.pass_scores == (50.0,) * 3
    assert (run.score, run.pass_rate, run.questions) == (50.0, 50.0, 2)
    assert (run.unreadable, run.ungraded, run.failed) == (("q",), (), ())


def test_code_that_cannot_be_tested_has_no_score():
    untestable = score(QUESTION, Grade("q", "ungraded"), STRICT)

    assert (untestable.score, untestable.status) == (None, "ungraded")


def test_a_pass_in_which_only_errors_could_be_read_counts_as_nothing():
    one = score(QUESTION, graded("??- ??", "++- +-"), OPENROUTER)

    assert (one.passes, one.score) == ((0.0, 100.0), 50.0)
    assert one.pass_rate == 100.0


def test_a_criterion_of_no_weight_is_asked_for_and_never_favourable_or_is_left_out():
    criteria = (Criterion("a", "A.", 10), Criterion("b", "B.", 0), Criterion("c", "Errs.", -4))
    for signs in ("++-", "+--"):
        theirs, ours = (tally(criteria, marked(signs, criteria), p) for p in (OPENROUTER, STRICT))
        assert (theirs.raw, theirs.possible, theirs.normalised) == (10, 10, 100.0)
        assert theirs.pass_rate == pytest.approx(200 / 3)
        assert (ours.normalised, ours.pass_rate) == (100.0, 100.0)
    only = (Criterion("b", "B.", 0),)
    assert tally(only, marked("+", only), OPENROUTER).pass_rate == 0.0
    assert tally(only, marked("+", only), STRICT).pass_rate is None


def test_a_pass_without_any_verdict_is_left_out_of_the_mean():
    one = score(QUESTION, graded("+----", "?????"), OPENROUTER)

    assert (one.passes, one.score, one.deviation, one.unread) == ((50.0, None), 50.0, None, 5)


def test_a_reference_answer_is_a_rubric_of_one():
    question = Question("q", "A?", Reference("Yes."))

    assert score(question, graded("+", "-", "+", question=question), STRICT).score == (
        pytest.approx(200 / 3)
    )


# A run


def question(name: str, domain: str) -> Question:
    return Question(name, f"{name}?", Rubric(CRITERIA), domain)


def test_a_run_has_means_noise_axes_domains_and_what_is_missing():
    a, b, c, d = (question(n, s) for n, s in (("a", "Law"), ("b", "Law"), ("c", "UX"), ("d", "UX")))
    run = score_run(
        [
            (a, graded("++-+-", "+----", question=a)),  # 100 and 50
            (b, graded("+----", "+---?", question=b)),  # 50 and 50
            (c, Grade("c", "failed")),  # 0
            (d, graded("?????", "?????", question=d, leaks=("2602.11685",))),
        ],
        OPENROUTER,
    )

    assert run.policy == "openrouter"
    assert run.grader == GRADER
    assert run.questions == 4
    assert run.score == pytest.approx((75 + 50 + 0 + 0) / 4)
    # Population deviation of 75, 50, 0, 0 around 125/4.
    assert run.deviation == pytest.approx(32.4759526419)
    assert run.judge_noise == pytest.approx((25 + 0) / 2)
    assert run.pass_scores == (pytest.approx(37.5), pytest.approx(25.0))
    assert run.pass_deviation == pytest.approx(6.25)
    assert run.domains == {
        "Law": Mean(pytest.approx(62.5), 2),
        "UX": Mean(0.0, 2),
    }
    # facts: a (100 + 62.5) / 2, b 62.5, c 0, d 0; citations: a (100 + 0) / 2, b 0, c 0, d 0.
    assert run.axes["facts"] == Mean(pytest.approx((81.25 + 62.5 + 0 + 0) / 4), 4)
    assert run.axes["citations"] == Mean(pytest.approx(50 / 4), 4)
    assert (run.failed, run.unreadable, run.leaked) == (("c",), ("d",), ("d",))
    assert (run.unread, run.verdicts) == (11, 30)


def test_both_policies_score_the_same_verdicts_and_say_which():
    marks = [(QUESTION, graded("?+- +-"))]

    assert (score_run(marks, OPENROUTER).policy, score_run(marks, OPENROUTER).score) == (
        "openrouter",
        100.0,
    )
    assert (score_run(marks, STRICT).policy, score_run(marks, STRICT).score) == ("strict", 50.0)


def test_a_run_in_which_nothing_could_be_marked_has_no_figures():
    run = score_run([(QUESTION, Grade("q", "ungraded"))], STRICT)

    assert (run.score, run.deviation, run.judge_noise, run.pass_scores) == (None, None, None, ())
    assert run.ungraded == ("q",)


def test_what_code_marked_once_counts_in_every_pass():
    check = Question("k", "K?", Reference("x"))
    by_code = Grade("k", "graded", (marked("+", check.criteria),))

    run = score_run([(QUESTION, graded("+----", "-----")), (check, by_code)], OPENROUTER)

    assert run.pass_scores == (75.0, 50.0)
    assert run.grader == GRADER


# One grader


def test_grades_of_two_graders_are_not_averaged():
    other = Grade("r", "graded", (marked("++-+-"),), grader={**GRADER, "model": "scripted:other"})

    with pytest.raises(MixedGraders, match=r"model: scripted:grader and scripted:other"):
        score_run([(QUESTION, graded("++-+-")), (question("r", ""), other)], OPENROUTER)


def test_the_same_model_asked_in_another_way_is_another_grader():
    other = Grade("r", "graded", (marked("++-+-"),), grader={**GRADER, "temperature": 0.0})

    with pytest.raises(MixedGraders, match="temperature"):
        score_run([(QUESTION, graded("++-+-")), (question("r", ""), other)], OPENROUTER)


def test_an_alias_that_moved_during_the_run_is_found_out():
    grades = [graded("++-+-", served_by=("g-1",)), graded("++-+-", served_by=("g-2",))]

    with pytest.raises(MixedGraders, match=r"g-1, g-2.*Name a fixed version"):
        score_run([(QUESTION, grade) for grade in grades], OPENROUTER)


def test_a_grade_survives_a_file():
    grade = graded(
        "+?-+-",
        served_by=("g-1",),
        leaks=("pplx-draco",),
        detail={"outcome": "passed", "containment": {"network": "none"}},
        calls=({"stage": "grading", "cost_usd": None},),
    )

    assert Grade.load(json.loads(json.dumps(asdict(grade)))) == grade
