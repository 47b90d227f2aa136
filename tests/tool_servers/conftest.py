"""A user's own MCP servers, each in a process of its own."""

from __future__ import annotations

import os
import select
import sys
from pathlib import Path
from typing import Any

import pytest

PATIENCE = 60
"""Seconds until a wait counts as a failure; nothing takes a tenth of it when it works."""


class Weather:
    """The server of `server.py` as a run starts it.

    folder: where it notes what happens to it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def table(self, *options: str, **fields: Any) -> dict[str, Any]:
        """It as a table of a configuration."""
        words = [sys.executable, str(Path(__file__).with_name("server.py")), str(self.folder)]
        return {"command": words, "args": list(options), **fields}

    def noted(self, name: str) -> list[str]:
        """The lines that it noted under a name."""
        path = self.folder / name
        return path.read_text("utf-8").splitlines() if path.exists() else []

    @property
    def started(self) -> list[int]:
        """The ids of its processes, in the order in which they started."""
        return [int(line) for line in self.noted("started")]

    def wait_for_its_end(self) -> None:
        """Wait until none of its processes is left."""
        assert self.started
        for process in self.started:
            try:
                handle = os.pidfd_open(process)
            except ProcessLookupError:
                continue
            poll = select.poll()
            poll.register(handle, select.POLLIN)
            ended = poll.poll(PATIENCE * 1000)
            os.close(handle)
            assert ended, f"process {process} is left"


@pytest.fixture
def weather(tmp_path: Path) -> Weather:
    return Weather(tmp_path)
