"""Which environment variables hold the keys that models need. Their values are never read out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from typing import Any

from fusion_graph.config.providers import INTEGRATION_KEYS, is_program, providers

KEY_OF_PROVIDER = {
    **{name: own.api_key_env for name, own in providers({}).items() if own.api_key_env},
    **INTEGRATION_KEYS,
}
"""The variable that holds a provider's key, by provider."""

SEARCH_KEYS = ("EXA_API_KEY", "TAVILY_API_KEY", "BRAVE_SEARCH_API_KEY", "SEARX_HOST")
"""What searches other than ddgs and corpus need."""


def is_set(key: str) -> bool:
    """Whether the environment holds a key."""
    return bool(os.environ.get(key))


def models_of(fields: Mapping[str, Any]) -> list[str]:
    """The models that a preset's fields name, each once: everybody asked for anything."""
    # The preset `auto` names its members by their models alone.
    refs = [getattr(member, "model", member) for member in fields.get("panel") or []]
    refs += [fields.get(role) for role in ("judge", "synthesizer", "verifier")]
    refs += fields.get("fallbacks") or []
    return list(dict.fromkeys(ref for ref in refs if isinstance(ref, str)))


def keys_of(fields: Mapping[str, Any]) -> list[str]:
    """The keys that a preset's fields need, each once."""
    own = fields.get("providers") or {}
    return _once(
        own[provider].api_key_env if provider in own else KEY_OF_PROVIDER.get(provider)
        for provider in (ref.partition(":")[0] for ref in models_of(fields))
    )


def programs_of(fields: Mapping[str, Any]) -> list[str]:
    """The programs that a preset's models are behind, each once."""
    own = fields.get("providers") or {}
    return _once(ref.partition(":")[0] for ref in models_of(fields) if is_program(ref, own))


def is_installed(program: str) -> bool:
    """Whether a program is in PATH; whether anybody is logged in to it, it alone knows."""
    return shutil.which(program) is not None


def _once(keys: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(key for key in keys if key))
