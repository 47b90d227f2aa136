"""What the command line says of programs: what is here, what a preset needs, what it costs."""

from __future__ import annotations

import pytest

from fusion_graph.cli.doctor import doctor
from fusion_graph.faces.server.offer import Offer
from tests.commands import run_here
from tests.programs.conftest import Fakes


def test_doctor_says_which_programs_are_here_of_which_version_and_who_is_logged_out(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DDGS_PROXY", "http://127.0.0.1:9")
    fakes.script("claude", version="2.1.197 (Claude Code)")
    fakes.script("codex", version="codex-cli 0.80.0")
    (fakes.home / ".codex" / "auth.json").unlink()
    fakes.remove("gemini")
    monkeypatch.setenv("PATH", f"{fakes.folder}:/bin")
    assert doctor("offline") == 0
    said = capsys.readouterr().out
    assert "Claude Code (`claude:`): 2.1.197\n" in said
    assert "Codex (`codex:`): 0.80.0, older than 0.171: `npm install" in said
    assert ", not logged in: run `codex login`" in said
    assert "Gemini CLI (`gemini:`): not installed" in said


def test_a_preset_with_a_program_says_that_it_needs_it(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes.remove("codex")
    monkeypatch.setenv("PATH", f"{fakes.folder}:/bin")
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-any")
    listed = run_here("presets").out
    assert "claude installed" in listed
    assert "codex not installed" in listed
    likely = Offer(("claude-leads", "codex-leads")).likely()
    assert list(likely) == ["claude-leads"]


def test_an_estimate_on_the_command_line_says_plan(fakes: Fakes) -> None:
    said = run_here("estimate", "--preset", "claude-leads", "How wet is water?").out
    lines = [line.strip() for line in said.splitlines()]
    [judge] = [line for line in lines if line.startswith("judge")]
    assert judge.count("plan, ") == 3
    [total] = [line for line in lines if line.startswith("total")]
    assert " + plan, " in total
