"""The record of a run as plain data: what `state["fusion"]` holds and the report is made of."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fusion_graph.config import ResolvedConfig
from fusion_graph.cost.baseline import single_call_cost, times
from fusion_graph.cost.usage import summary, total
from fusion_graph.errors import Degradation, Failure
from fusion_graph.evidence import Claim, with_found
from fusion_graph.models.strangers import served_names, strangers
from fusion_graph.nodes.scouting import unasked
from fusion_graph.state import (
    CallRecord,
    Joined,
    Judgement,
    PanelAnswer,
    Recheck,
    Run,
    Scouting,
    Trials,
    seconds_at_work,
)

PACKAGES = ("fusion-graph", "langgraph", "langchain-core", "langchain-openai", "openai")
"""Packages whose versions a report names: those that shape a run."""


def build_record(
    run: Run,
    settings: ResolvedConfig,
    joined: Joined,
    judgement: Judgement | None,
    *,
    answer: str,
    claims: Sequence[Claim] = (),
    calls: Sequence[CallRecord] = (),
    degradations: Sequence[Degradation] = (),
    failed: bool = False,
    scouting: Scouting | None = None,
    recheck: Recheck | None = None,
    trials: Trials | None = None,
    thread_id: str | None = None,
) -> dict[str, Any]:
    """Everything a run did, as JSON-able data with all keys present.

    Args:
        run: The run.
        settings: Its settings.
        joined: The panel's work.
        judgement: The judge's, if there was one.
        answer: The final answer; empty if there is none.
        claims: What became of the answer's claims.
        calls: The writer's calls, and the verifier's.
        degradations: What was lost while writing, and what is false in the answer.
        failed: Whether the run ended without an answer.
        scouting: What came of asking two members first, in an adaptive panel.
        recheck: What came of asking again about one point.
        trials: What running the panel's code showed, where it was run.
        thread_id: The checkpointer's thread, if any.
    """
    found = judgement.get("sources", []) if judgement else []
    paid = calls_of(run, joined, judgement, calls)
    lost = [*run["degradations"], *members_lost(joined["answers"]), *joined["degradations"]]
    lost += [*(judgement["degradations"] if judgement else ()), *degradations]
    # Every stage says what befell all of them.
    lost = [loss for place, loss in enumerate(lost) if loss not in lost[:place]]
    usage = summary(paid)
    single = single_call_cost(settings, joined["answers"], paid, run["question"])
    usage["single_usd"] = single
    usage["multiple"] = times(usage["total"]["cost_usd"], single)
    blind = any(
        call["outcome"] == "ok" and call["cost_usd"] is None and not call.get("plan")
        for call in paid
    )
    if settings.max_cost_usd is not None and blind:
        lost.append({"code": "budget_blind", "detail": _BLIND})
    lost += strangers(paid, joined["answers"])
    return {
        "status": "error" if failed else "degraded" if lost else "ok",
        "degradations": lost,
        "question": run["question"],
        "answer": answer,
        "claims": list(claims),
        "invoked": run["invoked"],
        "invocation_reason": run["invocation_reason"],
        "spared": run.get("spared"),
        "scouting": _scouting(run, joined, scouting),
        "recheck": _recheck(recheck),
        "code": _code(trials),
        "preset": run["preset"],
        "preset_reason": run["preset_reason"],
        "config": settings.public(),
        "analysis": judgement["analysis"] if judgement else None,
        "answers": [_answer(a) for a in joined["answers"]],
        "sources": with_found(joined["sources"], found),
        "failures": [failure for a in joined["answers"] for failure in _failures(a)],
        "usage": usage,
        "timeline": _timeline(joined, judgement, paid),
        "seed": run["seed"],
        "versions": dict(versions()),
        "thread_id": thread_id,
    }


def calls_of(
    run: Run, joined: Joined, judgement: Judgement | None, calls: Sequence[CallRecord] = ()
) -> list[CallRecord]:
    """All calls of a run.

    Args:
        run: The run.
        joined: The panel's work.
        judgement: The judge's, if there was one.
        calls: The writer's calls, and the verifier's.
    """
    made = [*run["calls"], *(call for a in joined["answers"] for call in a["calls"])]
    return [*made, *(judgement["calls"] if judgement else ()), *calls]


_BLIND = (
    "max_cost_usd counted only calls whose cost is known; some have no known price. Give prices "
    "in the preset's [providers.NAME] table, or set max_tokens_total."
)


def _scouting(run: Run, joined: Joined, scouting: Scouting | None) -> dict[str, Any] | None:
    """Say who was asked first, who was not asked at all, and why."""
    if scouting is None or "scouts" not in run:
        return None
    return {
        "scouts": [run["members"][place] for place in run["scouts"]],
        "not_asked": [
            {"name": member["name"], "model": member["model"]} for member in unasked(run, joined)
        ],
        **scouting,
    }


def _recheck(recheck: Recheck | None) -> dict[str, Any] | None:
    """Say which point was asked about again, what everybody replied, and how it ended."""
    if recheck is None or recheck["outcome"] is None:
        return None
    return {
        "topic": recheck["topic"],
        "outcome": recheck["outcome"],
        "detail": recheck["detail"],
        "stances": [
            {key: side[key] for key in ("model", "stance", "sources")} for side in recheck["sides"]
        ],
        "replies": [
            {
                key: reply[key]
                for key in ("name", "model", "position", "why", "quote", "on_page", "failure")
            }
            for reply in recheck["replies"]
        ],
    }


def _code(trials: Trials | None) -> dict[str, Any] | None:
    """Tell what running the panel's code showed."""
    if trials is None:
        return None
    return {
        "tests": trials["tests"],
        "candidates": trials["candidates"],
        "best": trials["best"],
        "reason": trials["reason"],
        "confined": trials["confined"],
    }


