"""The four programs: where each keeps its settings, how it is started, and for which vendor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tests.clients.listening import Wire
from tests.clients.provision import Programs
from tests.mcp.client import ROOT

PATIENCE = 300
"""Seconds until a program counts as hanging; without a limit to wait for none takes a tenth."""

PROMPT = "Ask the panel how wet water is."

NOWHERE = "127.0.0.1:9"
"""An address where nothing answers (discard), for whatever a program would call home."""


@dataclass(frozen=True)
class Program:
    """A program that people use.

    name: what `fusion-graph mcp --install` calls it.
    title: what people call it.
    reaches: paths below the vendor's that its settings name.
    model: what its model is called, where nothing else is said.
    settings: writes its settings for a vendor and a model into a home.
    command: its command line for a prompt and a model, after the program itself.
    variables: of its environment, for a home and a vendor.
    limit: the setting that says how long a call of our tools may take, and its units a second.
    shell: its own tool that runs commands, and that tool's argument for one; empty: no matter.
    """

    name: str
    title: str
    model: str
    settings: Callable[[Path, str, str], None]
    command: Callable[[str, str], list[str]]
    variables: Callable[[Path, str], dict[str, str]]
    limit: tuple[str, int]
    shell: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Ended:
    """A program has ended: its exit code, and what it wrote."""

    code: int
    out: str


@dataclass
class Home:
    """A program in a home of its own, with our MCP server put in by our own installer.

    program: which one.
    folder: its home.
    vendor: the vendor's URL.
    wire: gets what goes between it and our server.
    model: what its model is called.
    """

    program: Program
    folder: Path
    vendor: str
    wire: Wire
    model: str
    extra: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """Its whole environment: nothing of the machine's owner but where programs are."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder / "tmp"),
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            **self.program.variables(self.folder, self.vendor),
            **self.extra,
        }

    def start(
        self, programs: Programs, prompt: str = PROMPT, further: Sequence[str] = ()
    ) -> subprocess.Popen[str]:
        """Start it with a prompt on its command line or its standard input.

        further: arguments that go before the prompt's.
        """
        work = self.folder / "work"
        work.mkdir(exist_ok=True)
        (self.folder / "tmp").mkdir(exist_ok=True)
        said = self.folder / "prompt"
        said.write_text(prompt if self.program.name == "claude-code" else "", "utf-8")
        with said.open() as stdin:
            return self._started(programs, prompt, work, stdin, further)

    def _started(
        self,
        programs: Programs,
        prompt: str,
        work: Path,
        stdin: IO[str],
        further: Sequence[str],
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [
                *programs.start(self.program.name),
                *_with(self.program.command(prompt, self.model), further, prompt),
            ],
            cwd=work,
            env=self.environment(),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # its process group is what a terminal interrupts
        )

    def run(
        self,
        programs: Programs,
        prompt: str = PROMPT,
        further: Sequence[str] = (),
        patience: float = PATIENCE,
    ) -> Ended:
        """Run it to its end, which comes within so many seconds."""
        process = self.start(programs, prompt, further)
        try:
            out, _ = process.communicate(timeout=patience)
        finally:
            process.kill()
            process.wait()
        return Ended(process.returncode, out)


