"""recheck: those who differ on a point that matters are asked about it once more, and it alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from fusion_graph.config import ResolvedConfig, model_name
from fusion_graph.cost.usage import total
from fusion_graph.errors import CallFailed, ConfigurationError, Degradation, Failure, TimeUp
from fusion_graph.evidence import Pages, SourceRecord, check_quote, passages, with_found
from fusion_graph.judgement import (
    Analysis,
    Held,
    amended,
    point_to_recheck,
    positions,
    read_reply,
    settle,
)
from fusion_graph.judgement.analysis import Contradiction, Stance
from fusion_graph.models.failures import failed_once
from fusion_graph.models.model import Model
from fusion_graph.models.open import open_model
from fusion_graph.models.request import Options
from fusion_graph.prompts import RECHECK_SYSTEM, recheck_material
from fusion_graph.run.member import Member
from fusion_graph.state import (
    Joined,
    Judgement,
    PanelMember,
    Recheck,
    RecheckedMember,
    RecheckSide,
    Run,
)

MOST_SOURCES = 3
"""Sources of one stance whose passages are shown."""

MOST_PASSAGES = 2
"""Passages of one source that are shown for one stance."""

PASSAGE_CHARACTERS = 700
"""Most characters of one passage."""


def planned(
    run: Run, settings: ResolvedConfig, joined: Joined, judgement: Judgement, pages: Pages
) -> Recheck | None:
    """Choose the point that is asked about again, with its passages; None where none is worth it.

    Blocks: it reads pages.

    Args:
        run: The run.
        settings: Its settings.
        joined: The panel's work.
        judgement: The judge's comparison of everybody who was asked.
        pages: The texts of the pages that the run has read.
    """
    if not settings.rechecks or judgement["analysis"] is None:
        return None
    sources = with_found(joined["sources"], judgement.get("sources", []))
    texts = _texts(sources, pages)
    clash = point_to_recheck(
        Analysis.model_validate(judgement["analysis"]),
        {a["name"]: a["content"] for a in joined["answers"] if a["status"] == "ok"},
        sources,
        texts.keys(),
        run["question"],
    )
    if clash is None:
        return None
    sides: list[RecheckSide] = [
        {
            "model": side.model,
            "stance": side.stance,
            "sources": side.sources,
            "passages": _passages(clash.topic, side, texts),
        }
        for side in clash.stances
    ]
    return {"topic": clash.topic, "sides": sides, "outcome": None, "detail": "", "replies": []}


def asked_again(plan: Recheck, joined: Joined) -> list[PanelMember]:
    """List the members who differ, in panel order.

    Args:
        plan: The point.
        joined: The panel's work.
    """
    names = {side["model"] for side in plan["sides"]}
    return [
        {"name": answer["name"], "model": answer["model"], "index": answer["index"]}
        for answer in joined["answers"]
        if answer["name"] in names and answer["status"] == "ok"
    ]


async def recheck(member: Member, plan: Recheck, asked: PanelMember) -> RecheckedMember:
    """Ask one member about the point alone. Never raises but when it is cancelled.

    Args:
        member: The member's stage.
        plan: The point.
        asked: The member, with the model that answered.
    """
    settings = member.settings
    found: RecheckedMember = {
        "name": asked["name"],
        "model": asked["model"],
        "position": None,
        "why": "",
        "quote": "",
        "on_page": False,
        "failure": None,
        "calls": [],
    }
    try:
        async with member.panel.slots, member.at_work() as caller:
            model = await open_model(_ref(settings, asked), settings.providers)
            reply = await caller.ask(model, _prompt(member, plan), _options(member, model))
            said = read_reply(reply.message.text)
    except CallFailed as failed:
        found["failure"] = failed.failure
    except TimeUp:
        found["failure"] = failed_once("timed_out", "There was no time for a reply.")
    except ConfigurationError as error:
        found["failure"] = failed_once("invalid_model", str(error))
    else:
        if said is None:
            found["failure"] = _unreadable(reply.message.text)
        else:
            found["position"] = said.position
            found["why"], found["quote"] = said.why[:500], said.quote[:1_000]
            found["on_page"] = _on_page(plan, said.position, said.quote)
    found["calls"] = list(member.calls)
    return found


def concluded(
    plan: Recheck, replies: Sequence[RecheckedMember], joined: Joined, judgement: Judgement
) -> tuple[Recheck, Judgement]:
    """Conclude from the replies: what came of the point, and the comparison amended by it.

    Args:
        plan: The point.
        replies: Of the members, in any order.
        joined: The panel's work.
        judgement: The judge's comparison.
    """
    order = {answer["name"]: answer["index"] for answer in joined["answers"]}
    replies = sorted(replies, key=lambda reply: order.get(reply["name"], len(order)))
    clash = _clash(plan)
    held = [Held(r["name"], r["position"], r["on_page"]) for r in replies]
    settlement = settle(clash, held)
    done: Recheck = {
        **plan,
        "outcome": "stands" if settlement.position is None else "settled",
        "detail": settlement.detail,
        "replies": list(replies),
    }
    losses: list[Degradation] = [
        {
            "code": "recheck_failed",
            "detail": f'{reply["name"]} was asked again about "{plan["topic"][:200]}" and did '
            f"not reply: {reply['failure']['reason']}: {reply['failure']['detail']}",
        }
        for reply in replies
        if reply["failure"] is not None
    ]
    analysis = judgement["analysis"]
    if analysis is not None:
        sources = with_found(joined["sources"], judgement.get("sources", []))
        whole = Analysis.model_validate(analysis)
        analysis = amended(whole, clash, settlement, sources).model_dump()
    after: Judgement = {
        **judgement,
        "analysis": analysis,
        "calls": [*judgement["calls"], *(call for reply in replies for call in reply["calls"])],
        "degradations": [*judgement["degradations"], *losses],
    }
    return done, after


def told(done: Recheck) -> dict[str, Any]:
    """Say what came of it, as its event does.

    Args:
        done: The point, concluded.
    """
    spent = total(call for reply in done["replies"] for call in reply["calls"])
    return {
        "topic": done["topic"],
        "outcome": done["outcome"],
        "detail": done["detail"],
        "cost_usd": spent["cost_usd"],
        "calls": spent["calls"],
    }


def _texts(sources: Sequence[SourceRecord], pages: Pages) -> dict[int, str]:
    texts = {s["id"]: pages(content) for s in sources if (content := s.get("content"))}
    return {n: text for n, text in texts.items() if text}


def _passages(topic: str, side: Stance, texts: Mapping[int, str]) -> list[tuple[int, str]]:
    sought = f"{topic} {side.stance}"
    return [
        (n, passage[:PASSAGE_CHARACTERS])
        for n in [n for n in side.sources if n in texts][:MOST_SOURCES]
        for passage in passages(sought, texts[n], MOST_PASSAGES)
    ]


def _clash(plan: Recheck) -> Contradiction:
    stances = [
        Stance(model=side["model"], stance=side["stance"], sources=side["sources"])
        for side in plan["sides"]
    ]
    return Contradiction(topic=plan["topic"], stances=stances)


def _shown(plan: Recheck) -> list[tuple[str, list[tuple[int, str]]]]:
    """Each position as it is worded, with the passages of all who hold it."""
    shown = []
    for group in positions(_clash(plan)):
        members = {side.model for side in group}
        found = [
            (n, words)
            for side in plan["sides"]
            if side["model"] in members and side["stance"] in {s.stance for s in group}
            for n, words in side["passages"]
        ]
        shown.append((group[0].stance, list(dict.fromkeys(found))))
    return shown


def _prompt(member: Member, plan: Recheck) -> list[BaseMessage]:
    run = member.run
    material = recheck_material(run["question"], plan["topic"], _shown(plan), run["nonce"])
    return [SystemMessage(RECHECK_SYSTEM), HumanMessage(material)]


def _options(member: Member, model: Model) -> Options:
    settings = member.settings
    asked = settings.panel[member.index]
    return Options(
        temperature=0.0,
        reasoning_effort=asked.reasoning_effort or settings.reasoning_effort,
        max_tokens=settings.max_completion_tokens,
        response_formats=({"type": "json_object"},) if model.protocol else (),
    )


def _ref(settings: ResolvedConfig, asked: PanelMember) -> Any:
    """The model that answered: the member's own, or the fallback in its place."""
    own = settings.panel[asked["index"]].model
    refs = [own, *settings.fallbacks]
    return next((ref for ref in refs if model_name(ref) == asked["model"]), own)


def _on_page(plan: Recheck, position: int, quote: str) -> bool:
    shown = _shown(plan)
    if not 1 <= position <= len(shown) or len(quote.split()) < 2:
        return False
    return any(
        check_quote(quote, words) in ("verified", "near") for _, words in shown[position - 1][1]
    )


def _unreadable(text: str) -> Failure:
    words = " ".join(text.split())[:200]
    return failed_once("empty_answer", f"No position can be read in its reply: {words!r}")
