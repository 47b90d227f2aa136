"""Web pages of other sites that the server's owner lets in (`--allow-origin`)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from starlette.datastructures import MutableHeaders

from fusion_graph.errors import ConfigurationError

ANY = "*"
"""Every page; only for a server with a key."""

EXPOSED = (
    "x-request-id, x-fusion-run, x-fusion-invoked, x-fusion-deliberation, "
    "x-fusion-ignored-parameters"
)
"""Headers of an answer that a page may read."""

METHODS = "GET, POST, DELETE, OPTIONS"

SECONDS = "600"
"""How long a browser remembers that it may."""


def check_origins(origins: Sequence[str], *, has_keys: bool) -> tuple[str, ...]:
    """Check the origins that an owner allows.

    Args:
        origins: As in `https://chat.example`, or `*`.
        has_keys: Whether callers have to give a key.

    Raises:
        ConfigurationError: One is no origin, or every page is meant and there is no key.
    """
    for origin in origins:
        if origin == ANY and not has_keys:
            raise ConfigurationError(
                "--allow-origin '*' without a key lets every web page spend your keys.",
                "Name the pages, as in --allow-origin https://chat.example, or set FUSION_API_KEY.",
            )
        if origin != ANY and not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/\s,]+", origin):
            raise ConfigurationError(
                f"--allow-origin {origin[:80]!r} is no origin.",
                "Give scheme, host and port alone, as in http://localhost:3000.",
            )
    return tuple(origin.lower() for origin in origins)


def is_allowed(origin: str | None, allowed: Sequence[str]) -> bool:
    """Tell whether a page of that origin is let in.

    Args:
        origin: The request's header; None where there is none.
        allowed: The owner's origins.
    """
    return origin is not None and (ANY in allowed or origin.lower() in allowed)


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    """Tell whether a browser only asks whether a page may ask."""
    return method == "OPTIONS" and "access-control-request-method" in headers


def preflight_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """What a browser is told that asks whether a page may ask.

    Args:
        headers: The request's.
    """
    told = {"access-control-allow-methods": METHODS, "access-control-max-age": SECONDS}
    wanted = headers.get("access-control-request-headers", "")
    if re.fullmatch(r"[\w-]+(?:\s*,\s*[\w-]+)*", wanted):
        told["access-control-allow-headers"] = wanted
    if headers.get("access-control-request-private-network") == "true":
        told["access-control-allow-private-network"] = "true"
    return told


def let_in(headers: MutableHeaders, origin: str) -> None:
    """Say in an answer's headers that a page may read it.

    Args:
        headers: The answer's.
        origin: The page's.
    """
    headers["access-control-allow-origin"] = origin
    headers["access-control-expose-headers"] = EXPOSED
    headers.add_vary_header("Origin")
