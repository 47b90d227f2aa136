"""fan_out: everything decided before a model is asked: settings, question, panel or not."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from langchain_core.messages import AnyMessage

from fusion_graph.config import ResolvedConfig, model_name
from fusion_graph.models.open import check_model
from fusion_graph.models.recording import fixed
from fusion_graph.nodes.router import decide
from fusion_graph.run.settings import GraphConfig, asked_models
from fusion_graph.run.tool_servers import check_tool_servers
from fusion_graph.run.toolbox import Toolbox
from fusion_graph.state import Joined, PanelMember, Run
from fusion_graph.state.conversation import question_of
from fusion_graph.state.events import emitter

CONTINUED = "goes on from the panel's earlier work, with the results of the writer's tool calls"
"""Why nobody was asked again."""


async def fan_out(
    messages: Sequence[AnyMessage],
    context: Any,
    graph: GraphConfig,
    write: Any,
    earlier: Joined | None = None,
) -> tuple[Run, ResolvedConfig]:
    """Begin a run: read the question, settle the configuration, decide whether to use the panel.

    Args:
        messages: The conversation.
        context: The run's context.
        graph: What the graph was made with.
        write: The node's stream writer.
        earlier: The panel's work that the conversation goes on from, if it does.

    Raises:
        EmptyQuestion: There is nothing to answer.
        ConfigurationError: The configuration cannot work; nothing has been paid yet.
    """
    started = time.time()
    question = question_of(messages)
    # In a thread: it may read files, and ask a server on this machine for its models.
    settings, recorded = await asyncio.to_thread(_begun, graph, context)
    emit = emitter(write, started)
    run: Run = {
        "id": str(uuid4()),
        "started": started,
        "question": question,
        "preset": recorded["preset"],
        "preset_reason": recorded["preset_reason"],
        "discovered": recorded["discovered"],
        "context": recorded["context"],
        "members": settings.names,
        "invoked": True,
        "invocation_reason": "",
        "continues": False,
        "seed": random.SystemRandom().getrandbits(32) if settings.seed is None else settings.seed,
        "nonce": fixed("nonce", secrets.token_hex(8)),
        "calls": [],
        "degradations": [],
    }
    if earlier is not None:
        run["continues"], run["invocation_reason"] = True, CONTINUED
        run["members"] = [answer["name"] for answer in earlier["answers"]]
    else:
        run = await decide(run, messages, settings, emit)
    if not run["invoked"]:
        run["members"] = [model_name(settings.synthesizer).rpartition(":")[2]]
    run["models"] = asked_models(run["invoked"], settings)
    emit(
        "fusion.started",
        run_id=run["id"],
        question=question,
        preset=run["preset"],
        preset_reason=run["preset_reason"],
        panel=run["members"],
        invoked=run["invoked"],
        reason=run["invocation_reason"],
    )
    if earlier is not None:
        emit("panel.reused", answers=len(earlier["answers"]))
    return run, settings


def _begun(graph: GraphConfig, context: Any) -> tuple[ResolvedConfig, dict[str, Any]]:
    settings, recorded = graph.begin(context)
    check(settings, graph)
    return settings, recorded


def check(settings: ResolvedConfig, graph: GraphConfig) -> None:
    """Find what cannot work before anything is paid.

    Raises:
        ConfigurationError: A model without its key, an unknown provider, an unreadable folder, an
            MCP server without its variables or without the package that asks it.
    """
    refs = [member.model for member in settings.panel]
    for ref in [*refs, settings.judge, settings.synthesizer, *settings.fallbacks]:
        check_model(ref, settings.providers)
    Toolbox.open(settings, graph.tools)
    check_tool_servers(settings.tools)


def panel_members(run: Run, settings: ResolvedConfig) -> list[PanelMember]:
    """List who is asked first, in panel order: everybody, or an adaptive panel's scouts.

    Args:
        run: The run, with its members' names.
        settings: The run's settings.
    """
    members: list[PanelMember] = [
        {"name": name, "model": model_name(member.model), "index": i}
        for i, (name, member) in enumerate(zip(run["members"], settings.panel, strict=True))
    ]
    scouts = run.get("scouts")
    return [member for member in members if scouts is None or member["index"] in scouts]
