"""Evaluations in the track record: what goes in, and what it says of a stack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import fmean

from fusion_graph.config import model_name
from fusion_graph.cost.standings import mean_usd
from fusion_graph.cost.track_record import RIGHT_FROM, Entry
from fusion_graph.cost.usage import total
from fusion_graph.evals._scoring import QuestionScore
from fusion_graph.evals.arms import Arm
from fusion_graph.evals.comparison import tokens_of
from fusion_graph.evals.datasets import Dataset
from fusion_graph.evals.intervals import difference
from fusion_graph.evals.runner import Marked
from fusion_graph.evals.store import key_of

STACK_CHARACTERS = 16
"""Of the hash that names a stack: no two in one record are the same by chance."""


def stack_of(arm: Arm) -> str:
    """Name everything that an arm is made with: same models, settings and documents, same name."""
    measured = None if arm.measured is None else stack_of(arm.measured)
    whole = key_of("stack", arm.kind, arm.public(), arm.corpus, measured)
    return whole[:STACK_CHARACTERS]


def entries_of(
    marked: Sequence[Marked],
    scores: dict[tuple[str, str], QuestionScore],
    dataset: Dataset,
    made: datetime | None = None,
) -> list[Entry]:
    """The entries of an evaluation, one an answer.

    Args:
        marked: Every answer.
        scores: Of every answer, by question and arm.
        dataset: The question set.
        made: When; now by default.
    """
    when = (made or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="seconds")
    stacks = {item.arm.name: stack_of(item.arm) for item in marked}
    return [
        Entry(
            made=when,
            dataset=_plain(dataset.name),
            sha256=dataset.sha256,
            question=_plain(item.question.id),
            domain=_plain(item.question.domain),
            arm=_plain(item.arm.name),
            kind=item.arm.kind,
            stack=stacks[item.arm.name],
            models=tuple(model_name(member.model) for member in item.arm.settings.panel),
            points=scores[item.question.id, item.arm.name].score,
            cost_usd=total(item.answer.calls)["cost_usd"],
            tokens=tokens_of(item.answer),
            seconds=item.answer.seconds,
            stopped=item.answer.stopped,
            **_judge_and_writer(item.arm),
        )
        for item in marked
    ]


def _judge_and_writer(arm: Arm) -> dict[str, str]:
    """Who compares and who writes; nobody does where one model answers alone."""
    if arm.kind == "solo":
        return {}
    made = arm.configuration
    return {"judge": model_name(made.judge), "writer": model_name(made.synthesizer)}


def _plain(text: str) -> str:
    """What UTF-8 can hold: file names on Linux may be any bytes."""
    return text.encode("utf-8", "replace").decode()[:1000]


@dataclass(frozen=True)
class Verdict:
    """How a stack did on one question set.

    Attributes:
        arm: As it was last named.
        kind: The kind of arm.
        stack: What it was made with.
        dataset: The question set's name.
        sha256: Of the question set's file.
        questions: Those that were marked.
        score: Mean points, 0 to 100; None where nothing could be marked.
        right: Questions with at least `RIGHT_FROM` points.
        usd_each: US dollars of an answer; None as soon as one is unknown.
        tokens_each: Mean tokens of an answer.
        seconds_each: Mean seconds to an answer.
        made: The day of the last entry, as ISO 8601.
    """

    arm: str
    kind: str
    stack: str
    dataset: str
    sha256: str
    questions: int
    score: float | None
    right: int
    usd_each: float | None
    tokens_each: float
    seconds_each: float
    made: str


def verdicts(entries: Sequence[Entry]) -> list[Verdict]:
    """How each stack did on each question set: sets as they were recorded, best stacks first.

    Args:
        entries: Of a track record.
    """
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.sha256, entry.stack), []).append(entry)
    order = list(dict.fromkeys(sha256 for sha256, _ in groups))
    found = [_verdict(its) for its in groups.values()]
    return sorted(
        found, key=lambda one: (order.index(one.sha256), -(one.score or 0.0), one.arm, one.stack)
    )


def _verdict(entries: Sequence[Entry]) -> Verdict:
    last = entries[-1]
    points = [entry.points for entry in entries if entry.points is not None]
    return Verdict(
        arm=last.arm,
        kind=last.kind,
        stack=last.stack,
        dataset=last.dataset,
        sha256=last.sha256,
        questions=len(points),
        score=fmean(points) if points else None,
        right=sum(value >= RIGHT_FROM for value in points),
        usd_each=mean_usd(entries),
        tokens_each=fmean(entry.tokens for entry in entries),
        seconds_each=fmean(entry.seconds for entry in entries),
        made=max(entry.made for entry in entries)[:10],
    )


def shared_verdict(
    entries: Sequence[Entry], panel: Arm, members: Sequence[Arm]
) -> dict[str, str | int | float] | None:
    """The verdict on a panel as it is shared with it: plain data; None if nothing was recorded.

    It speaks of the question set on which most of the panel's answers were marked, and compares
    with the best of its members on the questions that both answered.

    Args:
        entries: Of a track record.
        panel: The arm of the whole panel.
        members: The arms of its members alone.
    """
    own = [one for one in verdicts(entries) if one.stack == stack_of(panel) and one.questions]
    if not own:
        return None
    most = max(own, key=lambda one: one.questions)
    found: dict[str, str | int | float] = {
        "dataset": most.dataset,
        "sha256": most.sha256,
        "made": most.made,
        "questions": most.questions,
        "score": round(most.score or 0.0, 2),
        "tokens_each": round(most.tokens_each),
        "seconds_each": round(most.seconds_each, 2),
    }
    if most.usd_each is not None:
        found["usd_each"] = round(most.usd_each, 6)
    alone = {stack_of(arm): arm for arm in members}
    others = [
        one
        for one in verdicts(entries)
        if one.stack in alone and one.sha256 == most.sha256 and one.questions
    ]
    if not others:
        return found
    best = max(others, key=lambda one: one.score or 0.0)
    found["best_member"] = model_name(alone[best.stack].settings.panel[0].model)
    found["best_member_score"] = round(best.score or 0.0, 2)
    lead = difference(_points(entries, most), _points(entries, best))
    if lead is not None:
        found["lead"] = round(lead.estimate, 2)
        if lead.low is not None and lead.high is not None:
            found["lead_low"], found["lead_high"] = round(lead.low, 2), round(lead.high, 2)
        found["lead_says"] = lead.verdict("better", "worse")
    return found


def _points(entries: Sequence[Entry], verdict: Verdict) -> dict[str, float | None]:
    return {
        entry.question: entry.points
        for entry in entries
        if (entry.stack, entry.sha256) == (verdict.stack, verdict.sha256)
    }
