"""Progress as plain lines on standard error."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from fusion_graph.telling import tell


class Lines:
    """One plain line after the other, for logs and pipes: no control characters."""

    def event(self, event: Mapping[str, Any]) -> None:
        """Write the event's lines."""
        for line in tell(event):
            self.note(line)

    def note(self, line: str) -> None:
        """Write a line."""
        # A reader that left must not end the run: the answer goes elsewhere.
        with suppress(OSError, ValueError):
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()

    def close(self) -> None:
        """Nothing is open."""
