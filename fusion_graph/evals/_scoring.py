"""From counted passes to figures: of one answer, and of an arm over a question set.

A question's score is the mean over its passes, a run's the mean over its questions
(arXiv:2602.11685; OpenRouter's public harness).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Any

from fusion_graph.evals._grades import Grade, GradeStatus, one_grader
from fusion_graph.evals._questions import Question
from fusion_graph.evals.tallies import Policy, by_axis, tally


@dataclass(frozen=True)
class QuestionScore:
    """One answer's figures, 0 to 100; None where there is nothing to average.

    Attributes:
        question: The question's id.
        domain: The question's.
        status: The grade's.
        score: Mean of the passes.
        deviation: Population standard deviation over the passes, if there are two or more.
        pass_rate: Mean of the passes' pass rates.
        passes: Score of each pass.
        axes: Mean of the passes' scores by axis.
        unread: Verdicts missing, over all passes.
        verdicts: Verdicts asked for, over all passes.
    """

    question: str
    domain: str
    status: GradeStatus
    score: float | None
    deviation: float | None
    pass_rate: float | None
    passes: tuple[float | None, ...]
    axes: dict[str, float | None]
    unread: int
    verdicts: int


def score(question: Question, grade: Grade, policy: Policy) -> QuestionScore:
    """The figures of one answer.

    A failed answer scores 0, on every axis on which something good was possible; so does one
    without a single readable verdict. An answer whose tests cannot be run has no score.
    """
    criteria = question.criteria
    if grade.status == "failed":
        return _nothing(question, "failed", (), 0)
    tallies = [tally(criteria, one, policy) for one in grade.passes]
    unread = sum(one.unread for one in tallies)
    verdicts = len(criteria) * len(tallies)
    # A pass without any verdict is left out of the mean; one that found errors only counts 0.
    passes = tuple(
        None
        if one.unread == len(criteria) and policy.unread == "dropped"
        else one.normalised or 0.0
        for one in tallies
    )
    mean = _mean(passes)
    if mean is None and tallies:
        return _nothing(question, "graded", passes, verdicts)
    return QuestionScore(
        question=question.id,
        domain=question.domain,
        status="ungraded" if mean is None else "graded",
        score=mean,
        deviation=_deviation(passes),
        pass_rate=_mean(one.pass_rate for one in tallies),
        passes=passes,
        axes={
            axis: _mean(tally(items, one, policy).normalised for one in grade.passes)
            for axis, items in by_axis(criteria).items()
        },
        unread=unread,
        verdicts=verdicts,
    )


def _nothing(
    question: Question, status: GradeStatus, passes: tuple[float | None, ...], unread: int
) -> QuestionScore:
    """The figures of an answer that counts 0."""
    axes = {
        axis: 0.0 if any(item.weight > 0 for item in items) else None
        for axis, items in by_axis(question.criteria).items()
    }
    return QuestionScore(
        question.id, question.domain, status, 0.0, None, 0.0, passes, axes, unread, unread
    )


@dataclass(frozen=True)
class Mean:
    """A mean and the number of questions behind it."""

    mean: float
    questions: int


@dataclass(frozen=True)
class RunScore:
    """One arm's figures over a question set, 0 to 100.

    Attributes:
        policy: Name of the policy.
        grader: The one grader's identity; None if code marked everything.
        questions: How many were scored, failed ones among them.
        score: Mean over questions; None if none was scored.
        deviation: Population standard deviation over questions.
        pass_rate: Mean of the questions' pass rates.
        judge_noise: Mean of the questions' deviations over passes; None with one pass.
        pass_scores: The mean over questions, for each pass by itself.
        pass_deviation: Population standard deviation of those.
        axes: By axis.
        domains: By domain.
        failed: Ids of questions without an answer, scored 0.
        ungraded: Ids of answers that could not be marked, left out.
        unreadable: Ids of answers without a single readable verdict, scored 0.
        leaked: Ids of answers with signs of contamination.
        unread: Verdicts missing.
        verdicts: Verdicts asked for.
    """

    policy: str
    grader: Mapping[str, Any] | None
    questions: int
    score: float | None
    deviation: float | None
    pass_rate: float | None
    judge_noise: float | None
    pass_scores: tuple[float, ...]
    pass_deviation: float | None
    axes: dict[str, Mean]
    domains: dict[str, Mean]
    failed: tuple[str, ...]
    ungraded: tuple[str, ...]
    unreadable: tuple[str, ...]
    leaked: tuple[str, ...]
    unread: int
    verdicts: int


def score_run(marked: Sequence[tuple[Question, Grade]], policy: Policy) -> RunScore:
    """The figures of one arm.

    Args:
        marked: Each question with the grade of the arm's answer.
        policy: What missing verdicts count.

    Raises:
        MixedGraders: Several graders marked.
    """
    grader = one_grader(grade for _, grade in marked)
    scores = [score(question, grade, policy) for question, grade in marked]
    scored = [one for one in scores if one.score is not None]
    rounds = max((len(one.passes) for one in scored), default=0)
    per_pass = [
        mean
        for n in range(rounds)
        if (mean := _mean(_in_pass(one, n) for one in scored)) is not None
    ]
    return RunScore(
        policy=policy.name,
        grader=grader,
        questions=len(scored),
        score=_mean(one.score for one in scored),
        deviation=_deviation([one.score for one in scored], least=1),
        pass_rate=_mean(one.pass_rate for one in scored),
        judge_noise=_mean(one.deviation for one in scored),
        pass_scores=tuple(per_pass),
        pass_deviation=_deviation(per_pass),
        axes=_grouped(scored, lambda one: one.axes.items()),
        domains=_grouped(scored, lambda one: [(one.domain, one.score)] if one.domain else []),
        failed=tuple(one.question for one in scores if one.status == "failed"),
        ungraded=tuple(one.question for one in scores if one.status == "ungraded"),
        unreadable=tuple(one.question for one in scores if one.unread == one.verdicts > 0),
        leaked=tuple(grade.question for _, grade in marked if grade.leaks),
        unread=sum(one.unread for one in scores),
        verdicts=sum(one.verdicts for one in scores),
    )


def _in_pass(one: QuestionScore, number: int) -> float | None:
    """A question's score in one pass; what was marked once only is the same in all."""
    if one.status == "failed" or one.unread == one.verdicts > 0:
        return 0.0
    if len(one.passes) == 1:
        return one.passes[0]
    return one.passes[number] if number < len(one.passes) else None


def _grouped(
    scores: Iterable[QuestionScore],
    groups: Callable[[QuestionScore], Iterable[tuple[str, float | None]]],
) -> dict[str, Mean]:
    found: dict[str, list[float]] = {}
    for one in scores:
        for name, value in groups(one):
            if value is not None:
                found.setdefault(name, []).append(value)
    return {name: Mean(fmean(values), len(values)) for name, values in sorted(found.items())}


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _deviation(values: Iterable[float | None], least: int = 2) -> float | None:
    known = [value for value in values if value is not None]
    return pstdev(known) if len(known) >= least else None
