"""Model providers: endpoints that speak the OpenAI protocol, and the keys the others read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from fusion_graph.config.endpoints import Provider
from fusion_graph.config.presets.servers import USUAL, server_url

INTEGRATION_KEYS = {
    "anthropic": "ANTHROPIC_API_KEY",
    "google_genai": "GOOGLE_API_KEY",
    "deepseek": "DEEPSEEK_API_KEY",
    "xai": "XAI_API_KEY",
    "mistralai": "MISTRAL_API_KEY",
    "groq": "GROQ_API_KEY",
    "together": "TOGETHER_API_KEY",
    "fireworks": "FIREWORKS_API_KEY",
    "cohere": "COHERE_API_KEY",
}
"""Environment variables that LangChain's integrations read their keys from."""


PROGRAM_PROVIDERS = ("claude", "codex", "gemini")
"""Providers that are programs on this machine, logged in to by the user."""


def is_program(ref: Any, given: Mapping[str, Provider]) -> bool:
    """Tell whether a model is behind a program.

    Args:
        ref: A `provider:model` string or a chat model.
        given: The user's endpoints; one of a program's name goes before the program.
    """
    name = ref.partition(":")[0] if isinstance(ref, str) else ""
    return name in PROGRAM_PROVIDERS and name not in given


def providers(given: Mapping[str, Provider]) -> dict[str, Provider]:
    """The OpenAI-compatible endpoints by name: built in, then the user's over them."""
    return {
        "openrouter": Provider(
            base_url="https://openrouter.ai/api/v1",
            api_key_env="OPENROUTER_API_KEY",
            headers={"X-Title": "fusion-graph"},
        ),
        "openai": Provider(
            base_url=os.environ.get("OPENAI_BASE_URL") or None, api_key_env="OPENAI_API_KEY"
        ),
        **{kind: Provider(base_url=f"{server_url(kind)}/v1") for kind in USUAL},
        **given,
    }


def provider_named(name: str, given: Mapping[str, Provider]) -> Provider | None:
    """The OpenAI-compatible endpoint of a name; None where nobody knows it.

    Args:
        name: The provider.
        given: The user's endpoints, which go before those built in.
    """
    return given.get(name) or providers(given).get(name)
