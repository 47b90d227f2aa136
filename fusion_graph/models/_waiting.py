"""The wait that a provider asks for before it is asked again."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

from fusion_graph.models._complaint import Complaint
from fusion_tools.retry_after import parse_retry_after

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_UNIT = r"(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hours?|days?)\b"
_SPAN = re.compile(rf"(\d{{1,9}}(?:\.\d{{1,9}})?)\s*{_UNIT}", re.IGNORECASE)
# OpenAI "try again in 1m3.2s", Gemini "Please retry in 6.4s", Azure "retry after 20 seconds".
_WORDS = re.compile(
    r"(?:try again|retry|wait|available)(?: \w+){0,3}? (?:in|after|for|about)? ?"
    r"((?:\d{1,9}(?:\.\d{1,9})?\s*(?:ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?"
    r"|h|hours?|days?)[, ]*(?=\W|\d|$))+)",
    re.IGNORECASE,
)
_FIELDS = ("retry_after", "retry_after_seconds", "retryAfter")
_RESETS = ("x-ratelimit-reset",)
"""OpenRouter's, in milliseconds since 1970, inside `error.metadata.headers`. OpenAI's and Groq's
`x-ratelimit-reset-*` tell when the limit is whole again, which is later than need be."""


def asked_wait(complaint: Complaint) -> float | None:
    """Seconds the provider asks to wait, or None if it does not say.

    Headers go before fields of the body (Google's `RetryInfo`), and those before words.

    Args:
        complaint: What it said.
    """
    return next((wait for wait in _told(complaint) if wait is not None), None)


def _told(complaint: Complaint) -> Iterator[float | None]:
    headers = complaint.headers
    milliseconds = _number(headers.get("retry-after-ms", ""))
    yield None if milliseconds is None else milliseconds / 1000
    yield parse_retry_after(headers.get("retry-after", ""))
    for body in complaint.objects:
        yield _duration(body.get("retryDelay"))
        for name in _FIELDS:
            yield _duration(body.get(name))
    for name in _RESETS:
        yield _until(headers.get(name, ""))
    if found := _WORDS.search(complaint.words):
        yield _span(found[1])


def _duration(value: Any) -> float | None:
    """A protobuf duration: `36s`, `{seconds, nanos}`; or a number of seconds."""
    if isinstance(value, Mapping):
        seconds, nanos = value.get("seconds", 0), value.get("nanos", 0)
        whole, part = _number(str(seconds)), _number(str(nanos))
        return None if whole is None or part is None else whole + part / 1e9
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    number = _number(str(value))
    return number if number is not None else _span(str(value)[:40])


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return max(0.0, number) if math.isfinite(number) else None


def _until(text: str) -> float | None:
    """Seconds until a moment given in (milli)seconds since 1970."""
    moment = _number(text)
    if moment is None or moment < 1e9:
        return None
    return max(0.0, (moment / 1000 if moment > 1e11 else moment) - time.time())


def _span(text: str) -> float | None:
    """`1m3.2s`, `20 seconds`, `500ms`, as seconds."""
    parts = _SPAN.findall(_spaced(text))
    return sum(float(n) * _UNITS[_short(unit)] for n, unit in parts) if parts else None


def _spaced(text: str) -> str:
    """`1m3s` as `1m 3s`: a unit ends where a number begins."""
    return re.sub(r"(?<=[a-zA-Z])(?=\d)", " ", text)


def _short(unit: str) -> str:
    unit = unit.lower()
    return "ms" if unit.startswith(("ms", "milli")) else unit[0]
