"""Reading the tests that a model proposes, and comparing what calls returned."""

from __future__ import annotations

import pytest

from fusion_graph.coding import Expected, names_used, read_tests
from fusion_graph.coding.proposals import MOST_TESTS, calls_given
from fusion_graph.coding.values import key_of, same
from fusion_graph.sandbox import Output, Suite, written


def returned(value: object) -> Output:
    return Output(written(value))


@pytest.mark.parametrize(
    ("text", "call", "value"),
    [
        ("assert double(2) == 4", "double(2)", 4),
        ("assert 4 == double(2)", "double(2)", 4),
        ("assert double('ab') == 'abab', 'words too'", "double('ab')", "abab"),
        ("assert sorted(pairs([2, 1])) == [(1, 2)]", "sorted(pairs([2, 1]))", [(1, 2)]),
        ("assert find({'a': -1}) is None", "find({'a': -1})", None),
        ("assert abs(half(5) - 2.5) < 1e-6", "half(5)", 2.5),
        ("assert half(5) == pytest.approx(2.5)", "half(5)", 2.5),
        ("assert math.isclose(half(5), 2.5)", "half(5)", 2.5),
        ("assert is_even(2)", "is_even(2)", True),
        ("assert not is_even(3)", "is_even(3)", False),
        ("def test_two():\n    assert double(2) == 4", "double(2)", 4),
    ],
)
def test_a_test_of_one_call_is_taken_apart_into_the_call_and_what_it_should_return(
    text, call, value
):
    (test,) = read_tests(f"Mine:\n\n```python\n{text}\n```\n", "ada")

    assert test.call == call
    assert test.expected is not None
    assert test.expected.met_by(returned(value))
    assert not test.expected.met_by(returned([value, "more"])) or test.expected.truth
    assert not test.expected.met_by(Output(None, "ValueError"))
    assert not test.expected.met_by(None)


@pytest.mark.parametrize(
    "text",
    [
        "import math\nassert area(1) == math.pi",
        "stack = Stack()\nstack.push(1)\nassert stack.pop() == 1",
        "for n in range(3):\n    assert double(n) == 2 * n",
        "assert double(2) in (4, 5)",
        "assert double(2) == sum([2, 2])",
    ],
)
def test_a_test_that_needs_more_than_one_call_is_kept_whole_with_what_prepares_it(text):
    (test,) = read_tests(text, "ada")

    assert test.call is None
    assert test.text == text


def test_an_expected_error_is_met_by_that_error_alone():
    (test,) = read_tests("with pytest.raises(ValueError):\n    root(-1)", "ada")

    assert test.call == "root(-1)"
    assert test.expected is not None
    assert test.expected.met_by(Output(None, "ValueError"))
    assert not test.expected.met_by(Output(None, "TypeError"))
    assert not test.expected.met_by(returned(1))


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "I propose to test it well.",
        "```python\nassert True\n```",
        "```python\nassert 1 == 1\n```",
        "```python\nassert sorted([2, 1]) == [1, 2]\n```",  # asks nothing of the candidate
        "```bash\nassert f(1) == 2\n```",
        "assert f(" + "(" * 3000,
    ],
)
def test_what_tests_nothing_of_the_candidate_is_no_test(reply):
    assert read_tests(reply, "ada") == ()


def test_a_block_that_was_cut_off_gives_the_lines_that_are_whole():
    tests = read_tests("```python\nassert f(1) == 2\nassert f(2) == 3\nassert f(3) ==", "ada")

    assert [test.call for test in tests] == ["f(1)", "f(2)"]


def test_nobody_has_more_votes_by_proposing_many_tests_or_one_twice():
    lines = "\n".join(f"assert f({n}) == {n}" for n in (0, 0, 0, *range(30)))

    tests = read_tests(lines, "ada")

    assert [test.call for test in tests] == [f"f({n})" for n in range(MOST_TESTS)]


def test_the_names_that_candidates_have_to_define_are_those_the_tests_use():
    tests = read_tests("assert f(g(1)) == max([2])\nassert len(h()) == 1", "ada")

    assert names_used(tests) == {"f", "g", "h"}


def test_calls_of_given_tests_are_found_under_the_names_of_what_is_tested():
    check = "def check(candidate):\n    assert candidate(1) == 2\n    assert candidate(2) > 2"

    assert calls_given(Suite(check, "grow")) == ("grow(1)",)
    assert calls_given(Suite("assert grow(3) == 4")) == ("grow(3)",)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (4, 4.0, True),
        (True, 1, True),
        (0.1 + 0.2, 0.3, True),
        (10**400, 10**400, True),
        (10**400, 10**400 + 1, False),
        (float("nan"), float("nan"), True),
        ([1, 2], (1, 2), False),
        ([1, [2.0]], [1, [2]], True),
        ({1, 2}, {2, 1}, True),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": 1}, {"a": 2}, False),
        ("1", 1, False),
        (None, False, False),
        (b"a", "a", False),
        (range(3), [0, 1, 2], False),
        (list(range(9000)), list(range(9000)), True),
        (list(range(9000)), list(range(1, 9001)), False),
    ],
)
def test_values_are_the_same_where_python_or_rounding_says_so(one, other, alike):
    assert same(written(one), written(other)) is alike
    assert (key_of(returned(one)) == key_of(returned(other))) is alike


def test_objects_are_compared_by_class_and_words_and_never_by_their_addresses():
    class Point:
        pass

    assert same(written(Point()), written(Point()))
    assert not same(written(Point()), written(3))


@pytest.mark.parametrize("forged", [["int", "x"], ["float", []], ["int"], ["bool", "yes"]])
def test_a_value_that_a_candidate_forged_is_the_same_as_no_number(forged):
    assert not same(forged, written(0))
    assert key_of(Output(forged))


def test_a_test_is_read_as_data_and_never_run_here(tmp_path):
    mark = tmp_path / "mark"
    read_tests(f"assert f(open({str(mark)!r}, 'w')) == open({str(mark)!r}, 'w')", "ada")

    assert not mark.exists()


def test_an_expected_value_may_be_off_by_what_the_test_allows():
    assert Expected(written(2.5), tolerance=0.01).met_by(returned(2.505))
    assert not Expected(written(2.5), tolerance=0.001).met_by(returned(2.505))
