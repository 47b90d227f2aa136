"""Answers in code: running the dataset's tests against the code in an answer.

Python with its standard library alone. What an answer may do while it is run, and why it cannot
say of itself that it passed, is told in `sandbox`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fusion_graph.coding import code_in
from fusion_graph.evals._questions import Programs
from fusion_graph.sandbox import Limits, Suite, run_program, run_suite, used_names


@dataclass(frozen=True)
class CodeVerdict:
    """What came of an answer's code.

    Attributes:
        solved: Whether every test passed; None when the dataset's tests cannot be run.
        reason: The first test that failed, or what else was wrong.
        detail: `outcome`, `passed` and `total` tests, and what `containment` there was.
    """

    solved: bool | None
    reason: str
    detail: dict[str, Any] = field(default_factory=dict)


async def judge_code(
    marking: Suite | Programs, answer: str, prompt: str = "", limits: Limits | None = None
) -> CodeVerdict:
    """Run an answer's code against its question's tests.

    Args:
        marking: The tests.
        answer: The answer, prose and all.
        prompt: The question: an answer may go on where its code ends.
        limits: What the code may use.

    Raises:
        SandboxUnavailable: Code cannot be run with limits here.
    """
    names: set[str] = set()
    if isinstance(marking, Suite):
        names = used_names(marking.tests)
        names |= {marking.entry_point} if marking.entry_point else set()
    code = code_in(answer, names, prompt)
    if code is None:
        return CodeVerdict(False, "there is no Python code in the answer", {"outcome": "no_code"})
    if isinstance(marking, Programs):
        return await _programs(marking, code, limits)
    run = await run_suite(code, marking, limits)
    solved = None if run.outcome == "untestable" else run.outcome == "passed"
    detail = _detail(run.outcome, run.passed, run.total, limits)
    return CodeVerdict(solved, run.detail, detail)


async def _programs(marking: Programs, code: str, limits: Limits | None) -> CodeVerdict:
    for passed, (stdin, stdout) in enumerate(marking.cases):
        run = await run_program(code, stdin.encode(), limits)
        said = run.stdout.decode(errors="replace")
        if run.outcome != "passed" or _lines(said) != _lines(stdout):
            wrong = run.detail or f"it printed {said[:200]!r}"
            outcome = "failed" if run.outcome == "passed" else run.outcome
            return CodeVerdict(
                False,
                f"input {passed + 1}: {wrong}",
                _detail(outcome, passed, len(marking.cases), limits),
            )
    total = len(marking.cases)
    return CodeVerdict(True, "", _detail("passed", total, total, limits))


def _detail(outcome: str, passed: int, total: int, limits: Limits | None) -> dict[str, Any]:
    containment = "bubblewrap" if (limits or Limits()).confined else "none"
    return {"outcome": outcome, "passed": passed, "total": total, "containment": containment}


def _lines(text: str) -> list[str]:
    """Lines without the blanks at their ends, and without empty ones at the end."""
    return [line.rstrip() for line in text.rstrip().splitlines()]
