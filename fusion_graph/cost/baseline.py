"""The cost of a run in plain calls: the yardstick is one call of the panel's best model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fusion_graph.config import ResolvedConfig, model_name
from fusion_graph.cost.counts import TokenCounts
from fusion_graph.cost.prices import price_of
from fusion_graph.cost.tokens import BYTES_PER_TOKEN, served_tools_tokens, text_tokens
from fusion_graph.cost.usage import priced_cost
from fusion_graph.prompts import panel_system
from fusion_graph.state import CallRecord, PanelAnswer

WEB_TOOLS_BYTES = 1_100
"""What the descriptions of web_search and web_fetch take in a request, as JSON."""

ANY_DAY = "2026-01-01"
"""Stands for the date in the panel's instructions: every date is as long."""


def best_of_panel(settings: ResolvedConfig) -> Any | None:
    """The panel's best model, taken to be the one that costs most per token.

    Per token means: the price of one token read and one written, added. Price is the only order
    of models that is known before they have answered, and what somebody without a panel would
    have paid for. None when a price is unknown: that model might be the one.
    """
    priced = [(price_of(m.model, settings.providers), m.model) for m in settings.panel]
    sums = [price.input + price.output for price, _ in priced if price is not None]
    if len(sums) < len(priced):
        return None
    return priced[sums.index(max(sums))][1]


def plain_cost(settings: ResolvedConfig, reads: int, writes: int) -> float | None:
    """US dollars for one call of the panel's best model, or None when nobody knows.

    Args:
        settings: The run's settings.
        reads: Tokens of the conversation.
        writes: Tokens of the answer.
    """
    best = best_of_panel(settings)
    price = None if best is None else price_of(best, settings.providers, reads)
    return None if price is None else priced_cost(price, TokenCounts(reads, writes))


def single_call_cost(
    settings: ResolvedConfig,
    answers: Sequence[PanelAnswer],
    calls: Sequence[CallRecord],
    question: str,
) -> float | None:
    """Price one plain call of the panel's best model after a run, in US dollars.

    The question is as long as the first call said it was, less the panel's own instructions and
    tools, which a plain call goes without; the answer as long as the one that model gave (another
    panelist's, if it gave none).

    Args:
        settings: The run's settings.
        answers: The panel's answers.
        calls: All calls of the run.
        question: The last thing the user said; the conversation is at least as long.

    Returns:
        The cost; None if the price or the tokens are unknown, or nobody answered.
    """
    best = best_of_panel(settings)
    if best is None:
        return None
    answered = [answer for answer in answers if answer["status"] == "ok"]
    answered.sort(key=lambda answer: answer["model"] != model_name(best))
    for answer in answered:
        made = [
            call
            for call in calls
            if call["outcome"] == "ok"
            and call["stage"] in ("panel", "direct")
            and (call["name"], call["model"]) == (answer["name"], answer["model"])
        ]
        read = made[0]["input_tokens"] if made else None
        written = made[-1]["output_tokens"] if made else None
        if read is not None and written is not None:
            plain = made[0]["stage"] == "direct" and settings.writer_is_bound
            asked = read if plain else read - _briefing_tokens(settings)
            return plain_cost(
                settings, min(max(asked, text_tokens(question, "likely")), read), written
            )
    return None


def times(cost_usd: float | None, single_usd: float | None) -> float | None:
    """Count the plain calls a cost comes to; None when either is unknown or the call is free."""
    if cost_usd is None or not single_usd:
        return None
    return round(cost_usd / single_usd, 2)


def _briefing_tokens(settings: ResolvedConfig) -> int:
    """Count what the panel's instructions and tools add to the conversation."""
    searches = settings.search != "none" and settings.max_tool_calls > 0
    served = [server.only for server in settings.tools.values()] if settings.max_tool_calls else []
    system = panel_system(searches or bool(served), settings.max_tool_calls, ANY_DAY, None)
    tools = WEB_TOOLS_BYTES // BYTES_PER_TOKEN if searches else 0
    return text_tokens(system, "likely") + tools + served_tools_tokens(served, "likely")
