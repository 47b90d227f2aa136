"""`fusion-graph doctor`, `--version` and `--help`."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from fusion_graph.cli.doctor import doctor
from tests.commands import run

SECRET = "sk-very-secret-4711"


@pytest.fixture(autouse=True)
def no_web(monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches go to a proxy that nothing answers at (port 9 is discard), never to the web."""
    monkeypatch.setenv("DDGS_PROXY", "http://127.0.0.1:9")


def test_a_machine_without_keys_is_ready_with_the_offline_preset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "config" / "presets"
    folder.mkdir(parents=True)
    (folder / "bad.toml").write_text("panel = 3", "utf-8")
    monkeypatch.setenv("GOOGLE_API_KEY", SECRET)

    ended = run("doctor")

    assert (ended.code, ended.err) == (0, "")
    assert f"fusion-graph {version('fusion-graph')}, Python 3." in ended.out
    assert "set: GOOGLE_API_KEY\n" in ended.out
    assert "not set: OPENROUTER_API_KEY, OPENAI_API_KEY, " in ended.out
    assert SECRET not in ended.out
    assert "http://127.0.0.1:9 (Ollama): no answer\n" in ended.out
    assert f"cannot be used: Preset file {folder / 'bad.toml'}: " in ended.out
    assert "preset        offline (no OPENROUTER_API_KEY" in ended.out
    assert " documents in " in ended.out
    assert "ddgs          no answer: " in ended.out
    assert ended.out.endswith("verdict       ready\n")


def test_a_preset_without_its_key_is_broken(capsys):
    assert doctor("openai") == 2

    said = capsys.readouterr().out
    assert "broken        Model 'openai:gpt-5.5' needs an API key" in said
    assert "→ Set OPENAI_API_KEY" in said


def test_version_and_help():
    assert run("--version").out == f"fusion-graph {version('fusion-graph')}\n"
    ended = run("ask", "--help")
    assert ended.code == 0
    for option in ("--preset", "--corpus", "--max-tool-calls", "--json", "--quiet", "Examples"):
        assert option in ended.out
    bare = run()
    assert (bare.code, bare.err) == (2, "")
    assert "presets" in bare.out
