"""direct: one model answers, because the panel was not wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AnyMessage

from fusion_graph.config import Panelist, ResolvedConfig, model_name
from fusion_graph.cost.budget import Budget
from fusion_graph.models.calls import Caller
from fusion_graph.nodes.draft import Say
from fusion_graph.nodes.fan_out import tasks
from fusion_graph.nodes.panelist import panelist
from fusion_graph.nodes.synthesis import write, wrote
from fusion_graph.run.deadlines import writer_limit
from fusion_graph.run.settings import Stack
from fusion_graph.state import Joined, PanelAnswer, Run, Written
from fusion_graph.state.conversation import with_one_system
from fusion_graph.state.events import Emit


async def direct(
    messages: Sequence[AnyMessage],
    run: Run,
    settings: ResolvedConfig,
    stack: Stack,
    emit: Emit,
) -> PanelAnswer:
    """The writer's model answers alone, with the panel's tools and under the panel's rules."""
    alone = settings.model_copy(
        update={
            "panel": [Panelist(model=settings.synthesizer, name=run["members"][0])],
            "quorum": None,
        }
    )
    (task,) = tasks(run, messages, alone)
    answer = await panelist(task, alone, stack, emit)
    calls = [{**call, "stage": "direct"} for call in answer["calls"]]
    return {**answer, "calls": calls}  # type: ignore[typeddict-item]


async def direct_bound(
    messages: Sequence[AnyMessage], run: Run, settings: ResolvedConfig, emit: Emit, say: Say
) -> tuple[Written, Joined]:
    """The writer's model answers alone, with the caller's tools or in the caller's format.

    It sees the conversation as it is, and has no tools of ours: whoever brings tools runs the
    loop. Its work is told as a panel of one; if nobody answered, that one has failed.
    """
    caller = Caller("direct", run["members"][0], run["started"], emit, nonce=run["nonce"])
    nothing: Joined = {"answers": [], "sources": [], "degradations": []}
    caller.budget = Budget.of(settings, run["calls"])
    limit = writer_limit(settings, run, nothing, None)
    said = with_one_system(messages)
    written = await write(lambda _: said, "", nothing, settings, limit, caller, say)
    answered = wrote(written)
    why = "; ".join(loss["detail"] for loss in written["degradations"])
    answer: Any = {
        "index": 0,
        "name": run["members"][0],
        "model": model_name(settings.synthesizer),
        "label": None,
        "status": "ok" if answered else "failed",
        "content": written["answer"],
        "failure": None
        if answered
        else {"reason": "upstream_error", "detail": why, "http_status": None, "attempts": 1},
        "tool_calls": [],
        "sources": [],
        "calls": [] if answered else caller.calls,
        "degradations": [],
        "replaced": [],
        "start": 0.0,
        "end": max((call["end"] for call in caller.calls), default=0.0),
    }
    return written, {**nothing, "answers": [answer]}
