"""What failed in a fleet, as what would have failed here: clients are told the same."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from fusion_graph import errors
from fusion_graph.errors import AllPanelistsFailed, ApiError, ConfigurationError

_CODES = {
    "EmptyQuestion": (400, "empty_question", "messages"),
    "FusionRecursion": (400, "fusion_recursion", None),
    "MissingKey": (503, "missing_key", None),
}
"""Status, code and field of errors that are told in their own words."""

_PRESETS = frozenset({"PresetFileError", "UnknownPreset"})

_log = logging.getLogger("fusion_graph.server")


def failure(told: object, events: Iterable[Mapping[str, Any]]) -> AllPanelistsFailed | ApiError:
    """Make an error of what a fleet tells of a run that failed.

    Args:
        told: The thread's error: `{error, message}` with the error's name.
        events: The run's.
    """
    error = told if isinstance(told, Mapping) else {}
    kind, message = str(error.get("error") or ""), str(error.get("message") or "")
    if kind == "AllPanelistsFailed":
        members: dict[str, Any] = {
            str(event["name"]): {"reason": event["reason"], "detail": event["detail"]}
            for event in events
            if event["type"] == "panel.failed"
        }
        if members:
            return AllPanelistsFailed(list(members.items()))
        return ApiError(502, message, "all_panelists_failed", type="server_error", retry=False)
    if kind in _PRESETS:
        said = (
            "The fleet's workers cannot read that preset: they need the same preset files as this "
            "server."
        )
        return ApiError(503, said, "preset_unusable", type="server_error", retry=False)
    if kind in _CODES:
        status, code, param = _CODES[kind]
        whose = "server_error" if status >= 500 else "invalid_request_error"
        return ApiError(status, message, code, type=whose, param=param, retry=False)
    ours = getattr(errors, kind, None) if kind.isidentifier() else None
    if isinstance(ours, type) and issubclass(ours, ConfigurationError):
        return ApiError(400, message, "invalid_configuration")
    _log.error("a run failed in the fleet: %s", kind or "no error is told")
    said = "The fleet has failed at this request; its owner finds more in the workers' logs."
    return ApiError(500, said, "internal_error", type="server_error", retry=False)


def stopped() -> ApiError:
    """Make the error of a run that somebody stopped."""
    return ApiError(503, "The run was cancelled.", "cancelled", type="server_error", retry=False)


def lost() -> ApiError:
    """Make the error of a run that is not there any more."""
    said = "The fleet no longer holds this run. Ask anew."
    return ApiError(503, said, "run_lost", type="server_error", retry=False)
