"""Tries candidates: runs each one's code against the given tests and the proposed ones."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from fusion_graph.coding.proposals import MOST_CALLS, ProposedTest, calls_given, names_used
from fusion_graph.sandbox import (
    Limits,
    Output,
    Suite,
    SuiteRun,
    run_calls,
    run_suite,
    used_names,
)

AT_ONCE = 2
"""Candidates tried at the same time: each is a process or two that computes."""


@dataclass(frozen=True)
class Candidate:
    """Code to choose from.

    Attributes:
        name: Unique among the candidates.
        author: Whose model wrote it; a repaired one has the author of the first.
        code: The code; None where there is none in the answer.
    """

    name: str
    author: str
    code: str | None


@dataclass(frozen=True)
class Trial:
    """What running a candidate showed.

    Attributes:
        candidate: Its name.
        author: Whose model wrote it.
        given: What came of the given tests; None where there are none, or there is no code.
        outputs: What each call did, in the order of the calls; None where it was never reached.
        verdicts: Whether it passed each proposed test, in their order; None where the test says
            nothing of it.
        broken: Why its code could not be run; empty if it could.
    """

    candidate: str
    author: str
    given: SuiteRun | None
    outputs: tuple[Output | None, ...]
    verdicts: tuple[bool | None, ...]
    broken: str = ""

    @property
    def runs(self) -> bool:
        """Whether it did anything but fail at each call."""
        if not self.outputs:
            return not self.broken
        return any(output is not None and not output.error for output in self.outputs)


def calls_of(tests: Sequence[ProposedTest], suite: Suite | None = None) -> tuple[str, ...]:
    """List the calls that candidates are compared by.

    Args:
        tests: The proposed tests.
        suite: The given ones.
    """
    asked = [test.call for test in tests if test.call is not None]
    also = calls_given(suite) if suite else ()
    return tuple(dict.fromkeys([*asked, *also]))[:MOST_CALLS]


async def try_given(candidate: Candidate, suite: Suite, limits: Limits | None = None) -> SuiteRun:
    """Run a candidate against the given tests.

    Args:
        candidate: The candidate.
        suite: The given tests.
        limits: What each run may use.

    Raises:
        SandboxUnavailable: Code cannot be confined here, as `limits` want it.
        SyntaxError: The tests are not Python.
    """
    if candidate.code is None:
        return SuiteRun("failed", 0, 0, "there is no Python code in the answer")
    return await run_suite(candidate.code, suite, limits)


async def try_all(
    candidates: Sequence[Candidate],
    tests: Sequence[ProposedTest],
    suite: Suite | None = None,
    limits: Limits | None = None,
) -> tuple[Trial, ...]:
    """Try every candidate against the given tests and all proposed ones.

    Args:
        candidates: The candidates.
        tests: Proposed tests.
        suite: Given tests, if there are any.
        limits: What each run may use.

    Raises:
        SandboxUnavailable: Code cannot be confined here, as `limits` want it.
        SyntaxError: The given tests are not Python.
    """
    turns = asyncio.Semaphore(AT_ONCE)
    calls = calls_of(tests, suite)

    async def one(candidate: Candidate) -> Trial:
        async with turns:
            return await _try(candidate, tests, calls, suite, limits)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(candidate)) for candidate in candidates]
    return tuple(task.result() for task in tasks)


async def _try(
    candidate: Candidate,
    tests: Sequence[ProposedTest],
    calls: Sequence[str],
    suite: Suite | None,
    limits: Limits | None,
) -> Trial:
    name, author, code = candidate.name, candidate.author, candidate.code
    given = await try_given(candidate, suite, limits) if suite else None
    nothing = (None,) * len(calls)
    if code is None:
        why = "there is no Python code in the answer"
        return Trial(name, author, given, nothing, (False,) * len(tests), why)
    if given is not None and given.outcome != "passed":
        # It cannot be chosen: what else it does is nobody's question.
        return Trial(name, author, given, nothing, (None,) * len(tests))
    names = names_used(tests)
    if suite is not None:
        names |= used_names(suite.tests) | ({suite.entry_point} if suite.entry_point else set())
    run = await run_calls(code, calls, names, limits)
    done = dict(zip(calls, run.outputs, strict=True))
    wholes = tuple(test.text for test in tests if test.call is None)
    passed = await _passed(code, wholes, limits) if wholes else {}
    verdicts = tuple(
        passed.get(test.text)
        if test.call is None or test.expected is None
        else (test.expected.met_by(done[test.call]) if test.call in done else None)
        for test in tests
    )
    return Trial(name, author, given, run.outputs, verdicts, run.broken)


async def _passed(
    code: str, texts: tuple[str, ...], limits: Limits | None
) -> dict[str, bool | None]:
    """Whether code passes each of several tests that are run as a whole."""
    run = await run_suite(code, Suite(texts), limits)
    if run.outcome == "untestable":
        return dict.fromkeys(texts)
    if run.outcome == "passed":
        return dict.fromkeys(texts, True)
    if run.failed is None:  # broken off, or it passes also where other answers are expected
        return dict.fromkeys(texts, False)
    return {text: str(number) not in run.failed for number, text in enumerate(texts)}
