"""The results as data: a line for each question, and one object with all figures and settings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from fusion_graph.cost.usage import total
from fusion_graph.evals._contamination import leaked_sources
from fusion_graph.evals._scoring import QuestionScore
from fusion_graph.evals.comparison import ArmFigures, Comparison, tokens_of
from fusion_graph.evals.intervals import Interval
from fusion_graph.evals.output.certified import certificate_data
from fusion_graph.evals.output.finished import Evaluation
from fusion_graph.evals.output.words import caveats, comparison_words, verdict_words
from fusion_graph.evals.runner import Marked
from fusion_graph.report.html.strangers import encodable


def answer_lines(evaluation: Evaluation) -> Iterator[str]:
    """A line of JSON for each question: every arm's answer, its marks and what it cost."""
    by_question: dict[str, list[Marked]] = {}
    for item in evaluation.marked:
        by_question.setdefault(item.question.id, []).append(item)
    for question in evaluation.questions:
        yield as_json(
            {
                "id": question.id,
                "domain": question.domain,
                "question": question.text,
                "arms": {
                    item.arm.name: _answer(
                        item, evaluation.results.scores[question.id, item.arm.name]
                    )
                    for item in by_question.get(question.id, ())
                },
            }
        )


def seconds_lines(evaluation: Evaluation) -> Iterator[str]:
    """A line of JSON for each answer: how long it took, which no two runs agree on."""
    for item in evaluation.marked:
        yield as_json(
            {"id": item.question.id, "arm": item.arm.name, "seconds": item.answer.seconds}
        )


def _answer(item: Marked, score: QuestionScore) -> dict[str, Any]:
    answer, grade = item.answer, item.grade
    spent = total(answer.calls)
    return {
        "status": grade.status,
        "score": score.score,
        "pass_rate": score.pass_rate,
        "pass_scores": list(score.passes),
        "axes": score.axes,
        "answer": answer.text,
        "sources": list(answer.sources),
        "failure": answer.failure or None,
        "degradations": list(answer.degradations),
        "verdicts": [[asdict(verdict) for verdict in one] for one in grade.passes],
        "detail": dict(grade.detail),
        "served_by": list(grade.served_by),
        "leaks": [*grade.leaks, *leaked_sources(answer.sources)],
        "calls": spent["calls"],
        "tokens": tokens_of(answer),
        "cost_usd": spent["cost_usd"],
        "marking_cost_usd": total(grade.calls)["cost_usd"],
    }


def results_data(evaluation: Evaluation) -> dict[str, Any]:
    """All figures, the settings behind them, and how to make them again."""
    dataset = evaluation.dataset
    return {
        "command": evaluation.command,
        "dataset": {
            "name": dataset.name,
            "sha256": dataset.sha256,
            "questions": len(dataset.questions),
            "asked": [question.id for question in evaluation.questions],
            "draco": dataset.draco,
            "draco_as_published": dataset.as_published,
        },
        "grader": evaluation.grader.identity() if evaluation.grader else None,
        "passes": evaluation.grader.passes if evaluation.grader else None,
        "policy": {"name": evaluation.policy.name, "text": evaluation.policy.text},
        "verdict": verdict_words(evaluation),
        "caveats": caveats(evaluation),
        "arms": [_figures(arm) for arm in evaluation.results.arms],
        "comparisons": [_comparison(item) for item in evaluation.results.comparisons],
        "certificates": [certificate_data(one) for one in evaluation.results.certificates],
        "configurations": [arm.described() for arm in evaluation.arms],
        "versions": dict(evaluation.versions),
    }


def _figures(arm: ArmFigures) -> dict[str, Any]:
    score = {name: value for name, value in asdict(arm.score).items() if name != "grader"}
    return {
        "name": arm.name,
        "kind": arm.kind,
        **score,
        "cost_usd": arm.cost,
        "tokens": arm.tokens_in_all,
        "seconds_each": round(arm.seconds_each, 4),
        "characters_each": round(arm.characters, 1),
        "calls": arm.calls,
        "plan_calls": arm.plan_calls,
        "degraded": arm.degraded,
    }


def _comparison(found: Comparison) -> dict[str, Any]:
    return {
        "one": found.one,
        "other": found.other,
        "score": _interval(found.score),
        "cost_ratio": _interval(found.cost),
        "tokens_ratio": _interval(found.tokens),
        "seconds_ratio": _interval(found.seconds),
        "domains": {name: _interval(value) for name, value in found.domains.items()},
        "better": found.helped,
        "worse": found.hurt,
        "alike": found.same,
        "gains": dict(found.gains),
        "left_out": list(found.left_out),
        "words": comparison_words(found),
    }


def _interval(found: Interval | None) -> dict[str, Any] | None:
    if found is None:
        return None
    figures = {name: value for name, value in asdict(found).items() if name != "decimals"}
    figures["signs"] = {**asdict(found.signs), "p": found.signs.p}
    return {**figures, "shown": found.shown, "says": found.verdict("more", "less")}


def as_json(data: Any, indent: int | None = None) -> str:
    """JSON that any file can hold: half characters, as models send them, are replaced."""
    return encodable(json.dumps(data, ensure_ascii=False, indent=indent))
