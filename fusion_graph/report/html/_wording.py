"""Figures as people read them in a report: money, time, counts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from fusion_graph.text.phrases import counted

MINUTE = 60


def money(dollars: float | None) -> str:
    """US dollars; what nobody knows is `unknown`, never 0."""
    if dollars is None:
        return "unknown"
    if dollars == 0:
        return "$0"
    if dollars < 0.0001:
        return "< $0.0001"
    return f"${dollars:.4f}" if dollars < 1 else f"${dollars:,.2f}"


def others(model: str, served: Sequence[str]) -> str:
    """The models that answered where they go by another name than the one asked, or nothing.

    Args:
        model: As it was asked: `openrouter:~anthropic/claude-opus-latest`.
        served: As the replies name them.
    """
    asked = {model.lower(), model.partition(":")[2].lower()}
    return ", ".join(name for name in served if name.lower() not in asked)


def duration(seconds: float) -> str:
    """A time that passed: `0.24 s`, `8.3 s`, `83 s`, `4 min 12 s`."""
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 20:
        return f"{seconds:.1f} s"
    if seconds < 2 * MINUTE:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), MINUTE)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def effort(tools: Sequence[str]) -> str:
    """What somebody did besides writing: `2 searches, 3 pages`.

    Args:
        tools: The tools called, each call by its tool's name.
    """
    searches, pages = tools.count("web_search"), tools.count("web_fetch")
    others = len(tools) - searches - pages
    done = {"search": searches, "page": pages, "tool call": others}
    return ", ".join(counted(number, noun) for noun, number in done.items() if number)


def from_sources(independent: int | None) -> str:
    """What to add to "3 of 3": `; from 1 independent source`. Empty where nobody counted."""
    return f"; from {counted(independent, 'independent source')}" if independent else ""


def moment(iso: str) -> str:
    """A time of day as `22 Nov 2026, 22:49 UTC`; what is no ISO time stays as it is."""
    try:
        at = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    if at.tzinfo is not None:
        at = at.astimezone(UTC)
    return f"{at.day} {at:%b %Y, %H:%M}" + (" UTC" if at.tzinfo else "")


def shown(value: Any) -> str:
    """A setting or a tool's argument: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
