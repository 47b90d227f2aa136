"""What programs say when they do not answer, and what it means: in words, as they give no more."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fusion_graph.errors import FailureReason, ProgramFailed

if TYPE_CHECKING:
    from fusion_graph.models.programs._program import Program

LOGIN, UPDATE = "{login}", "{update}"


@dataclass(frozen=True)
class Saying:
    """Words by which a refusal is known.

    Attributes:
        words: The words.
        reason: What they mean.
        remedy: What to do next; empty for what helps with the reason.
        may_pass: Whether asking again at once may help.
    """

    words: re.Pattern[str]
    reason: FailureReason
    remedy: str = ""
    may_pass: bool = False


def _says(words: str, reason: FailureReason, remedy: str = "", *, again: bool = False) -> Saying:
    return Saying(re.compile(words, re.IGNORECASE), reason, remedy, again)


SAYINGS = (
    # Claude Code's parser, clap's (Codex), yargs' (Gemini CLI).
    _says(
        r"unknown option|unexpected argument|unknown arguments?\b|unrecognized (sub)?command"
        r"|invalid value .{0,80} for '--|requires a newer version",
        "bad_request",
        UPDATE,
    ),
    _says(
        r"unsupported (engine|node)|node(\.js)? (version )?\S{0,8} or (higher|newer|later)"
        r"|GLIBC_|exec format error|cannot execute|bad interpreter|does not start",
        "bad_request",
        "{title} does not run on this machine: install it anew ({install}).",
    ),
    _says(
        r"usage limit|(session|weekly|opus|sonnet|daily|plan) limit|hit your (\w+ )?limit"
        r"|limit (will )?reset|exhausted your (capacity|(daily )?quota)|quota (exceeded|exhausted)"
        r"|out of (extra )?usage|upgrade to (plus|pro|max)",
        "rate_limited",
        "wait until the plan's limit resets, or take another model.",
    ),
    _says(
        r"credit balance|insufficient (credits|funds|quota)|billing|payment required",
        "insufficient_credits",
    ),
    _says(
        r"not logged in|run /login|log ?in again|sign(ed)? ?in again|codex login|please log ?in"
        r"|auth(entication)? (method|token|required|failed)|failed to authenticate|invalid_grant"
        r"|(api key|token|session|login|credentials?) (is |has |have |was |been )*"
        r"(invalid|missing|expired|revoked|invalidated)"
        r"|invalid (api key|bearer|token|credentials)|refresh token|token could not be"
        r" refreshed|unauthori[sz]ed"
        r"|GEMINI_API_KEY|\b401\b",
        "auth",
        LOGIN,
    ),
    _says(
        r"terms (of service|and conditions)|consumer terms|onboarding"
        r"|organi[sz]ation has (been )?disabled|account (is |has been )?(disabled|suspended)"
        r"|unsupported_country|not available in your (country|location|region)|\b403\b"
        r"|does not have access to (claude|codex|gemini)",
        "auth",
        "start {command} once in a terminal, and settle there what it asks.",
    ),
    _says(
        r"selected model|model\b.{0,80}(not (exist|found|supported|available)|does not exist)"
        r"|not supported when using codex|unknown model|model_not_found|no such model",
        "invalid_model",
    ),
    _says(
        r"prompt is too long|context (window|length)|too many tokens|input token count"
        r"|ran out of room|request too large|exceeds the (maximum|limit).{0,40}token",
        "context_length",
    ),
    _says(
        r"usage polic|content polic|safety|flagged|refused? to (answer|help)|violat|prohibited",
        "content_filter",
    ),
    _says(r"\b429\b|rate.?limit|too many requests|resource.?exhausted", "rate_limited", again=True),
    _says(
        r"(schema|response_format).{0,60}(invalid|not (valid|supported))|invalid.{0,30}schema",
        "bad_request",
    ),
    _says(
        r"ENOSPC|no space left|EACCES|EROFS|read-only file system|permission denied",
        "bad_request",
        "see that {command} can write where temporary files go (TMPDIR).",
    ),
    _says(
        r"mcp (server|client).{0,80}(fail|timed? ?out|unavailable)|handshaking with MCP",
        "upstream_error",
        "ask again, or set tools = false for this member.",
        again=True,
    ),
    _says(
        r"overloaded|high demand|\b5\d\d\b|server.?error|internal error|unavailable|bad gateway"
        r"|stream (disconnected|closed|error)|unable to connect|connect(ion)? (error|refused|reset)"
        r"|ECONN|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|socket hang up|fetch failed|error sending request"
        r"|network",
        "upstream_error",
        "see that this machine reaches the vendor, ask again later, or set fallbacks.",
        again=True,
    ),
)
"""In their order: what names a thing goes before what names a number."""

STATUSES: dict[int, FailureReason] = {
    400: "bad_request",
    401: "auth",
    402: "insufficient_credits",
    403: "auth",
    404: "invalid_model",
    413: "context_length",
    429: "rate_limited",
}
"""What a status means, where no words say it better."""


def refusal(program: Program, words: str, status: int | None = None) -> ProgramFailed:
    """The failure behind what a program says.

    Args:
        program: Who says it.
        words: What it says.
        status: Its vendor's HTTP status, if it tells that.
    """
    said = " ".join(words.split())
    known = next((saying for saying in SAYINGS if saying.words.search(said)), None)
    if known is not None:
        return failed(program, known.reason, said, known.remedy, status, known.may_pass)
    reason = STATUSES.get(status or 0, "upstream_error")
    may_pass = status is not None and (status == 429 or status >= 500)
    return failed(program, reason, said, LOGIN if reason == "auth" else "", status, may_pass)


def failed(
    program: Program,
    reason: FailureReason,
    words: str,
    remedy: str = "",
    status: int | None = None,
    may_pass: bool = False,
) -> ProgramFailed:
    """A failure with the program's name before its words, and its own ways in the remedy.

    Args:
        program: Who failed.
        reason: Why.
        words: What it says.
        remedy: What to do next, with the program's fields in braces; empty for what helps with
            the reason.
        status: Its vendor's HTTP status, if it tells that.
        may_pass: Whether asking again at once may help.
    """
    oldest = ".".join(map(str, program.oldest))
    told = {
        LOGIN: f"log in: {program.login}.",
        UPDATE: f"{program.title} {oldest} or newer is needed: {program.update}.",
    }.get(remedy, remedy)
    for name in ("title", "command", "install"):
        told = told.replace(f"{{{name}}}", getattr(program, name))
    return ProgramFailed(reason, f"{program.title}: {words}", told, status, may_pass)


def no_answer(program: Program, code: int, complaints: str) -> ProgramFailed:
    """The failure of a program that has ended without a word on its standard output.

    Args:
        program: Who.
        code: Its exit code, as a shell tells it.
        complaints: The end of its standard error.
    """
    lines = [line for line in complaints.splitlines() if line.strip()]
    told = next((line for line in lines if _TELLING.search(line)), lines[-1] if lines else "")
    if code > 128:
        words = f"it was ended by signal {code - 128}"
        remedy = "see whether the machine ran out of memory, and ask again."
        if told:
            words = f"{words}: {told}"
        return failed(program, "upstream_error", words, remedy, may_pass=False)
    if told:
        return refusal(program, told)
    words = f"it ended with {code} and without an answer"
    return failed(program, "upstream_error", words, "start {command} once in a terminal, and see.")


_TELLING = re.compile(
    r"error|fail|invalid|unknown|must|not |limit|expired|denied|exceeded|unable", re.IGNORECASE
)
"""What tells the line with the reason from warnings and stack traces around it."""
