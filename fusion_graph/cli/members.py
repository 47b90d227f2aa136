"""What could go wrong with each model of a preset: asked of the user's own servers, else known.

Nobody else is asked: of a cloud's model only what its LangChain profile and the price list say is
told, and that it was not asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fusion_graph.config import ResolvedConfig, model_name
from fusion_graph.config.presets.servers import USUAL
from fusion_graph.cost.prices import price_of
from fusion_graph.errors import ConfigurationError
from fusion_graph.models.fitting import Window
from fusion_graph.models.own_server import Served

SMALL_CONTEXT = 8192
"""Tokens below which pages and histories are cut in most runs with tools: one page of 24,000
characters is 6,000."""


@dataclass
class Prospect:
    """What a run may expect of one model.

    Attributes:
        ref: The model.
        roles: What it is there for: `panel`, `judge`, `writer`, `fallback`.
        asked: What its server said; None where it was not asked.
        broken: Why a run with it cannot work, each with what to do.
        program: Whether it is a program on this machine.
        warnings: What it will do without.
    """

    ref: str
    roles: list[str]
    asked: Served | None = None
    program: bool = False
    broken: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def said(self) -> str:
        """The model, what is known of it and what to mind, in one line."""
        told = [problem for problem, _ in self.broken] + self.warnings
        if self.asked is None:
            source = "not asked, known offline"
        elif self.asked.context_tokens:
            source = f"its server answers, context {self.asked.context_tokens:,} tokens"
        else:
            source = "its server answers" if self.asked.answers else "no answer"
        if self.ref.startswith("offline:"):
            source = "in this process"
        if self.program:
            source = "a program here"
        return f"{self.ref} ({', '.join(self.roles)}): {source}{''.join(f'; {t}' for t in told)}"


async def prospects(settings: ResolvedConfig) -> list[Prospect]:
    """What to expect of every model of a configuration, each once.

    Args:
        settings: The configuration.
    """
    found: dict[str, Prospect] = {}
    seats: list[tuple[Any, str, bool]] = [
        *((member.model, "panel", member.tools) for member in settings.panel),
        (settings.judge, "judge", settings.judge_tools),
        (settings.synthesizer, "writer", False),
        *((ref, "verifier", False) for ref in (settings.asked_to_verify,) if ref is not None),
        *((ref, "fallback", True) for ref in settings.fallbacks),
    ]
    wants_tools: set[str] = set()
    models: dict[str, Any] = {}
    for ref, role, tools in seats:
        name = model_name(ref)
        models[name] = ref
        seat = found.setdefault(name, Prospect(name, []))
        if role not in seat.roles:
            seat.roles.append(role)
        if tools and settings.max_tool_calls and settings.search != "none":
            wants_tools.add(name)
    for name, seat in found.items():
        if not name.startswith("offline:"):
            await _look(seat, models[name], settings, name in wants_tools)
    return list(found.values())


async def _look(seat: Prospect, ref: Any, settings: ResolvedConfig, tools: bool) -> None:
    from fusion_graph.models.open import ask_own_server, open_model

    try:
        model = await open_model(ref, settings.providers)
    except ConfigurationError as error:
        seat.broken.append((error.problem, error.remedy))
        return
    seat.program = model.program
    profile: dict[str, Any] = dict(model.chat.profile or {})
    seat.asked = await ask_own_server(ref, settings.providers)
    context, has_tools = model.context_tokens, profile.get("tool_calling")
    if seat.asked is not None:
        context, has_tools = seat.asked.context_tokens or context, seat.asked.tools
        _check_server(seat, seat.asked)
    if seat.broken:
        return
    if tools and has_tools is False:
        _no_tools(seat, settings)
    context = context or profile.get("max_input_tokens")
    if context is not None and context < SMALL_CONTEXT:
        window = Window(context, kind=seat.asked.kind if seat.asked else None)
        seat.warnings.append(
            f"reads only {context:,} tokens: pages and histories will be cut. {window.remedy()}"
        )
    if model.program:
        seat.warnings.append("paid by the plan that you are logged in with")
    elif price_of(ref, settings.providers) is None:
        seat.warnings.append("price unknown: the run's cost will be, too")
    if "judge" in seat.roles and not model.takes_schema:
        seat.warnings.append("as a judge it is asked for JSON in words alone")
    elif "judge" in seat.roles and profile.get("structured_output") is False:
        seat.warnings.append("as a judge it may not keep to a JSON schema")


def _check_server(seat: Prospect, said: Served) -> None:
    """What makes a run fail before it begins."""
    name = seat.ref.partition(":")[2]
    if said.problem:
        start = _start(seat.ref, said)
        remedy = f"Start it{start}." if not said.answers else "Set the key its provider names."
        seat.broken.append((f"Model '{seat.ref}': {said.problem}.", remedy))
    elif said.listed is False:
        has = ", ".join(said.models[:10]) or "none"
        remedy = f"It has: {has}."
        if said.kind == "ollama":
            remedy += f" Fetch it: `ollama pull {name}`."
        seat.broken.append((f"Model '{seat.ref}': its server has no such model.", remedy))


def _start(ref: str, said: Served) -> str:
    kind = said.kind or ref.partition(":")[0]
    commands = [usual.start for name, usual in USUAL.items() if name == kind]
    return f" (`{commands[0]}`)" if commands else ""


def _no_tools(seat: Prospect, settings: ResolvedConfig) -> None:
    if settings.research == "first":
        seat.warnings.append("takes no tools: it works from what code finds first")
        return
    seat.broken.append(
        (
            f"Model '{seat.ref}' is given no tools by its server or its maker.",
            'Set research = "first", so that code searches for it; or take another model, or '
            "max_tool_calls = 0.",
        )
    )


def first_broken(seats: Sequence[Prospect]) -> ConfigurationError | None:
    """The first thing that keeps a run from working."""
    return next((ConfigurationError(*why) for seat in seats for why in seat.broken), None)
