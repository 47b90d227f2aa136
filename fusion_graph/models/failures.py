"""The failure of a model call, and what is to be done: from any client's exceptions.

Structure goes before words: `refusals` knows what providers say, statuses decide the rest.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from fusion_graph.errors import ARROW, Failure, FailureReason, ProgramFailed
from fusion_graph.models._complaint import Complaint, complaint_of
from fusion_graph.models._connection import connection_words, is_broken, place_of
from fusion_graph.models._refusals import Refusal, fitting, known_refusal
from fusion_graph.models._waiting import asked_wait
from fusion_graph.models.secrets import scrub

RETRIED_STATUSES = frozenset({408, 409, 429})
"""Tried again besides every 5xx; no other status gets better by asking twice."""

PARAMETERS = {
    "temperature": ("temperature",),
    "reasoning_effort": ("reasoning_effort", "reasoning.effort", "reasoning", "thinking"),
    "tool_choice": ("tool_choice",),
    "response_format": ("response_format", "json_schema", "text.format"),
    "max_tokens": ("max_completion_tokens", "max_tokens", "max_output_tokens"),
    "tools": ("tools",),
    "cache_control": ("cache_control",),
    "search": ("web_search",),
}
"""Parameters a call can do without, and what requests call them."""

DETAIL_CHARACTERS = 500
"""How much of a provider's message is kept."""

_UNSUPPORTED = frozenset(
    {"unsupported_parameter", "unknown_parameter", "extra_forbidden", "unrecognized_parameter"}
)
"""Codes that say that a parameter itself is not taken, whatever its value."""

_NOT_TAKEN = (
    r"(?:unsupported|unrecogni[sz]ed|unknown|unexpected|not (?:supported|permitted|allowed|enabled"
    r"|available)|(?:does|do|is)(?: not|n.t) (?:support(?:ed)?|allow(?:ed)?|accept(?:ed)?)"
    r"|deprecated|incompatible|extra (?:inputs|fields|parameters)|additional propert"
    r"|only (?:the )?default|no longer supported)"
)
# One of these near a parameter's name, and nothing of a request's own parts between them.
_WORDS = {
    "temperature": r"\btemperature\b",
    "reasoning_effort": r"\b(?:reasoning(?:[_.]effort)?|thinking)\b"
    r"(?![_.]| (?:item|content|block|signature|detail))",
    "tool_choice": r"\btool_choice\b",
    "response_format": r"\bresponse_format\b|\bjson_schema\b|\bjson[_ ](?:mode|object)\b",
    "max_tokens": r"\bmax_(?:completion_|output_)?tokens\b",
    "cache_control": r"\bcache_control\b",
}
"""How a refusal in free words names a parameter. `tools` is not among them: a request is refused
for many reasons that mention tools, and a panel without tools has lost its purpose."""

# What stays of the window once a reply's limit is left out, and how much is worth a try.
_ROOM = (
    re.compile(
        r"maximum context length is (?P<limit>\d+).{0,120}?\b(?P<input>\d+) (?:tokens )?"
        r"(?:in the messages|of text input|of the input|in your prompt|input tokens"
        r"|from the input)",
        re.IGNORECASE,
    ),
    re.compile(r"exceed context limit: (?P<input>\d+) \+ \d+ > (?P<limit>\d+)", re.IGNORECASE),
)
_LEAST_ROOM = 512
"""Fewest tokens of a window that an answer is tried in."""

REMEDIES: dict[FailureReason, str] = {
    "rate_limited": "wait and ask again, raise the limit at the provider, or let fewer calls run "
    "at once (provider_concurrency, max_concurrency)",
    "insufficient_credits": "add credits at the provider, or take another model",
    "invalid_model": "check the model's name with the provider, or take another",
    "auth": "check the API key and what it may use",
    "timed_out": "raise panelist_timeout, or take a faster model",
    "empty_answer": "ask again, raise max_completion_tokens, or take another model",
    "context_length": "let less be sent (a shorter conversation, a lower max_tool_calls or "
    "max_completion_tokens), or take a model or server with a larger context "
    "(context_tokens, OLLAMA_CONTEXT_LENGTH, -c)",
    "content_filter": "word the question otherwise, or take another model",
    "unsupported_input": "leave out what the model cannot read, or take one that can",
    "bad_request": "check what the preset sets for this model (`fusion-graph doctor`)",
    "over_budget": "raise max_cost_usd or max_tokens_total",
    "tools_refused": "take a model with tool calling, set fallbacks, or set tools = false",
    "malformed_call": "ask again, or take a model that calls tools more reliably",
    "upstream_error": "ask again later, or set fallbacks",
    "internal_error": "please report it, with what FUSION_GRAPH_DEBUG=1 prints",
}
"""What to do next, for each reason, where no row of `refusals` knows better."""


