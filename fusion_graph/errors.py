"""Every error that the package raises, as one tree: what a caller may catch, what a report tells.

FusionError
├── ConfigurationError (also a ValueError)
│   ├── UnknownPreset
│   ├── PresetFileError
│   ├── UnknownProvider
│   ├── MissingKey
│   ├── MissingProgram
│   ├── IncompatibleLibrary
│   ├── ThreadError
│   │   └── UnreadableThread
│   ├── RunLogError
│   ├── DatasetError
│   └── MixedGraders
├── EmptyQuestion (also a ValueError)
├── InvalidEdit (also a ValueError)
├── UnreadableReport (also a ValueError)
├── FusionRecursion (also a RuntimeError)
├── AllPanelistsFailed (also a RuntimeError)
├── RemoteRunFailed (also a RuntimeError)
├── EvaluationStopped (also a RuntimeError)
│   ├── ArmUnavailable
│   ├── GraderUnavailable
│   ├── SandboxUnavailable
│   └── CapReached
├── OutputFailed (also a RuntimeError)
├── ReaderGone (also a RuntimeError)
├── ApiError (also a RuntimeError)
│   └── TooManyRuns
└── InnerError (also a RuntimeError)
    ├── CallFailed
    ├── CutBefore (also a TimeoutError)
    ├── OverBudget
    ├── OutOfTime
    ├── TimeUp (also a TimeoutError)
    ├── TooLong
    ├── UnsupportedInput
    ├── ErrorReply
    ├── ProgramFailed
    ├── NotResponses
    ├── ReplyTooLarge
    ├── ForeignRedirect
    ├── ToolServerError
    ├── ToolServerGone
    ├── UnreadableVerdict
    ├── VerifierFailed
    └── UnreadableGrade

The builtin families matter: a LangGraph server masks the message of every exception of no
such family. The line `Do:` of each says what to do about it (docs/reference/errors.md). What the
page tools raise has a tree of its own in `fusion_tools.errors`.
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

JudgeFailureCode = Literal[
    "judge_not_valid_json",
    "judge_schema_mismatch",
    "judge_upstream_error",
    "judge_empty_completion",
]
"""OpenRouter's names for the ways a judge can fail."""

Cutoff = Literal["total", "stall", "grace", "run"]
"""What ends a member's work: its whole time, silence, the quorum's grace, or the run's time."""


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
    """Everything that this package raises on purpose; `str(error)` is one clear line.

    Do: Catch it around a run where any of its kinds is to be handled alike.
    """


class ConfigurationError(FusionError, ValueError):
    """A setting cannot work.

    Do: Follow `remedy`; where it is empty, mend what `problem` names.

    Args:
        problem: What is wrong, naming the field, file or value.
        remedy: What to do about it.
    """

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(f"{problem} {remedy}".strip())
        self.problem = problem
        self.remedy = remedy


class UnknownPreset(ConfigurationError):
    """A preset's name is neither built in nor in the user's folder, or its file is missing.

    Do: Take a name that `fusion-graph presets` lists, or the path of a file that is there.
    """


class PresetFileError(ConfigurationError):
    """A preset file cannot be read, is not TOML, or holds wrong fields.

    Do: Mend the field or line that the error names.
    """


class UnknownProvider(ConfigurationError):
    """Nobody knows the provider of a model string.

    Do: Take `provider:model` of a known provider, or give its address under `providers`.
    """


class MissingKey(ConfigurationError):
    """A model's provider wants an API key that the environment does not hold.

    Do: Set the variable that the error names, or take the preset `offline`.
    """


class MissingProgram(ConfigurationError):
    """A model is behind a program that is not installed here, or cannot be one on this system.

    Do: Install the program that the error names, log in to it, or take another model.
    """


class IncompatibleLibrary(ConfigurationError):
    """An installed library lacks a private name that a seam uses (`langgraph_seams`).

    Do: Install the version that the error names, or a newer fusion-graph.
    """


class ThreadError(ConfigurationError):
    """A thread is not there, or cannot do what was asked of it.

    Do: Take a thread that `fusion-graph resume` lists, or follow `remedy`.
    """


class UnreadableThread(ThreadError):
    """The record of a thread cannot be read; other threads are not touched by it.

    Do: Take another name, or remove it with `fusion-graph resume NAME --forget`.
    """


