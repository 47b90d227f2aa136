"""The price of a model's tokens, known before it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

from fusion_graph.config import Price, Provider
from fusion_graph.cost._price_list import LISTED_PROVIDERS, listed
from fusion_graph.langgraph_seams.identity import provider_and_name

FREE_PROVIDERS = frozenset({"offline", "ollama", "llamacpp", "lmstudio", "vllm"})
"""Providers that run on the user's own machine and bill nobody."""

FREE = Price(input=0, output=0)
"""The price of a model that bills nobody."""

FREE_SUFFIX = ":free"
"""How OpenRouter marks a model that it bills nobody for; such a model has no price on the list."""


SEARCH_BILLS_USD = {"exa": 0.007}
"""US dollars of a search that comes on a bill of its own, where its maker says what it is (Exa's
list of November 2026: $7 a thousand, passages included)."""

OPENROUTER_SEARCH_USD = 0.02
"""Most that a search of OpenRouter's costs: its five results at $4 a thousand (openrouter.ai's
announcement of web search; Exa's were $0.007 in recordings of August 2026, native ones a cent)."""


def price_of(ref: Any, given: Mapping[str, Provider], prompt_tokens: int = 0) -> Price | None:
    """US dollars per million tokens of a model, or None when nobody knows.

    A model on the user's own machine is free; then comes the price the configuration gives, then
    the list of `genai-prices`. Of a moving alias (`~…-latest`) it is what the list says of the
    alias itself, which follows the model that the alias stands for.

    Args:
        ref: A `provider:model` string or a LangChain chat model.
        given: The configuration's providers.
        prompt_tokens: How many tokens the call reads: some models cost more per token above a
            size (Gemini 2.5 Pro above 200,000 tokens). 0 gives the price of short prompts.
    """
    provider, name = _identity(ref)
    if provider in FREE_PROVIDERS:
        return FREE
    own = given[provider].prices.get(name) if isinstance(ref, str) and provider in given else None
    return own if own is not None else _listed(provider, name, prompt_tokens)


def search_price(provider: str, name: str) -> float | None:
    """US dollars of one search that a provider makes for its model, or None when nobody knows.

    Args:
        provider: The provider's name here.
        name: The model's name there.
    """
    found = listed(provider, name, {"input_tokens": 1, "output_tokens": 1})
    price = found[0].model_price.web_searches_kcount if found else None
    if isinstance(price, Decimal):
        return float(price) / 1000
    return OPENROUTER_SEARCH_USD if provider == "openrouter" else None


def _identity(ref: Any) -> tuple[str, str]:
    """The provider's name here and the model's name there."""
    if isinstance(ref, str):
        provider, _, name = ref.partition(":")
        return provider, name
    provider, name = provider_and_name(ref)
    if name.partition(":")[0] in FREE_PROVIDERS:  # an instance of the offline models
        return name.partition(":")[0], name
    return provider, name


@lru_cache(maxsize=256)
def _listed(provider: str, name: str, prompt_tokens: int) -> Price | None:
    if name.endswith(FREE_SUFFIX) and provider in LISTED_PROVIDERS:
        return FREE
    read = max(prompt_tokens, 1)
    usage = {"input_tokens": read, "output_tokens": 1_000_000}
    calls = listed(
        provider,
        name,
        usage,
        {**usage, "cache_read_tokens": read},
        {**usage, "cache_write_tokens": read},
    )
    if calls is None:
        return None
    fresh, cached, stored = calls
    return Price(
        input=float(fresh.input_price * 1_000_000 / read),
        output=float(fresh.output_price),
        cached_input=float(cached.input_price * 1_000_000 / read),
        cache_write=float(stored.input_price * 1_000_000 / read),
    )
