"""Processes that tests start beside the commands of `tests.commands`, and their sure ends."""

from __future__ import annotations

import subprocess
from typing import Any

PATIENCE = 60
"""Seconds until a process that is to end counts as hanging; none takes a tenth of it."""


class Child(subprocess.Popen[Any]):
    """A process that a test which fails takes along: leaving its `with` waits for no other end."""

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is not None:
            self.kill()
        super().__exit__(kind, error, trace)


def end(process: subprocess.Popen[Any]) -> None:
    """Close what a process reads, and wait for its end.

    Raises:
        TimeoutError: It does not end by that, and was killed.
    """
    try:
        process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise TimeoutError(f"{process.args} did not end with its standard input") from None
