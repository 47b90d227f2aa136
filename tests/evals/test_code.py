"""Finding the code in an answer, and judging programs by their output."""

from __future__ import annotations

import pytest

from fusion_graph.coding import code_in
from fusion_graph.evals._code import judge_code
from fusion_graph.evals._questions import Programs
from fusion_graph.sandbox import Suite, used_names

F = "def f(x):\n    return x * 2\n"
WORSE = "def f(x):\n    return x\n"
USE = "print(f(2))\n"
SHELL = "pip install x\n"
OUTPUT = "4\n"


def fenced(code: str, language: str = "python") -> str:
    return f"```{language}\n{code}```\n"


@pytest.mark.parametrize(
    "answer",
    [
        f"Here it is:\n\n{fenced(F)}\nIt doubles [1].",
        fenced(F, "py"),
        fenced(F, "Python3 title=x"),
        fenced(F, ""),
        f"~~~python\n{F}~~~",
        f"```python\n{F}",  # cut off before the fence closed
        F,
        f"First:\n{fenced(WORSE)}Better:\n{fenced(F)}",
        f"{fenced(F)}Use it:\n{fenced(USE)}",
        f"{fenced(SHELL, 'bash')}{fenced(F)}{fenced(OUTPUT, 'text')}",
    ],
)
def test_the_code_that_defines_what_is_tested_is_taken(answer):
    assert code_in(answer, {"f"}) == F


def test_a_fence_inside_a_list_is_unindented():
    answer = "1. So:\n   ```python\n   def f(x):\n       return x * 2\n   ```\n"

    assert code_in(answer, {"f"}) == F


def test_code_that_goes_on_where_the_prompt_ends_is_put_behind_it():
    prompt = 'def f(x):\n    """Double x."""\n'

    code = code_in(fenced("    return x * 2\n"), {"f"}, prompt)

    space: dict[str, object] = {}
    exec(code, space)
    assert space["f"](2) == 4


@pytest.mark.parametrize(
    "answer",
    ["", "I cannot write code.", "Use `x * 2`, it is 4.", fenced(SHELL, "bash"), "x" * 300_000],
)
def test_prose_is_no_code(answer):
    assert code_in(answer, {"f"}) is None


def test_a_program_is_the_longest_block():
    answer = fenced("n = int(input())\nprint(n * 2)\n") + fenced("2\n", "text") + fenced("x = 1\n")

    assert code_in(answer, ()) == "n = int(input())\nprint(n * 2)\n"


def test_broken_code_is_run_and_found_broken_rather_than_passed_over():
    assert code_in(fenced("def f(x:\n"), {"f"}) == "def f(x:\n"


def test_the_tests_get_only_the_names_they_use_and_never_built_ins_or_modules():
    tests = (
        "import math\n"
        "LIMIT = 3\n"
        "def helper(a):\n    return a\n"
        "for case in [1]:\n"
        "    assert all(math.isclose(solve(helper(case)), b) for b in [1])\n"
        "    assert Stack(LIMIT).size == SIZE and isinstance(json, object)\n"
    )

    assert used_names(tests) == {"solve", "Stack", "SIZE"}


CASES = Programs((("2\n", "4\n"), ("3\n", "6\n"), ("-1\n", "-2\n")))


@pytest.mark.usefixtures("bubblewrap")
@pytest.mark.parametrize(
    ("code", "solved", "reason"),
    [
        ("print(2 * int(input()))\n", True, ""),
        ("if __name__ == '__main__':\n    print(2 * int(input()), end='  \\n\\n')\n", True, ""),
        ("import sys\nfor line in sys.stdin:\n    print(2 * int(line))\n", True, ""),
        ("print(4)\n", False, "input 2: it printed '4\\n'"),
        ("n = int(input())\nprint(2 * n if n > 0 else 1 / 0)\n", False, "input 3: it ended with"),
        ("print(2 * int(input()))\nraise SystemExit(1)\n", False, "input 1: it ended with"),
    ],
)
async def test_a_program_must_give_every_output_and_end_well(code, solved, reason):
    verdict = await judge_code(CASES, fenced(code))

    assert (verdict.solved, reason in verdict.reason) == (solved, True)
    assert verdict.detail["total"] == 3


async def test_an_answer_without_code_is_unsolved_without_running_anything():
    verdict = await judge_code(Suite("assert f(2) == 4"), "I cannot.")

    assert (verdict.solved, verdict.detail) == (False, {"outcome": "no_code"})
