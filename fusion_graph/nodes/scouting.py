"""scouting: who of an adaptive panel is asked first, and whether the others are asked at all."""

from __future__ import annotations

from collections.abc import Mapping

from fusion_graph.config import ResolvedConfig, model_name
from fusion_graph.cost.counts import TokenCounts
from fusion_graph.cost.prices import price_of
from fusion_graph.cost.standings import Standing, standings
from fusion_graph.cost.track_record import own_record
from fusion_graph.cost.usage import priced_cost
from fusion_graph.errors import ConfigurationError, Degradation
from fusion_graph.judgement import Analysis, Candidate, choose_scouts, enough_agreed, family
from fusion_graph.judgement.scouts import SCOUTS
from fusion_graph.state import Joined, Judgement, PanelMember, Run, Scouting

LIKELY_TOKENS = TokenCounts(4_000, 1_000)
"""What members are compared by: a plain question's research reads more than it writes."""

UNREAD = frozenset(
    {"answer_cut", "context_cut", "conversation_cut", "judge_unknown_reference"}
    | {"judge_verdict_cut"}
)
"""Losses with which a comparison may lack a contradiction."""


def has_scouts(settings: ResolvedConfig) -> bool:
    """Say whether some of the panel are asked before the others.

    Args:
        settings: The run's settings.
    """
    if settings.panel_policy != "adaptive":
        return False
    return len(settings.panel) > (len(settings.scouts) if settings.scouts else SCOUTS)


def scouts_of(settings: ResolvedConfig, record: Mapping[str, Standing]) -> list[int] | None:
    """Choose who is asked first, by place in the panel; None where everybody is.

    Args:
        settings: The run's settings.
        record: How each model did by itself in your own evaluations; empty without any.
    """
    if not has_scouts(settings):
        return None
    names = settings.names
    if settings.scouts:
        return sorted(map(names.index, settings.scouts))
    models = [model_name(member.model) for member in settings.panel]
    # What an answer took and what a list says it would take are not to be compared.
    measured = all(model in record and record[model].usd_each is not None for model in models)
    candidates = []
    for name, model, member in zip(names, models, settings.panel, strict=True):
        standing = record.get(model)
        if measured:
            usd = record[model].usd_each
        else:
            price = price_of(member.model, settings.providers)
            usd = None if price is None else priced_cost(price, LIKELY_TOKENS)
        right, graded = (standing.right, standing.graded) if standing else (0, 0)
        candidates.append(Candidate(name, family(model), usd, right, graded))
    return [names.index(name) for name in choose_scouts(candidates)]


def own_standings(settings: ResolvedConfig) -> tuple[dict[str, Standing], list[Degradation]]:
    """Read how models did in your own evaluations, as far as the choice of scouts asks for it.

    Args:
        settings: The run's settings.

    Returns:
        The standings by model, and that the record could not be read.
    """
    if settings.scouts or not has_scouts(settings):
        return {}, []
    try:
        return standings(own_record().entries), []
    except ConfigurationError as error:
        detail = f"{error} Those asked first were chosen without it."
        return {}, [{"code": "record_unreadable", "detail": detail}]


def unasked(run: Run, joined: Joined) -> list[PanelMember]:
    """List the members that nobody has asked yet, in panel order.

    Args:
        run: The run.
        joined: The work of those that were asked.
    """
    asked = {answer["index"] for answer in joined["answers"]}
    if "scouts" not in run:
        return []
    models = run.get("models", run["members"])
    return [
        {"name": name, "model": model, "index": place}
        for place, (name, model) in enumerate(zip(run["members"], models, strict=True))
        if place not in asked
    ]


def decided(run: Run, joined: Joined, judgement: Judgement) -> Scouting:
    """Decide whether the scouts are enough; see `judgement.enough_agreed`.

    Args:
        run: The run.
        joined: The scouts' work.
        judgement: The judge's comparison of it.
    """
    survivors = [answer for answer in joined["answers"] if answer["status"] == "ok"]
    analysis = judgement["analysis"]
    stopping = enough_agreed(
        None if analysis is None else Analysis.model_validate(analysis),
        {answer["name"]: answer["content"] for answer in survivors},
        joined["sources"],
        families={answer["name"]: family(answer["model"]) for answer in survivors},
        question=run["question"],
        whole=UNREAD.isdisjoint(loss["code"] for loss in judgement["degradations"]),
    )
    return {"reason": stopping.reason, "detail": stopping.detail}


def still_stands(run: Run, judgement: Judgement, joined: Joined) -> bool:
    """Say whether a comparison of the scouts is one of the whole panel: nobody else answered.

    Args:
        run: The run.
        judgement: The comparison of the scouts.
        joined: The whole panel's work.
    """
    answered = {answer["index"] for answer in joined["answers"] if answer["status"] == "ok"}
    # What the judge found itself is numbered after the sources of those it compared.
    found = judgement.get("sources", [])
    return judgement["analysis"] is not None and not found and answered <= set(run["scouts"])


def after_scouts(scouting: Judgement, whole: Judgement) -> Judgement:
    """Add what the comparison of the scouts took to that of the whole panel.

    What was lost in it is no loss: everybody was asked because of it, or whatever it said.

    Args:
        scouting: The judgement on the scouts.
        whole: The judgement on everybody.
    """
    return {**whole, "calls": [*scouting["calls"], *whole["calls"]]}
