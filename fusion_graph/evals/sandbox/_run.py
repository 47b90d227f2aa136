"""Runs an answer's code: against tests in another process, or as a program over an input."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fusion_graph.evals.sandbox._child import Child, folder_with, object_in
from fusion_graph.evals.sandbox._limits import Limits
from fusion_graph.evals.sandbox._suite import Suite, used_names

Outcome = Literal["passed", "failed", "timed_out", "over_limit", "untestable"]
"""`untestable`: the dataset's tests ask for what cannot be done; it says nothing of the answer."""


@dataclass(frozen=True)
class SuiteRun:
    """What came of an answer's tests. It is solved when `outcome` is `passed`.

    Attributes:
        outcome: How it ended.
        passed: Tests passed.
        total: Tests run; fewer than there are when it was stopped.
        detail: What was wrong first.
    """

    outcome: Outcome
    passed: int
    total: int
    detail: str


@dataclass(frozen=True)
class ProgramRun:
    """What a program did with an input. `outcome` is `passed` when it ended by itself with 0."""

    outcome: Outcome
    stdout: bytes
    detail: str


async def run_suite(code: str, suite: Suite, limits: Limits | None = None) -> SuiteRun:
    """Run an answer's code against tests that it cannot reach.

    Args:
        code: The answer's code, hostile.
        suite: The tests.
        limits: What each of the two processes may use.

    Raises:
        SandboxUnavailable: Code cannot be confined here, as `limits` want it.
    """
    limits = limits or Limits()
    names, classes = used_names(suite.tests)
    if suite.entry_point:
        names |= {suite.entry_point}
    task = {
        "tests": suite.tests,
        "names": sorted(names),
        "classes": sorted(classes),
        "entry_point": suite.entry_point,
    }
    with folder_with(code) as folder:
        candidate, driver = await _pair(folder, limits)
        try:
            return await _judged(candidate, driver, json.dumps(task).encode(), limits)
        finally:
            await _ended(candidate, driver)


async def _pair(folder: Path, limits: Limits) -> tuple[Child, Child]:
    """The two processes, wired to each other and to nobody else."""
    asked_in, asked_out = os.pipe()
    told_in, told_out = os.pipe()
    started: list[Child] = []
    # Unconfined, the tests' process stands in the same folder, for want of another.
    others = None if limits.confined else folder
    try:
        started.append(await Child.start("_candidate", folder, limits, (asked_in, told_out)))
        started.append(await Child.start("_driver", others, limits, (told_in, asked_out)))
    except BaseException:
        await _ended(*started)
        raise
    finally:
        for descriptor in (asked_in, asked_out, told_in, told_out):
            os.close(descriptor)
    return started[0], started[1]


async def _ended(*children: Child) -> None:
    # A cancelled evaluation leaves no process behind either.
    await asyncio.shield(asyncio.gather(*(child.end() for child in children)))


async def _judged(candidate: Child, driver: Child, task: bytes, limits: Limits) -> SuiteRun:
    lines: list[dict[str, Any]] = []

    async def read_report() -> None:
        await candidate.feed(b"")
        await candidate.ready()
        await driver.ready()
        printing = asyncio.ensure_future(candidate.discard())
        try:
            await driver.feed(task)
            while line := await driver.line():
                lines.append(object_in(line))
        finally:
            printing.cancel()

    over = await _until(read_report(), candidate.overdone(), limits.seconds)
    status = await candidate.end()
    tests = [line for line in lines if "test" in line]
    passed = sum(line["ok"] is True for line in tests)
    detail = next((f"{line['test']}: {line['detail']}" for line in tests if not line["ok"]), "")
    finished = any(line.get("done") == len(tests) for line in lines)
    untestable = next((line["untestable"] for line in lines if "untestable" in line), None)
    outcome: Outcome = "failed"
    if over == "timed_out":
        outcome, detail = "timed_out", f"not done after {limits.seconds:g} s"
    elif over:
        outcome, detail = "over_limit", over
    elif status == -signal.SIGXCPU:
        outcome, detail = "over_limit", f"more than {limits.cpu_seconds} s of processor time"
    elif untestable is not None:
        outcome, detail = "untestable", untestable
    elif finished and passed == len(tests) > 0:
        outcome = "passed"
    elif not detail:
        detail = "the tests' process ended early"
    return SuiteRun(outcome, passed, len(tests), detail)


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
        child = await Child.start("_candidate", folder, limits)
        read: list[bytes] = []

        async def talk() -> None:
            await child.ready()
            feeding = asyncio.ensure_future(child.feed(stdin))
            try:
                read.append(await child.output(limits.output_bytes))
            finally:
                feeding.cancel()

        try:
            over = await _until(talk(), child.overdone(), limits.seconds)
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


async def _until(work: Awaitable[None], watch: Awaitable[str], seconds: float) -> str:
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
