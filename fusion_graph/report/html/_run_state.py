"""The state of a run that is being watched: who is at work, and what there is so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fusion_graph.report.html._workers import Worker
from fusion_graph.report.html.panel import hue
from fusion_graph.text.phrases import clean


@dataclass
class RunState:
    """A run that is being watched, as far as it has gone.

    Attributes:
        question: What was asked.
        headline: How it is being answered.
        progress: What happens now, as a sentence.
        invoked: Whether a panel was asked, as far as that is known.
        panel: The panelists by name, in panel order.
        code: The trial of the panel's code, where it is run.
        judge: The judge, once it is at work.
        analysis: What the judge found, as plain data.
        writer: The writer, once it is at work.
        check: The check of the answer, once it is made.
        answering: Whether the answer's turn has come.
        answer: What the writer has written.
        answer_id: The message that this is.
        ended: Whether the run is over.
        seconds: How long it took, once it is over.
    """

    question: str = ""
    headline: str = "starting"
    progress: str = "The run begins"
    invoked: bool = True
    panel: dict[str, Worker] = field(default_factory=dict)
    code: Worker | None = None
    judge: Worker | None = None
    analysis: Mapping[str, Any] | None = None
    writer: Worker | None = None
    check: Worker | None = None
    answering: bool = False
    answer: str = ""
    answer_id: str | None = None
    ended: bool = False
    seconds: float = 0.0

    @property
    def workers(self) -> list[Worker]:
        """Everybody at work, in the order of the run."""
        late = (self.code, self.judge, self.writer, self.check)
        return [*self.panel.values(), *(worker for worker in late if worker)]

    def member(self, event: Mapping[str, Any]) -> Worker:
        """The panelist an event is about, at work when its first event is not its beginning."""
        name = str(event["name"])
        if name not in self.panel:
            self.panel[name] = Worker(clean(name), hue=hue(len(self.panel) + 1))
        member = self.panel[name]
        if member.condition == "waiting":
            member.condition = "working"
        return member

    def worker(self, event: Mapping[str, Any]) -> Worker:
        """Whoever an event with a `stage` is about."""
        if event["stage"] == "tests":
            self.code = self.code or Worker("code")
            return self.code
        if event["stage"] == "judge":
            self.judge = self.judge or Worker("judge")
            return self.judge
        if event["stage"] == "synthesis":
            self.writer = self.writer or Worker("writer")
            return self.writer
        if event["stage"] == "verify":
            self.check = self.check or Worker("check")
            return self.check
        if event["stage"] in ("panel", "direct"):
            return self.member(event)
        return Worker(str(event["stage"]))  # the router, say, which is no panelist
