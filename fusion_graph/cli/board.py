"""The live board on a terminal: one row for each panelist, then the judge, then the writer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from fusion_graph.cli.lines import Lines
from fusion_graph.text.phrases import (
    answered,
    checked,
    checking,
    clean,
    counted,
    doing,
    failed,
    found,
    restarted,
    seconds,
    tell,
    waiting,
)

FRAMES_PER_SECOND = 8

JUDGE, WRITER, CHECK = ("judge",), ("writer",), ("check",)
"""Keys of the rows that are no panelist's; a panelist may be called `judge`."""


@dataclass
class _Row:
    name: str
    doing: str
    state: Literal["working", "done", "failed"] = "working"
    calls: int = 0
    began: float = field(default_factory=time.monotonic)

    def end(self, state: Literal["done", "failed"], outcome: str) -> None:
        self.state, self.doing = state, outcome


class Board:
    """Progress as a picture that is redrawn in place; plain lines once it is closed.

    Args:
        console: Where to draw; by default standard error.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._headline: list[str] = []
        self._rows: dict[object, _Row] = {}
        self._lines = Lines()
        self._spinner = Spinner("dots", style="cyan")
        # rich would take over print() and the streams, and so the answer.
        self._live: Live | None = Live(
            console=console or Console(stderr=True),
            get_renderable=self.picture,
            refresh_per_second=FRAMES_PER_SECOND,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def event(self, event: Mapping[str, Any]) -> None:
        """Take a progress event into the picture."""
        if self._live is None:
            self._lines.event(event)
            return
        self._take(event)

    def note(self, line: str) -> None:
        """Say something: above the picture while there is one."""
        if self._live is None:
            self._lines.note(line)
        else:
            self._live.console.print(Text(line))

    def close(self) -> None:
        """Draw the picture a last time and leave it on the screen."""
        if self._live is not None:
            live, self._live = self._live, None
            live.stop()

    def picture(self) -> RenderableType:
        """The board as it stands."""
        table = Table.grid(padding=(0, 1))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, max_width=24, overflow="ellipsis", style="bold")
        table.add_column(no_wrap=True, overflow="ellipsis")
        # A copy, since the events come on another thread than the frames.
        for row in list(self._rows.values()):
            table.add_row(self._mark(row), Text(row.name), self._now(row))
        return Group(*(Text(line, style="dim") for line in self._headline), table)

    def _take(self, event: Mapping[str, Any]) -> None:
        match event["type"]:
            case "fusion.started":
                self._headline = tell(event)
            case "panel.added":
                self._rows[event["name"]] = _Row(clean(event["name"]), "thinking")
            case "panel.tool":
                row = self._row(event["name"])
                row.calls += 1
                row.doing = doing(event["tool"], event["args"])
            case "panel.tool.completed":
                self._row(event["name"]).doing = "thinking"
            case "panel.completed":
                self._row(event["name"]).end("done", answered(event))
            case "panel.failed":
                self._row(event["name"]).end("failed", failed(event))
            case "call.retried":
                self._row(_KEYS.get(event["stage"], event["name"])).doing = waiting(event)
            case "analysis.in_progress":
                what = f"comparing {counted(event['answers'], 'answer')} ({clean(event['model'])})"
                self._rows[JUDGE] = _Row("judge", what)
            case "analysis.completed":
                self._row(JUDGE).end("done", found(event))
            case "analysis.failed":
                self._row(JUDGE).end("failed", f"failed: {event['code']}: {clean(event['detail'])}")
            case "synthesis.in_progress":
                self._rows[WRITER] = _Row("writer", f"writing ({clean(event['model'])})")
            case "synthesis.restarted":
                # A writer that mends its answer was done before.
                row = self._row(WRITER)
                row.state, row.doing = "working", f"{restarted(event)}, starting again"
            case "verify.in_progress":
                self._rows[CHECK] = _Row("check", checking(event))
                if WRITER in self._rows:
                    self._rows[WRITER].end("done", "done")
            case "verify.completed":
                self._row(CHECK).end("done", checked(event))
            case "verify.failed":
                self._row(CHECK).end("failed", f"failed: {clean(event['detail'])}")
            case "fusion.completed":
                if WRITER in self._rows:
                    self._rows[WRITER].end("done", "done")
            case _:
                for line in tell(event):
                    self.note(line)

    def _row(self, key: object) -> _Row:
        """The row of a panelist or a stage, made when its first event is not its beginning."""
        if key not in self._rows:
            name = key[0] if isinstance(key, tuple) else key
            self._rows[key] = _Row(clean(name), "thinking")
        return self._rows[key]

    def _mark(self, row: _Row) -> RenderableType:
        if row.state == "working" and self._live is not None:
            return self._spinner
        marks = {"done": ("✓", "green"), "failed": ("✗", "red"), "working": ("…", "cyan")}
        return Text(*marks[row.state])

    def _now(self, row: _Row) -> Text:
        if row.state != "working":
            return Text(row.doing, style="red" if row.state == "failed" else "")
        facts = [row.doing]
        if row.calls:
            facts.append(counted(row.calls, "call"))
        if self._live is not None:
            facts.append(seconds(time.monotonic() - row.began))
        return Text(", ".join(facts))


_KEYS: dict[str, object] = {"judge": JUDGE, "synthesis": WRITER, "verify": CHECK}
