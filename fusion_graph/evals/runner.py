"""An evaluation from end to end: every arm answers every question, every answer is marked.

Questions are worked through in order, all arms of one before the next begins, so that a run which
stops early has whole questions to show for its money.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from fusion_graph.coding.extraction import CODE_CHARACTERS
from fusion_graph.errors import CapReached
from fusion_graph.evals._answering import Answer, Answering
from fusion_graph.evals._grades import Grade
from fusion_graph.evals._questions import Programs, Question, Rubric
from fusion_graph.evals.arms import Arm, providers_of
from fusion_graph.evals.grader import Ask, GraderCall, GraderReply, GraderSettings, live
from fusion_graph.evals.grading import grade
from fusion_graph.evals.spending import Spending
from fusion_graph.evals.store import Store, key_of
from fusion_graph.models.open import check_model
from fusion_graph.sandbox import Limits, Suite, wall
from fusion_graph.state import CallRecord
from fusion_graph.version import own_version


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes:
        questions: In the order in which they are worked through.
        arms: Who answers; the first is what the others are compared with.
        grader: Who marks, where code does not.
        concurrency: Answers worked on at the same time.
        limits: What an answer's code may use, and whether it is confined.
    """

    questions: Sequence[Question]
    arms: Sequence[Arm]
    grader: GraderSettings
    concurrency: int = 4
    limits: Limits = field(default_factory=Limits)

    @property
    def wants_grader(self) -> bool:
        """Whether a model marks any of the answers."""
        return any(question.wants_grader for question in self.questions)

    @property
    def runs_code(self) -> bool:
        """Whether any of the answers are programs that are run."""
        return any(isinstance(question.marking, Suite | Programs) for question in self.questions)

    def check(self) -> None:
        """Find out that the answers cannot be marked before anything is paid.

        Raises:
            ConfigurationError: The grader's key is missing, or nobody knows its provider.
            SandboxUnavailable: Answers in code are to be confined, and cannot be.
        """
        if self.runs_code and self.limits.confined:
            wall()
        if self.wants_grader:
            check_model(self.grader.model, providers_of(self.arms))


@dataclass(frozen=True)
class Marked:
    """An answer and its marks."""

    question: Question
    arm: Arm
    answer: Answer
    grade: Grade


@dataclass
class Outcome:
    """How far a run came.

    Attributes:
        marked: Every answer that is finished, by question and arm, in order.
        total: How many there would be.
        stopped: The cap that stopped it; None when it is complete.
    """

    marked: list[Marked] = field(default_factory=list)
    total: int = 0
    stopped: CapReached | None = None


Tell = Callable[[int, int], None]
"""`tell(done, total)`: another answer is marked."""


async def run(plan: Plan, store: Store, spending: Spending, tell: Tell) -> Outcome:
    """Get all answers and mark them; what is in the store already costs nothing.

    Args:
        plan: What is to be done.
        store: What was done before, and where the rest goes.
        spending: The cap, and what was spent.
        tell: Told of progress.

    Returns:
        The marked answers; not all of them where the cap was reached.

    Raises:
        ArmUnavailable: A model of an arm cannot be asked at all.
        GraderUnavailable: The grader cannot.
        SandboxUnavailable: Answers in code are to be confined, and cannot be.
    """
    answering = Answering(store, spending)
    ask = _kept_verdicts(plan, store, spending)
    runs = asyncio.Semaphore(os.cpu_count() or 1)
    cells = [(question, arm) for question in plan.questions for arm in plan.arms]
    done: dict[tuple[str, str], Marked] = {}
    waiting = iter(cells)
    stopping: list[BaseException] = []

    async def work(waiting: Iterator[tuple[Question, Arm]]) -> None:
        for question, arm in waiting:
            if stopping:
                return
            try:
                answer = await answering.answer(arm, question)
                marks = await _marked(question, answer, plan, ask, store, runs)
            except Exception as error:
                # Others finish what they have begun: it is being paid for.
                stopping.append(error)
                return
            done[question.id, arm.name] = Marked(question, arm, answer, marks)
            tell(len(done), len(cells))

    await asyncio.gather(*(work(waiting) for _ in range(min(plan.concurrency, len(cells)))))
    others = [error for error in stopping if not isinstance(error, CapReached)]
    if others:
        raise others[0]
    order = [done[q.id, arm.name] for q, arm in cells if (q.id, arm.name) in done]
    capped = next((error for error in stopping if isinstance(error, CapReached)), None)
    return Outcome(order, len(cells), capped)


def _kept_verdicts(plan: Plan, store: Store, spending: Spending) -> Ask:
    """The grader, each of whose replies is kept. A reply that failed is asked for again."""
    real = live(plan.grader, providers_of(plan.arms), _quiet)

    async def ask(call: GraderCall) -> GraderReply:
        failed: list[GraderReply] = []

        async def make() -> dict[str, Any]:
            likely = spending.begin("grade")
            calls: Sequence[CallRecord] = ()
            try:
                reply = await real(call)
                calls = reply.calls
            finally:
                spending.end("grade", likely, calls)
            if reply.failure is not None:
                failed.append(reply)
                raise _NoVerdict
            return {"text": reply.text, "served_by": reply.served_by, "calls": list(calls)}

        try:
            found = await store.once(key_of("grade", call.key()), make)
        except _NoVerdict:
            return failed[0]
        return GraderReply(found["text"], found["served_by"], None, tuple(found["calls"]))

    return ask


def _quiet(*_: Any, **__: Any) -> None:
    """What happens within a verdict is nobody's to see."""


class _NoVerdict(Exception):
    """The grader did not reply; nothing is kept of that."""


async def _marked(
    question: Question,
    answer: Answer,
    plan: Plan,
    ask: Ask,
    store: Store,
    runs: asyncio.Semaphore,
) -> Grade:
    text = _to_mark(question, answer)
    if not isinstance(question.marking, Suite | Programs) or text is None:
        return await grade(question, text, plan.grader, ask)

    async def test() -> dict[str, Any]:
        async with runs:  # each takes a whole processor
            return asdict(await grade(question, text, plan.grader, ask, plan.limits))

    cut = text[: CODE_CHARACTERS + 1]
    key = key_of("tests", own_version(), question.id, question.text, repr(question.marking), cut)
    return Grade.load(await store.once(key, test))


def _to_mark(question: Question, answer: Answer) -> str | None:
    """What is marked of an answer.

    A rubric may ask for sources, so its grader sees their list; code that compares words would
    find them in the titles, so it does not.
    """
    if answer.text is None or not isinstance(question.marking, Rubric) or not answer.listed:
        return answer.text
    return f"{answer.text}\n\n{answer.listed}"
