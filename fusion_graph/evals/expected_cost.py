"""What an evaluation will cost, before anybody is asked: by `fusion-graph estimate`'s rules."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import fmean

from langchain_core.messages import HumanMessage

from fusion_graph.config import Panelist, model_name
from fusion_graph.cost.counts import TokenCounts
from fusion_graph.cost.prices import price_of
from fusion_graph.cost.tokens import CASES, REQUEST_TOKENS, Case, text_tokens
from fusion_graph.cost.usage import priced_cost
from fusion_graph.estimate import estimate
from fusion_graph.estimate.calls import LEAST_REPLY, LIKELY_ANSWER, LIKELY_DECISION
from fusion_graph.evals import _prompts as prompts
from fusion_graph.evals._questions import Question
from fusion_graph.evals.arms import Arm, providers_of
from fusion_graph.evals.runner import Plan


@dataclass(frozen=True)
class ExpectedCost:
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


def expected_cost(plan: Plan) -> ExpectedCost:
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
        costs, without_price = _costs(arm, typical, counted)
        unknown |= without_price
        for case in CASES:
            each[case] += costs[case]
    sums = {case: cost * len(plan.questions) for case, cost in each.items()}
    for case in CASES:
        marking = _grading(plan, case)
        if marking is None:
            unknown.add(plan.grader.model)
        sums[case] += marking or 0.0
    return ExpectedCost(sums["low"], sums["likely"], sums["high"], tuple(sorted(unknown)))


_DECIDES = (
    "temperature",
    "reasoning_effort",
    "max_completion_tokens",
    "max_tool_calls",
    "research",
    "search",
    "allowed_domains",
    "blocked_domains",
    "follow_links",
)
"""Settings of an arm that decide what its panelists are asked, besides their own."""


def _costs(arm: Arm, question: Question, counted: set[str]) -> tuple[dict[Case, float], set[str]]:
    """What an arm pays for one question, and the models whose price nobody knows.

    Args:
        arm: The arm.
        question: The question.
        counted: Panelists that an arm before it pays; this one's are added.
    """
    if arm.measured is not None:
        return _at_budget(arm, arm.measured, question)
    settings, messages = arm.configuration, [HumanMessage(question.text)]
    said = estimate(settings, messages)
    costs, alone = dict.fromkeys(CASES, 0.0), dict.fromkeys(CASES, 0.0)
    for member, repetition in zip(settings.panel, arm.repetitions, strict=True):
        by_itself = {"panel": [member], "fallbacks": [], "quorum": None, "invocation": "always"}
        its = estimate(settings.model_copy(update=by_itself), messages)["stages"]["panel"]
        key = _panelist_key(arm, member, repetition)
        for case in CASES:
            cost = its[case]["cost_usd"] or 0.0
            alone[case] += cost
            costs[case] += 0.0 if key in counted else cost
        counted.add(key)
    # Of two cases either may be the one without a panel: then there is no such stage.
    unpaid = {"no-judge": "judge", "best-of": "synthesis"}.get(arm.kind)
    for stage, spend in said["stages"].items():
        for case in CASES:
            cost = spend[case]["cost_usd"] or 0.0
            if stage == "panel":
                costs[case] += max(cost - alone[case], 0.0)  # fallbacks in a member's place
            elif stage != unpaid:
                costs[case] += cost
    return costs, set(said["unknown"])


def _at_budget(arm: Arm, panel: Arm, question: Question) -> tuple[dict[Case, float], set[str]]:
    """What a panel's tokens cost where one member takes them; at least that member's one answer.

    Its first answer is paid by other arms if they ask it too: at least, this one pays nothing.
    """
    said = estimate(panel.configuration, [HumanMessage(question.text)])["total"]
    member = arm.settings.panel[0].model
    costs = dict.fromkeys(CASES, 0.0)
    for case in CASES[1:]:
        spend = said[case]
        each = spend["input_tokens"] // max(spend["calls"], 1)
        price = price_of(member, arm.settings.providers, each)
        if price is None:
            return dict.fromkeys(CASES, 0.0), {model_name(member)}
        taken = TokenCounts(spend["input_tokens"], spend["output_tokens"])
        costs[case] = priced_cost(price, taken)
    return costs, set()


def _panelist_key(arm: Arm, member: Panelist, repetition: int) -> str:
    """Names what a panelist is asked: arms that ask the same share the answer."""
    own = member.model_dump(mode="json", exclude={"name"})
    return repr([own, repetition, arm.corpus, *(getattr(arm.settings, n) for n in _DECIDES)])


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
