"""Runs an answer's code: against tests in another process, or as a program over an input."""

from __future__ import annotations

import ast
import asyncio
import json
import random
import secrets
import signal
from collections.abc import Awaitable, Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fusion_graph.sandbox._altering import CONTROL, alterations, settled
from fusion_graph.sandbox._child import Child, folder_with, object_in
from fusion_graph.sandbox._limits import Limits
from fusion_graph.sandbox._suite import Suite, used_names

Outcome = Literal["passed", "failed", "timed_out", "over_limit", "untestable"]
"""`untestable`: the dataset's tests ask for what cannot be done; it says nothing of the answer."""

REPORT_BYTES = 2**22
"""Longest report that is read: thousands of tests."""

NAME_CHARACTERS = 400
"""How much of a test's text is told."""


@dataclass(frozen=True)
class SuiteRun:
    """What came of an answer's tests. It is solved when `outcome` is `passed`.

    Attributes:
        outcome: How it ended.
        passed: Tests passed.
        total: Tests run; fewer than there are when it was stopped.
        detail: What was wrong first.
        failed: Names of the tests that failed, or their numbers; None if it was broken off.
    """

    outcome: Outcome
    passed: int
    total: int
    detail: str
    failed: frozenset[str] | None = None


@dataclass(frozen=True)
class ProgramRun:
    """What a program did with an input. `outcome` is `passed` when it ended by itself with 0."""

    outcome: Outcome
    stdout: bytes
    detail: str


async def run_suite(code: str, suite: Suite, limits: Limits | None = None) -> SuiteRun:
    """Run an answer's code against tests, and find out whether it passes any others as well.

    Args:
        code: The answer's code, hostile.
        suite: The tests.
        limits: What each run may use.

    Raises:
        SandboxUnavailable: Code cannot be confined here, as `limits` want it.
        SyntaxError: The tests are not Python.
    """
    limits = limits or Limits()
    names = used_names(suite.tests)
    names |= {suite.entry_point} if suite.entry_point else set()
    tests = suite.tests
    texts = settled(tests, names) if isinstance(tests, str) else [settled(t, names) for t in tests]
    with folder_with(code) as folder:
        run = await _run(folder, suite, names, texts, limits)
        if run.outcome != "passed":
            return run
        for altered in alterations(tests, names, random.SystemRandom()):
            other = await _run(folder, suite, names, altered.tests, limits, control=CONTROL)
            if other.failed is not None and (passed := altered.units - other.failed):
                name = _told(min(passed - {CONTROL}, default=CONTROL), suite)
                detail = f"{name}: it passes this also where other answers are expected"
                return SuiteRun("failed", 0, run.total, detail)
    return run


async def _run(
    folder: Path,
    suite: Suite,
    names: Collection[str],
    tests: str | list[str],
    limits: Limits,
    control: str | None = None,
) -> SuiteRun:
    nonce = secrets.token_hex(16)
    task = {"tests": tests, "names": sorted(names), "entry_point": suite.entry_point}
    task |= {"control": control, "nonce": nonce}
    lines: list[dict[str, Any]] = []
    child = await Child.start("_tests", folder, limits)

    async def read_report() -> None:
        await child.ready()
        await child.feed(json.dumps(task).encode())
        size = 0
        while (line := await child.line()) and (size := size + len(line)) <= REPORT_BYTES:
            if (found := object_in(line)).get("nonce") == nonce:
                lines.append(found)

    try:
        over = await until_done(read_report(), child.overdone(), limits.seconds)
    finally:
        (status,) = await asyncio.shield(asyncio.gather(child.end()))
    tests_run = [line for line in lines if "test" in line]
    bad = [line for line in tests_run if line.get("ok") is not True]
    passed = len(tests_run) - len(bad)
    detail = f"{_told(str(bad[0]['test']), suite)}: {bad[0].get('detail')}" if bad else ""
    untestable = next((line["untestable"] for line in lines if "untestable" in line), None)
    fault = next((str(line["fault"]) for line in lines if "fault" in line), None)
    if fault is not None and not bad:
        passed, detail = 0, fault
    whole = any("done" in line for line in lines)
    outcome: Outcome = "failed"
    if over == "timed_out":
        outcome, detail = "timed_out", f"not done after {limits.seconds:g} s"
    elif over or status == -signal.SIGXCPU:
        outcome, detail = (
            "over_limit",
            over or f"more than {limits.cpu_seconds} s of processor time",
        )
    elif untestable is not None:
        outcome, detail = "untestable", str(untestable)
    elif whole and tests_run and not bad and fault is None:
        outcome = "passed"
    elif not detail:
        detail = "the tests' process ended early"
    # What was broken off says nothing of the tests that were still to come.
    failed = frozenset(str(line["test"]) for line in bad) if whole else None
    return SuiteRun(outcome, passed, len(tests_run), detail, failed)


def _told(name: str, suite: Suite) -> str:
    """A test's name for people: its text, where it is known by its number."""
    if not name.isdecimal():
        return name
    if not isinstance(suite.tests, str):
        return suite.tests[int(name)][:NAME_CHARACTERS]
    node = ast.parse(suite.tests).body[int(name)]
    return f"line {node.lineno}: {ast.unparse(node)}"[:NAME_CHARACTERS]


async def run_program(code: str, stdin: bytes, limits: Limits | None = None) -> ProgramRun:
    """Run an answer's code as a program.

    Args:
        code: The answer's code, hostile.
        stdin: Its standard input.
        limits: What it may use.

    Raises:
        SandboxUnavailable: Code cannot be confined here, as `limits` want it.
    """
    limits = limits or Limits()
    with folder_with(code) as folder:
        child = await Child.start("_program", folder, limits)
        read: list[bytes] = []

        async def talk() -> None:
            await child.ready()
            feeding = asyncio.ensure_future(child.feed(stdin))
            try:
                read.append(await child.output(limits.output_bytes))
            finally:
                feeding.cancel()

        try:
            over = await until_done(talk(), child.overdone(), limits.seconds)
        finally:
            (status,) = await asyncio.shield(asyncio.gather(child.end()))
    stdout = b"".join(read)
    outcome: Outcome = "failed"
    detail = ""
    if over == "timed_out":
        outcome, detail = "timed_out", f"not done after {limits.seconds:g} s"
    elif over or len(stdout) > limits.output_bytes or status == -signal.SIGXCPU:
        outcome = "over_limit"
        detail = over or f"{len(stdout)} bytes printed, or {limits.cpu_seconds} s used up"
    elif status == 0:
        outcome = "passed"
    else:
        detail = f"it ended with status {status}"
    return ProgramRun(outcome, stdout, detail)


async def until_done(work: Awaitable[None], watch: Awaitable[str], seconds: float) -> str:
    """Wait for the work; returns what broke it off: `timed_out`, the watch's words, or nothing."""
    working, watching = asyncio.ensure_future(work), asyncio.ensure_future(watch)
    try:
        await asyncio.wait(
            {working, watching}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        if working.done():
            await working
            return ""
        return watching.result() if watching.done() else "timed_out"
    finally:
        for task in (working, watching):
            task.cancel()
        for task in (working, watching):
            with suppress(asyncio.CancelledError, Exception):
                await task
