"""Which environment variables hold the keys that models need. Their values are never read out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

KEY_OF_PROVIDER = {
    "openrouter": "OPENROUTER_API_KEY",
    "openai": "OPENAI_API_KEY",
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
"""By provider: the first two are `fusion_graph.models`' own (repeated here since that module
takes a second to import), the others are what LangChain's integrations read."""

SEARCH_KEYS = ("TAVILY_API_KEY", "BRAVE_SEARCH_API_KEY", "SEARX_HOST")
"""What searches other than ddgs and corpus need."""


def is_set(key: str) -> bool:
    """Whether the environment holds a key."""
    return bool(os.environ.get(key))


def models_of(fields: Mapping[str, Any]) -> list[str]:
    """The models that a preset's fields name, each once: panel, judge, writer, fallbacks."""
    refs = [member.model for member in fields.get("panel") or []]
    refs += [fields.get("judge"), fields.get("synthesizer"), *(fields.get("fallbacks") or [])]
    return list(dict.fromkeys(ref for ref in refs if isinstance(ref, str)))


def keys_of(fields: Mapping[str, Any]) -> list[str]:
    """The keys that a preset's fields need, each once."""
    own = fields.get("providers") or {}
    return _once(
        own[provider].api_key_env if provider in own else KEY_OF_PROVIDER.get(provider)
        for provider in (ref.partition(":")[0] for ref in models_of(fields))
    )


def _once(keys: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(key for key in keys if key))
