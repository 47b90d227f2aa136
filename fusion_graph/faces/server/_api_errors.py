"""Errors in OpenAI's shape: what a client's own SDK knows how to raise, retry and show."""

from __future__ import annotations

from fusion_graph.errors import (
    AllPanelistsFailed,
    ApiError,
    ConfigurationError,
    EmptyQuestion,
    FusionRecursion,
    MissingKey,
    PresetFileError,
)

FAILED = "api_error"
"""Type of a panel's failure for good. Not `server_error`: opencode 1.18 takes whatever holds that
word in a stream for passing, and asks five times more."""

_ALL_FAILED = {
    "rate_limited": (429, "rate_limit_error", "rate_limited"),
    "insufficient_credits": (402, "insufficient_quota", "insufficient_credits"),
    # The code that agents look for to shorten their history.
    "context_length": (400, "invalid_request_error", "context_length_exceeded"),
    "content_filter": (400, "invalid_request_error", "content_filter"),
    "unsupported_input": (400, "invalid_request_error", "unsupported_input"),
    "timed_out": (504, FAILED, "timed_out"),
}
"""Status, type and code when every panelist failed for the same reason; else 502."""


def api_error(error: BaseException) -> ApiError:
    """What a client is told of any error: of ours all, of others only that it happened.

    Args:
        error: What a run or a handler raised.
    """
    match error:
        case ApiError():
            return error
        case EmptyQuestion():
            return ApiError(400, str(error), "empty_question", param="messages")
        case FusionRecursion():
            return ApiError(400, str(error), error.code)
        case MissingKey():
            return ApiError(503, str(error), "missing_key", type="server_error", retry=False)
        case PresetFileError():  # its words name files of the server's owner
            said = "That preset cannot be read on this server; its owner sees why with `doctor`."
            return ApiError(503, said, "preset_unusable", type="server_error", retry=False)
        case ConfigurationError():
            return ApiError(400, str(error), "invalid_configuration")
        case AllPanelistsFailed():
            return _all_failed(error)
        case _:
            said = "The server has failed at this request; its owner finds more in its log."
            return ApiError(500, said, "internal_error", type="server_error", retry=False)


def _all_failed(error: AllPanelistsFailed) -> ApiError:
    reasons = {str(failure["reason"]) for _, failure in error.members}
    shared = reasons.pop() if len(reasons) == 1 else ""
    otherwise = (502, FAILED, "all_panelists_failed")
    status, kind, code = _ALL_FAILED.get(shared, otherwise)
    # The members have been tried three times each, where that could help.
    return ApiError(status, str(error), code, type=kind, retry=False, report=error.report)
