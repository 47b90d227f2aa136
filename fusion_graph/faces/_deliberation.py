"""The fusion graph up to its judge: for a caller whose own model writes the answer."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from langchain_core.tools import BaseTool
from langgraph.config import get_config
from langgraph.graph import END
from langgraph.runtime import get_runtime

from fusion_graph.config import FusionConfig
from fusion_graph.graph import FusionGraph, create_fusion_graph
from fusion_graph.langgraph_seams.sync import Node
from fusion_graph.report.build import build_record
from fusion_graph.run.settings import Stack
from fusion_graph.state import FusionState
from fusion_graph.state.events import emitter


def create_deliberation(
    config: FusionConfig | Mapping[str, Any] | str | None,
    tools: Sequence[BaseTool] | None,
    name: str,
) -> FusionGraph:
    """A fusion graph whose report is its only output: nobody writes, so nobody is paid for it.

    Its last node makes the report where the writer would stand. (Leaving the stream of the whole
    graph after the judge would save the writer's call too, but every trace would show a run that
    broke off; an interrupt would reach through the tool and stop the agent.)

    Args:
        config: As for `create_fusion_graph`.
        tools: As for `create_fusion_graph`.
        name: As for `create_fusion_graph`.
    """
    stack = Stack(config, list(tools) if tools is not None else None)

    async def report(state: FusionState) -> dict[str, Any]:
        run, joined, judgement = state["run"], state["joined"], state["judgement"]
        thread_id = get_config().get("configurable", {}).get("thread_id")
        record = build_record(
            run,
            stack.resume(get_runtime().context, run),
            joined,
            judgement,
            answer="",
            thread_id=str(thread_id) if thread_id is not None else None,
        )
        total = record["usage"]["total"]
        emitter(get_runtime().stream_writer, run["started"])(
            "fusion.completed",
            status=record["status"],
            degradations=[item["code"] for item in record["degradations"]],
            cost_usd=total["cost_usd"],
            calls=total["calls"],
            seconds=round(time.time() - run["started"], 3),
        )
        return {"fusion": record}

    builder = create_fusion_graph(config, tools=tools).builder
    builder.nodes["synthesis"] = replace(builder.nodes["synthesis"], runnable=Node(report))
    builder.edges.discard(("synthesis", "verify"))  # there is no answer to check
    builder.edges.add(("synthesis", END))
    return builder.compile(name=name)
