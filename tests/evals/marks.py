"""Marked answers made by hand, for what is counted and shown of them."""

from __future__ import annotations

from typing import Any

from fusion_graph.config import combine
from fusion_graph.evals._answering import Answer
from fusion_graph.evals._grades import CriterionVerdict, Grade
from fusion_graph.evals._questions import Check, Question
from fusion_graph.evals.arms import Arm, Kind
from fusion_graph.evals.comparison import compare
from fusion_graph.evals.datasets import Dataset
from fusion_graph.evals.grader import GraderSettings
from fusion_graph.evals.output.finished import Evaluation
from fusion_graph.evals.runner import Marked
from fusion_graph.evals.tallies import STRICT
from fusion_graph.state import CallRecord


def call(cost: float | None = 0.01, tokens: int = 100) -> CallRecord:
    """A call that was answered."""
    return {
        "stage": "panel",
        "name": "a",
        "model": "scripted:a",
        "input_tokens": tokens,
        "output_tokens": 0,
        "cost_usd": cost,
        "start": 0.0,
        "end": 1.0,
        "outcome": "ok",
        "left_out": [],
    }


def arm(name: str, kind: Kind = "panel") -> Arm:
    """An arm; nobody asks it."""
    return Arm(name, kind, combine({"panel": ["scripted:a"], "search": "none"}))


def question(number: int, domain: str = "", text: str = "") -> Question:
    """A question marked by code."""
    return Question(
        f"q{number:03d}", text or f"Question {number}?", Check("contains", ("x",)), domain
    )


def mark(
    asked: Question,
    of: Arm,
    right: bool | None,
    *,
    cost: float | None = 0.01,
    tokens: int = 100,
    seconds: float = 1.0,
    text: str = "An answer.",
    **more: Any,
) -> Marked:
    """An arm's answer to a question; `right` is None where there is none."""
    if right is None:
        return Marked(
            asked,
            of,
            Answer(of.name, asked.id, None, failure="upstream_error: gone"),
            Grade(asked.id, "failed"),
        )
    answer = Answer(of.name, asked.id, text, calls=(call(cost, tokens),), seconds=seconds, **more)
    return Marked(
        asked, of, answer, Grade(asked.id, "graded", ((CriterionVerdict("right", right),),))
    )


def evaluation(
    marked: list[Marked], *, grader: GraderSettings | None = None, name: str = "set.jsonl"
) -> Evaluation:
    """The evaluation that these answers make."""
    arms = list({item.arm.name: item.arm for item in marked}.values())
    questions = tuple({item.question.id: item.question for item in marked}.values())
    return Evaluation(
        command="fusion-graph eval --dataset set.jsonl --arms p,s",
        dataset=Dataset(name, "0" * 64, questions, False),
        questions=questions,
        arms=arms,
        grader=grader,
        policy=STRICT,
        marked=marked,
        results=compare(marked, [item.name for item in arms], STRICT),
        versions={"fusion-graph": "1"},
    )