def _answer(answer: PanelAnswer) -> dict[str, Any]:
    spent = total(answer["calls"])
    return {
        "name": answer["name"],
        "model": answer["model"],
        "label": answer["label"],
        "status": answer["status"],
        "content": answer["content"],
        "failure": answer["failure"],
        "tool_calls": [
            {key: call[key] for key in ("name", "args", "status", "seconds", "source_ids")}
            | {"by": call.get("by", "model")}
            for call in answer["tool_calls"]
        ],
        "usage": {key: value for key, value in spent.items() if key in _USAGE},
        "cost_usd": spent["cost_usd"],
        "served": served_names(answer["calls"]),
        "seconds": round(seconds_at_work(answer), 4),
    }


_USAGE = (
    "calls",
    "plan_calls",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "cache_write_tokens",
)


def members_lost(answers: Sequence[PanelAnswer]) -> list[Degradation]:
    """Say who of the panel failed, and who was asked instead.

    Args:
        answers: The panel's, in any order.
    """
    lost: list[Degradation] = []
    for answer in answers:
        name, model, failure = answer["name"], answer["model"], answer["failure"]
        for gone in answer["replaced"]:
            detail = f"{gone['model']} failed ({_in_words(gone['failure'])})"
            detail = f"{detail}; {model} was asked as {name} instead."
            lost.append({"code": "panelist_replaced", "detail": detail})
        if failure:
            lost.append({"code": "panelist_failed", "detail": f"{name}: {_in_words(failure)}"})
    return lost


def _in_words(failure: Failure) -> str:
    return f"{failure['reason']}: {failure['detail']}"


def _failures(answer: PanelAnswer) -> list[dict[str, Any]]:
    """Everybody who failed in one member's place, the last one's own failure included."""
    gone: list[tuple[str, Failure, float]] = [
        (item["model"], item["failure"], item["seconds"]) for item in answer["replaced"]
    ]
    if answer["failure"]:
        took = seconds_at_work(answer) - sum(seconds for _, _, seconds in gone)
        gone.append((answer["model"], answer["failure"], round(max(took, 0.0), 4)))
    spent = [total(c for c in answer["calls"] if c["model"] == model) for model, _, _ in gone]
    return [
        {
            "name": answer["name"],
            "model": model,
            **failure,
            "seconds": seconds,
            "cost_usd": sums["cost_usd"],
            "plan_calls": sums["plan_calls"],
        }
        for (model, failure, seconds), sums in zip(gone, spent, strict=True)
    ]


def _timeline(
    joined: Joined, judgement: Judgement | None, calls: Sequence[CallRecord]
) -> list[dict[str, Any]]:
    """Every model and tool call by its start, seconds from the start of the run."""
    rows = [
        {
            "stage": call["stage"],
            "name": call["name"],
            "what": call["model"],
            "start": call["start"],
            "end": call["end"],
            "outcome": call["outcome"],
            "served": call.get("served"),
            "provider": call.get("provider"),
        }
        for call in calls
    ]
    by_whom = [("panel", a["name"], call) for a in joined["answers"] for call in a["tool_calls"]]
    by_judge = judgement.get("tool_calls", []) if judgement else []
    rows += [
        {
            "stage": stage,
            "name": name,
            "what": call["name"],
            "start": call["start"],
            "end": round(call["start"] + call["seconds"], 4),
            "outcome": call["status"],
            "served": None,
            "provider": None,
        }
        for stage, name, call in [*by_whom, *(("judge", "judge", call) for call in by_judge)]
    ]
    return sorted(rows, key=lambda row: (row["start"], row["end"]))


@lru_cache(maxsize=1)
def versions() -> tuple[tuple[str, str], ...]:
    """Names and versions of the packages that shape a run."""
    found = []
    for package in PACKAGES:
        try:
            found.append((package, version(package)))
        except PackageNotFoundError:
            found.append((package, "unknown"))
    return tuple(found)
