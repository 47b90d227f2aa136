"""What a run will cost, before it begins: low, likely and high, and in calls of one model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

from langchain_core.messages import AnyMessage
from langchain_core.tools import BaseTool
from typing_extensions import TypedDict

from fusion_graph.config import ResolvedConfig, model_name
from fusion_graph.config.providers import is_program
from fusion_graph.cost.baseline import best_of_panel, plain_cost, times
from fusion_graph.cost.counts import TokenCounts
from fusion_graph.cost.prices import price_of, search_price
from fusion_graph.cost.standings import ENOUGH, Standing, panel_standing, standings
from fusion_graph.cost.tokens import CASES, Case, message_tokens, uncounted
from fusion_graph.cost.track_record import Entry, own_record
from fusion_graph.cost.usage import priced_cost
from fusion_graph.errors import ConfigurationError
from fusion_graph.estimate.calls import LIKELY_ANSWER, Expectation, ExpectedCall
from fusion_graph.models.provider_search import searching_provider
from fusion_graph.nodes.scouting import has_scouts
from fusion_graph.state import Spared
from fusion_graph.state.conversation import question_of

_PLAN: Final = "plan"
"""Stands for the cost of a call that a subscription of the user's pays."""

_Cost = float | Literal["plan"] | None

_Priced = dict[Case, list[tuple[ExpectedCall, _Cost]]]
"""Calls with what each costs in US dollars, or None where nobody knows."""


class Spend(TypedDict):
    """Calls and what they take. `cost_usd` is None as soon as one price is unknown.

    A subscription of the user's pays `plan_calls` of them: they are in no sum of dollars, and
    where there are no others `cost_usd` is None.
    """

    calls: int
    plan_calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None


class Range(TypedDict):
    """At least, likely, at most."""

    low: Spend
    likely: Spend
    high: Spend


class Recorded(TypedDict):
    """What a panel took in your own evaluations.

    `questions` it was asked, `usd_each`, `tokens_each` and `seconds_each` an answer took on
    average, and on how many questions those asked first were enough (`stopped`; None where
    everybody is asked at once).
    """

    questions: int
    usd_each: float | None
    tokens_each: float
    seconds_each: float
    stopped: int | None


class Estimate(TypedDict):
    """What a run will cost.

    Each case is one way a run may go, so its stages and models add up to its total; where it is
    decided later whether there is a panel, low and high need not go the same way.

    `unknown` names models whose price nobody knows, `uncounted` kinds of attachments whose tokens
    cannot be told (`audio`, `file`, `video`); with either the cost they enter into is None. `best`
    is the panel's most expensive model per token, `single_usd` one plain call of it with the same
    question and a likely answer, `multiple` the likely total in such calls.

    Of an adaptive panel `stops` is the share of questions on which two members are enough, which
    is what low and likely are about; `goes_on` is the likely total where they are not. Both are
    None for other panels.

    `measured` names the members whose likely calls take what their answers took in your own
    evaluations, and of how many; `recorded` is what the whole panel took there, None where it was
    not evaluated. `stops` is measured where `recorded` has enough questions, else simulated.
    """

    stages: dict[str, Range]
    models: dict[str, Range]
    total: Range
    unknown: list[str]
    uncounted: list[str]
    best: str | None
    single_usd: float | None
    multiple: float | None
    stops: float | None
    goes_on: Spend | None
    measured: dict[str, int]
    recorded: Recorded | None


STOPS = 0.6
"""Share of the questions on which an adaptive panel stops with its scouts: 56 to 64 % where members
search (tests/benchmarks/adaptive.md, a simulation; nobody has measured it on real models)."""


def estimate(
    settings: ResolvedConfig,
    messages: Sequence[AnyMessage],
    tools: Sequence[BaseTool] | None = None,
    record: Sequence[Entry] | None = None,
) -> Estimate:
    """What a run will cost in US dollars, tokens and calls. Calls nothing and needs no key.

    The figures behind it stand in `calls.py` and `tokens.py`, each with its reason.
    Prices are the configuration's own, or the list's of today; a provider that bills otherwise
    says so only afterwards. No discount (cached prompts) is counted on, and no limit
    (`max_cost_usd`): either makes it cheaper.

    With `invocation = "auto"` low is the cheaper and high the dearer of one model and the panel;
    likely is the panel.

    Args:
        settings: The run's settings.
        messages: The conversation; it is estimated as a new question.
        tools: The caller's own tools, in place of the web tools.
        record: Of your own evaluations, as `cost.track_record` reads it; by default this user's,
            if it can be read.

    Raises:
        EmptyQuestion: There is nothing to answer.
    """
    question_of(messages)
    record = _own_entries() if record is None else record
    models = standings(record)
    known = _recorded(settings, record)
    priced: _Priced = {}
    unknown: set[str] = set()
    unseen = uncounted(messages)
    for case in CASES:
        calls = _calls(settings, messages, tools, case, models)
        priced[case] = [(call, _cost(call, settings)) for call in calls]
        unknown |= {model_name(call.model) for call, cost in priced[case] if cost is None}
        if unseen:
            # Part of the prompt is missing from every figure; nothing is still nothing.
            priced[case] = [
                (call, cost if cost == _PLAN or not cost else None) for call, cost in priced[case]
            ]
    total = _ranges(priced, lambda _: "total")["total"]
    goes_on = None
    expected = Expectation(settings, messages, tools, "likely", models)
    if settings.invocation != "never" and has_scouts(settings):
        calls = [*(expected.route() if settings.invocation == "auto" else ()), *expected.goes_on()]
        goes_on = _spend([(call, _cost(call, settings)) for call in calls])
        if unseen and goes_on["cost_usd"]:
            goes_on["cost_usd"] = None
    best = best_of_panel(settings)
    single = None
    if not unseen:
        single = plain_cost(settings, message_tokens(messages, "likely"), LIKELY_ANSWER)
    return {
        "stages": _ranges(priced, lambda call: call.stage),
        "models": _ranges(priced, lambda call: model_name(call.model)),
        "total": total,
        "unknown": sorted(unknown),
        "uncounted": unseen,
        "best": None if best is None else model_name(best),
        "single_usd": single,
        "multiple": times(total["likely"]["cost_usd"], single),
        "stops": None if goes_on is None else _chance_of_stopping(known),
        "goes_on": goes_on,
        "measured": {
            standing.model: standing.graded
            for member in settings.panel
            if (standing := expected.measured(member)) is not None
        },
        "recorded": known,
    }


