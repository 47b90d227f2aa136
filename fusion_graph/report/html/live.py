"""A run as it goes on: its events become a state, and the state a piece of HTML.

Drawn into pages with styles of their own (notebooks, dark or light): it brings few colours, and
takes the rest from around it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from markupsafe import Markup

from fusion_graph.evidence import ANY_SOURCE
from fusion_graph.report.html.panel import hue
from fusion_graph.report.html.strangers import readable
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
    shortened,
)
from fusion_graph.text.phrases import waiting as trying_again

TAIL = 180
"""Characters of what somebody is writing that are shown: its end, which is where it moves."""

CALLS_SHOWN = 3
"""Latest searches and fetches shown of a panelist."""

Condition = Literal["working", "done", "failed"]


@dataclass
class Worker:
    """Somebody at work: a panelist, the judge or the writer.

    Attributes:
        name: Who; as plain one-line text.
        model: What model, if that was said.
        hue: Colour of a panelist, degrees; None for judge and writer.
        condition: How it stands.
        doing: What it does, or how it ended.
        calls: Its searches and fetches, in words.
        writing: What it has written in this turn.
        turn: Number of the turn.
    """

    name: str
    model: str = ""
    hue: float | None = None
    condition: Condition = "working"
    doing: str = "thinking"
    calls: list[str] = field(default_factory=list)
    writing: str = ""
    turn: Any = None

    @property
    def tail(self) -> str:
        """The end of what it is writing, in one line."""
        line = clean(self.writing[-4 * TAIL :])
        return line if len(line) <= TAIL else f"…{line[-TAIL:]}"

    @property
    def latest(self) -> list[str]:
        """Its last searches and fetches but the one it is at."""
        past = self.calls[:-1] if self.calls and self.doing == self.calls[-1] else self.calls
        return past[-CALLS_SHOWN:]

    def end(self, condition: Condition, outcome: str) -> None:
        """It is done, or has failed."""
        self.condition, self.doing, self.writing = condition, outcome, ""


@dataclass
class LiveRun:
    """The state of a run, from its events.

    Attributes:
        question: What was asked.
        headline: How it is being answered.
        panel: The panelists by name, in panel order.
        judge: The judge, once it is at work.
        writer: The writer, once it is at work.
        check: The check of the answer, once it is made.
        answer: What the writer has written.
        ended: Whether the run is over.
    """

    question: str = ""
    headline: str = "starting"
    panel: dict[str, Worker] = field(default_factory=dict)
    judge: Worker | None = None
    writer: Worker | None = None
    check: Worker | None = None
    answer: str = ""
    ended: bool = False
    _answer_id: str | None = None

    def take(self, event: Mapping[str, Any]) -> None:
        """Take an event of `faces.follow` into the state; an unknown one changes nothing."""
        teller = _TELLERS.get(str(event.get("type")))
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
        """The panelist an event is about, made when its first event is not its beginning."""
        name = str(event["name"])
        if name not in self.panel:
            self.panel[name] = Worker(clean(name), hue=hue(len(self.panel) + 1))
        return self.panel[name]

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
        return self.member(event)


def _cited(ids: list[int], words: str | None) -> str:
    # Sources are not numbered for good before the run ends: a mark is a mark, and no link.
    marks = Markup("").join(Markup("<span class='cited'>[{}]</span>").format(n) for n in ids)
    return (Markup("“{}” ").format(words) if words else "") + marks


def _started(run: LiveRun, event: Mapping[str, Any]) -> None:
    run.question = str(event["question"])
    preset = f"preset {clean(event['preset'])}" if event["preset"] else ""
    if event["invoked"]:
        run.headline = ", ".join(filter(None, [f"panel of {len(event['panel'])}", preset]))
    else:
        run.headline = f"one model, no panel: {clean(event['reason'])}"
    for name in event["panel"]:
        run.member({"name": name}).doing = "waiting for its turn"


def _added(run: LiveRun, event: Mapping[str, Any]) -> None:
    member = run.member(event)
    member.model, member.doing = clean(event["model"]), "thinking"


def _tool(run: LiveRun, event: Mapping[str, Any]) -> None:
    member = run.member(event)
    member.doing = doing(event["tool"], event["args"])
    member.calls.append(member.doing)


def _tool_completed(run: LiveRun, event: Mapping[str, Any]) -> None:
    run.member(event).doing = "thinking"


def _wrote(run: LiveRun, event: Mapping[str, Any]) -> None:
    member = run.member(event)
    if event.get("turn") != member.turn:
        member.turn, member.writing = event.get("turn"), ""
    member.doing = "writing"
    member.writing += str(event["text"])


def _replaced(run: LiveRun, event: Mapping[str, Any]) -> None:
    member = run.member(event)
    member.model, member.writing = clean(event["by"]), ""
    member.doing = f"asking {member.model} instead"


def _reused(run: LiveRun, _event: Mapping[str, Any]) -> None:
    run.headline = "going on from the panel's earlier work"


def _analysing(run: LiveRun, event: Mapping[str, Any]) -> None:
    run.judge = Worker(
        "judge", clean(event["model"]), doing=f"comparing {counted(event['answers'], 'answer')}"
    )


def _judge_ended(run: LiveRun, event: Mapping[str, Any]) -> None:
    run.judge = run.judge or Worker("judge")
    if event["type"] == "analysis.completed":
        run.judge.end("done", found(event))
    else:
        run.judge.end("failed", f"failed: {event['code']}: {clean(event['detail'])}")


def _writing(run: LiveRun, event: Mapping[str, Any]) -> None:
    run.writer = Worker("writer", clean(event["model"]), doing="writing")


def _restarted(run: LiveRun, event: Mapping[str, Any]) -> None:
    run.writer = run.writer or Worker("writer")
    # A writer that mends its answer was done before.
    run.writer.condition = "working"
    run.writer.doing = f"{restarted(event)}, starting again"
    run.answer, run._answer_id = "", None


def _answer(run: LiveRun, event: Mapping[str, Any]) -> None:
    if event["message_id"] != run._answer_id:
        run.answer, run._answer_id = "", event["message_id"]
    run.answer += str(event["text"])


def _retried(run: LiveRun, event: Mapping[str, Any]) -> None:
    run.worker(event).doing = trying_again(event)


def _waited(run: LiveRun, event: Mapping[str, Any]) -> None:
    worker = run.worker(event)
    if worker.condition == "working":
        worker.doing = f"still at it, silent for {float(event['seconds']):.0f} s"


def _checking(run: LiveRun, event: Mapping[str, Any]) -> None:
    if run.writer:
        run.writer.end("done", "done")
    run.check = Worker("check", clean(event.get("model") or ""), doing=checking(event))


def _check_ended(run: LiveRun, event: Mapping[str, Any]) -> None:
    run.check = run.check or Worker("check")
    if event["type"] == "verify.completed":
        run.check.end("done", checked(event))
    else:
        run.check.end("failed", f"failed: {shortened(event['detail'])}")


def _completed(run: LiveRun, _event: Mapping[str, Any]) -> None:
    run.ended = True
    if run.writer:
        run.writer.end("done", "done")


_TELLERS: dict[str, Callable[[LiveRun, Mapping[str, Any]], None]] = {
    "fusion.started": _started,
    "fusion.waiting": _waited,
    "panel.added": _added,
    "panel.tool": _tool,
    "panel.tool.completed": _tool_completed,
    "panel.delta": _wrote,
    "panel.completed": lambda run, e: run.member(e).end("done", answered(e)),
    "panel.failed": lambda run, e: run.member(e).end("failed", failed(e)),
    "panel.replaced": _replaced,
    "panel.reused": _reused,
    "call.retried": _retried,
    "analysis.in_progress": _analysing,
    "analysis.completed": _judge_ended,
    "analysis.failed": _judge_ended,
    "synthesis.in_progress": _writing,
    "synthesis.restarted": _restarted,
    "verify.in_progress": _checking,
    "verify.completed": _check_ended,
    "verify.failed": _check_ended,
    "answer.delta": _answer,
    "fusion.completed": _completed,
}
