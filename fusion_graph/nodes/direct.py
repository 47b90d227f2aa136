"""direct: one model answers, because the panel was not wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AnyMessage

from fusion_graph.config import Panelist, ResolvedConfig, model_name
from fusion_graph.nodes.writing import write, wrote
from fusion_graph.run.stage import Stage
from fusion_graph.state import FinalAnswer, Joined, Run
from fusion_graph.state.conversation import with_one_system


def alone(settings: ResolvedConfig, run: Run) -> ResolvedConfig:
    """Make the writer's model a panel of one, with the panel's tools and under its rules.

    Args:
        settings: The run's settings.
        run: The run; its only member is the writer's model.
    """
    member = Panelist(model=settings.synthesizer, name=run["members"][0])
    return settings.model_copy(update={"panel": [member], "quorum": None})


async def direct_bound(
    stage: Stage, conversation: Sequence[AnyMessage]
) -> tuple[FinalAnswer, Joined]:
    """Have the writer's model answer alone, with the caller's tools or in the caller's format.

    It sees the conversation as it is, and has no tools of ours: whoever brings tools runs the
    loop. Its work is told as a panel of one; if nobody answered, that one has failed.

    Args:
        stage: The stage, under the model's name.
        conversation: The conversation.
    """
    nothing: Joined = {"answers": [], "sources": [], "degradations": []}
    said = with_one_system(conversation)
    final = await write(stage, lambda _: said, "", nothing)
    answered = wrote(final)
    why = "; ".join(loss["detail"] for loss in final["degradations"])
    answer: Any = {
        "index": 0,
        "name": stage.run["members"][0],
        "model": model_name(stage.settings.synthesizer),
        "label": None,
        "status": "ok" if answered else "failed",
        "content": final["answer"],
        "failure": None
        if answered
        else {"reason": "upstream_error", "detail": why, "http_status": None, "attempts": 1},
        "tool_calls": [],
        "sources": [],
        "calls": [] if answered else stage.calls,
        "degradations": [],
        "replaced": [],
        "start": 0.0,
        "end": max((call["end"] for call in stage.calls), default=0.0),
    }
    return final, {**nothing, "answers": [answer]}
