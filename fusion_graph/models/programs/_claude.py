"""Claude Code: `claude -p`, whose output is a stream of JSON (seen of 2.1.197)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fusion_graph.models.programs._program import (
    SERVER,
    Answer,
    Program,
    Question,
    first_of,
    number,
    text_in,
)
from fusion_graph.models.programs._refusals import failed, no_answer, refusal

LEAST_OUTPUT_TOKENS = 8_192
"""No lower limit is passed on: Claude Code takes what a model thinks from it as well."""

_QUIET = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    # Or any `@/a/file` in a prompt is read and attached, wherever it is and whoever wrote it.
    "CLAUDE_CODE_DISABLE_ATTACHMENTS": "1",
    "CLAUDE_CODE_DISABLE_CLAUDE_MDS": "1",
    "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1",
    "CLAUDE_CODE_DISABLE_BUNDLED_SKILLS": "1",
    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
    "CLAUDE_CODE_MAX_RETRIES": "2",  # ten of its own else, before anybody hears of a failure
    "MCP_CONNECTION_NONBLOCKING": "0",  # or the first turn may begin without our tools
    "MCP_TOOL_TIMEOUT": "120000",
}


def _ask(question: Question) -> tuple[list[str], dict[str, str]]:
    arguments = [
        *("-p", "--output-format", "stream-json", "--verbose", "--include-partial-messages"),
        # In a file: an argument has 128 KiB, and everybody on the machine may read it.
        *("--system-prompt-file", str(question.folder.write("system", question.system))),
        *("--tools", ""),
        *("--no-session-persistence", "--strict-mcp-config", "--disable-slash-commands"),
        # No settings of the user's or of a project's: they hold hooks, permissions and keys.
        # `--bare` would do all of this, and read no plan's login.
        *("--setting-sources", ""),
    ]
    if question.model:
        arguments += ["--model", question.model]
    if question.effort:
        arguments += ["--effort", question.effort]
    if question.schema is not None:
        arguments += ["--json-schema", json.dumps(question.schema)]
    if question.bridge:
        command, *rest = question.bridge
        servers = {"mcpServers": {SERVER: {"command": command, "args": rest}}}
        config = question.folder.write("tools.json", json.dumps(servers))
        arguments += ["--mcp-config", str(config), "--allowedTools", f"mcp__{SERVER}"]
    else:
        arguments.append("--safe-mode")  # which would leave our tools out too
    variables = dict(_QUIET)
    if question.folder.home is not None:
        variables["CLAUDE_CONFIG_DIR"] = str(question.folder.home)
    if question.max_tokens is not None:
        limit = max(question.max_tokens, LEAST_OUTPUT_TOKENS)
        variables["CLAUDE_CODE_MAX_OUTPUT_TOKENS"] = str(limit)
    return arguments, variables


_SUBTYPES = {
    "error_max_budget_usd": ("over_budget", "it reached its budget", ""),
    "error_max_turns": (
        "upstream_error",
        "it reached its most turns without an answer",
        "lower max_tool_calls, or ask again.",
    ),
    "error_max_structured_output_retries": (
        "upstream_error",
        "no answer of its model kept to the schema",
        "take another model for this, or set fallbacks.",
    ),
}


class _Reading:
    """A reading of the stream."""

    def __init__(self) -> None:
        self.done = False
        self._begun: dict[str, Any] = {}
        self._result: dict[str, Any] | None = None
        self._said = self._answered_by = ""
        self._error = ""

    def hear(self, event: Mapping[str, Any]) -> str:
        """Take an event in, and give the piece of the answer in it, if there is one."""
        kind = event.get("type")
        if kind == "system" and event.get("subtype") == "init":
            self._begun = dict(event)
        elif kind == "result":
            self._result, self.done = dict(event), True
        elif kind == "assistant" and not event.get("parent_tool_use_id"):
            message = event.get("message")
            said = text_in(message.get("content")) if isinstance(message, Mapping) else ""
            self._said = said or self._said
            named = message.get("model") if isinstance(message, Mapping) else None
            if isinstance(named, str) and not named.startswith("<"):
                self._answered_by = named
            if isinstance(error := event.get("error"), str):
                self._error = error
        elif kind == "stream_event" and not event.get("parent_tool_use_id"):
            inner = event.get("event")
            delta = inner.get("delta") if isinstance(inner, Mapping) else None
            if isinstance(delta, Mapping) and delta.get("type") == "text_delta":
                return str(delta.get("text") or "")
        return ""

    def end(self, code: int, complaints: str) -> Answer:
        """Give the answer, once the program has ended."""
        result = self._result
        if result is None:
            if self._error:
                raise refusal(CLAUDE, self._said or self._error)
            raise no_answer(CLAUDE, code, complaints)
        if (known := _SUBTYPES.get(str(result.get("subtype")))) is not None:
            raise failed(CLAUDE, *known)  # type: ignore[arg-type]
        status = number(result.get("api_error_status"))
        if result.get("is_error") or status is not None:
            raise self._refused(result, status)
        text = str(result.get("result") or "")
        if (structured := result.get("structured_output")) is not None:
            text = json.dumps(structured, ensure_ascii=False)
        return self._answer(result, text)

    def _refused(self, result: Mapping[str, Any], status: int | None) -> Exception:
        errors = result.get("errors")
        listed = "; ".join(map(str, errors)) if isinstance(errors, list) else ""
        words = first_of(str(result.get("result") or ""), listed, self._said, self._error)
        if result.get("terminal_reason") == "prompt_too_long":
            return failed(CLAUDE, "context_length", words, status=status)
        if self._error == "billing_error":
            return failed(CLAUDE, "insufficient_credits", words, status=status)
        return refusal(CLAUDE, words or "it failed without a word", status)

    def _answer(self, result: Mapping[str, Any], text: str) -> Answer:
        answer = Answer(text, finish=_FINISHES.get(str(result.get("stop_reason")), "stop"))
        usage = result.get("usage")
        if isinstance(usage, Mapping):
            fresh, answer.written = (
                number(usage.get("input_tokens")),
                number(usage.get("output_tokens")),
            )
            answer.cached = number(usage.get("cache_read_input_tokens"))
            answer.stored = number(usage.get("cache_creation_input_tokens"))
            if fresh is not None:
                answer.read = fresh + (answer.cached or 0) + (answer.stored or 0)
        models = result.get("modelUsage")
        served = self._begun.get("model")
        if isinstance(models, Mapping) and models and served not in models:
            # Small helpers of its own may be among them: whoever wrote most has answered.
            served = max(models, key=lambda name: _written(models[name]))
        # Its last turn knows best: it may go on with another model where its own refuses.
        answer.served = self._answered_by or str(served or "")
        source = self._begun.get("apiKeySource")
        answer.by_plan = None if source is None else source == "none"
        cost = result.get("total_cost_usd")
        if isinstance(cost, int | float) and not isinstance(cost, bool):
            answer.cost_usd = float(cost)
        return answer


def _written(usage: Any) -> int:
    return number(usage.get("outputTokens")) or 0 if isinstance(usage, Mapping) else 0


_FINISHES = {"max_tokens": "length", "refusal": "content_filter"}

CLAUDE = Program(
    name="claude",
    title="Claude Code",
    command="claude",
    install="npm install -g @anthropic-ai/claude-code",
    login="start `claude` in a terminal and type /login",
    update="`claude update`",
    oldest=(2, 1),
    settings=("CLAUDE_CONFIG_DIR", ".claude", ""),
    logins=(".credentials.json",),
    addresses=("ANTHROPIC_BASE_URL",),
    efforts={
        "none": "low",
        "minimal": "low",
        "low": "low",
        "medium": "medium",
        "high": "high",
        "xhigh": "xhigh",
        "max": "max",
    },
    takes_schema=True,
    ask=_ask,
    read=_Reading,
)
"""Claude Code, on the plan or the console account that the user has logged in with."""
