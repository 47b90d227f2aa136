"""fan_out: everything decided before a model is asked: settings, question, panel or not."""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import time
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from langchain_core.messages import AnyMessage, BaseMessage, HumanMessage, SystemMessage

from fusion_graph.config import ResolvedConfig, model_name
from fusion_graph.errors import CallFailed, ConfigurationError, Degradation
from fusion_graph.models.open import check_model, open_model
from fusion_graph.models.options import Options
from fusion_graph.prompts import DIRECT_REASON_NEVER, PANEL_REASON_ALWAYS, ROUTER, fenced
from fusion_graph.run.deadlines import router_limit
from fusion_graph.run.settings import Stack, asked_models
from fusion_graph.run.stage import OutOfTime, open_stage
from fusion_graph.run.toolbox import Toolbox
from fusion_graph.state import Joined, PanelTask, Run, Seat
from fusion_graph.state.conversation import question_of, told, transcript
from fusion_graph.state.events import Emit, emitter
from fusion_graph.text.thinking import without_thinking

ROUTER_TOKENS = 2_000
"""Most tokens of the `auto` decision; a reasoning model spends most of them unseen."""

CONTINUED = "goes on from the panel's earlier work, with the results of the writer's tool calls"
"""Why nobody was asked again."""

ROUTER_CHARACTERS = 8_000
"""How much of the conversation's end the `auto` decision reads."""


async def fan_out(
    messages: Sequence[AnyMessage],
    context: Any,
    stack: Stack,
    write: Any,
    earlier: Joined | None = None,
) -> tuple[Run, ResolvedConfig]:
    """Begin a run: read the question, settle the configuration, decide whether to use the panel.

    Args:
        messages: The conversation.
        context: The run's context.
        stack: What the graph was made with.
        write: The node's stream writer.
        earlier: The panel's work that the conversation goes on from, if it does.

    Raises:
        EmptyQuestion: There is nothing to answer.
        ConfigurationError: The configuration cannot work; nothing has been paid yet.
    """
    started = time.time()
    question = question_of(messages)
    # In a thread: it may read files, and ask a server on this machine for its models.
    settings, recorded = await asyncio.to_thread(stack.begin, context)
    await asyncio.to_thread(check, settings, stack)
    emit = emitter(write, started)
    run: Run = {
        "id": str(uuid4()),
        "started": started,
        "question": question,
        "preset": recorded["preset"],
        "preset_reason": recorded["preset_reason"],
        "stack": recorded["stack"],
        "context": recorded["context"],
        "members": settings.names,
        "invoked": True,
        "invocation_reason": "",
        "continues": False,
        "seed": random.SystemRandom().getrandbits(32) if settings.seed is None else settings.seed,
        "nonce": secrets.token_hex(8),
        "calls": [],
        "degradations": [],
    }
    if earlier is not None:
        run["continues"], run["invocation_reason"] = True, CONTINUED
        run["members"] = [answer["name"] for answer in earlier["answers"]]
    else:
        await _decide(run, messages, settings, emit)
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


def check(settings: ResolvedConfig, stack: Stack) -> None:
    """Find what cannot work before anything is paid.

    Raises:
        ConfigurationError: A model without its key, an unknown provider, an unreadable folder.
    """
    refs = [member.model for member in settings.panel]
    for ref in [*refs, settings.judge, settings.synthesizer, *settings.fallbacks]:
        check_model(ref, settings.providers)
    Toolbox.open(settings, stack.tools)


def seats(run: Run, settings: ResolvedConfig) -> list[Seat]:
    """The panelists' places."""
    return [
        {"name": name, "model": model_name(member.model), "index": i}
        for i, (name, member) in enumerate(zip(run["members"], settings.panel, strict=True))
    ]


def tasks(run: Run, messages: Sequence[AnyMessage], settings: ResolvedConfig) -> list[PanelTask]:
    """What each panelist is given: its place, and the same conversation."""
    conversation = told(messages)
    return [{**seat, "run": run, "conversation": conversation} for seat in seats(run, settings)]


async def _decide(
    run: Run, messages: Sequence[AnyMessage], settings: ResolvedConfig, emit: Emit
) -> None:
    """Fill in whether the panel is used, and why; a decision that fails is for the panel."""
    if settings.invocation == "always":
        run["invocation_reason"] = PANEL_REASON_ALWAYS
        return
    if settings.invocation == "never":
        run["invoked"], run["invocation_reason"] = False, DIRECT_REASON_NEVER
        return
    end = transcript(told(messages))[-ROUTER_CHARACTERS:]
    prompt: list[BaseMessage] = [
        SystemMessage(ROUTER),
        HumanMessage(fenced("request", end, run["nonce"])),
    ]
    options = Options(
        temperature=0.0, max_tokens=ROUTER_TOKENS, response_formats=({"type": "json_object"},)
    )
    calls = run["calls"]
    try:
        async with open_stage(
            run, settings, "route", "router", emit, router_limit(settings)
        ) as stage:
            calls = stage.caller.calls
            model = await open_model(settings.synthesizer, settings.providers)
            reply = await stage.caller.ask(model, prompt, options if model.protocol else Options())
            run["invoked"], run["invocation_reason"] = read_decision(reply.text)
    except (CallFailed, ConfigurationError, OutOfTime, ValueError) as error:
        why = f"it {error}" if isinstance(error, OutOfTime) else str(error)
        lost: Degradation = {
            "code": "route_undecided",
            "detail": f"The decision whether to use the panel failed ({why}); it was used.",
        }
        run["degradations"].append(lost)
        run["invocation_reason"] = "the decision failed, so the panel was used"
    run["calls"] = calls


def read_decision(text: str) -> tuple[bool, str]:
    """Whether the router wants the panel, and its reason.

    Raises:
        ValueError: The text holds no decision.
    """
    text = without_thinking(text)
    start, end = text.find("{"), text.rfind("}")
    data = json.loads(text[start : end + 1], strict=False) if start != -1 else {}
    use = str(data.get("use", "")).lower() if isinstance(data, dict) else ""
    if use not in ("panel", "one"):
        raise ValueError(f"no decision in {text[:100]!r}")
    return use == "panel", " ".join(str(data.get("reason") or "no reason given").split())[:200]
