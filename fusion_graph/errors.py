"""Typed failures: what a caller may catch, and what a report records.

FusionError
├── ConfigurationError (also a ValueError)
│   ├── UnknownPreset
│   ├── PresetFileError
│   ├── UnknownProvider
│   ├── MissingKey
│   └── IncompatibleLibrary
├── EmptyQuestion (also a ValueError)
├── FusionRecursion (also a RuntimeError)
├── UnreadableReport (also a ValueError)
└── AllPanelistsFailed (also a RuntimeError)

The builtin families matter: a LangGraph server masks the message of every exception of no
such family.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from typing_extensions import TypedDict

FailureReason = Literal[
    "rate_limited",
    "insufficient_credits",
    "invalid_model",
    "auth",
    "timed_out",
    "empty_answer",
    "context_length",
    "content_filter",
    "unsupported_input",
    "bad_request",
    "over_budget",
    "tools_refused",
    "malformed_call",
    "upstream_error",
    "internal_error",
]
"""Why a model call or a whole panelist failed. `internal_error` is a bug or a broken tool of
ours or the user's; everything else is the provider's word or its silence. `malformed_call`: the
model called a tool so badly that the provider would not pass the call on."""


ARROW = " → "
"""In a failure's `detail`: between what happened, in the provider's words, and what to do next."""


class Failure(TypedDict):
    """One failure as the report keeps it: reason, detail (see `ARROW`), and the effort."""

    reason: FailureReason
    detail: str
    http_status: int | None
    attempts: int


class Degradation(TypedDict):
    """Something the run had to do without: a code for programs and a sentence for people."""

    code: str
    detail: str


class FusionError(Exception):
    """Base of everything this package raises on purpose. `str(error)` is one clear line."""


class ConfigurationError(FusionError, ValueError):
    """A setting that cannot work.

    Args:
        problem: What is wrong, naming the field, file or value.
        remedy: What to do about it.
    """

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(f"{problem} {remedy}".strip())
        self.problem = problem
        self.remedy = remedy


class UnknownPreset(ConfigurationError):
    """A preset name that is neither built in nor in the user's folder, or a missing file."""


class PresetFileError(ConfigurationError):
    """A preset file that cannot be read, is not TOML, or holds wrong fields."""


class UnknownProvider(ConfigurationError):
    """A model string whose provider nobody knows."""


class MissingKey(ConfigurationError):
    """A model whose provider wants an API key that the environment does not hold."""


class IncompatibleLibrary(ConfigurationError):
    """An installed library lacks a private name that a seam uses (`langgraph_seams`)."""


class EmptyQuestion(FusionError, ValueError):
    """A conversation without anything to answer."""


class FusionRecursion(FusionError, RuntimeError):
    """A fusion started from inside a panelist of another fusion (`fusion_recursion`)."""

    code = "fusion_recursion"


class UnreadableReport(FusionError, ValueError):
    """A file or text that is no report of a run.

    Args:
        problem: What it is instead, or what is wrong with it.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(f"{problem} A report is what `fusion-graph ask --json` prints.")
        self.problem = problem


class AllPanelistsFailed(FusionError, RuntimeError):
    """No panelist answered.

    Args:
        members: `(name, failure)` of every panelist, in panel order.
        report: The run's record as plain data, so that nothing paid for is lost.
    """

    def __init__(
        self, members: Sequence[tuple[str, Failure]], report: dict[str, Any] | None = None
    ) -> None:
        self.members = list(members)
        self.report = report
        reasons = "; ".join(f"{name}: {f['reason']} ({f['detail']})" for name, f in members)
        super().__init__(f"No panelist answered. {reasons}")
