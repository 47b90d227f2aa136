"""Tokens of a call as its provider counts them, in every provider's own words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage

MOST_TOKENS = 10**12
"""No call takes more: a higher number is no count."""


@dataclass(frozen=True)
class TokenCounts:
    """Tokens of one call.

    Attributes:
        read: All that the model read, cached ones included.
        written: All that it wrote, reasoning included.
        cached: Those read that came from the provider's cache; None if it does not say.
        cache_write: Those read that it put into its cache; None if it does not say.
        cache_write_hour: Those of them that stay for an hour, at a price of their own.
    """

    read: int
    written: int
    cached: int | None = None
    cache_write: int | None = None
    cache_write_hour: int = 0


def counted(message: AIMessage) -> TokenCounts | None:
    """The tokens of the call behind a reply, or None if nobody counted them.

    LangChain's integrations already add what Anthropic reports apart (cache reads and writes) and
    Google's thoughts to the sums; with a service tier, the details' names begin with its name.

    Args:
        message: The reply of any chat model.
    """
    usage = message.usage_metadata
    if usage is None:
        return None
    details: Mapping[str, Any] = usage.get("input_token_details") or {}
    hour = _told(details, "ephemeral_1h_input_tokens") or 0
    writes = [
        count
        for name in ("cache_creation", "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")
        if (count := _told(details, name)) is not None
    ]
    read = usage["input_tokens"]
    cached = _told(details, "cache_read")
    cached = None if cached is None else min(cached, read)
    written_to_cache = min(sum(writes), read - (cached or 0)) if writes else None
    return TokenCounts(
        read=read,
        written=usage["output_tokens"],
        cached=cached,
        cache_write=written_to_cache,
        cache_write_hour=min(hour, written_to_cache or 0),
    )


def _told(details: Mapping[str, Any], name: str) -> int | None:
    counts = [
        value
        for key, value in details.items()
        if (key == name or key.endswith(f"_{name}")) and isinstance(value, int) and value >= 0
    ]
    return sum(counts) if counts else None


def usable_usage(usage: Any, model: str = "") -> dict[str, Any]:
    """A chat completion's `usage` in OpenAI's words, without counts that are none.

    LangChain takes every number for a count, and knows OpenAI's names alone.

    Args:
        usage: What the reply holds under `usage`, of any shape.
        model: Who answered, by the reply.
    """
    if not isinstance(usage, dict):
        return {}
    usable = {key: value for key, value in usage.items() if "tokens" not in key}
    usable |= token_counts(usage, "prompt_tokens", "completion_tokens", "total_tokens")
    for part, names in _DETAILS.items():
        if isinstance(details := usage.get(part), dict):
            usable[part] = token_counts(details, *names)
    _find_cached(usable, usage)
    _find_reasoning(usable, model)
    return usable


_DETAILS = {
    "prompt_tokens_details": ("audio_tokens", "cached_tokens", "cache_write_tokens"),
    "completion_tokens_details": ("audio_tokens", "reasoning_tokens"),
}
"""What LangChain reads of a usage besides the sums."""

_CACHED = {
    "cached_tokens": ("prompt_cache_hit_tokens", "cache_read_input_tokens", "cached_tokens"),
    "cache_write_tokens": ("cache_creation_input_tokens",),
}
"""OpenAI's names of what others report at the top: DeepSeek (`prompt_cache_hit_tokens`), gateways
in front of Anthropic (LiteLLM and others: `cache_…_input_tokens`, which there are part of
`prompt_tokens`), Moonshot (`cached_tokens`)."""


def _find_cached(usable: dict[str, Any], usage: Mapping[str, Any]) -> None:
    details = dict(usable.get("prompt_tokens_details") or {})
    for ours, theirs in _CACHED.items():
        found = token_counts(usage, *theirs)
        name = next((name for name in theirs if name in found), None)
        if ours not in details and name is not None:
            details[ours] = found[name]
    read = usable.get("prompt_tokens", 0)
    stored = details.get("cached_tokens", 0) + details.get("cache_write_tokens", 0)
    if stored > read and "cache_read_input_tokens" in usage:
        # Anthropic's own way: its `input_tokens`, under another name, are those besides.
        usable["prompt_tokens"] = read + stored
        usable.pop("total_tokens", None)
    elif stored > read:
        # More than was read cannot have been cached: such details say nothing.
        details.pop("cached_tokens", None)
        details.pop("cache_write_tokens", None)
    usable["prompt_tokens_details"] = details


def _find_reasoning(usable: dict[str, Any], model: str) -> None:
    """Count reasoning that a provider leaves out of `completion_tokens`, and bills as output.

    xAI names it in the details and adds it to the total alone; Google's OpenAI endpoint does not
    name it, and shows it in the total.
    """
    read, written = usable.get("prompt_tokens"), usable.get("completion_tokens")
    whole = usable.get("total_tokens")
    if read is None or written is None or whole is None or whole <= read + written:
        return
    thought = (usable.get("completion_tokens_details") or {}).get("reasoning_tokens", 0)
    if read + written + thought == whole or (not thought and "gemini" in model.lower()):
        usable["completion_tokens"] = whole - read


def token_counts(usage: Mapping[str, Any], *names: str) -> dict[str, int]:
    """Those numbers of tokens that are numbers; some servers send them as texts or fractions."""
    counts = {}
    for name in names:
        value = usage.get(name)
        if isinstance(value, str) and value.isdecimal() and len(value) <= len(str(MOST_TOKENS)):
            value = int(value)
        if isinstance(value, int | float) and 0 <= value <= MOST_TOKENS and value % 1 == 0:
            counts[name] = int(value)
    return counts
