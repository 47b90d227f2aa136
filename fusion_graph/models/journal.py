"""The finished steps of a piece of work, on disk as they are made: model calls, searches, pages.

A process that dies leaves them behind, and the same work, begun again, gets them from here in
place of making them anew. The graph's own checkpoints keep whole panelists; this keeps what one of
them has done so far, for work whose every call is worth keeping (`fusion-graph eval`).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fusion_graph.state import CallRecord


class Journal:
    """A file with a line for each finished step, and the seconds the work had taken by then.

    A line that is not whole was being written when the process died, and is dropped.

    Args:
        path: The file. It appears with the first step.

    Raises:
        OSError: The file is there and cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._steps: dict[str, Any] = {}
        self._calls = 0
        self._seconds = 0.0
        if path.exists():
            self._read()
        self.seconds_before = self._seconds
        self.calls_before = list(self.calls())
        self._opened = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long the work has taken so far, all its processes together."""
        return self.seconds_before + time.monotonic() - self._opened

    def next_call(self) -> str:
        """Names the next model call: the same one when the work is done again from its start."""
        self._calls += 1
        return f"call {self._calls}"

    def found(self, step: str) -> Any:
        """What a step gave; None if it has not been finished."""
        return self._steps.get(step)

    def keep(self, step: str, value: Any) -> None:
        """Keep what a step gave, as plain data that is not None. On disk when this returns."""
        self._steps[step] = value
        line = json.dumps({"step": step, "after": round(self.seconds, 4), "value": value})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            file.write(f"{line}\n".encode())
            file.flush()
            os.fsync(file.fileno())  # what was paid for should outlive a power cut

    def calls(self) -> Iterator[CallRecord]:
        """The records of all kept model calls, tries that failed included."""
        for step, value in self._steps.items():
            if step.startswith("call "):
                yield from value["calls"]

    def forget(self) -> None:
        """The work is finished, and kept elsewhere."""
        self.path.unlink(missing_ok=True)

    def _read(self) -> None:
        content = self.path.read_bytes()
        whole = 0
        for line in content.splitlines(keepends=True):
            try:
                entry = json.loads(line)
                step, value, after = entry["step"], entry["value"], entry["after"]
            except (ValueError, KeyError, TypeError):
                break
            if not line.endswith(b"\n"):
                break
            self._steps[step], self._seconds = value, after
            whole += len(line)
        if whole < len(content):
            os.truncate(self.path, whole)
