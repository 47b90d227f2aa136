"""Everything that the outputs tell of: what was asked, how, and what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fusion_graph.evals._questions import Question
from fusion_graph.evals.arms import Arm
from fusion_graph.evals.comparison import Results
from fusion_graph.evals.datasets import Dataset
from fusion_graph.evals.grader import GraderSettings
from fusion_graph.evals.runner import Marked
from fusion_graph.evals.tallies import Policy


@dataclass(frozen=True)
class Evaluation:
    """A finished evaluation.

    Attributes:
        command: The command line that makes these figures.
        dataset: The question set.
        questions: Those of its questions that were asked.
        arms: Who answered; the first is what the others are compared with.
        grader: Who marked; None if code marked everything.
        policy: What missing verdicts count.
        marked: Every answer with its marks.
        results: The figures.
        versions: Of the packages that shape a run.
    """

    command: str
    dataset: Dataset
    questions: Sequence[Question]
    arms: Sequence[Arm]
    grader: GraderSettings | None
    policy: Policy
    marked: Sequence[Marked]
    results: Results
    versions: Mapping[str, str]