def make_home(
    program: Program,
    folder: Path,
    vendor: str,
    wire: Wire,
    *options: str,
    config: Path,
    limit: float | None = None,
) -> Home:
    """Make a home for a program, with its settings for a vendor and our MCP server.

    program: which one.
    folder: where; it is made.
    vendor: the vendor's URL.
    wire: gets what goes between it and our server.
    options: what follows `fusion-graph mcp`.
    config: the FUSION_GRAPH_CONFIG_DIR of our server.
    limit: how long a call may take, in seconds; None for what our installer says, 0 for what the
        program itself says.
    """
    folder.mkdir(parents=True)
    home = Home(program, folder, vendor, wire, program.model)
    program.settings(folder, vendor, home.model)
    done = subprocess.run(
        [sys.executable, "-m", "fusion_graph", "mcp", "--install", program.name, "--yes", *options],
        env={**home.environment(), "PYTHONPATH": f"{ROOT}:{ROOT / 'tools'}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    _rewrite(home, config, limit)
    return home


def make_plain_home(program: Program, folder: Path, server: str, wire: Wire, model: str) -> Home:
    """Make a home for a program whose model is ours, without our MCP server.

    program: which one.
    folder: where; it is made.
    server: the URL of a `fusion-graph serve`.
    wire: is told nothing.
    model: one of the server's.
    """
    folder.mkdir(parents=True)
    program.settings(folder, server, model)
    return Home(program, folder, server, wire, model)


def _rewrite(home: Home, config: Path, limit: float | None) -> None:
    """Let the installed entry start this very tree, with its lines written down."""
    variables = dict.fromkeys(
        ("OLLAMA_HOST", "LLAMACPP_HOST", "LMSTUDIO_HOST", "VLLM_HOST"), NOWHERE
    )
    variables["FUSION_GRAPH_CONFIG_DIR"] = str(config)
    tee = [sys.executable, str(Path(__file__).with_name("tee.py")), str(home.wire.port)]

    def change(entry: dict[str, Any]) -> None:
        if isinstance(entry["command"], list):  # opencode
            entry["command"] = [*tee, *entry["command"]]
            entry["environment"] = variables
        else:
            entry["command"], entry["args"] = tee[0], [*tee[1:], entry["command"], *entry["args"]]
            entry["env"] = variables
        name, units = home.program.limit
        if limit is not None:
            entry[name] = int(limit * units)
        if limit == 0:
            del entry[name]

    from fusion_graph.faces.mcp.clients import CLIENTS, NAME
    from fusion_graph.faces.mcp.merging import snippet

    client = CLIENTS[home.program.name]
    path = client.file(home.environment(), home.folder)
    text = path.read_text("utf-8")
    if client.form == "json":
        settings = json.loads(text)
        change(settings[client.table][NAME])
        path.write_text(json.dumps(settings), "utf-8")
        return
    entry = tomllib.loads(text)[client.table][NAME]
    change(entry)
    home.program.settings(
        home.folder, home.vendor, home.model
    )  # its file as it was before the installation
    entry["required"] = True  # else its first turn does not wait for a server
    environment = entry.pop("env")
    table = snippet("toml", client.table, NAME, entry)
    table += snippet("toml", f"{client.table}.{NAME}", "env", environment)
    path.write_text(f"{path.read_text('utf-8')}\n{table}\n", "utf-8")


def _with(command: list[str], further: Sequence[str], prompt: str) -> list[str]:
    """A command with further arguments; those that take lists must not take the prompt too."""
    if prompt not in command or not further:
        return [*command, *further]
    at = command.index(prompt)
    return [command[0], *further, *command[1:at], "--", *command[at:]]


def _write(path: Path, text: str | Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text if isinstance(text, str) else json.dumps(text), "utf-8")


def _claude_settings(home: Path, _vendor: str, _model: str) -> None:
    _write(home / ".claude.json", {"hasCompletedOnboarding": True})


def _claude_variables(_home: Path, vendor: str) -> dict[str, str]:
    return {
        "ANTHROPIC_BASE_URL": vendor,
        "ANTHROPIC_API_KEY": "sk-ant-scripted",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "MCP_CONNECTION_NONBLOCKING": "0",
    }


def _claude_command(_prompt: str, model: str) -> list[str]:
    # The prompt comes on standard input: as an argument it can hang.
    shape = ["--output-format", "stream-json", "--verbose", "--include-partial-messages"]
    return ["-p", *shape, "--model", model, "--allowedTools", "mcp__fusion,Bash"]


def _codex_settings(home: Path, vendor: str, model: str) -> None:
    text = f"""\
model = "{model}"
model_provider = "scripted"
approval_policy = "never"

[model_providers.scripted]
name = "scripted"
base_url = "{vendor}/v1"
wire_api = "responses"
"""
    _write(home / ".codex" / "config.toml", text)


def _codex_variables(home: Path, _vendor: str) -> dict[str, str]:
    return {"CODEX_HOME": str(home / ".codex")}


def _codex_command(prompt: str, _model: str) -> list[str]:
    return ["exec", "--json", "--ephemeral", "--skip-git-repo-check", "-s", "read-only", prompt]


def _gemini_settings(home: Path, _vendor: str, _model: str) -> None:
    settings = {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "privacy": {"usageStatisticsEnabled": False},
        "general": {"disableAutoUpdate": True, "disableUpdateNag": True},
        "telemetry": {"enabled": False},
    }
    _write(home / ".gemini" / "settings.json", settings)


def _gemini_variables(home: Path, vendor: str) -> dict[str, str]:
    return {
        "GEMINI_CLI_HOME": str(home),
        "GEMINI_API_KEY": "scripted",
        "GOOGLE_GEMINI_BASE_URL": vendor,
        "GEMINI_CLI_TRUST_WORKSPACE": "true",
        "GEMINI_CLI_NO_RELAUNCH": "true",
    }


def _gemini_command(prompt: str, model: str) -> list[str]:
    return ["--model", model, "--output-format", "stream-json", "--yolo", "-p", prompt]


def _opencode_settings(home: Path, vendor: str, model: str) -> None:
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "Scripted",
        "options": {"baseURL": f"{vendor}/v1", "apiKey": "scripted"},
        "models": {
            model: {
                "name": "Model",
                "tool_call": True,
                "attachment": True,
                "modalities": {"input": ["text", "image", "pdf"], "output": ["text"]},
            }
        },
    }
    settings = {
        "$schema": "https://opencode.ai/config.json",
        "provider": {"scripted": provider},
        "autoupdate": False,
        "share": "disabled",
    }
    _write(home / ".config" / "opencode" / "opencode.json", settings)


def _opencode_variables(home: Path, _vendor: str) -> dict[str, str]:
    return {
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_DATA_HOME": str(home / ".local" / "share"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "XDG_STATE_HOME": str(home / ".local" / "state"),
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
        "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
    }


def _opencode_command(prompt: str, model: str) -> list[str]:
    return ["run", "--format", "json", "--model", f"scripted/{model}", prompt]


PROGRAMS = {
    program.name: program
    for program in (
        Program(
            "claude-code",
            "Claude Code",
            "claude-sonnet-4-5",
            _claude_settings,
            _claude_command,
            _claude_variables,
            ("timeout", 1_000),
            ("Bash", "command"),
        ),
        Program(
            "codex",
            "Codex",
            "gpt-5.5",
            _codex_settings,
            _codex_command,
            _codex_variables,
            ("tool_timeout_sec", 1),
            ("exec_command", "cmd"),
        ),
        Program(
            "gemini",
            "Gemini CLI",
            "gemini-2.5-flash",
            _gemini_settings,
            _gemini_command,
            _gemini_variables,
            ("timeout", 1_000),
        ),
        Program(
            "opencode",
            "opencode",
            "model",
            _opencode_settings,
            _opencode_command,
            _opencode_variables,
            ("timeout", 1_000),
            ("bash", "command"),
        ),
    )
}
"""Every program by the name that `--install` takes."""
