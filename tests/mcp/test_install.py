"""Installing into clients: what is written is said, and nothing else of a file changes."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Any

import pytest

from fusion_graph.cli.mcp_install import FURTHER_VARIABLES
from fusion_graph.faces.mcp.clients import launch, placeholders
from tests.commands import Ended, run_here

KEY = "sk-or-v1-not-to-be-written"

FILES = {
    "claude-code": ".claude.json",
    "codex": ".codex/config.toml",
    "opencode": ".config/opencode/opencode.json",
    "gemini": ".gemini/settings.json",
    "cursor": ".cursor/mcp.json",
}

TABLES = {"opencode": "mcp", "codex": "mcp_servers"}

TOML = """\
# My settings
model = "gpt-5.5"   # the big one

[mcp_servers.other]
command = "other"  # stays

[profiles.fast]
model = "gpt-5.5-mini"
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "XDG_CONFIG_HOME", "GEMINI_CLI_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in FURTHER_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    return tmp_path


def install(client: str, *options: str) -> Ended:
    ended = run_here("mcp", "--install", client, *options)
    assert KEY not in ended.out + ended.err
    assert "Traceback" not in ended.err
    return ended


def servers(client: str, home: Path) -> Any:
    text = (home / FILES[client]).read_text("utf-8")
    assert KEY not in text
    data = tomllib.loads(text) if client == "codex" else json.loads(text)
    return data[TABLES.get(client, "mcpServers")]


@pytest.mark.parametrize("client", FILES)
def test_each_client_starts_this_environments_server(client: str, home: Path) -> None:
    ended = install(client, "--yes", "--preset", "budget,thrifty", "--max-cost", "0.5")
    entry = servers(client, home)["fusion"]
    command = entry["command"]
    words = command if isinstance(command, list) else [command, *entry["args"]]
    assert ended.code == 0
    assert str(home / FILES[client]) in ended.out
    assert Path(words[0]).is_absolute()
    assert words[-7:] == [
        "mcp", "--preset", "budget", "--preset", "thrifty", "--max-cost", "0.5"
    ]  # fmt: skip
    again = install(client, "--yes", "--preset", "budget,thrifty", "--max-cost", "0.5")
    assert "nothing is changed" in again.err


def test_clients_that_withhold_keys_are_told_their_names(home: Path) -> None:
    for client in FILES:
        install(client, "--yes")
    assert servers("codex", home)["fusion"]["env_vars"] == ["OPENROUTER_API_KEY"]
    assert servers("gemini", home)["fusion"]["env"] == {"OPENROUTER_API_KEY": "$OPENROUTER_API_KEY"}
    named = servers("cursor", home)["fusion"]["env"]["OPENROUTER_API_KEY"]
    assert named == "${env:OPENROUTER_API_KEY}"


@pytest.mark.parametrize("client", [name for name in FILES if name != "codex"])
def test_a_json_file_keeps_all_it_holds(client: str, home: Path) -> None:
    table = TABLES.get(client, "mcpServers")
    before = {"zuerst": "Grüße", "n": 1.5, table: {"other": {"command": "o"}}, "last": [None, {}]}
    path = home / FILES[client]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(before, indent="\t", ensure_ascii=False), "utf-8")
    path.chmod(0o600)
    assert install(client, "--yes").code == 0
    text = path.read_text("utf-8")
    after = json.loads(text)
    assert after[table].pop("fusion")
    assert after == before
    assert list(after) == list(before)
    assert '\n\t"zuerst": "Grüße"' in text
    assert path.stat().st_mode & 0o777 == 0o600
    assert not list(path.parent.glob(f".{path.name}.*"))


def test_a_toml_file_keeps_its_comments_and_an_old_entry_gives_way(home: Path) -> None:
    path = home / FILES["codex"]
    path.parent.mkdir()
    path.write_text(TOML)
    assert install("codex", "--yes").code == 0
    text = path.read_text()
    assert text.startswith(TOML)
    old = text.replace(
        "tool_timeout_sec = 1800", 'tool_timeout_sec = 5\n\n[mcp_servers.fusion.env]\nA = "b"'
    )
    path.write_text(f"{old}\n[tui]\ntheme = 'dark' # mine\n")
    ended = install("codex", "--yes")
    assert "is replaced" in ended.err
    text = path.read_text()
    assert servers("codex", home)["fusion"]["tool_timeout_sec"] == 1800
    assert "env" not in servers("codex", home)["fusion"]
    assert text.startswith(TOML)
    assert "theme = 'dark' # mine" in text
    assert text.count("[mcp_servers.fusion]") == 1


@pytest.mark.parametrize(
    ("client", "text", "why"),
    [
        ("opencode", '{\n  // my servers\n  "mcp": {}\n}', "comments"),
        ("cursor", '{"mcpServers": {},}', "comments or trailing commas"),
        ("gemini", '{"a": 1, "a": 2}', "twice"),
        ("gemini", "[1]", "no JSON object"),
        ("cursor", '{"mcpServers": []}', "no object"),
        ("claude-code", '{"mcpServers": ', "cannot be read as JSON"),
        ("codex", "model = ", "not valid TOML"),
        ("codex", 'mcp_servers = { a = { command = "x" } }', "cannot be added to"),
    ],
)
def test_a_file_that_would_lose_something_is_left_alone(
    client: str, text: str, why: str, home: Path
) -> None:
    path = home / FILES[client]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    ended = install(client, "--yes")
    assert ended.code == 2
    assert why in ended.err
    assert '"fusion"' in ended.out or "mcp_servers.fusion" in ended.out  # to be put in by hand
    assert path.read_text() == text


def test_nothing_is_written_without_a_yes(home: Path) -> None:
    assert install("codex", "--print").code == 0
    ended = install("codex")  # its standard input is no terminal
    assert ended.code == 2
    assert "--yes" in ended.err
    assert not (home / ".codex").exists()


def test_an_unknown_client_is_refused_with_those_there_are(home: Path) -> None:
    ended = install("emacs", "--yes")
    assert ended.code == 2
    assert "claude-code, codex, opencode, gemini, cursor" in ended.err
    assert run_here("mcp", "--yes").code == 2


def test_a_link_to_dotfiles_stays_a_link(home: Path) -> None:
    kept = home / "dotfiles.json"
    kept.write_text("{}")
    (home / ".cursor").mkdir()
    (home / FILES["cursor"]).symlink_to(kept)
    assert install("cursor", "--yes").code == 0
    assert (home / FILES["cursor"]).is_symlink()
    assert "fusion" in json.loads(kept.read_text())["mcpServers"]


def test_an_environment_in_a_cache_is_started_by_uvx() -> None:
    start = launch(["--preset", "budget"], [], prefix=os.path.join("home", "archive-v0", "x1"))
    assert start.command == "uvx"
    assert start.args[:3] == ("--from", "fusion-graph[mcp]", "fusion-graph")
    assert start.args[-3:] == ("mcp", "--preset", "budget")


def test_a_variable_that_a_client_passed_unexpanded_counts_as_unset() -> None:
    given = {
        "A": "$A",
        "B": "${B}",
        "C": "${env:C}",
        "D": "{env:D}",
        "E": "$F",
        "F": "sk-1",
        "G": "",
    }
    assert placeholders(given) == ["A", "B", "C", "D"]
