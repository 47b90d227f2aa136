"""Progress says in one line who is doing what in a run; clients show it on the tool's row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fusion_graph.text.phrases import checking, clean, counted, doing, proposed, tried, waiting

LINE_CHARACTERS = 200
"""About as much as clients show of a progress message."""

FEWEST_CHARACTERS = 12
"""Least that is told of one panelist; where that does not fit, how many have answered is told."""


class Standing:
    """A standing holds what everybody of a run is doing, as its events tell."""

    def __init__(self) -> None:
        self._members: dict[str, str] = {}
        self._written: dict[str, int] = {}
        self._stage = ""

    def take(self, event: Mapping[str, Any]) -> None:
        """Learn from an event of `follow`."""
        kind, name = event["type"], str(event.get("name", ""))
        if kind == "fusion.started":
            self._members = dict.fromkeys(event["panel"], "asked")
        elif kind in ("panel.completed", "panel.failed", "panel.replaced", "panel.tool"):
            self._written.pop(name, None)
            self._members[name] = _words(event)
        elif kind == "panel.tool.completed":
            self._members[name] = "thinking"
        elif kind in ("panel.delta", "answer.delta"):
            self._write(kind, event)
        elif kind == "panel.stopped":
            self._members |= dict.fromkeys(map(str, event["names"]), "not asked")
        elif kind == "call.retried" and name in self._members:
            self._members[name] = waiting(event)
        elif words := _stage(event):
            self._written.clear()
            self._stage = words

    def line(self, seconds: float, task: str) -> str:
        """Say it in a line of at most `LINE_CHARACTERS`.

        Args:
            seconds: How long the run has been at work.
            task: Names the run.
        """
        head, tail = f"{seconds:.0f} s: ", f" · task {task}"
        room = LINE_CHARACTERS - len(head) - len(tail)
        return f"{head}{clean(self._body(room), room)}{tail}"

    def words(self, room: int = LINE_CHARACTERS) -> str:
        """Say it in at most so many characters, without a time.

        Args:
            room: Most characters.
        """
        return clean(self._body(room), room)

    def _body(self, room: int) -> str:
        if not self._members:
            return self._stage or "beginning"
        answered = sum(words == "answered" for words in self._members.values())
        summed = f"{answered} of {len(self._members)} answered"
        if self._stage:
            return f"{self._stage}; {summed}"
        told = [f"{clean(name)}: {words}" for name, words in self._members.items()]
        if len(whole := "; ".join(told)) <= room:
            return whole
        at_work = [line for line in told if not line.endswith((": answered", ": not asked"))]
        share = (room - len(summed)) // max(1, len(at_work)) - 2
        if share < FEWEST_CHARACTERS:
            return summed
        return "; ".join([summed, *(clean(line, share) for line in at_work)])

    def _write(self, kind: str, event: Mapping[str, Any]) -> None:
        name = str(event.get("name", ""))
        self._written[name] = self._written.get(name, 0) + len(event["text"])
        words = f"writing, {counted(self._written[name], 'character')}"
        if kind == "panel.delta":
            self._members[name] = words
        elif not self._members:
            self._stage = words
        else:
            self._stage = f"writer: {words}"


def _words(event: Mapping[str, Any]) -> str:
    if event["type"] == "panel.tool":
        return doing(event["tool"], event["args"])
    if event["type"] == "panel.failed":
        return f"failed ({clean(event['reason'])})"
    if event["type"] == "panel.replaced":
        return f"failed, {clean(event['by'])} is asked instead"
    return "answered"


def _stage(event: Mapping[str, Any]) -> str:
    """Word what the run as a whole is doing, where an event says so."""
    match event["type"]:
        case "code.proposed":
            return f"code: {proposed(event)}"
        case "code.tried":
            return f"code: run, {tried(event)[-1]}"
        case "analysis.in_progress":
            return f"judge: comparing {counted(event['answers'], 'answer')}"
        case "synthesis.in_progress":
            return f"writer: beginning ({clean(event['model'])})"
        case "synthesis.restarted":
            return "writer: broke off, another begins"
        case "verify.in_progress":
            return f"check: {checking(event)}"
    return ""
