"""Limits of whoever runs the graph, over all runs: how many calls at once, how many dollars a day.

They stand in the environment, not in a run's configuration: they are the deployment's, a run's
context comes from its caller and is stored with the run, and the address of a Redis may hold a
password.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from fusion_graph.errors import ConfigurationError

REDIS_URL = "FUSION_REDIS_URL"
"""The Redis in which the limits are kept for all processes; without one each keeps its own."""

CONCURRENCY = "FUSION_PROVIDER_CONCURRENCY"
"""Calls at once: `openrouter=64, openai=16, 8`, the last for every other provider by itself."""

DAY = "FUSION_MAX_COST_USD_PER_DAY"
"""US dollars a day (UTC): `openrouter=20, OPENAI_API_KEY=5, 30`, the last for all together."""

N = TypeVar("N", int, float)


@dataclass(frozen=True)
class SharedLimits:
    """What all runs share.

    Attributes:
        redis_url: The Redis in which it is kept; empty: in the process.
        calls: Most calls at once, by provider; under "" those of every other.
        usd_a_day: Most US dollars a day, by provider or the name of its key; under "" of all.
    """

    redis_url: str
    calls: Mapping[str, int]
    usd_a_day: Mapping[str, float]

    def calls_to(self, provider: str) -> int | None:
        """Say how many calls to a provider may be under way at once; None: any number."""
        return self.calls.get(provider, self.calls.get(""))


def shared_limits() -> SharedLimits:
    """Read the limits.

    Raises:
        ConfigurationError: One of them cannot be read.
    """
    return _read(*(os.environ.get(name, "").strip() for name in (REDIS_URL, CONCURRENCY, DAY)))


@lru_cache(maxsize=8)
def _read(redis_url: str, calls: str, usd: str) -> SharedLimits:
    if redis_url and not redis_url.startswith(("redis://", "rediss://", "unix://")):
        raise ConfigurationError(
            f"{REDIS_URL} is not the address of a Redis.",
            "Write it as redis://HOST:6379/0, rediss://… for TLS, or unix://PATH.",
        )
    return SharedLimits(redis_url, _amounts(CONCURRENCY, calls, int), _amounts(DAY, usd, float))


def _amounts(variable: str, text: str, number: Callable[[str], N]) -> dict[str, N]:
    found: dict[str, N] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, amount = part.rpartition("=")
        try:
            value = number(amount)
        except ValueError:
            value = number("0")
        if not 0 < value < 1e9:
            raise ConfigurationError(
                f"{variable} holds {part!r}, which is no number above 0.",
                "Write amounts by name, and one for the rest: openrouter=20, openai=5, 30",
            )
        found[name.strip()] = value
    return found
