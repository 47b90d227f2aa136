"""Where a fleet is, and the key that it wants."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

from fusion_graph.errors import ConfigurationError

URL_VARIABLE = "FUSION_FLEET_URL"
"""Environment variable with a fleet's addresses, with commas between them."""

KEY_VARIABLE = "FUSION_FLEET_KEY"
"""Environment variable with the key that the fleet's workers want; it is no argument, which other
users of the machine could read."""

GRAPH_VARIABLE = "FUSION_FLEET_GRAPH"
"""Environment variable with what the fleet's `langgraph.json` calls the graph."""


@dataclass(frozen=True)
class FleetAddress:
    """An address names a fleet's workers.

    Attributes:
        urls: Of a worker each, or of what balances loads between them; the next is asked where
            one does not answer.
        key: Sent as `x-api-key` and as a bearer token; None for none.
        graph: The graph, as their `langgraph.json` calls it.
    """

    urls: tuple[str, ...]
    key: str | None = field(default=None, repr=False)
    graph: str = "fusion"

    @classmethod
    def from_environment(cls, urls: Sequence[str] | None = None) -> Self | None:
        """Read where the fleet is.

        Args:
            urls: Addresses given on the command line, which go before the environment's.

        Returns:
            The address; None where there is no fleet.

        Raises:
            ConfigurationError: One of them is none.
        """
        given = list(urls or os.environ.get(URL_VARIABLE, "").split(","))
        found = tuple(_checked(url.strip()) for url in given if url.strip())
        if not found:
            return None
        key = os.environ.get(KEY_VARIABLE) or None
        if key and not (key.isascii() and key.isprintable() and " " not in key):
            raise ConfigurationError(
                f"{KEY_VARIABLE} holds spaces or characters that no header can carry.",
                "Set it to the key as the fleet's owner gave it.",
            )
        return cls(found, key, os.environ.get(GRAPH_VARIABLE) or "fusion")


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ConfigurationError(
            f"{url[:200]!r} is no address of a fleet.", "Give one as in http://fleet.internal:8000."
        )
    if parts.username or parts.password or parts.query:
        raise ConfigurationError(
            "The address of a fleet holds a key, which lists of processes would show.",
            f"Give the address alone, and the key in {KEY_VARIABLE}.",
        )
    return url.rstrip("/")
