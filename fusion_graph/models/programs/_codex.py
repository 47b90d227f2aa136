"""Codex: `codex exec --json`, whose output is a line of JSON for each event (seen of 0.171.0)."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fusion_graph.models.programs._program import SERVER, Answer, Program, Question, number
from fusion_graph.models.programs._refusals import no_answer, refusal

OFF = (
    *("shell_tool", "unified_exec", "multi_agent", "goals", "apps", "plugins", "hooks"),
    *("image_generation", "memories", "view_image", "browser_use", "computer_use"),
)
"""Features that would give it tools of its own; a name that a version lacks is ignored there."""

_SETTINGS: Mapping[str, Any] = {
    "approval_policy": "never",
    "web_search": "disabled",
    "project_doc_max_bytes": 0,
    "include_environment_context": False,
    "include_permissions_instructions": False,
    "include_apps_instructions": False,
    "skills.include_instructions": False,
    "analytics.enabled": False,
    "history.persistence": "none",
    "check_for_update_on_startup": False,
    **{f"features.{name}": False for name in OFF},
}


def _ask(question: Question) -> tuple[list[str], dict[str, str]]:
    folder = question.folder
    arguments = [
        *("exec", "--json", "--ephemeral", "--skip-git-repo-check", "--color", "never"),
        *("-s", "read-only", "--ignore-user-config", "--ignore-rules"),
    ]
    if question.model:
        arguments += ["-m", question.model]
    # In place of its own instructions, which are 40 KB about work on code.
    system = folder.write("system.md", question.system)
    settings = dict(_SETTINGS) | {"model_instructions_file": str(system)}
    if (address := _own_address(question.own)) is not None:
        settings["openai_base_url"] = address
    if question.effort:
        settings["model_reasoning_effort"] = question.effort
    if question.bridge:
        command, *rest = question.bridge
        server = f"mcp_servers.{SERVER}"
        settings |= {
            f"{server}.command": command,
            f"{server}.args": rest,
            f"{server}.required": True,  # else its first turn does not wait for our tools
            f"{server}.default_tools_approval_mode": "approve",
            f"{server}.tool_timeout_sec": 120,
        }
    for name, value in settings.items():
        arguments += [
            "-c",
            f"{name}={json.dumps(value, ensure_ascii=False)}",
        ]  # TOML enough: texts, numbers, lists
    if question.schema is not None:
        schema = folder.write("schema.json", json.dumps(question.schema))
        arguments += ["--output-schema", str(schema)]
    variables = {} if folder.home is None else {"CODEX_HOME": str(folder.home)}
    return [*arguments, "-"], variables


def _own_address(own: Path) -> str | None:
    """Where the user's settings have Codex ask its vendor; None where they do not say."""
    try:
        settings = tomllib.loads((own / "config.toml").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    address = settings.get("openai_base_url")
    return address if isinstance(address, str) else None


class _Reading:
    """A reading of the events."""

    def __init__(self) -> None:
        self.done = False
        self._said = ""
        self._usage: Mapping[str, Any] | None = None
        self._error = ""
        self._failed = ""

    def hear(self, event: Mapping[str, Any]) -> str:
        """Take an event in; Codex tells its answer in one piece, at its end."""
        kind = event.get("type")
        if kind == "item.completed" and isinstance(item := event.get("item"), Mapping):
            if item.get("type") == "agent_message":
                self._said = str(item.get("text") or "")
            elif item.get("type") == "error":
                self._error = _message(item) or self._error
        elif kind == "turn.completed":
            self.done = True
            usage = event.get("usage")
            self._usage = usage if isinstance(usage, Mapping) else {}
        elif kind == "turn.failed":
            self.done = True
            error = event.get("error")
            told = _message(error) if isinstance(error, Mapping) else str(error or "")
            self._failed = told or self._error or "its turn failed"
        elif kind == "error":
            self._error = _message(event) or self._error
        return ""

    def end(self, code: int, complaints: str) -> Answer:
        """Give the answer, once the program has ended."""
        if self._usage is None:
            words = self._failed or self._error
            if not words:
                raise no_answer(CODEX, code, complaints)
            raise refusal(CODEX, words, _status(words))
        usage = self._usage
        return Answer(
            self._said,
            read=number(usage.get("input_tokens")),
            written=number(usage.get("output_tokens")),
            cached=number(usage.get("cached_input_tokens")),
            stored=number(usage.get("cache_write_input_tokens")),
        )


def _message(error: Mapping[str, Any]) -> str:
    """The words of an error, out of the JSON in which its vendor may have put them."""
    words = str(error.get("message") or "")
    start = words.find("{")
    if start >= 0:
        try:
            inner = json.loads(words[start : words.rfind("}") + 1])
        except ValueError:
            return words
        told = inner.get("error", inner) if isinstance(inner, dict) else None
        if isinstance(told, Mapping):
            said = told.get("message") or told.get("detail")
            return f"{words[:start]}{said}".strip() if isinstance(said, str) else words
    return words


def _status(words: str) -> int | None:
    found = re.search(r"\bstatus:? (\d{3})\b", words)
    return int(found[1]) if found else None


CODEX = Program(
    name="codex",
    title="Codex",
    command="codex",
    install="npm install -g @openai/codex",
    login="run `codex login` in a terminal",
    update="`npm install -g @openai/codex@latest`",
    oldest=(0, 171),
    settings=("CODEX_HOME", ".codex", ""),
    logins=("auth.json",),
    addresses=(),
    efforts={
        "none": "none",
        "minimal": "minimal",
        "low": "low",
        "medium": "medium",
        "high": "high",
        "xhigh": "xhigh",
        "max": "xhigh",
    },
    takes_schema=True,
    ask=_ask,
    read=_Reading,
    login_status=("login", "status"),
)
"""Codex, on the ChatGPT plan or the API key that the user has logged in with."""
