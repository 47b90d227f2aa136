"""router: one short call decides whether a request is worth the panel."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AnyMessage, BaseMessage, HumanMessage, SystemMessage

from fusion_graph.config import ResolvedConfig
from fusion_graph.errors import CallFailed, ConfigurationError, Degradation, OutOfTime
from fusion_graph.models.model import Model
from fusion_graph.models.open import open_model
from fusion_graph.models.request import Options
from fusion_graph.nodes.verdict_call import TAKES_NO_BOUNDS
from fusion_graph.prompts import DIRECT_REASON_NEVER, PANEL_REASON_ALWAYS, ROUTER, fenced
from fusion_graph.run.deadlines import spent
from fusion_graph.run.stage import Stage, open_stage
from fusion_graph.state import Run
from fusion_graph.state.conversation import calls_as_text, transcript
from fusion_graph.state.events import Emit
from fusion_graph.text.thinking import without_thinking

ROUTER_TOKENS = 2_000
"""Most tokens of the `auto` decision; a reasoning model spends most of them unseen."""

ROUTER_CHARACTERS = 8_000
"""How much of the conversation's end the `auto` decision reads."""


async def decide(
    run: Run, conversation: Sequence[AnyMessage], settings: ResolvedConfig, emit: Emit
) -> Run:
    """Decide whether the panel is used, and why; a decision that fails is for the panel.

    Args:
        run: The run, before it is decided.
        conversation: The conversation.
        settings: The run's settings; only `invocation = "auto"` asks a model.
        emit: Sends progress events.

    Returns:
        The run with the decision, what it cost and what it lost.
    """
    if settings.invocation == "always":
        return {**run, "invocation_reason": PANEL_REASON_ALWAYS}
    if settings.invocation == "never":
        return {**run, "invoked": False, "invocation_reason": DIRECT_REASON_NEVER}
    with open_stage(run, settings, "route", emit, spent(run)) as stage:
        decided = await _asked(stage, conversation)
        return {**run, **decided, "calls": stage.calls}  # type: ignore[typeddict-item]


async def _asked(stage: Stage, conversation: Sequence[AnyMessage]) -> dict[str, Any]:
    end = transcript(calls_as_text(conversation))[-ROUTER_CHARACTERS:]
    prompt: list[BaseMessage] = [
        SystemMessage(ROUTER),
        HumanMessage(fenced("request", end, stage.run["nonce"])),
    ]
    try:
        async with stage.at_work() as caller:
            model = await open_model(stage.settings.synthesizer, stage.settings.providers)
            options = Options(
                temperature=0.0, max_tokens=ROUTER_TOKENS, response_formats=_formats(model)
            )
            reply = await caller.ask(model, prompt, options if model.protocol else Options())
            invoked, reason = read_decision(reply.text)
            return {"invoked": invoked, "invocation_reason": reason}
    except (CallFailed, ConfigurationError, OutOfTime, ValueError) as error:
        why = f"it {error}" if isinstance(error, OutOfTime) else str(error)
        lost: Degradation = {
            "code": "route_undecided",
            "detail": f"The decision whether to use the panel failed ({why}); it was used.",
        }
        return {
            "invocation_reason": "the decision failed, so the panel was used",
            "degradations": [*stage.run["degradations"], lost],
        }


def _formats(model: Model) -> tuple[dict[str, Any], ...]:
    """Ways to ask for the decision as JSON, strongest first.

    A server of one's own holds a small model to the schema by grammar. Without it SmolLM2 135M
    wrote 1,700 tokens that hold no decision, 160 s on a busy machine (llama.cpp, November 2026).
    """
    anything: dict[str, Any] = {"type": "json_object"}
    if model.provider in TAKES_NO_BOUNDS:
        return (anything,)
    schema = {
        "type": "object",
        "properties": {
            "use": {"type": "string", "enum": ["panel", "one"]},
            "reason": {"type": "string", "maxLength": 160},
        },
        "required": ["use", "reason"],
        "additionalProperties": False,
    }
    named = {"name": "decision", "strict": True, "schema": schema}
    return {"type": "json_schema", "json_schema": named}, anything


def read_decision(text: str) -> tuple[bool, str]:
    """Read whether the router wants the panel, and its reason.

    Args:
        text: The router's reply.

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
