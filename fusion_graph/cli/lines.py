"""Progress as plain lines on standard error."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from fusion_graph.text.phrases import tell


def write_line(line: str) -> None:
    """Write a line to standard error."""
    # A reader that left must not end the work: the answer goes elsewhere.
    with suppress(OSError, ValueError):
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


class Lines:
    """One plain line after the other, for logs and pipes: no control characters."""

    def event(self, event: Mapping[str, Any]) -> None:
        """Write the event's lines."""
        for line in tell(event):
            self.note(line)

    def note(self, line: str) -> None:
        """Write a line."""
        write_line(line)

    def close(self) -> None:
        """Nothing is open."""