def failed_once(reason: FailureReason, detail: str) -> Failure:
    """Build the failure of a call that no second try would mend.

    Args:
        reason: Why it failed.
        detail: What happened and what to do.
    """
    return {"reason": reason, "detail": detail, "http_status": None, "attempts": 1}


def failure_of(
    error: BaseException,
    attempts: int = 1,
    *,
    secrets: Iterable[str] = (),
    key_name: str = "",
    address: str = "",
) -> Failure:
    """The failure behind an exception, in the provider's words, with what to do next.

    Args:
        error: The exception.
        attempts: How often the call was tried.
        secrets: What must not appear besides anything that looks like a key.
        key_name: Environment variable that holds the provider's key; empty if there is none.
        address: Where the provider was asked, if the exception does not say.
    """
    words = words_of(error, secrets, address)
    reason = reason_of(error)
    return {
        "reason": reason,
        "detail": with_remedy(words, reason, _remedy(error, key_name, address)),
        "http_status": status_of(error),
        "attempts": attempts,
    }


def with_remedy(words: str, reason: FailureReason, remedy: str = "") -> str:
    """Add after an arrow what to do next; words that tell it already stay.

    Args:
        words: What happened.
        reason: Why.
        remedy: What to do next; by default what helps with the reason.
    """
    if ARROW in words:
        return words
    advice = remedy or REMEDIES[reason]
    return f"{words}{ARROW}{advice}{'' if advice.endswith(('.', '?', '!')) else '.'}"


def _remedy(error: BaseException, key_name: str, address: str) -> str:
    own = getattr(error, "remedy", None)
    if isinstance(own, str) and own:  # what this package found out itself
        return own
    reason, row = reason_of(error), _row(complaint_of(error))
    if row is not None and row.remedy:
        return row.remedy
    if reason == "auth" and key_name:
        return f"check {key_name}: it may be wrong, expired, or without the right to this model"
    if reason == "upstream_error" and status_of(error) is None and is_broken(error):
        place = place_of(error) or address
        return connection_words(error, place)[1]
    return REMEDIES[reason]


def status_of(error: BaseException) -> int | None:
    """HTTP status behind an exception of any client, or None for a broken connection."""
    return complaint_of(error).status


def words_of(error: BaseException, secrets: Iterable[str] = (), address: str = "") -> str:
    """The provider's own words, one line, without keys; what broke, where it said nothing.

    Args:
        error: The exception.
        secrets: What must not appear besides anything that looks like a key.
        address: Where the provider was asked, if the exception does not say.
    """
    complaint = complaint_of(error)
    words = complaint.words
    if complaint.status is None and is_broken(error):
        words = connection_words(error, place_of(error) or address)[0]
    elif words == type(error).__name__ and complaint.status is not None:
        words = f"HTTP {complaint.status} without a word"
    words = scrub(words.replace(ARROW.strip(), "->"), secrets)
    return words if len(words) <= DETAIL_CHARACTERS else f"{words[: DETAIL_CHARACTERS - 1]}…"


def reason_of(error: BaseException) -> FailureReason:
    """Find why a call failed: from the known refusals first, and its status second."""
    if isinstance(error, ProgramFailed):
        return error.reason
    complaint = complaint_of(error)
    names = {cls.__name__ for cls in type(error).__mro__}
    if isinstance(error, TimeoutError) or any("Timeout" in name for name in names):
        return "timed_out"
    if complaint.status == 402:
        return "insufficient_credits"
    row = _row(complaint)
    if row is not None:
        if row.means == "parameter_refused":
            return "tools_refused" if row.parameter == "tools" else "bad_request"
        if row.means in ("responses_wanted", "tools_wanted"):
            return "bad_request"
        return row.means  # type: ignore[return-value]
    match complaint.status:
        case 429:
            return "rate_limited"
        case 401 | 403 | 407:
            return "auth"
        case 404 | 410:
            return "invalid_model"
        case 408 | 409 | None:
            return "upstream_error"
        case status if 400 <= status < 500:
            return "bad_request"
    return "upstream_error"


def worth_retrying(error: BaseException) -> bool:
    """Tell whether to ask again: after a broken connection, 408, 409, 429 or 5xx, no 4xx else."""
    if isinstance(error, ProgramFailed):
        return error.may_pass
    complaint = complaint_of(error)
    row = _row(complaint)
    if row is not None and row.again is not None:
        return row.again
    if reason_of(error) not in ("rate_limited", "upstream_error", "timed_out"):
        return False
    if row is not None and row.means == "rate_limited":
        return True
    status = complaint.status
    if status is not None:
        return status in RETRIED_STATUSES or status >= 500
    return is_broken(error)