class RunLogError(ConfigurationError):
    """The log of runs cannot be used, or holds no such run.

    Do: Take an id that `fusion-graph log` lists, or follow `remedy`.
    """


class DatasetError(ConfigurationError):
    """A dataset cannot be used.

    Do: Mend the line that the error names.

    Args:
        name: The file.
        line: Its line, from 1; None if it is about the whole.
        problem: What is wrong.
        remedy: What to do about it.
    """

    def __init__(self, name: str, line: int | None, problem: str, remedy: str = "") -> None:
        where = f"{name}, line {line}:" if line else f"{name}:"
        super().__init__(f"{where} {problem}", remedy)
        self.line = line


class MixedGraders(ConfigurationError):
    """Grades by different graders would be averaged or compared.

    Another judge moves DRACO scores by 10 to 25 points, more than any panel does.

    Do: Grade again with one grader, in a folder of its own.
    """


class EmptyQuestion(FusionError, ValueError):
    """A conversation holds nothing to answer.

    Do: End `messages` with a message of the user's that has text or an attachment.
    """


class InvalidEdit(FusionError, ValueError):
    """A state value that was put there by hand is none that the next node can work with.

    Do: Mend the field `where`, put it back with `update_state`, and resume.

    Args:
        where: The field, from the state's key on.
        problem: What is wrong with it.
    """

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"Edited state, field '{where}': {problem}.")
        self.where = where
        self.problem = problem


class UnreadableReport(FusionError, ValueError):
    """A file or text is no report of a run.

    Do: Give what `fusion-graph ask --json` printed, or `result["fusion"]` as JSON.

    Args:
        problem: What it is instead, or what is wrong with it.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(f"{problem} A report is what `fusion-graph ask --json` prints.")
        self.problem = problem


class FusionRecursion(FusionError, RuntimeError):
    """A fusion started from inside a panelist of another fusion (`fusion_recursion`).

    Do: Take the fusion tool or graph out of the panel's own tools and models.
    """

    code = "fusion_recursion"


class AllPanelistsFailed(FusionError, RuntimeError):
    """No panelist answered.

    Do: Mend what `members` tell, one failure each; `report` says what it cost.

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


class RemoteRunFailed(FusionError, RuntimeError):
    """A fusion on a LangGraph server failed there, or the server did not take it.

    Do: Follow the server's words, or check the address, the graph's name and the key.

    Args:
        graph: The graph or assistant that was asked.
        kind: The error's name on the server (`AllPanelistsFailed`, …), or that of the HTTP error.
        told: What the server said.
    """

    def __init__(self, graph: str, kind: str, told: str) -> None:
        hint = ""
        if "UUID" in told and "assistant" not in told:
            hint = " Threads of a LangGraph server are named by UUIDs."
        super().__init__(f"The fusion '{graph}' on a server failed: {kind}: {told}{hint}")
        self.graph = graph
        self.kind = kind
        self.told = told


class EvaluationStopped(FusionError, RuntimeError):
    """An evaluation ends before its last question; everything finished is kept.

    Do: Mend what the error names, and give the same command again: it goes on from there.
    """


class ArmUnavailable(EvaluationStopped):
    """A model of an arm cannot be asked at all: its key, its credit or its name is wrong.

    Going on would only score zeros for somebody who was never asked.

    Do: Mend key, credit or name, and give the same command again.

    Args:
        model: The model.
        reason: The failure's reason.
        detail: The provider's words.
    """

    def __init__(self, model: str, reason: str, detail: str) -> None:
        super().__init__(
            f"{model} cannot be asked: {reason}: {detail} What was finished is kept: mend it and "
            "give the same command again."
        )


class GraderUnavailable(EvaluationStopped):
    """The grader cannot be asked at all: its key, its credit or its name is wrong.

    Going on would only turn every verdict into a missing one.

    Do: Mend key, credit or name, or name another `--grader`.

    Args:
        model: The grader.
        failure: What it said.
    """

    def __init__(self, model: str, failure: Failure) -> None:
        super().__init__(
            f"The grader {model} cannot be asked: {failure['reason']} ({failure['detail']})"
        )
        self.failure = failure


