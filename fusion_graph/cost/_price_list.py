"""The price list of `genai-prices`, asked for what calls come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genai_prices.types import PriceCalculation

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


def listed(provider: str, model: str, *usages: dict[str, int]) -> list[PriceCalculation] | None:
    """What calls of a model cost by the list, or None for a model without prices of tokens there.

    Args:
        provider: The provider's name here (`openai`, `openrouter`, `google_genai`, …).
        model: The model's name there.
        usages: Tokens of each call, by the list's own names.
    """
    provider_id = LISTED_PROVIDERS.get(provider)
    if provider_id is None or not model:
        return None
    from genai_prices import Usage, calc_price

    try:
        found = [
            calc_price(Usage(**usage), model_ref=model, provider_id=provider_id) for usage in usages
        ]
    except LookupError:
        return None
    if any(f.model_price.input_mtok is None or f.model_price.output_mtok is None for f in found):
        return None  # paid by the hour or by the picture, or an entry without prices
    return found
