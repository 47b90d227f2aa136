"""Keys cut out of everything that is shown: messages, exceptions, logs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from fusion_graph.text.json_data import with_leaves

SHORTEST_SECRET = 6
"""Shorter keys and header values are words, and would be cut out of every message."""

_KEY_LIKE = re.compile(
    r"\b(?:(?:sk|pk|key|gsk|xai)[-_]|Bearer |AIza)(?=[\w\-*.]*[\d*])[\w\-*.]*[\w\-*]{6,}"
)
_SECRET_VARIABLE = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD)S?$", re.IGNORECASE)


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without anything that is a key of this process, or looks like one.

    Args:
        text: Somebody else's words.
        secrets: What must not appear besides the environment's keys.
    """
    kept = [value for name, value in os.environ.items() if _SECRET_VARIABLE.search(name)]
    for secret in sorted({*secrets, *kept}, key=len, reverse=True):
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, "[key]")
    return _KEY_LIKE.sub("[key]", text)


def conceal(error: BaseException, secrets: Iterable[str]) -> None:
    """Cut keys out of an exception, in place: tracers and tracebacks show it whole.

    Args:
        error: The exception; those that led to it are cut as well.
        secrets: As for `scrub`.
    """
    secrets = list(secrets)
    cause: BaseException | None = error
    while cause is not None:
        args = tuple(_concealed(arg, secrets) for arg in cause.args)
        if args != cause.args:
            cause.args = args
        for name in ("message", "body"):
            if hasattr(cause, name):
                with suppress(AttributeError):  # a property
                    setattr(cause, name, _concealed(getattr(cause, name), secrets))
        cause = cause.__cause__ or cause.__context__


def _concealed(value: Any, secrets: list[str]) -> Any:
    if not isinstance(value, str | Mapping | list):
        return value  # whatever else an exception holds stays the object that it is
    return with_leaves(value, lambda leaf: scrub(leaf, secrets) if isinstance(leaf, str) else leaf)