class SandboxUnavailable(EvaluationStopped):
    """A model's code cannot be run here within limits, by an evaluation or by a graph that runs it.

    Do: Install bubblewrap, or let them run with `--unconfined` on a machine that may be harmed.
    """


class CapReached(EvaluationStopped):
    """The spending cap of an evaluation is reached.

    Do: Give the same command with a higher `--max-cost`.

    Args:
        cap: US dollars.
        spent: US dollars spent, earlier runs in the same folder included.
    """

    def __init__(self, cap: float, spent: float) -> None:
        super().__init__(f"--max-cost ({cap:g} US dollars) is reached: {spent:.4f} spent.")
        self.cap, self.spent = cap, spent


class OutputFailed(FusionError, RuntimeError):
    """A command's output can be written no further: the disk is full, a folder is missing.

    Do: Make room, or name another place. The run itself is kept by `--thread`.
    """


class ReaderGone(FusionError, RuntimeError):
    """Whoever read standard output has left, as `| head` does.

    Do: Nothing; the command ends with 141, as other programs do.
    """


class ApiError(FusionError, RuntimeError):
    """The server answers a request with an error, in OpenAI's shape.

    Do: Mend the field `param`, or wait for `retry-after`.

    Args:
        status: HTTP status.
        message: What is wrong and what would be right, for people.
        code: The same for programs.
        type: OpenAI's kind of error.
        param: The request's field that is wrong, as in `messages.0.content`.
        retry: Whether asking again may help; None leaves it to the client's own rules.
        report: The run's report, if there was a run: what it cost is not lost.
        headers: Further response headers.
    """

    def __init__(
        self,
        status: int,
        message: str,
        code: str,
        *,
        type: str = "invalid_request_error",
        param: str | None = None,
        retry: bool | None = None,
        report: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.type = type
        self.param = param
        self.report = report
        self.headers = dict(headers or {})
        self.may_pass = retry is not False
        if retry is not None:
            # OpenAI's own clients obey this; they would try any 5xx three times.
            self.headers["x-should-retry"] = str(retry).lower()

    def body(self) -> dict[str, Any]:
        """The response's body; the report stands beside the error, under `fusion`."""
        error = {
            "message": self.message,
            "type": self.type,
            "param": self.param,
            "code": self.code,
        }
        return {"error": error} | ({"fusion": self.report} if self.report else {})


class TooManyRuns(ApiError):
    """As many runs are at work as the server's owner allows.

    Do: Ask again when one has ended, or start the server with a larger `--max-runs`.

    Args:
        limit: How many may be.
        key: The name of the key whose limit it is; empty for the server's.
    """

    def __init__(self, limit: int, key: str = "") -> None:
        whose = f"the limit of the key '{key}'" if key else "this server's limit (--max-runs)"
        super().__init__(
            429,
            f"{limit} runs are at work, which is {whose}. Try again soon.",
            "too_many_runs",
            type="rate_limit_error",
            headers={"retry-after": "2"},
        )


class InnerError(FusionError, RuntimeError):
    """Something went wrong within a run, which goes on without it and tells of it in the report.

    Do: Read `failures` and `degradations` of the report; no caller of a run meets one of these.
    """


class CallFailed(InnerError):
    """A call of a model got no reply, after every try; `__cause__` is the last error.

    Do: Follow the failure's detail, after its arrow.

    Args:
        failure: Why.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure['reason']}: {failure['detail']}")
        self.failure = failure


class CutBefore(InnerError, TimeoutError):
    """A call's kept record says that a deadline cut it off: it is cut off again, at once.

    Do: Give the stage more time (`panelist_timeout`, `judge_timeout`, `synthesis_timeout`).
    """


class OverBudget(InnerError):
    """A call would begin after the budget is spent. `str(error)` says which limit.

    Do: Raise `max_cost_usd` or `max_tokens_total`.
    """


class OutOfTime(InnerError):
    """A stage used up its time. `str(error)` says which field set it.

    Do: Raise that field.

    Args:
        limit: The time it had; `str(limit)` names its field.
    """

    def __init__(self, limit: object) -> None:
        super().__init__(f"took more than {limit}")
        self.limit = limit


class TimeUp(InnerError, TimeoutError):
    """A member's time was over before its work was.

    Do: Raise `panelist_timeout`, `grace` or `run_timeout`, whichever struck.

    Args:
        cutoff: What ended it.
    """

    def __init__(self, cutoff: Cutoff) -> None:
        super().__init__(cutoff)
        self.cutoff = cutoff


class TooLong(InnerError):
    """What may not be cut does not fit a model's context.

    Do: Shorten the question, or take a model with a longer context.

    Args:
        tokens: What it comes to.
        room: What there is room for.
    """

    def __init__(self, tokens: int, room: int) -> None:
        super().__init__(f"{tokens} tokens do not fit {room}")
        self.tokens, self.room = tokens, room


class UnsupportedInput(InnerError):
    """The conversation holds something that a member's model does not take.

    Do: Seat a model that takes pictures or files, or say it in words.
    """


class ErrorReply(InnerError):
    """A provider answered HTTP 200 with an error, or with what is no completion.

    Do: Ask again later, or check what `base_url` points at.

    Args:
        message: The provider's words.
        status_code: The status it names in the body, if any.
        body: The error object.
    """

    def __init__(self, message: str, status_code: int | None = None, body: Any = None) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.body = body


class ProgramFailed(InnerError):
    """A program that is a member (`claude:`, `codex:`, `gemini:`) gave no answer.

    Do: Follow the failure's detail, after its arrow.

    Args:
        reason: Why.
        words: What happened, in the program's words.
        remedy: What to do next; empty for what helps with the reason.
        status_code: Its vendor's HTTP status, if it tells that.
        may_pass: Whether asking again at once may help.
    """

    def __init__(
        self,
        reason: FailureReason,
        words: str,
        remedy: str = "",
        status_code: int | None = None,
        may_pass: bool = False,
    ) -> None:
        super().__init__(words)
        self.reason: FailureReason = reason
        self.remedy = remedy
        self.status_code = status_code
        self.may_pass = may_pass


class NotResponses(InnerError):
    """What came back from /responses is no reply of the Responses API.

    Do: Set the provider's `api` to "chat".

    Args:
        found: What it is instead.
    """

    def __init__(self, found: str) -> None:
        super().__init__(f"/responses answered with {found}.")


class ReplyTooLarge(InnerError):
    """An endpoint sent more than any reply needs; asking again would bring the same.

    Do: Check what `base_url` points at.

    Args:
        what: What is too large: `reply`, `error body`, `line`, ...
        limit: The bound, in words: `4 MiB`.
        status: HTTP status of the reply.
    """

    def __init__(self, what: str, limit: str, status: int | None = None) -> None:
        told = f" (HTTP {status})" if status is not None and status >= 400 else ""
        super().__init__(
            f"The endpoint's {what}{told} is larger than {limit}, and was not read any further. "
            "No model's reply is."
        )
        self.remedy = "check what base_url points at"
        self.what = what


class ForeignRedirect(InnerError):
    """An endpoint redirects to another origin, which gets neither key nor conversation.

    Do: If that is where the model lives, set `base_url` to it.

    Args:
        asked: The address that was asked.
        target: Where it points; both without user, query and fragment.
    """

    def __init__(self, asked: str, target: str) -> None:
        super().__init__(f"{asked} redirects to {target}, another origin: not followed.")
        self.remedy = "if that is where the model lives, set base_url to it"


class ToolServerError(InnerError):
    """An MCP server answers a request with an error.

    Do: Nothing; a model is told of it, in the server's own words.
    """


class ToolServerGone(InnerError):
    """An MCP server has ended, or nobody can reach it any more.

    Do: Nothing; the run goes on without it, and the report says so.
    """


class UnreadableVerdict(InnerError):
    """A judge's text is no analysis.

    Do: Take a judge that keeps to JSON, or name `fallbacks`.

    Args:
        code: One of `JudgeFailureCode`.
        detail: What is wrong with it, for the judge's second try and for the report.
    """

    def __init__(self, code: JudgeFailureCode, detail: str) -> None:
        super().__init__(detail)
        self.code: JudgeFailureCode = code
        self.detail = detail


class VerifierFailed(InnerError):
    """No verifier gave verdicts that can be read. `str(error)` says whose and why.

    Do: Take another `verifier`, or name `fallbacks`.
    """


class UnreadableGrade(InnerError):
    """A grader's reply holds no verdict, or two that disagree.

    Do: Nothing; the grader is asked again, and a mark that stays away counts as missing.
    """
