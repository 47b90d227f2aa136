"""direct: one model answers, because the panel was not wanted."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.messages import AnyMessage

from fusion_graph.config import Panelist, ResolvedConfig
from fusion_graph.conversation import told
from fusion_graph.events import Emit
from fusion_graph.nodes.panelist import panelist
from fusion_graph.stack import Stack
from fusion_graph.state import PanelAnswer, Run


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
    task = {"index": 0, "run": run, "conversation": told(messages)}
    answer = await panelist(task, alone, stack, emit)  # type: ignore[arg-type]
    calls = [{**call, "stage": "direct"} for call in answer["calls"]]
    return {**answer, "calls": calls}  # type: ignore[typeddict-item]
