"""What went wrong with a model call, in one of a few words: from any client's exceptions."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from typing import Any

from fusion_graph.errors import FailureReason

RETRIED_STATUSES = frozenset({408, 409, 429})
"""Tried again besides every 5xx; no other status gets better by asking twice."""

PARAMETERS = {
    "temperature": ("temperature",),
    "reasoning_effort": ("reasoning_effort", "reasoning.effort", "reasoning"),
    "tool_choice": ("tool_choice",),
    "response_format": ("response_format", "json_schema", "json mode", "structured output"),
    "max_tokens": ("max_completion_tokens", "max_tokens"),
    "tools": ("tools", "tool use", "tool calling", "function calling"),
}
"""Parameters a call can do without, and what providers call them when they refuse them."""

DETAIL_CHARACTERS = 500
"""How much of a provider's message is kept."""

SHORTEST_SECRET = 6
"""Shorter keys and header values are words, and would be cut out of every message."""

_KEY_LIKE = re.compile(
    r"\b(?:(?:sk|pk|key|gsk|xai)[-_]|Bearer |AIza)(?=[\w\-*.]*[\d*])[\w\-*.]*[\w\-*]{6,}"
)
_SECRET_VARIABLE = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD)S?$", re.IGNORECASE)
_CONTEXT = re.compile(
    r"context[_ ]length|maximum context|context window|too many (input )?tokens"
    r"|prompt is too long|input is too long",
    re.IGNORECASE,
)
_FILTER = re.compile(
    r"content[_ ](filter|policy|management)|moderation|flagged|safety system", re.IGNORECASE
)
_INPUT = re.compile(
    r"support (image|audio|file|video)|image_url|image input|vision|multimodal", re.IGNORECASE
)
_MODEL = re.compile(
    r"(model|endpoint).{0,80}(not (exist|found|a valid)|does not exist|unknown)"
    r"|not a valid model|unknown model|no endpoints found",
    re.IGNORECASE,
)
_CREDIT = re.compile(r"insufficient[_ ](quota|credits?|funds)|billing", re.IGNORECASE)


def status_of(error: BaseException) -> int | None:
    """HTTP status behind an exception of any client, or None for a broken connection."""
    for holder in (error, getattr(error, "response", None)):
        status = getattr(holder, "status_code", None)
        if isinstance(status, int) and not isinstance(status, bool):
            return status
    body = getattr(error, "body", None)
    code = body.get("code") if isinstance(body, Mapping) else None
    return int(str(code)) if str(code).isdecimal() else None


def words_of(error: BaseException, secrets: Iterable[str] = ()) -> str:
    """The provider's own words, one line, without keys.

    Args:
        error: The exception.
        secrets: What must not appear besides anything that looks like a key.
    """
    body = getattr(error, "body", None)
    said: Any = None
    if isinstance(body, Mapping):
        inner = body.get("error") if isinstance(body.get("error"), Mapping) else body
        said = inner.get("message") if isinstance(inner, Mapping) else None
    text = " ".join(str(said or error or type(error).__name__).split())
    text = text.encode("utf-8", "replace").decode()  # half a character is in no file
    return scrub(text or type(error).__name__, secrets)[:DETAIL_CHARACTERS]


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
    if isinstance(value, str):
        return scrub(value, secrets)
    if isinstance(value, Mapping):
        return {key: _concealed(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [_concealed(item, secrets) for item in value]
    return value


def reason_of(error: BaseException) -> FailureReason:
    """Why the call failed, from its status first and the provider's words second."""
    status, words = status_of(error), words_of(error)
    code = str(getattr(error, "code", None) or "")
    said = f"{code} {words}"
    if isinstance(error, TimeoutError) or "Timeout" in type(error).__name__:
        return "timed_out"
    if status == 402 or _CREDIT.search(said):
        return "insufficient_credits"
    if status == 429:
        return "rate_limited"
    if status in (400, 404, 413, 422):
        for pattern, reason in (
            (_CONTEXT, "context_length"),
            (_FILTER, "content_filter"),
            (_INPUT, "unsupported_input"),
            (_MODEL, "invalid_model"),
        ):
            if pattern.search(said):
                return reason  # type: ignore[return-value]
        return "invalid_model" if status == 404 else "bad_request"
    if status in (401, 403):
        return "content_filter" if _FILTER.search(said) else "auth"
    return "upstream_error"


def worth_retrying(error: BaseException) -> bool:
    """Whether asking again may help: a broken connection, 408, 409, 429 or 5xx, no 4xx else."""
    if reason_of(error) == "insufficient_credits":
        return False
    status = status_of(error)
    if status is not None:
        return status in RETRIED_STATUSES or status >= 500
    return _is_transport(error)


def refused_parameter(error: BaseException, sent: Collection[str]) -> str | None:
    """Which of the parameters sent the model will not take, if that is what a 4xx says.

    Args:
        error: The exception.
        sent: Names, of `PARAMETERS`, that the call carried.
    """
    if isinstance(error, NotImplementedError) and "tools" in sent:
        return "tools"  # LangChain's word for a model class without bind_tools
    if status_of(error) not in (400, 404, 422):
        return None
    body = getattr(error, "body", None)
    param = str(body.get("param") or "") if isinstance(body, Mapping) else ""
    words = words_of(error).lower()
    for name in sent:
        aliases = PARAMETERS[name]
        if param and any(param == alias or param.startswith(f"{alias}.") for alias in aliases):
            return name
    if _CONTEXT.search(words):
        return None
    for name in sent:
        if any(alias in words for alias in PARAMETERS[name]):
            return name
    return None


def retry_after(error: BaseException) -> float | None:
    """Seconds the provider asks to wait (`Retry-After`, in seconds), or None."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    value = headers.get("retry-after") if hasattr(headers, "get") else None
    try:
        return max(0.0, float(value)) if value is not None else None
    except ValueError:
        return None


def _is_transport(error: BaseException) -> bool:
    """Whether the connection broke: by name, since every client brings its own classes."""
    names = {cls.__name__ for cls in type(error).__mro__}
    # A client of LangChain's own may still hold a connection of an event loop that is gone.
    return "Event loop is closed" in str(error) or bool(
        names
        & {
            "APIConnectionError",
            "TransportError",
            "ConnectionError",
            "ClientConnectionError",
            "TimeoutError",
            "ErrorReply",
            "APIError",
        }
    )
