"""Answers in code: finding the code in an answer, and running the dataset's tests against it.

Python with its standard library alone. What an answer may do while it is run, and why it cannot
say of itself that it passed, is told in `sandbox`.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from fusion_graph.evals._questions import Programs
from fusion_graph.evals.sandbox import Limits, Suite, run_program, run_suite, used_names

_FENCED = re.compile(
    r"^[ \t]*(?P<fence>`{3,}|~{3,})[ \t]*(?P<language>[\w+#.-]*)[^\n]*\n"
    r"(?P<code>.*?)(?:^[ \t]*(?P=fence)|\Z)",
    re.DOTALL | re.MULTILINE,
)
_PYTHON = frozenset({"python", "python3", "py", "py3"})

CODE_CHARACTERS = 200_000
"""Longer answers are no answers to a coding question; Python's parser would take gigabytes."""


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


def code_in(answer: str, names: Collection[str], prompt: str = "") -> str | None:
    """The Python code in an answer; None if there is none.

    Of several fenced blocks the one that defines most of the wanted names is taken, the last of
    those: answers improve on themselves, and end with the whole. For a program, the longest. An
    answer without a fence is code if it is nothing else. Code that goes on where the prompt ends
    is put behind it.

    Args:
        answer: The answer.
        names: What the tests use.
        prompt: The question.
    """
    if len(answer) > CODE_CHARACTERS:
        return None
    blocks = [(match["language"].lower(), match["code"]) for match in _FENCED.finditer(answer)]
    labelled = [code for language, code in blocks if language in _PYTHON]
    raw = labelled or [code for language, code in blocks if not language]
    fenced = bool(raw)
    raw = raw or ([] if blocks else [answer])
    found = [textwrap.dedent(code) for code in raw]
    if names:
        best = max((len(_defined(code) & set(names)) for code in found), default=0)
        fitting = [code for code in found if best and len(_defined(code) & set(names)) == best]
        if fitting:
            return fitting[-1]
        for code in reversed(raw):
            joined = f"{prompt.rstrip()}\n{code}"
            if code[:1].isspace() and _defined(joined) & set(names):
                return joined
    if not fenced and (names or not answer.strip() or _parsed(answer) is None):
        return None
    return max(found, key=len, default=None)


def _parsed(code: str) -> ast.Module | None:
    try:
        return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _defined(code: str) -> set[str]:
    """Names that code defines at its top level."""
    names: set[str] = set()
    tree = _parsed(code)
    for node in tree.body if tree else []:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.ClassDef(name=name):
                names.add(name)
            case ast.Assign(targets=targets):
                names.update(target.id for target in targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                names.update(alias.asname or alias.name for alias in aliases)
    return names
