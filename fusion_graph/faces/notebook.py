"""A fusion in a notebook: one cell asks, shows the panel at work, and ends as the report."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from fusion_graph.config import FusionConfig, coerce
from fusion_graph.errors import AllPanelistsFailed
from fusion_graph.faces.follow import follow
from fusion_graph.graph import create_fusion_graph
from fusion_graph.report import FusionReport
from fusion_graph.report.html.live import LiveRun

UPDATE_SECONDS = 0.2
"""Pause between two pictures of a run: often enough to follow, seldom enough for a browser."""


async def ask(
    question: str,
    config: FusionConfig | Mapping[str, Any] | str | None = None,
    **fields: Any,
) -> FusionReport:
    """Ask the panel a question from a notebook, and watch it work in the cell's output.

    The output follows every panelist, the judge and the answer as they come, and becomes the
    report when the run ends. Outside a notebook nothing is shown.

    Args:
        question: The question.
        config: A preset's name or path, a `FusionConfig`, or a dict of its fields.
        **fields: Fields of `FusionConfig`, above those of `config`.

    Returns:
        The report. Its `to_html()` is the page by itself.

    Raises:
        FusionError: As the graph raises it; when no panelist answered, the output shows the report
            of that.

    Example:
        >>> import asyncio
        >>> from fusion_graph.faces.notebook import ask
        >>> report = asyncio.run(ask("What is self-fusion?", preset="offline"))  # or: await ask(…)
        >>> report.status
        'ok'
    """
    graph = create_fusion_graph({**coerce(config), **fields})
    screen = _Screen() if _shows_html() else None
    report: FusionReport | None = None
    stream: Any = follow(graph, [("user", question)])
    try:
        async with aclosing(stream) as events:
            async for event in events:
                if screen:
                    screen.take(event)
                if event["type"] == "fusion.result":
                    report = FusionReport.model_validate(event["report"])
    except AllPanelistsFailed as failed:
        if failed.report is not None:
            report = FusionReport.model_validate(failed.report)
        raise
    finally:
        if screen:
            screen.close(report)
    assert report is not None  # `follow` ends with a result, or raises
    return report


class _Screen:
    """The cell's output: pictures of the run, and at the end its report."""

    def __init__(self) -> None:
        self._run = LiveRun()
        self._began = time.monotonic()
        self._display: Any = None
        self._shown = ""
        self._painting: asyncio.Task[None] | None = None

    def take(self, event: Mapping[str, Any]) -> None:
        """Take an event into the picture; the first one opens the output."""
        self._run.take(event)
        if self._painting is None:
            self._painting = asyncio.create_task(self._paint())

    def close(self, report: FusionReport | None) -> None:
        """Show the report; without one, the run as far as it came."""
        if self._painting is not None:
            self._painting.cancel()
            self._show(report or self._picture())

    async def _paint(self) -> None:
        while True:
            picture = self._picture()
            if picture.html != self._shown:
                self._show(picture)
            self._shown = picture.html
            await asyncio.sleep(UPDATE_SECONDS)

    def _picture(self) -> _Picture:
        elapsed = time.monotonic() - self._began
        return _Picture(self._run.to_html(elapsed), self._run.to_text())

    def _show(self, shown: object) -> None:
        from IPython.display import display

        if self._display is None:
            self._display = display(shown, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._display.update(shown)


@dataclass(frozen=True)
class _Picture:
    """A moment of a run, as a notebook shows it."""

    html: str
    text: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


def _shows_html() -> bool:
    """Whether this runs in a notebook's kernel; IPython in a terminal would print every picture."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    shell = get_ipython()
    return shell is not None and hasattr(shell, "kernel")
