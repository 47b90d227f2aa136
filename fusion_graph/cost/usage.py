"""What calls cost: one record a model call, and their sums by stage and by model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from typing_extensions import TypedDict

from fusion_graph.config import Price
from fusion_graph.state import CallRecord

LISTED_PROVIDERS = {
    "openai": "openai",
    "openrouter": "openrouter",
    "anthropic": "anthropic",
    "google_genai": "google",
    "deepseek": "deepseek",
    "mistralai": "mistral",
    "xai": "x-ai",
    "groq": "groq",
    "together": "together",
    "fireworks": "fireworks",
    "cohere": "cohere",
}
"""Providers here, and what the price list calls them."""

DEAREST_CALL_USD = 1_000_000.0
"""No call costs more: what a provider reports above it, or below nothing, is no cost."""


class Totals(TypedDict):
    """Sums over calls. `cost_usd` is None as soon as one paid call's cost is unknown."""

    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    seconds: float


def reported_cost(token_usage: Mapping[str, Any]) -> float | None:
    """US dollars as the provider reports them (OpenRouter's `usage.cost`), or None."""
    cost = token_usage.get("cost")
    if not isinstance(cost, int | float) or isinstance(cost, bool):
        return None
    return float(cost) if 0 <= cost <= DEAREST_CALL_USD else None


def priced_cost(price: Price, input_tokens: int, output_tokens: int) -> float:
    """US dollars for so many tokens at a price per million."""
    return (price.input * input_tokens + price.output * output_tokens) / 1_000_000


def listed_cost(provider: str, model: str, input_tokens: int, output_tokens: int) -> float | None:
    """US dollars by the price list of `genai-prices`, or None for a model it does not know.

    Args:
        provider: The provider's name here (`openai`, `openrouter`, `google_genai`, …).
        model: The concrete model, as the reply names it. Moving aliases (`~…-latest`) have no
            price of their own.
    """
    provider_id = LISTED_PROVIDERS.get(provider)
    if provider_id is None or model.startswith("~"):
        return None
    from genai_prices import Usage, calc_price

    usage = Usage(input_tokens=input_tokens, output_tokens=output_tokens)
    try:
        price = calc_price(usage, model_ref=model, provider_id=provider_id)
    except LookupError:
        return None
    listed = price.model_price
    if listed.input_mtok is None or listed.output_mtok is None:
        return None  # listed without prices of tokens: it is paid by the hour or by the picture
    return float(price.total_price)


def total(calls: Iterable[CallRecord]) -> Totals:
    """Sums over `calls`; seconds are those spent waiting, so parallel calls add up."""
    calls = list(calls)
    # A call that failed was not billed as far as anyone knows; only answered ones count.
    paid = [call for call in calls if call["outcome"] == "ok"]
    costs = [call["cost_usd"] for call in paid]
    known = [cost for cost in costs if cost is not None]
    return {
        "calls": len(calls),
        "input_tokens": sum(call["input_tokens"] or 0 for call in calls),
        "output_tokens": sum(call["output_tokens"] or 0 for call in calls),
        "cost_usd": round(sum(known), 10) if len(known) == len(costs) else None,
        "seconds": round(sum(call["end"] - call["start"] for call in calls), 4),
    }


def summary(calls: Iterable[CallRecord]) -> dict[str, Any]:
    """The report's `usage`: per stage, per model, in total, and whether the cost is known."""
    calls = list(calls)
    stages = dict.fromkeys(call["stage"] for call in calls)
    models = dict.fromkeys(call["model"] for call in calls)
    whole = total(calls)
    return {
        "stages": {s: total(c for c in calls if c["stage"] == s) for s in stages},
        "models": {m: total(c for c in calls if c["model"] == m) for m in models},
        "total": whole,
        "cost_known": whole["cost_usd"] is not None,
    }
