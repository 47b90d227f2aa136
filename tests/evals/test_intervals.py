"""How sure a difference is: bounds, seeds, coverage, and when nothing is shown."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from fusion_graph.evals._sign_test import SignTest
from fusion_graph.evals.intervals import NO_DIFFERENCE, difference, ratio, student_t

Arm = dict[str, float | None]


def arm(values: list[float | None]) -> Arm:
    return {f"q{n:03}": value for n, value in enumerate(values)}


@pytest.mark.slow
def test_the_estimate_is_the_mean_of_the_differences_and_lies_inside():
    rng = random.Random(1)
    one = arm([rng.gauss(60, 10) for _ in range(100)])
    other = arm([rng.gauss(50, 10) for _ in range(100)])

    found = difference(one, other)

    assert found is not None
    assert found.estimate == pytest.approx(sum(one.values()) / 100 - sum(other.values()) / 100)
    assert found.low < found.estimate < found.high
    assert (found.pairs, found.left_out, found.shown) == (100, 0, True)
    assert found.verdict("better", "worse") == "better"
    swapped = difference(other, one)
    assert swapped.verdict("better", "worse") == "worse"
    assert swapped.estimate == -found.estimate


@pytest.mark.slow
def test_the_width_is_that_of_the_normal_approximation_where_that_holds():
    rng = random.Random(2)
    values = [rng.choice([-40.0, 0.0, 40.0]) for _ in range(400)]
    mean = sum(values) / 400
    spread = (sum((v - mean) ** 2 for v in values) / 399) ** 0.5

    found = difference(arm(values), arm([0.0] * 400))

    assert found.high - found.low == pytest.approx(2 * 1.966 * spread / 400**0.5, rel=0.04)


@pytest.mark.slow
def test_a_seed_repeats_the_interval_and_another_moves_it_little():
    rng = random.Random(3)
    one, other = (arm([rng.random() for _ in range(60)]) for _ in "ab")

    first = difference(one, other, seed=1)

    assert first == difference(dict(reversed(one.items())), other, seed=1)
    second = difference(one, other, seed=2)
    assert second != first
    assert second.low == pytest.approx(first.low, abs=0.05 * (first.high - first.low))


def test_pairing_shows_what_separate_means_would_hide():
    rng = random.Random(4)
    hard = [rng.uniform(0, 90) for _ in range(50)]
    one = arm([value + 8 + rng.gauss(0, 1) for value in hard])

    assert difference(one, arm(hard)).shown
    assert not difference(one, arm(rng.sample(hard, 50))).shown


def test_identical_arms_show_no_difference_and_do_not_show_that_there_is_none():
    same = arm([float(n % 3) for n in range(40)])

    found = difference(same, dict(same))

    assert (found.estimate, found.shown) == (0, False)
    assert found.low < -3
    assert found.high > 3
    assert found.verdict("better", "worse") == NO_DIFFERENCE


@pytest.mark.parametrize("count", [6, 7, 20, 100])
@pytest.mark.parametrize("gain", [-100.0, -0.02, 0.0, 5.0, 100.0])
def test_no_interval_is_without_width_however_alike_the_questions_are(count, gain):
    found = difference(arm([gain] * count), arm([0.0] * count), resamples=1000)

    assert -100 <= found.low <= gain <= found.high <= 100
    assert found.high - found.low > 100 / count


@pytest.mark.slow
def test_what_is_told_as_nothing_is_called_no_difference():
    found = difference(arm([0.04] * 4000), arm([0.0] * 4000), resamples=200)
    assert found.signs.p < 1e-9
    assert found.verdict("better", "worse") == NO_DIFFERENCE

    amounts = ratio(arm([1.004] * 500), arm([1.0] * 500))
    assert not amounts.shown


@pytest.mark.parametrize(
    ("above", "below", "p"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),
        (3, 3, 1.0),
        (4, 0, 0.125),
        (0, 5, 0.0625),
        (6, 0, 0.03125),
        (9, 1, 0.021484375),
        (1000, 0, 2.0**-999),
    ],
)
def test_the_sign_test_is_exact_and_two_sided(above, below, p):
    assert SignTest(above, below).p == p
    assert SignTest(below, above).p == p


def test_a_difference_is_called_one_only_where_interval_and_sign_test_agree():
    def shown(*gains: float) -> bool:
        return difference(arm(list(gains)), arm([0.0] * len(gains))).shown

    assert shown(*[80.0] * 12, *[0.0] * 8)
    assert not shown(*[90.0] * 5, *[0.0] * 5)  # 5 to 0: p 0.0625
    # Few great gains among many small losses: the mean is above, most questions lie below.
    assert not shown(*[100.0] * 30, *[-5.0] * 60)
    # Many small gains, one disaster: the sign test alone would call it better.
    assert SignTest(19, 1).p < 0.001
    assert not shown(*[5.0] * 19, -100.0)


def test_a_failure_too_rare_to_be_seen_in_few_questions_is_left_room_for():
    unseen = difference(arm([100 / 19] * 20), arm([0.0] * 20))

    assert unseen.low < -5
    assert not unseen.shown


def test_questions_without_a_value_on_one_side_are_left_out_and_counted():
    one = arm([1.0, 2.0, None, 4.0, 5.0, 6.0, 7.0, 8.0])
    other = arm([0.0, 1.0, 2.0, None, 4.0, 5.0, 6.0])

    found = difference(one, other)

    assert (found.pairs, found.left_out, found.estimate) == (5, 3, 1.0)


def test_too_few_questions_have_no_interval_and_show_nothing_however_clear_they_are():
    for count, shown in ((1, False), (5, False), (6, True)):
        found = difference(arm([100.0] * count), arm([0.0] * count))
        assert (found.estimate, found.shown) == (100.0, shown)
        assert (found.low is not None) == (found.high is not None) == shown
        assert (ratio(arm([2.0, 3.0, 4.0]), arm([1.0, 1.0, 1.0])).low, shown) == (None, shown)


def test_arms_without_a_common_question_have_no_difference():
    assert difference({"a": 1.0}, {"b": 1.0}) is None
    assert difference({"a": None}, {"a": 1.0}) is None
    assert ratio({"a": 1.0}, {"b": 1.0}) is None


def test_a_ratio_is_of_totals_and_compared_with_one():
    rng = random.Random(5)
    other = [rng.uniform(0.01, 0.02) for _ in range(40)]
    one = [value * rng.uniform(3, 5) for value in other]

    found = ratio(arm(one), arm(other))

    assert found.estimate == pytest.approx(sum(one) / sum(other))
    assert 3 < found.low < found.estimate < found.high < 5
    assert found.verdict("dearer", "cheaper") == "dearer"
    assert ratio(arm(other), arm(one)).verdict("dearer", "cheaper") == "cheaper"
    assert ratio(arm(other), arm(other)).verdict("dearer", "cheaper") == NO_DIFFERENCE


def test_there_is_no_ratio_to_what_costs_nothing():
    assert ratio(arm([1.0] * 10), arm([0.0] * 10)) is None
    mostly_free = ratio(arm([1.0] * 10), arm([0.0] * 9 + [1.0]))
    assert (mostly_free.estimate, mostly_free.low is not None) == (10.0, True)


def test_one_ratio_on_every_question_is_told_without_an_interval():
    found = ratio(arm([4.0, 8.0, 12.0] * 4), arm([1.0, 2.0, 3.0] * 4))

    assert (found.estimate, found.low, found.high) == (4.0, None, None)
    assert found.verdict("dearer", "cheaper") == "dearer"


@pytest.mark.parametrize("size", [3, 200, 256, 257, 1000])
@pytest.mark.slow
def test_every_question_is_drawn_as_often_as_any_other(size):
    # The share of indicator j is its frequency; over many draws each is 1 / size.
    for marked in (0, size // 2, size - 1):
        one = arm([float(n == marked) * size for n in range(size)])
        found = ratio(one, arm([1.0] * size), resamples=2000)
        assert found.estimate == 1.0
        if size >= 200:  # Poisson with mean 1: 95 % lie within 0 and 3, a few above
            assert (found.low, found.high) in ((0.0, 3.0), (0.0, 4.0))


def covered(draw: Callable[[random.Random], tuple[Arm, Arm]], truth: float) -> int:
    """In how many of 100 seeded repetitions the interval holds the truth."""
    count = 0
    for repetition in range(100):
        one, other = draw(random.Random(repetition))
        found = difference(one, other, seed=repetition, resamples=1000)
        count += found.low <= truth <= found.high
    return count


def answers(rng: random.Random, questions: int, right: float) -> Arm:
    return arm([100.0 * (rng.random() < right) for _ in range(questions)])


@pytest.mark.slow
def test_the_true_difference_is_covered_in_about_95_of_100():
    def draw(rng: random.Random) -> tuple[Arm, Arm]:
        return answers(rng, 200, 0.7), answers(rng, 200, 0.6)

    assert 91 <= covered(draw, 10.0) <= 99


@pytest.mark.slow
def test_few_questions_are_covered_nearly_as_well():
    def draw(rng: random.Random) -> tuple[Arm, Arm]:
        return arm([rng.gauss(53, 10) for _ in range(12)]), arm([50.0] * 12)

    assert covered(draw, 3.0) >= 91


@pytest.mark.slow
def test_arms_of_the_same_ability_are_told_apart_in_about_5_of_100():
    def draw(rng: random.Random) -> tuple[Arm, Arm]:
        return answers(rng, 200, 0.6), answers(rng, 200, 0.6)

    assert 91 <= covered(draw, 0.0) <= 99


@pytest.mark.parametrize(
    ("degrees", "table"), [(5, 2.5706), (9, 2.2622), (39, 2.0227), (199, 1.9720)]
)
def test_students_t_is_that_of_the_tables(degrees, table):
    assert student_t(0.975, degrees) == pytest.approx(table, rel=0.003)
    assert student_t(0.025, degrees) == pytest.approx(-table, rel=0.003)
