"""Marks one answer to one question, by whatever its dataset says."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from fusion_graph.errors import UnreadableGrade
from fusion_graph.evals import _checks as checks
from fusion_graph.evals import _prompts as prompts
from fusion_graph.evals._code import judge_code
from fusion_graph.evals._contamination import leaks
from fusion_graph.evals._grades import CriterionVerdict, Grade
from fusion_graph.evals._questions import Check, Programs, Question, Reference, Rubric
from fusion_graph.evals._replies import REFERENCE_WORDS, RUBRIC_WORDS, read_verdict
from fusion_graph.evals.grader import (
    WORDS,
    Ask,
    GraderCall,
    GraderReply,
    GraderSettings,
    Kind,
)
from fusion_graph.sandbox import Limits, Suite

T = TypeVar("T")

_SAYS = {"rubric": RUBRIC_WORDS, "reference": REFERENCE_WORDS}


async def grade(
    question: Question,
    answer: str | None,
    settings: GraderSettings,
    ask: Ask,
    limits: Limits | None = None,
) -> Grade:
    """Mark an answer.

    Args:
        question: The question.
        answer: The answer without its list of sources; None if there is none.
        settings: The grader's; not looked at where code marks.
        ask: Puts questions to the grader; not called where code marks.
        limits: What an answer's code may use.

    Raises:
        GraderUnavailable: The grader cannot be asked at all.
        SandboxUnavailable: Code cannot be run with limits here.
    """
    if answer is None or not answer.strip():
        return Grade(question.id, "failed")
    found = tuple(leaks(answer))
    marking = question.marking
    match marking:
        case Check():
            right, reason = checks.passes(marking, answer)
            return _by_code(question, right, reason, found, {"check": marking.kind})
        case Suite() | Programs():
            verdict = await judge_code(marking, answer, question.text, limits)
            return _by_code(question, verdict.solved, verdict.reason, found, verdict.detail)
        case Rubric() | Reference():
            return await _by_grader(question, answer, settings, ask, found)


def _by_code(
    question: Question,
    right: bool | None,
    reason: str,
    found: tuple[str, ...],
    detail: dict[str, Any],
) -> Grade:
    if right is None:
        return Grade(question.id, "ungraded", leaks=found, detail={**detail, "reason": reason})
    (criterion,) = question.criteria
    verdict = CriterionVerdict(criterion.id, right, reason)
    return Grade(question.id, "graded", ((verdict,),), leaks=found, detail=detail)


async def _by_grader(
    question: Question, answer: str, settings: GraderSettings, ask: Ask, found: tuple[str, ...]
) -> Grade:
    if isinstance(question.marking, Reference):
        kind: Kind = "reference"
        reference = question.marking.answer
        material = [prompts.reference_material(question.text, answer, reference)]
        system = prompts.REFERENCE
    else:
        kind, system = "rubric", prompts.RUBRIC
        material = [
            prompts.rubric_material(question.text, answer, item.requirement)
            for item in question.criteria
        ]
    passes = range(1, settings.passes + 1)
    told = await _all(
        _verdict(settings, ask, kind, system, text, number)
        for number in passes
        for text in material
    )
    width = len(question.criteria)
    marked = [
        CriterionVerdict(item.id, met, reason)
        for item, (met, reason, _) in zip(question.criteria * settings.passes, told, strict=True)
    ]
    replies = [reply for _, _, replies in told for reply in replies]
    return Grade(
        question.id,
        "graded",
        tuple(tuple(marked[i : i + width]) for i in range(0, len(marked), width)),
        grader=settings.identity(),
        served_by=tuple(sorted({reply.served_by for reply in replies} - {""})),
        leaks=found,
        calls=tuple(call for reply in replies for call in reply.calls),
    )


async def _verdict(
    settings: GraderSettings, ask: Ask, kind: Kind, system: str, material: str, number: int
) -> tuple[bool | None, str, list[GraderReply]]:
    """One verdict: what it is, why, and the replies it took."""
    messages: tuple[tuple[str, str], ...] = (("system", system), ("user", material))
    replies: list[GraderReply] = []
    reason = ""
    for _ in range(settings.rereads + 1):
        reply = await ask(GraderCall(settings.identity(), kind, messages, number))
        replies.append(reply)
        if reply.failure is not None:
            reason = f"{reply.failure['reason']}: {reply.failure['detail']}"
            break
        try:
            met, reason = read_verdict(reply.text, _SAYS[kind], bare=settings.bare_json)
        except UnreadableGrade as error:
            reason = f"unreadable: {error}"
            said = ("assistant", reply.text or "(empty)")
            messages = (*messages, said, ("user", prompts.again(WORDS[kind])))
        else:
            return met, reason, replies
    return None, reason, replies


async def _all(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All results in order; the first failure stops the rest, and nothing is left running."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
