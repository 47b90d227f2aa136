"""A run as it goes on: its events become a state, of which every live view is a picture.

The picture here is the notebook's: drawn into pages with styles of their own (dark or light), it
brings few colours, and takes the rest from around it. The playground's is in `cards`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from markupsafe import Markup

from fusion_graph.evidence import ANY_SOURCE
from fusion_graph.report.html._live_events import TELLERS
from fusion_graph.report.html._workers import Worker
from fusion_graph.report.html.panel import hue
from fusion_graph.report.html.strangers import readable
from fusion_graph.text.phrases import clean


@dataclass
class LiveRun:
    """The state of a run, from its events.

    Attributes:
        question: What was asked.
        headline: How it is being answered.
        progress: What happens now, as a sentence.
        invoked: Whether a panel was asked, as far as that is known.
        panel: The panelists by name, in panel order.
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
    judge: Worker | None = None
    analysis: Mapping[str, Any] | None = None
    writer: Worker | None = None
    check: Worker | None = None
    answering: bool = False
    answer: str = ""
    answer_id: str | None = None
    ended: bool = False
    seconds: float = 0.0

    def take(self, event: Mapping[str, Any]) -> None:
        """Take an event of `faces.follow` into the state; an unknown one changes nothing."""
        teller = TELLERS.get(str(event.get("type")))
        if teller:
            teller(self, event)

    @property
    def workers(self) -> list[Worker]:
        """Everybody at work, in the order of the run."""
        late = (self.judge, self.writer, self.check)
        return [*self.panel.values(), *(worker for worker in late if worker)]

    def to_html(self, elapsed: float) -> str:
        """The state as a piece of HTML, escaped throughout; runs and loads nothing.

        Args:
            elapsed: Seconds since the run began.
        """
        from fusion_graph.report.html._environment import template
        from fusion_graph.report.html.markdown import markdown

        return readable(
            template("live.html").render(
                run=self,
                elapsed=int(elapsed),
                prose=partial(markdown, cite=_cited, known=ANY_SOURCE, below=4),
            )
        )

    def to_text(self) -> str:
        """The state as lines of text, where HTML is not shown."""
        rows = [f"{worker.name}: {worker.doing}" for worker in self.workers]
        return "\n".join([clean(self.question), self.headline, *rows])

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


def _cited(ids: list[int], words: str | None) -> str:
    # Sources are not numbered for good before the run ends: a mark is a mark, and no link.
    marks = Markup("").join(Markup("<span class='cited'>[{}]</span>").format(n) for n in ids)
    return (Markup("“{}” ").format(words) if words else "") + marks
