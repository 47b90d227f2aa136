"""Gemini CLI: `gemini -p`, whose output is a stream of JSON (seen of 0.61.0)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fusion_graph.models.programs._program import SERVER, Answer, Program, Question, number
from fusion_graph.models.programs._refusals import failed, no_answer, refusal

_KEY, _ACCOUNT = "gemini-api-key", "oauth-personal"
"""How Gemini CLI calls its two usual ways to log in."""

_NOTHING = "nothing"
"""Stands alone in a list of allowed tools that allows none: an empty one allows them all."""

_EXITS = {
    42: ("bad_request", "it does not take this input", ""),
    53: (
        "upstream_error",
        "it reached its most turns without an answer",
        "lower max_tool_calls, or ask again.",
    ),
}
"""Exit codes that mean something of their own."""


def _ask(question: Question) -> tuple[list[str], dict[str, str]]:
    folder = question.folder
    arguments = ["--output-format", "stream-json", "--extensions", "none"]
    if question.model:
        arguments += ["--model", question.model]
    variables = {
        "GEMINI_SYSTEM_MD": str(folder.write("system.md", question.system)),
        "GEMINI_CLI_TRUST_WORKSPACE": "true",  # the empty folder, in which it would ask else
        "GEMINI_CLI_NO_RELAUNCH": "true",
    }
    settings: dict[str, Any] = {
        "security": {"auth": {"selectedType": _login(question.own)}},
        "privacy": {"usageStatisticsEnabled": False},
        "telemetry": {"enabled": False},
        "general": {"disableAutoUpdate": True, "disableUpdateNag": True},
        "hooksConfig": {"enabled": False},
        "skills": {"enabled": False},
        "experimental": {"enableAgents": False},
        # Its own tools are off by allowing others only.
        "tools": {"core": [f"mcp_{SERVER}_{name}" for name in question.tools] or [_NOTHING]},
    }
    if question.bridge:
        command, *rest = question.bridge
        server = {"command": command, "args": rest, "trust": True, "timeout": 120_000}
        settings["mcpServers"] = {SERVER: server}
        arguments += ["--approval-mode", "yolo"]  # of tools there are ours alone
    text = json.dumps(settings)
    if folder.home is None:
        # Over the user's own, which have to be where their login is.
        variables["GEMINI_CLI_SYSTEM_SETTINGS_PATH"] = str(folder.write("settings.json", text))
    else:
        folder.write("home/.gemini/settings.json", text)
        variables["GEMINI_CLI_HOME"] = str(folder.home)
    return [*arguments, "-p", ""], variables


def _login(own: Path) -> str:
    """How the user has chosen to log in, as their settings or the files of a login say."""
    try:
        # Their settings are JSON with comments.
        text = (own / "settings.json").read_text("utf-8")
        found = re.search(r'"selected(?:Auth)?Type"\s*:\s*"([\w-]+)"', text)
    except (OSError, ValueError):
        found = None
    if found is not None:
        return found[1]
    account = (own / "oauth_creds.json").is_file() or not (own / ".env").is_file()
    return _ACCOUNT if account else _KEY


def by_account(own: Path) -> bool:
    """Tell whether the user's account pays, and not a key's.

    Args:
        own: The user's folder of settings for Gemini CLI.
    """
    return _login(own) not in (_KEY, "vertex-ai")


class _Reading:
    """A reading of the stream."""

    def __init__(self) -> None:
        self.done = False
        self._begun: Mapping[str, Any] = {}
        self._text: list[str] = []
        self._result: Mapping[str, Any] | None = None
        self._error = ""

    def hear(self, event: Mapping[str, Any]) -> str:
        """Take an event in, and give the piece of the answer in it, if there is one."""
        kind = event.get("type")
        if kind == "init":
            self._begun = event
        elif kind == "message" and event.get("role") == "assistant":
            piece = str(event.get("content") or "")
            if not event.get("delta"):
                self._text.clear()
            self._text.append(piece)
            return piece
        elif kind == "tool_use":
            self._text.clear()  # what it wrote up to here was about what it would do
        elif kind == "error" and event.get("severity") != "warning":
            self._error = str(event.get("message") or "") or self._error
        elif kind == "result":
            self._result, self.done = event, True
        return ""

    def end(self, code: int, complaints: str) -> Answer:
        """Give the answer, once the program has ended."""
        result = self._result
        if result is None:
            if self._error:
                raise refusal(GEMINI, self._error)
            if code in _EXITS and not complaints.strip():
                raise failed(GEMINI, *_EXITS[code])  # type: ignore[arg-type]
            raise no_answer(GEMINI, code, complaints)
        if result.get("status") != "success":
            error = result.get("error")
            told = str(error.get("message") or "") if isinstance(error, Mapping) else ""
            words = told or self._error
            if not words and code in _EXITS:
                raise failed(GEMINI, *_EXITS[code])  # type: ignore[arg-type]
            raise refusal(GEMINI, words or "it failed without a word")
        return self._answer(result)

    def _answer(self, result: Mapping[str, Any]) -> Answer:
        stats = result.get("stats")
        stats = stats if isinstance(stats, Mapping) else {}
        answer = Answer("".join(self._text), served=str(self._begun.get("model") or ""))
        models = stats.get("models")
        if isinstance(models, Mapping) and models and answer.served not in models:
            answer.served = max(models, key=lambda name: _written(models[name]))
        answer.read = number(stats.get("input_tokens"))
        answer.cached = number(stats.get("cached"))
        total, written = number(stats.get("total_tokens")), number(stats.get("output_tokens"))
        # What it thinks is in the total alone, and is paid for as what it writes.
        known = total is not None and answer.read is not None and total >= answer.read
        answer.written = total - answer.read if known else written  # type: ignore[operator]
        return answer


def _written(usage: Any) -> int:
    return number(usage.get("output_tokens")) or 0 if isinstance(usage, Mapping) else 0


GEMINI = Program(
    name="gemini",
    title="Gemini CLI",
    command="gemini",
    install="npm install -g @google/gemini-cli",
    login="start `gemini` in a terminal and choose how to log in",
    update="`npm install -g @google/gemini-cli@latest`",
    oldest=(0, 61),
    settings=("GEMINI_CLI_HOME", ".gemini", ".gemini"),
    logins=("oauth_creds.json", "google_accounts.json", "gemini-credentials.json", ".env"),
    addresses=("GOOGLE_GEMINI_BASE_URL", "GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION"),
    efforts={},
    takes_schema=False,
    ask=_ask,
    read=_Reading,
    by_plan=by_account,
)
"""Gemini CLI, on the account or the key that the user has logged in with."""