def spared(
    settings: ResolvedConfig,
    messages: Sequence[AnyMessage],
    tools: Sequence[BaseTool] | None = None,
) -> Spared:
    """Say what a panel that is not asked would likely have taken.

    Args:
        settings: The run's settings.
        messages: The conversation.
        tools: The caller's own tools, in place of the web tools.
    """
    record = standings(_own_entries())
    calls = Expectation(settings, messages, tools, "likely", record).panel()
    spend = _spend([(call, _cost(call, settings)) for call in calls])
    return {
        "calls": spend["calls"],
        "input_tokens": spend["input_tokens"],
        "output_tokens": spend["output_tokens"],
        "cost_usd": None if uncounted(messages) and spend["cost_usd"] else spend["cost_usd"],
    }


def _own_entries() -> Sequence[Entry]:
    try:
        return own_record().entries
    except ConfigurationError:
        return ()  # a run says so, and does without as well


def _recorded(settings: ResolvedConfig, record: Sequence[Entry]) -> Recorded | None:
    """What the whole panel took in your own evaluations."""
    found = panel_standing(
        record,
        [model_name(member.model) for member in settings.panel],
        model_name(settings.judge),
        model_name(settings.synthesizer),
        adaptive=has_scouts(settings),
    )
    if found is None:
        return None
    return {
        "questions": found.questions,
        "usd_each": found.usd_each,
        "tokens_each": found.tokens_each,
        "seconds_each": found.seconds_each,
        "stopped": found.stopped,
    }


def stops_are_measured(recorded: Recorded | None) -> bool:
    """Say whether a panel was evaluated often enough to tell how often its scouts suffice.

    Args:
        recorded: What it took in your own evaluations.
    """
    if recorded is None or recorded["stopped"] is None:
        return False
    return recorded["questions"] >= ENOUGH


def _chance_of_stopping(recorded: Recorded | None) -> float:
    if recorded is None or recorded["stopped"] is None or not stops_are_measured(recorded):
        return STOPS
    return recorded["stopped"] / recorded["questions"]


def _calls(
    settings: ResolvedConfig,
    messages: Sequence[AnyMessage],
    tools: Sequence[BaseTool] | None,
    case: Case,
    record: Mapping[str, Standing],
) -> list[ExpectedCall]:
    expected = Expectation(settings, messages, tools, case, record)
    if settings.invocation == "never":
        return expected.direct()
    if settings.invocation == "always":
        return expected.panel()
    way = expected.panel()
    if case == "low":
        way = min(way, expected.direct(), key=lambda calls: _weight(calls, settings, 0.0))
    elif case == "high":
        way = max(way, expected.direct(), key=lambda calls: _weight(calls, settings, math.inf))
    return [*expected.route(), *way]


def _weight(
    way: Sequence[ExpectedCall], settings: ResolvedConfig, unknown: float
) -> tuple[float, int]:
    """What tells the cheaper way from the dearer: dollars (`unknown` for a call), then tokens."""
    costs = [_cost(call, settings) for call in way]
    dollars = sum(unknown if cost is None else cost for cost in costs if cost != _PLAN)
    return dollars, sum(call.reads + call.writes for call in way)


def _ranges(priced: _Priced, key: Callable[[ExpectedCall], str]) -> dict[str, Range]:
    """The calls summed up by what `key` says of each."""

    def spend(case: Case, name: str) -> Spend:
        return _spend([item for item in priced[case] if key(item[0]) == name])

    names = dict.fromkeys(key(call) for case in CASES for call, _ in priced[case])
    return {
        name: {
            "low": spend("low", name),
            "likely": spend("likely", name),
            "high": spend("high", name),
        }
        for name in names
    }


def _spend(calls: Sequence[tuple[ExpectedCall, _Cost]]) -> Spend:
    billed = [cost for _, cost in calls if cost != _PLAN]
    known = [cost for cost in billed if cost is not None]
    whole = len(known) == len(billed) and (billed or not calls)
    return {
        "calls": len(calls),
        "plan_calls": len(calls) - len(billed),
        "input_tokens": sum(call.reads for call, _ in calls),
        "output_tokens": sum(call.writes for call, _ in calls),
        "cost_usd": round(sum(known), 10) if whole else None,
    }


def _cost(call: ExpectedCall, settings: ResolvedConfig) -> _Cost:
    if is_program(call.model, settings.providers):
        return _PLAN
    if call.usd is not None:
        return call.usd
    price = price_of(call.model, settings.providers, call.reads)
    fee = _search_fee(call)
    if price is None or fee is None:
        return None
    return priced_cost(price, TokenCounts(call.reads, call.writes)) + fee


def _search_fee(call: ExpectedCall) -> float | None:
    """US dollars of the searches that a provider makes for a call; None where nobody knows."""
    asked = searching_provider(call.model) if call.searches else None
    each = 0.0 if asked is None else search_price(*asked)
    return None if each is None else each * call.searches
