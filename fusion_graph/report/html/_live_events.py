"""What each event changes in the state of a run that is being watched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fusion_graph.report.html._failures import what_failed
from fusion_graph.report.html._run_state import RunState
from fusion_graph.report.html._workers import Step, Worker, tool_step
from fusion_graph.text.phrases import (
    answered,
    asked_again,
    asking_again,
    checked,
    checking,
    clean,
    counted,
    extended,
    failed,
    found,
    proposed,
    restarted,
    shortened,
    stopped,
    tried,
)
from fusion_graph.text.phrases import waiting as trying_again

_Event = Mapping[str, Any]


def _started(run: RunState, event: _Event) -> None:
    run.question = str(event["question"])
    run.invoked = bool(event["invoked"])
    preset = f"preset {clean(event['preset'])}" if event["preset"] else ""
    if run.invoked:
        run.headline = ", ".join(filter(None, [f"panel of {len(event['panel'])}", preset]))
        run.progress = f"A panel of {len(event['panel'])} is at work"
    else:
        run.headline = f"one model, no panel: {clean(event['reason'])}"
        run.progress = f"One model answers: {clean(event['reason'])}"
    for name in event["panel"]:
        member = run.member({"name": name})
        member.condition = "waiting"
        member.does("waiting for its turn")


def _added(run: RunState, event: _Event) -> None:
    member = run.member(event)
    member.model, member.began = clean(event["model"]), float(event.get("at", 0))
    member.does("thinking")


def _tool(run: RunState, event: _Event) -> None:
    member = run.member(event)
    step = tool_step(str(event["tool"]), event["args"])
    member.steps.append(step)
    member.does(step.doing)


def _tool_completed(run: RunState, event: _Event) -> None:
    member = run.member(event)
    at_work = [step for step in member.steps if step.state == "doing"]
    # Events do not say which of several calls of a tool it was: the one that began first.
    step = next((step for step in at_work if step.tool == event["tool"]), None)
    if step is not None:
        step.end(event)
    if not any(step.state == "doing" for step in member.steps):
        member.does("thinking")


def _wrote(run: RunState, event: _Event) -> None:
    member = run.member(event)
    if event.get("turn") != member.turn:
        member.turn, member.writing = event.get("turn"), ""
    member.does("writing")
    member.writing += str(event["text"])


def _completed(run: RunState, event: _Event) -> None:
    member = run.member(event)
    member.writing = str(event.get("content") or member.writing)
    member.model = clean(event.get("model") or member.model)
    member.served = [clean(name) for name in event.get("served") or ()]
    member.seconds = float(event["seconds"])
    member.end("done", answered(event))
    _count(run)


def _failed(run: RunState, event: _Event) -> None:
    member = run.member(event)
    member.reason, member.detail = str(event["reason"]), str(event["detail"])
    member.seconds = float(event["seconds"])
    member.end("failed", failed(event))
    _count(run)


def _count(run: RunState) -> None:
    conditions = [member.condition for member in run.panel.values()]
    lost = f", {conditions.count('failed')} failed" if "failed" in conditions else ""
    panel = counted(len(conditions), "panelist")
    run.progress = f"{conditions.count('done')} of {panel} answered{lost}"


def _replaced(run: RunState, event: _Event) -> None:
    member = run.member(event)
    failure = event.get("failure") or {}
    reason, detail = str(failure.get("reason", "")), shortened(failure.get("detail", ""), 200)
    why = f"{what_failed(reason)}: {detail}" if reason else detail
    for step in member.steps:
        step.state = "failed" if step.state == "doing" else step.state
    asked = clean(event.get("model") or member.model)
    member.steps.append(Step("", asked, why, state="failed"))
    member.model, member.writing = clean(event["by"]), ""
    member.does(f"asking {member.model} instead")


def _extended(run: RunState, event: _Event) -> None:
    run.progress = extended(event)


def _stopped(run: RunState, event: _Event) -> None:
    for name in event["names"]:
        run.member({"name": name}).end("stopped", "not asked")
    run.headline = f"{run.headline}, {len(event['names'])} not asked"
    run.progress = stopped(event)


def _rechecking(run: RunState, event: _Event) -> None:
    run.progress = asking_again(event)


def _rechecked(run: RunState, event: _Event) -> None:
    run.progress = asked_again(event)


def _reused(run: RunState, event: _Event) -> None:
    run.headline = "going on from the panel's earlier work"
    run.progress = f"The panel’s {counted(event['answers'], 'answer')} are used again"


def _code_proposed(run: RunState, event: _Event) -> None:
    run.code = Worker("code", doing=f"running, {proposed(event)}")
    run.progress = f"The panel’s code is run: {proposed(event)}"


def _code_tried(run: RunState, event: _Event) -> None:
    run.code = run.code or Worker("code")
    lines = tried(event)
    run.code.end("done" if event["best"] else "failed", "; ".join(lines))
    run.progress = f"The panel’s code was run; {lines[-1]}"


def _analysing(run: RunState, event: _Event) -> None:
    answers = counted(event["answers"], "answer")
    run.judge = Worker("judge", clean(event["model"]), doing=f"comparing {answers}")
    run.progress = f"The judge compares {answers}"


def _judge_ended(run: RunState, event: _Event) -> None:
    run.judge = run.judge or Worker("judge")
    if event["type"] == "analysis.completed":
        run.analysis = event.get("analysis")
        run.judge.end("done", found(event))
    else:
        run.judge.detail = str(event["detail"])
        run.judge.end("failed", f"failed: {event['code']}: {clean(event['detail'])}")


def _writing(run: RunState, event: _Event) -> None:
    run.writer = Worker("writer", clean(event["model"]), doing="writing")
    _answering(run)


def _answering(run: RunState) -> None:
    run.answering = True
    run.progress = "The answer is being written"


def _restarted(run: RunState, event: _Event) -> None:
    run.writer = run.writer or Worker("writer")
    # A writer that mends its answer was done before.
    run.writer.condition = "working"
    run.writer.waits(f"{restarted(event)}, starting again")
    run.answer, run.answer_id, run.check = "", None, None
    _answering(run)


def _answer(run: RunState, event: _Event) -> None:
    if event["message_id"] != run.answer_id:
        run.answer, run.answer_id = "", event["message_id"]
    run.answer += str(event["text"])
    if run.writer:
        run.writer.does("writing")
    if not run.answering:
        _answering(run)


def _retried(run: RunState, event: _Event) -> None:
    run.worker(event).waits(trying_again(event))


def _waited(run: RunState, event: _Event) -> None:
    worker = run.worker(event)
    if not worker.ended:
        worker.waits(f"still at it, silent for {float(event['seconds']):.0f} s")


def _checking(run: RunState, event: _Event) -> None:
    if run.writer:
        run.writer.end("done", "done")
    run.check = Worker("check", clean(event.get("model") or ""), doing=checking(event))
    run.progress = "The answer is being checked"


def _check_ended(run: RunState, event: _Event) -> None:
    run.check = run.check or Worker("check")
    if event["type"] == "verify.completed":
        run.check.end("done", checked(event))
    else:
        run.check.detail = shortened(event["detail"])
        run.check.end("failed", f"failed: {run.check.detail}")


def _over(run: RunState, event: _Event) -> None:
    run.ended = True
    run.seconds = float(event.get("seconds", 0))
    if run.writer:
        run.writer.end("done", "done")


TELLERS: dict[str, Callable[[RunState, _Event], None]] = {
    "fusion.started": _started,
    "fusion.waiting": _waited,
    "panel.added": _added,
    "panel.tool": _tool,
    "panel.tool.completed": _tool_completed,
    "panel.delta": _wrote,
    "panel.completed": _completed,
    "panel.failed": _failed,
    "panel.replaced": _replaced,
    "panel.reused": _reused,
    "panel.extended": _extended,
    "panel.stopped": _stopped,
    "code.proposed": _code_proposed,
    "code.tried": _code_tried,
    "recheck.started": _rechecking,
    "recheck.completed": _rechecked,
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
    "fusion.completed": _over,
}
"""What an event of each type does to the state; one of another type does nothing."""
