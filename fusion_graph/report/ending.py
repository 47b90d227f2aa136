"""How a run ends: its record, its last event, and its message."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from fusion_graph.config import ResolvedConfig
from fusion_graph.errors import AllPanelistsFailed
from fusion_graph.evidence import close_ledger
from fusion_graph.models.strangers import served_names
from fusion_graph.nodes.verify import Verified
from fusion_graph.report.build import build_record, calls_of
from fusion_graph.report.spans import trace_run, traced
from fusion_graph.run.runtime import emit_of, thread_id
from fusion_graph.run.tool_servers import close_tool_servers
from fusion_graph.state import Joined, Judgement, Recheck, Run, Scouting, Trials


def answered(joined: Joined) -> bool:
    """Say whether anybody answered.

    Args:
        joined: The panel's work.
    """
    return any(answer["status"] == "ok" for answer in joined["answers"])


def need_an_answer(
    run: Run, joined: Joined, settings: ResolvedConfig, scouting: Scouting | None = None
) -> None:
    """End a run that nobody answered.

    Args:
        run: The run.
        joined: The panel's work.
        settings: The run's settings.
        scouting: What came of asking two members first, in an adaptive panel.

    Raises:
        AllPanelistsFailed: Nobody answered; it holds the record.
    """
    if answered(joined):
        return
    record = build_record(
        run,
        settings,
        joined,
        None,
        answer="",
        scouting=scouting,
        failed=True,
        thread_id=thread_id(),
    )
    trace_run(run, record, joined, None, calls_of(run, joined, None))
    close_ledger(run["id"])
    failures = [(a["name"], a["failure"]) for a in joined["answers"] if a["failure"]]
    raise AllPanelistsFailed(failures, record)


async def finish(
    run: Run,
    joined: Joined,
    judgement: Judgement | None,
    verified: Verified,
    settings: ResolvedConfig,
    name: str | None = None,
    scouting: Scouting | None = None,
    recheck: Recheck | None = None,
    trials: Trials | None = None,
) -> dict[str, Any]:
    """End a run with its answer: the graph's output.

    Args:
        run: The run.
        joined: The panel's work.
        judgement: The judge's, if there was one.
        verified: The answer, checked.
        settings: The run's settings.
        name: Whose message it is, where other agents have to know.
        scouting: What came of asking two members first, in an adaptive panel.
        recheck: What came of asking again about one point.
        trials: What running the panel's code showed, where it was run.
    """
    final = verified.final
    record = build_record(
        run,
        settings,
        joined,
        judgement,
        answer=final["answer"],
        claims=verified.claims,
        calls=[*final["calls"], *verified.calls],
        degradations=[*final["degradations"], *verified.degradations],
        scouting=scouting,
        recheck=recheck,
        trials=trials,
        thread_id=thread_id(),
    )
    if traced():
        made = calls_of(run, joined, judgement, [*final["calls"], *verified.calls])
        await asyncio.to_thread(trace_run, run, record, joined, judgement, made)
    await _complete(run, record, served_names(final["calls"]))
    total = record["usage"]["total"]
    usage = {
        "input_tokens": total["input_tokens"],
        "output_tokens": total["output_tokens"],
        "total_tokens": total["input_tokens"] + total["output_tokens"],
    }
    metadata = {**final["message"].response_metadata, "fusion_status": record["status"]}
    update = {"usage_metadata": usage, "response_metadata": metadata, "name": name}
    return {"messages": [final["message"].model_copy(update=update)], "fusion": record}


async def report_alone(
    run: Run,
    joined: Joined,
    judgement: Judgement | None,
    settings: ResolvedConfig,
    scouting: Scouting | None = None,
    recheck: Recheck | None = None,
) -> dict[str, Any]:
    """End a run that is to have no answer of its own: its record.

    Args:
        run: The run.
        joined: The panel's work.
        judgement: The judge's, if there was one.
        settings: The run's settings.
        scouting: What came of asking two members first, in an adaptive panel.
        recheck: What came of asking again about one point.
    """
    record = build_record(
        run,
        settings,
        joined,
        judgement,
        answer="",
        scouting=scouting,
        recheck=recheck,
        thread_id=thread_id(),
    )
    if traced():
        made = calls_of(run, joined, judgement)
        await asyncio.to_thread(trace_run, run, record, joined, judgement, made)
    await _complete(run, record, [])
    return record


async def _complete(run: Run, record: dict[str, Any], served: Sequence[str]) -> None:
    """Tell how a run ended, and forget what only its nodes needed."""
    total = record["usage"]["total"]
    emit_of(run)(
        "fusion.completed",
        status=record["status"],
        degradations=[item["code"] for item in record["degradations"]],
        served=list(served),
        cost_usd=total["cost_usd"],
        calls=total["calls"],
        plan_calls=total["plan_calls"],
        seconds=round(time.time() - run["started"], 3),
    )
    await close_tool_servers(run["id"])
    await asyncio.to_thread(close_ledger, run["id"])
