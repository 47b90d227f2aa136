"""Trying candidates in the sandbox: what running each of them shows."""

from __future__ import annotations

import pytest

from fusion_graph.coding import Candidate, read_tests, select, try_all
from fusion_graph.errors import SandboxUnavailable
from fusion_graph.sandbox import Limits, Suite, run_calls, wall

PATIENT = Limits(seconds=120, cpu_seconds=30)
"""So that a busy machine changes no verdict."""

DOUBLE = "def double(x):\n    return x * 2\n"
ADDED = "def double(x):\n    return x + x\n"
PRINTS = "def double(x):\n    print(x * 2)\n"
SQUARE = "def double(x):\n    return x ** 2\n"


@pytest.fixture(autouse=True)
def bubblewrap() -> None:
    """A machine on which code can be confined; elsewhere the test is skipped, and says why."""
    try:
        wall()
    except SandboxUnavailable as error:
        pytest.skip(str(error))


async def test_calls_bring_back_what_each_returned_or_raised():
    code = (
        "def f(x):\n    print('noise')\n    return {x: (1.5, [x])}\ndef g():\n    return iter('ab')"
    )

    run = await run_calls(code, ["f(1)", "f([])", "g()", "nobody(1)"], {"f", "g"}, PATIENT)

    one, two, three, four = run.outputs
    assert run.broken == ""
    assert one.value == [
        "dict",
        [[["int", "0x1"], ["tuple", [["float", "1.5"], one.value[1][0][1][1][1]]]]],
    ]
    assert two.error == "TypeError"
    assert three.value == ["iterator", [["str", "a"], ["str", "b"]]]
    assert four.error == "NameError"


async def test_a_call_that_does_not_end_costs_itself_and_not_the_others():
    code = "def f(x):\n    while x == 1:\n        pass\n    return x"

    run = await run_calls(code, ["f(0)", "f(1)", "f(2)"], {"f"}, PATIENT)

    assert [output.error if output else None for output in run.outputs] == ["", "Late", ""]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def f(:\n", "SyntaxError"),
        ("raise RuntimeError('not today')\ndef f(x): return x", "not today"),
        ("import os\nos._exit(0)", "ended early"),
    ],
)
async def test_code_that_cannot_be_loaded_says_why(code, words):
    run = await run_calls(code, ["f(1)"], {"f"}, PATIENT)

    assert run.outputs == (None,)
    assert words in run.broken


async def test_what_a_test_expects_is_nowhere_in_the_process_of_the_candidate():
    reader = """
import gc, sys
def double(x):
    seen = []
    frame = sys._getframe(1)
    while frame is not None:
        seen += list(frame.f_locals.values()) + list(frame.f_code.co_consts)
        frame = frame.f_back
    seen += [one for one in gc.get_objects() if isinstance(one, (dict, list, tuple))]
    return "".join(("733", "13")) in repr(seen)
"""
    tests = read_tests("assert double('only input') == 73313", "ada")

    (trial,) = await try_all([Candidate("A", "bob", reader)], tests, limits=PATIENT)

    assert trial.verdicts == (False,)
    assert trial.outputs[0].value == ["bool", False]


async def test_the_candidate_that_does_what_the_tests_of_others_ask_is_chosen():
    candidates = [
        Candidate("A", "ada", PRINTS),
        Candidate("B", "bob", SQUARE),
        Candidate("C", "cem", DOUBLE),
    ]
    tests = [
        *read_tests("assert double(2) == 4\nassert double(3) == 6", "ada"),
        *read_tests("assert double(5) == 10\nassert double('a') == 'aa'", "bob"),
        *read_tests("assert double(2) is None", "cem"),
    ]

    selection = select(await try_all(candidates, tests, limits=PATIENT), tests)

    assert selection.chosen == "C"


async def test_who_fails_a_given_test_is_never_chosen_whatever_the_votes_say():
    candidates = [Candidate("A", "ada", SQUARE), Candidate("B", "bob", SQUARE + "\n"),
                  Candidate("C", "cem", ADDED)]  # fmt: skip
    tests = read_tests("assert double(5) == 25\nassert double(6) == 36", "dan")
    given = Suite("assert double(2) == 4\nassert double(3) == 6")

    trials = await try_all(candidates, tests, given, PATIENT)

    assert [trial.given.outcome for trial in trials] == ["failed", "failed", "passed"]
    assert "double(3) == 6" in trials[0].given.detail
    assert select(trials, tests).chosen == "C"


async def test_who_equals_everything_passes_no_given_test():
    cheat = (
        "class Any(int):\n    def __eq__(self, other): return True\n"
        "    __hash__ = int.__hash__\ndef double(x): return Any()"
    )
    given = Suite("assert double(2) == 4")

    trials = await try_all([Candidate("A", "ada", cheat)], (), given, PATIENT)

    selection = select(trials, ())
    assert (selection.chosen, selection.reason) == (None, "none_passes_given")


async def test_a_test_that_is_run_whole_votes_too():
    tests = read_tests(
        "for n in range(4):\n    assert double(n) == n + n\n\n"
        "items = [1]\nassert double(items) == [1, 1]",
        "dan",
    )
    candidates = [Candidate("A", "ada", SQUARE), Candidate("B", "bob", DOUBLE)]

    trials = await try_all(candidates, tests, limits=PATIENT)

    assert [trial.verdicts for trial in trials] == [(False, False), (True, True)]
    assert select(trials, tests).chosen == "B"


async def test_an_answer_without_code_takes_part_and_loses():
    tests = read_tests("assert double(2) == 4", "dan")
    candidates = [Candidate("A", "ada", None), Candidate("B", "bob", DOUBLE)]

    trials = await try_all(candidates, tests, limits=PATIENT)

    assert "no Python code" in trials[0].broken
    assert select(trials, tests).chosen == "B"
    assert select(trials[:1], tests).reason == "none_runs"
