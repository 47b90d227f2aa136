"""Why somebody failed, in a few words for readers, and what to do about it."""

from __future__ import annotations

from fusion_graph.errors import ARROW
from fusion_graph.text.phrases import clean

REASON_CHARACTERS = 60

_WHAT = {
    "auth": "The key was refused",
    "insufficient_credits": "No credit left",
    "rate_limited": "Too many requests",
    "invalid_model": "No such model",
    "timed_out": "No answer in time",
    "empty_answer": "An empty answer",
    "context_length": "The question is too long for it",
    "content_filter": "Withheld by the provider’s filter",
    "unsupported_input": "It cannot take this input",
    "bad_request": "The provider refused the request",
    "upstream_error": "The provider could not be reached, or failed",
    "over_budget": "No money left for it",
    "tools_refused": "It takes no tools",
    "malformed_call": "Its tool calls could not be read",
    "internal_error": "Something broke here",
}


def what_failed(reason: str) -> str:
    """What a failure's reason means: `The key was refused`.

    Args:
        reason: As a report has it; one of a later version stands for itself.
    """
    return _WHAT.get(reason) or clean(reason.replace("_", " "), REASON_CHARACTERS)


def words_and_remedy(detail: str, limit: int) -> tuple[str, str]:
    """A failure's detail as what was said, and what to do next as a sentence; empty without it.

    Args:
        detail: As a report has it (see `errors.ARROW`).
        limit: Most characters of what was said.
    """
    words, arrow, remedy = clean(detail).rpartition(ARROW)
    if not arrow:
        return clean(detail, limit), ""
    remedy = remedy[:1].upper() + remedy[1:]
    return clean(words, limit), remedy if remedy.endswith(".") else f"{remedy}."
