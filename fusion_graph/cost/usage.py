"""The usage of model calls: one record a call, and their sums by stage and by model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from typing_extensions import TypedDict

from fusion_graph.config import Price
from fusion_graph.cost._price_list import listed
from fusion_graph.cost.counts import TokenCounts
from fusion_graph.cost.prices import search_price
from fusion_graph.state import CallRecord

DEAREST_CALL_USD = 1_000_000.0
"""No call costs more: what a provider reports above it, or below nothing, is no cost."""


class Totals(TypedDict):
    """Sums over calls.

    `cost_usd` is None as soon as one call's cost is unknown; `known_usd` is what the others cost,
    and so the least that all of them did. `plan_calls` are those that a subscription of the user's
    pays: they are in no sum of dollars, and where there are no others `cost_usd` is None. Tokens
    that no call told of are None if they are cached ones, else 0.
    """

    calls: int
    plan_calls: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int | None
    cache_write_tokens: int | None
    cost_usd: float | None
    known_usd: float
    seconds: float


def reported_cost(token_usage: Mapping[str, Any]) -> float | None:
    """US dollars as the provider reports them (OpenRouter's `usage.cost`), or None.

    With the user's own key for the model's provider (`is_byok`), `cost` is OpenRouter's fee, and
    what that provider bills stands in `cost_details.upstream_inference_cost`. That field is filled
    without an own key too, where `cost` is all there is to pay (OpenRouter, usage accounting).
    """
    cost = _dollars(token_usage.get("cost"))
    if cost is None or token_usage.get("is_byok") is not True:
        return cost
    details = token_usage.get("cost_details")
    billed = details.get("upstream_inference_cost") if isinstance(details, Mapping) else None
    upstream = _dollars(billed)
    return None if upstream is None else cost + upstream


def _dollars(value: Any) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if 0 <= value <= DEAREST_CALL_USD else None


def priced_cost(price: Price, tokens: TokenCounts) -> float:
    """US dollars for so many tokens at a price per million.

    Tokens read from a cache or written to one cost as much as others where the price does not say
    what they cost: a sum that is too high is better than one that is too low.
    """
    cached, stored = tokens.cached or 0, tokens.cache_write or 0
    fresh = tokens.read - cached - stored
    of_cached = price.input if price.cached_input is None else price.cached_input
    of_stored = price.input if price.cache_write is None else price.cache_write
    spent = price.input * fresh + of_cached * cached + of_stored * stored
    return (spent + price.output * tokens.written) / 1_000_000


def listed_cost(provider: str, model: str, tokens: TokenCounts, searches: int = 0) -> float | None:
    """US dollars by the price list of `genai-prices`, or None for a model it does not know.

    Args:
        provider: The provider's name here (`openai`, `openrouter`, `google_genai`, …).
        model: The concrete model, as the reply names it. Moving aliases (`~…-latest`) have no
            price of their own.
        tokens: What the call took; cached tokens have their own price where the list has one.
        searches: How many searches its provider made for it and bills apart.
    """
    if model.startswith("~"):
        return None
    fee = search_price(provider, model) if searches else 0.0
    if fee is None:
        return None
    found = listed(
        provider,
        model,
        {
            "input_tokens": tokens.read,
            "output_tokens": tokens.written,
            "cache_read_tokens": tokens.cached or 0,
            "cache_write_tokens": tokens.cache_write or 0,
            "cache_write_1h_tokens": tokens.cache_write_hour,
        },
    )
    return float(found[0].total_price) + fee * searches if found else None


def total(calls: Iterable[CallRecord]) -> Totals:
    """Sums over `calls`; seconds are those spent waiting, so parallel calls add up."""
    calls = list(calls)
    billed = [call for call in calls if not call.get("plan")]
    costs = [call["cost_usd"] for call in billed]
    known = [cost for cost in costs if cost is not None]
    spent = round(sum(known), 10)
    return {
        "calls": len(calls),
        "plan_calls": len(calls) - len(billed),
        "input_tokens": sum(call["input_tokens"] or 0 for call in calls),
        "output_tokens": sum(call["output_tokens"] or 0 for call in calls),
        "cached_tokens": _told(call.get("cached_tokens") for call in calls),
        "cache_write_tokens": _told(call.get("cache_write_tokens") for call in calls),
        "cost_usd": spent if len(known) == len(costs) and (billed or not calls) else None,
        "known_usd": spent,
        "seconds": round(sum(call["end"] - call["start"] for call in calls), 4),
    }


def _told(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


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
        "cost_known": whole["cost_usd"] is not None or 0 < whole["calls"] == whole["plan_calls"],
    }
