"""Progress on standard error: nothing, plain lines, or a live board where a terminal is."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, Protocol

from fusion_graph.cli.lines import Lines


class Progress(Protocol):
    """Where progress goes."""

    def event(self, event: Mapping[str, Any]) -> None:
        """Take a progress event."""

    def note(self, line: str) -> None:
        """Say something that is no event."""

    def close(self) -> None:
        """Give the terminal back; whatever comes later is said in plain lines."""


class Silent:
    """No progress (`--quiet`)."""

    def event(self, event: Mapping[str, Any]) -> None:
        """Say nothing."""

    def note(self, line: str) -> None:
        """Say nothing."""

    def close(self) -> None:
        """Nothing is open."""


def open_progress(*, quiet: bool) -> Progress:
    """The progress that suits this process's standard error."""
    if quiet:
        return Silent()
    if sys.stderr.isatty() and os.environ.get("TERM", "").lower() not in ("dumb", "unknown"):
        from fusion_graph.cli.board import Board

        return Board()
    return Lines()
