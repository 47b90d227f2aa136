"""Choosing by what running showed: every trial here is made by hand."""

from __future__ import annotations

import pytest

from fusion_graph.coding import ProposedTest, Trial, read_tests, select
from fusion_graph.sandbox import Output, SuiteRun, written

PASSED = SuiteRun("passed", 2, 2, "")
FAILED = SuiteRun("failed", 1, 2, "f(2) == 4: it is 5")


def trials_of(
    tests: list[ProposedTest],
    given: dict[str, SuiteRun] | None = None,
    **returned: list[object],
) -> list[Trial]:
    """Trials of members who wrote one candidate each, by what it returns on the tests' calls."""
    calls = list(dict.fromkeys(test.call for test in tests))
    found = []
    for name, values in returned.items():
        outputs = [
            Output(None, value.__name__) if isinstance(value, type) else Output(written(value))
            for value in values
        ]
        done = dict(zip(calls, outputs, strict=True))
        verdicts = tuple(test.expected.met_by(done[test.call]) for test in tests)
        found.append(Trial(name, name, (given or {}).get(name), tuple(outputs), verdicts))
    return found


def proposed(**said: str) -> list[ProposedTest]:
    """Tests by who proposed them."""
    return [test for name, text in said.items() for test in read_tests(text, name)]


def test_who_passes_the_tests_of_the_others_is_chosen():
    tests = proposed(ada="assert f(1) == 1", bob="assert f(2) == 4", cem="assert f(3) == 9")

    selection = select(trials_of(tests, ada=[1, 5, 9], bob=[1, 4, 9], cem=[1, 4, 8]), tests)

    assert selection.chosen == "bob"


def test_nobody_is_voted_for_by_tests_that_it_alone_passes():
    tests = proposed(
        ada="assert f(1) == 7\nassert f(2) == 7\nassert f(3) == 7", dan="assert f(4) == 4"
    )
    trials = trials_of(tests, ada=[7, 7, 7, 9], bob=[1, 2, 3, 4], cem=[1, 2, 3, 0])

    selection = select(trials, tests)

    assert selection.chosen == "bob"


def test_a_proposer_that_fails_its_own_test_is_told_so():
    tests = proposed(ada="assert f(1) == 1\nassert f(2) == 2")

    selection = select(trials_of(tests, ada=[1, 0], bob=[1, 2]), tests)

    assert selection.chosen == "bob"


def test_those_who_do_the_same_are_one_however_they_are_written_and_weigh_more():
    tests = proposed(dan="assert f(1) == 1")

    selection = select(trials_of(tests, ada=[5], bob=[6], cem=[5.0]), tests)

    assert selection.behaviours[0].authors == ("ada", "cem")
    assert selection.chosen in ("ada", "cem")


def test_a_test_outweighs_one_companion_and_not_two():
    tests = proposed(dan="assert f(1) == 1\nassert f(2) == 2")

    pair = select(trials_of(tests, ada=[1, 0], bob=[1, 2], cem=[1, 0]), tests)
    three = select(trials_of(tests, ada=[1, 0], bob=[1, 2], cem=[1, 0], eve=[1, 0]), tests)

    assert pair.chosen == "bob"
    assert three.chosen == "ada"


def test_a_test_that_most_who_differ_elsewhere_fail_alike_is_suspect_and_has_no_vote():
    tests = proposed(
        dan="assert f(1) == 100",  # wrong: all but cem say 1
        eve="assert f(2) == 2\nassert f(3) == 3",
    )

    selection = select(trials_of(tests, ada=[1, 2, 3], bob=[1, 2, 0], cem=[100, 0, 3]), tests)

    assert selection.suspects == {0}
    assert selection.chosen == "ada"


def test_a_test_that_the_others_fail_each_in_its_own_way_is_a_good_one():
    tests = proposed(dan="assert f(1) == 1\nassert f(2) == 2")

    selection = select(trials_of(tests, ada=[1, 2], bob=[7, 2], cem=[8, 2]), tests)

    assert selection.suspects == frozenset()
    assert selection.chosen == "ada"


def test_tests_that_all_pass_or_all_fail_say_nothing():
    plain = proposed(dan="assert f(1) == 1")
    more = proposed(dan="assert f(1) == 1\nassert f(2) == 2\nassert f(3) == 33")

    one = select(trials_of(plain, ada=[1], bob=[0]), plain)
    other = select(trials_of(more, ada=[1, 2, 3], bob=[0, 2, 3]), more)

    assert one.chosen == other.chosen == "ada"
    assert [b.votes for b in one.behaviours] == [b.votes for b in other.behaviours]


def test_the_given_tests_are_a_veto_however_many_agree_against_them():
    tests = proposed(dan="assert f(1) == 1\nassert f(2) == 2")
    given = {"ada": FAILED, "bob": FAILED, "cem": PASSED}

    selection = select(trials_of(tests, given, ada=[1, 2], bob=[1, 2], cem=[0, 0]), tests)

    assert selection.chosen == "cem"
    assert [b.candidates for b in selection.behaviours] == [("cem",)]


@pytest.mark.parametrize("outcome", ["failed", "timed_out", "over_limit", "untestable"])
def test_where_nobody_passes_the_given_tests_nobody_is_chosen(outcome):
    tests = proposed(dan="assert f(1) == 1")
    given = dict.fromkeys(("ada", "bob"), SuiteRun(outcome, 0, 2, ""))

    selection = select(trials_of(tests, given, ada=[1], bob=[1]), tests)

    assert (selection.chosen, selection.reason) == (None, "none_passes_given")


def test_who_fails_at_every_call_is_not_chosen_for_having_company():
    tests = proposed(dan="assert f(1) == 1")

    selection = select(trials_of(tests, ada=[NameError], bob=[NameError], cem=[5]), tests)

    assert selection.chosen == "cem"
    assert select(trials_of(tests, ada=[NameError]), tests).reason == "none_runs"


def test_where_running_does_not_decide_what_else_speaks_for_one_does():
    tests = proposed(dan="assert f(1) == 1")
    trials = trials_of(tests, ada=[1], bob=[1], cem=[1])

    assert select(trials, tests, {"bob": 2.0, "cem": 1.0}).chosen == "bob"


def test_without_anything_to_run_nothing_is_chosen_by_running():
    trials = [Trial("ada", "ada", None, (), ()), Trial("bob", "bob", None, (), ())]

    assert select(trials, []).reason == "untried"


def test_the_same_trials_in_another_order_choose_the_same():
    tests = proposed(ada="assert f(1) == 1", bob="assert f(2) == 2", cem="assert f(3) == 9")
    trials = trials_of(tests, ada=[1, 5, 9], bob=[1, 2, 9], cem=[0, 2, 8])

    assert {select(order, tests).chosen for order in (trials, trials[::-1])} == {"bob"}