def malformed_call(error: BaseException) -> bool:
    """Tell whether the model called a tool so badly that the provider refused to pass it on.

    The next sample is good more often than not, so it is worth asking once more as before
    (Groq's `tool_use_failed`, Gemini's MALFORMED_FUNCTION_CALL, parsers of Ollama and llama.cpp).
    """
    return _means(error) == "malformed_call"


def wants_responses(error: BaseException) -> bool:
    """Tell whether the request is right but for its protocol: the model wants the Responses API."""
    return _means(error) == "responses_wanted"


def wants_tools_listed(error: BaseException) -> bool:
    """Tell whether tools have to be listed, as the history holds calls (Bedrock's Converse)."""
    return _means(error) == "tools_wanted"


def refused_parameter(error: BaseException, sent: Collection[str]) -> str | None:
    """Which of the parameters sent the model will not take, if that is what it says.

    Args:
        error: The exception.
        sent: Names, of `PARAMETERS`, that the call carried.
    """
    if isinstance(error, ProgramFailed):
        return None  # a program is given what it takes, and nothing else
    if isinstance(error, NotImplementedError) and "tools" in sent:
        return "tools"  # LangChain's word for a model class without bind_tools
    complaint = complaint_of(error)
    if "max_tokens" in sent and _fits_without_limit(complaint.words):
        return "max_tokens"
    if "search" in sent and _refuses_search(complaint):
        return "search"
    for row in fitting(complaint):
        if row.means != "parameter_refused":
            return None
        if row.parameter in sent:
            # Tools of one's own may still be taken: they are what is offered next.
            return "search" if row.parameter == "tools" and "search" in sent else row.parameter
    # An integration that knows a model may refuse for it, before anything is sent
    # (langchain-anthropic, a temperature for claude-fable-5).
    by_client = complaint.status is None and isinstance(error, ValueError)
    if complaint.status not in (400, 404, 422) and not by_client:
        return None
    named = [name for name in sent if _names(complaint, name)]
    if named:
        return named[0]
    return next((name for name in sent if _told_apart(complaint.words, name)), None)


def refused_tools(error: BaseException, secrets: Iterable[str] = ()) -> str:
    """Say why a call could have no tools, in the provider's words, with what to do next.

    Args:
        error: The exception.
        secrets: As for `words_of`.
    """
    return with_remedy(words_of(error, secrets), "tools_refused", _remedy(error, "", ""))


def retry_after(error: BaseException) -> float | None:
    """Seconds the provider asks to wait, in a header, its body or its words; or None."""
    return asked_wait(complaint_of(error))


def _row(complaint: Complaint) -> Refusal | None:
    return known_refusal(complaint)


def _means(error: BaseException) -> str:
    row = _row(complaint_of(error))
    return "" if row is None else row.means


def _names(complaint: Complaint, name: str) -> bool:
    """Tell whether the complaint's `param` is this one, and speaks of the parameter itself."""
    if name == "cache_control":  # it stands beside a text, deep in the messages
        return any(param.endswith(name) for param in complaint.params)
    aliases = PARAMETERS[name]
    named = any(
        param == alias or param.startswith(f"{alias}.")
        for param in complaint.params
        for alias in aliases
    )
    # `tools` is named for a schema that is wrong as well as for tools that are not taken.
    return named and (name != "tools" or bool(complaint.codes & _UNSUPPORTED))


def _refuses_search(complaint: Complaint) -> bool:
    """Tell whether a provider refuses its own search: for this model, organization or endpoint."""
    return complaint.status in (400, 403, 404, 422) and bool(_OWN_SEARCH.search(complaint.words))


_OWN_SEARCH = re.compile(
    r"web[ _-]?search|server[ _-]tool|hosted tool|max_(?:uses|tool_calls)", re.IGNORECASE
)
"""How Anthropic, OpenAI and OpenRouter name it where they refuse it."""


def _told_apart(words: str, name: str) -> bool:
    """Tell whether the words say near the parameter's name that it is not taken."""
    if name not in _WORDS:
        return False
    about = rf"(?:{_WORDS[name]})"
    near = rf"{_NOT_TAKEN}[^.;]{{0,60}}?{about}|{about}[^;]{{0,60}}?{_NOT_TAKEN}"
    return re.search(near, words, re.IGNORECASE) is not None


def _fits_without_limit(words: str) -> bool:
    """Tell whether the input fits the window, and only the room kept for the reply does not."""
    for pattern in _ROOM:
        if found := pattern.search(words):
            return int(found["input"]) + _LEAST_ROOM <= int(found["limit"])
    return False
