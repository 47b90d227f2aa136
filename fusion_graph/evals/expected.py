"""What an evaluation will cost, before anybody is asked: by `fusion-graph estimate`'s rules."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import fmean

from langchain_core.messages import HumanMessage

from fusion_graph.config import model_name
from fusion_graph.cost.counts import TokenCounts
from fusion_graph.cost.prices import price_of
from fusion_graph.cost.tokens import CASES, REQUEST_TOKENS, Case, text_tokens
from fusion_graph.cost.usage import priced_cost
from fusion_graph.estimate import estimate
from fusion_graph.estimate.calls import LEAST_REPLY, LIKELY_ANSWER, LIKELY_DECISION
from fusion_graph.evals import _prompts as prompts
from fusion_graph.evals._answering import alone
from fusion_graph.evals._deciding import panelist_key
from fusion_graph.evals._questions import Question
from fusion_graph.evals.arms import Arm, providers_of
from fusion_graph.evals.runner import Plan


@dataclass(frozen=True)
class Expected:
    """US dollars of a whole evaluation, grading included; an answer that arms share counts once.

    Attributes:
        low: Everybody answers at once, in a word.
        likely: What to expect.
        high: Every call that can be made is, each as long as it may be.
        unknown: Models whose price nobody knows; they are in none of the figures.
    """

    low: float
    likely: float
    high: float
    unknown: tuple[str, ...] = ()


def expected_cost(plan: Plan) -> Expected:
    """What a plan will cost, from its first answer to its last mark.

    The questions are taken for as long as they are on average: what a call costs grows with its
    prompt evenly.

    Args:
        plan: What is to be done.
    """
    length = round(fmean(len(question.text) for question in plan.questions))
    typical = replace(plan.questions[0], text="x" * length)
    each = dict.fromkeys(CASES, 0.0)
    unknown: set[str] = set()
    counted: set[str] = set()
    for arm in plan.arms:
        for stage in _stages(arm, typical, counted):
            unknown |= {*stage.unknown}
            for case in CASES:
                each[case] += stage.costs[case]
    sums = {case: cost * len(plan.questions) for case, cost in each.items()}
    for case in CASES:
        marking = _grading(plan, case)
        if marking is None:
            unknown.add(plan.grader.model)
        sums[case] += marking or 0.0
    return Expected(sums["low"], sums["likely"], sums["high"], tuple(sorted(unknown)))


@dataclass(frozen=True)
class _Stage:
    costs: dict[Case, float]
    unknown: tuple[str, ...]


def _stages(arm: Arm, question: Question, counted: set[str]) -> list[_Stage]:
    """What an arm pays for one question, panelists of `counted` left out: another arm pays them."""
    found = []
    for member, repetition in zip(arm.settings.panel, arm.repetitions, strict=True):
        settings = alone(arm, member)
        key = panelist_key(question, arm, settings, settings.panel[0], repetition)
        if key not in counted:
            counted.add(key)
            said = estimate(settings, [HumanMessage(question.text)])
            costs = {case: said["total"][case]["cost_usd"] or 0.0 for case in CASES}
            found.append(_Stage(costs, tuple(said["unknown"])))
    if arm.kind == "solo" or len(arm.settings.panel) == 1:
        return found
    said = estimate(arm.settings, [HumanMessage(question.text)])
    models = {"judge": arm.settings.judge, "synthesis": arm.settings.synthesizer}
    unpaid = {"no-judge": "judge", "best-of": "synthesis"}.get(arm.kind)
    for stage, model in models.items():
        if stage != unpaid:
            spend = said["stages"][stage]
            costs = {case: spend[case]["cost_usd"] or 0.0 for case in CASES}
            name = model_name(model)
            found.append(_Stage(costs, (name,) if name in said["unknown"] else ()))
    return found


def _grading(plan: Plan, case: Case) -> float | None:
    """US dollars of all marks; None if the grader's price is unknown."""
    grader, total = plan.grader, 0.0
    writes = {"low": LEAST_REPLY, "likely": LIKELY_DECISION, "high": grader.max_tokens}[case]
    tries = grader.rereads + 1 if case == "high" else 1
    given = providers_of(plan.arms)
    for question in plan.questions:
        if not question.wants_grader:
            continue
        for arm in plan.arms:
            most = arm.settings.max_completion_tokens
            answer = {"low": LEAST_REPLY, "likely": min(LIKELY_ANSWER, most), "high": most}[case]
            for criterion in question.criteria:
                told = prompts.RUBRIC + prompts.rubric_material(
                    question.text, "", criterion.requirement
                )
                reads = text_tokens(told, case) + answer + REQUEST_TOKENS[case]
                price = price_of(grader.model, given, reads)
                if price is None:
                    return None
                total += tries * grader.passes * priced_cost(price, TokenCounts(reads, writes))
    return total
