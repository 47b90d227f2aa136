"""Runs a model's code as an evaluation does, and looks for what it left behind."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from fusion_graph.errors import SandboxUnavailable
from fusion_graph.sandbox import Limits, Suite, SuiteRun, run_suite, wall

PATIENT = Limits(seconds=120, cpu_seconds=30)
"""So that a busy machine changes no verdict."""


def started_by(pid: int) -> list[int]:
    """Processes of runs that this process started; none where there is no /proc."""
    mark = f'"parent": {pid},'.encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


@pytest.fixture
def nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """After the test there is no process of its runs, and no file."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    yield
    assert started_by(os.getpid()) == []
    assert list(tmp_path.glob("fusion-graph-*")) == []


@pytest.fixture
def bubblewrap() -> None:
    """A machine on which code can be confined; elsewhere the test is skipped, and says why."""
    try:
        wall()
    except SandboxUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture
def judged(bubblewrap: None, nothing_is_left: None) -> Callable[..., Awaitable[SuiteRun]]:
    """`await judged(code, tests)`: what came of an answer's tests."""

    async def run(
        code: str,
        tests: str = "assert f(2) == 4\nassert f(3) == 6\n",
        limits: Limits = PATIENT,
        entry_point: str | None = None,
    ) -> SuiteRun:
        suite = Suite(textwrap.dedent(tests), entry_point)
        return await run_suite(textwrap.dedent(code), suite, limits)

    return run
