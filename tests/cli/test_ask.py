"""`fusion-graph ask` over HTTP to scripted models; as a process of its own where that matters."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from fusion_graph import FusionReport
from fusion_graph.cli.answer import SEPARATOR
from tests.children import Child
from tests.commands import COMMAND, PATIENCE, run, run_here

QUESTION = "How wet is water?"
SECRET = "sk-very-secret-4711"


def test_the_answer_is_on_stdout_and_progress_in_plain_lines_on_stderr(
    models, preset_file, monkeypatch
):
    monkeypatch.setenv("FORCE_COLOR", "1")  # which makes rich take a pipe for a terminal
    models.script("b", {"status": 402})

    ended = run("ask", "--preset", preset_file(), QUESTION)

    assert ended.code == 0
    assert ended.out == "The final answer of the writer.\n"
    lines = ended.err.splitlines()
    assert lines[0] == "panel of 3: a, b, c"
    assert "a: asked (scripted:a)" in lines
    assert any(line.startswith("a: answered, 16 characters, 0 tool calls, ") for line in lines)
    assert any(line.startswith("b: failed: insufficient_credits: ") for line in lines)
    assert "judge: comparing 2 answers (scripted:j)" in lines
    assert "writer: writing (scripted:w)" in lines
    end = next(line for line in lines if line.startswith("status: "))
    assert end.startswith("status: degraded; 2 of 3 of the panel answered; 5 calls; ")
    assert "; cost $0.0070; " in end
    lost = lines[lines.index(end) + 1 :]
    assert lost[0] == (
        "  panelist_failed: b: insufficient_credits: Insufficient credits "
        "→ add credits at the provider, or take another model."
    )
    assert ended.err.replace("\n", "").isprintable()


def test_nothing_that_a_terminal_acts_on_goes_through_a_pipe_or_into_a_file(
    models, preset_file, tmp_path
):
    acts = "\x1b]52;c;ZXZpbA==\x07 \x1b[2J \x9b31m \u202eturned\u202c \u2066x\u2069 \r"
    models.script("w", {"text": f"Water is\twet.\n{acts}"})
    preset = preset_file()

    piped = run_here("ask", "--preset", preset, QUESTION)
    with (tmp_path / "out").open("w") as out:
        run("ask", "--quiet", "--preset", preset, QUESTION, out=out)
    report = run_here("ask", "--json", "--quiet", "--preset", preset, QUESTION).out
    as_text = run_here("report", "--text", "-", stdin=report).out

    for text in (piped.out, (tmp_path / "out").read_bytes().decode(), as_text):
        assert "Water is\twet.\n]52;c;ZXZpbA==" in text.replace("\ufffd", "")
        assert not set(text) & set("\x1b\x07\x9b\r\u202e\u202c\u2066\u2069")
    assert "\u202eturned" in json.loads(report)["answer"], "JSON says what was said"


def test_json_is_the_report_and_quiet_leaves_stderr_empty(models, preset_file, monkeypatch):
    monkeypatch.setenv("SCRIPTED_KEY", SECRET)
    preset = preset_file({"api_key_env": "SCRIPTED_KEY"}, max_tool_calls=8)

    ended = run_here(
        *("ask", "--json", "--quiet", "--preset", preset, "--panel", "scripted:c,scripted:a"),
        *("--panel", "scripted:b", "--judge", "scripted:j", "--synthesizer", "scripted:w"),
        *("--max-tool-calls", "3", "--seed", "11", "-"),
        stdin=f"{QUESTION}\n",
    )

    assert (ended.code, ended.err) == (0, "")
    report = FusionReport.model_validate_json(ended.out)
    assert report.question == QUESTION
    assert report.answer == "The final answer of the writer."
    assert [answer.name for answer in report.answers] == ["c", "a", "b"]
    assert report.seed == 11
    assert report.config["max_tool_calls"] == 3
    assert SECRET not in ended.out
    assert all(call.headers["authorization"] == f"Bearer {SECRET}" for call in models.calls())


def test_one_model_answers_when_the_panel_is_not_wanted(models, preset_file):
    ended = run_here("ask", "-p", preset_file(), "--invocation", "never", QUESTION)

    assert ended.code == 0
    assert ended.out == "The final answer of the writer.\n"
    assert ended.err.startswith("no panel, w answers alone: ")
    assert "one model answered; 1 call; " in ended.err
    assert [call.model for call in models.calls()] == ["w"]


def sourced(models, preset_file, tmp_path: Path) -> tuple[str, ...]:
    """Arguments of a run in which one panelist reads a page, and the writer breaks off once."""
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "water.md").write_text("# Water\n\nWater is wet.", "utf-8")
    look = {"tool_calls": [{"name": "web_search", "args": {"query": "water"}}]}
    models.script("a", look, {"text": "Water is wet [1]."})
    models.script(
        "w",
        {"text": "One two three four.", "close_after": 3},
        {"text": "Water is wet [Source 1], or dry [9]."},
    )
    preset = preset_file(max_tool_calls=2)
    return ("ask", "-p", preset, "--corpus", str(tmp_path / "notes"), QUESTION)


def test_on_a_pipe_a_void_draft_and_a_late_correction_are_said(models, preset_file, tmp_path):
    ended = run(*sourced(models, preset_file, tmp_path))

    assert ended.code == 0
    assert ended.out.startswith(
        f"One two three\n\n{SEPARATOR}\n\nWater is wet [Source 1], or dry [9]."
    )
    assert "what it wrote does not count" in ended.err
    assert "unknown_citation" in ended.err
    assert "The text above was corrected" in ended.err


def test_a_file_gets_the_final_text_only(models, preset_file, tmp_path):
    with (tmp_path / "answer.md").open("w") as file:
        ended = run(*sourced(models, preset_file, tmp_path), out=file)

    assert ended.code == 0
    written = (tmp_path / "answer.md").read_text("utf-8")
    assert written.startswith("Water is wet [1], or dry [9].\n\nSources:\n[1] ")
    assert "The text above was corrected" not in ended.err


def test_a_folder_is_asked_without_any_key(tmp_path: Path):
    folder = tmp_path / "notes"
    folder.mkdir()
    for name, text in {
        "tea.md": "# Tea\n\nGreen tea is brewed at 80 degrees. Black tea is brewed at 95 degrees.",
        "rules.txt": "Green tea is brewed at 80 degrees, since boiling water makes it bitter.",
        "coffee.md": "# Coffee\n\nCoffee is brewed at 93 degrees.",
    }.items():
        (folder / name).write_text(text, "utf-8")
    (folder / "prices.xlsx").write_bytes(b"PK")

    ended = run_here("ask", "--corpus", str(folder), "At how many degrees is green tea brewed?")

    assert ended.code == 0
    assert "80 degrees" in ended.out
    assert "tea.md" in ended.out
    assert ended.err.startswith("taking preset offline (no OPENROUTER_API_KEY")
    assert "--preset NAME takes another" in ended.err.splitlines()[0]
    assert 'keyword: searching "' in ended.err
    assert ": reading tea.md" in ended.err
    assert "not read: prices.xlsx: skipped, .xlsx is not read" in ended.err


def test_nobody_answering_is_exit_3_with_everybodys_reason(models, preset_file, monkeypatch):
    monkeypatch.setenv("SCRIPTED_KEY", SECRET)
    models_of_b = {"status": 404, "error": {"message": f"no such model for {SECRET}"}}
    preset = preset_file({"api_key_env": "SCRIPTED_KEY"})
    models.script("a", {"status": 401})
    models.script("b", models_of_b)
    models.script("c", {"text": ""})

    ended = run_here("ask", "--json", "-p", preset, QUESTION)

    assert ended.code == 3
    report = FusionReport.model_validate_json(ended.out)
    assert report.status == "error"
    assert [failure.reason for failure in report.failures] == [
        "auth",
        "invalid_model",
        "empty_answer",
    ]
    said = ended.err[ended.err.index("error: No panelist answered.") :].splitlines()[1:]
    assert [line.split(": ")[:2] for line in said] == [
        ["  a", "auth"],
        ["  b", "invalid_model"],
        ["  c", "empty_answer"],
    ]
    assert "Traceback" not in ended.err
    assert SECRET not in ended.out + ended.err


def test_a_reader_that_leaves_ends_it_quietly(models, preset_file):
    preset = preset_file()
    # More than a pipe holds, so that the writing is still on when the reader leaves.
    models.script("w", {"text": "All work and no play. " * 10_000, "chunks": 1000})

    with Child(
        [*COMMAND, "ask", "--quiet", "-p", preset, QUESTION],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(10) == b"All work a"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(PATIENCE) == 141


def test_a_cap_on_the_cost_ends_the_run_with_what_it_has(preset_file):
    done = run_here("ask", "--preset", preset_file(), "--max-cost", "0.001", "--json", "How wet?")

    report = json.loads(done.out)
    assert done.code == 0
    assert report["usage"]["total"]["cost_usd"] <= 0.003
    assert "max_cost_usd" in done.err


@pytest.mark.parametrize("option", ["--max-cost", "--timeout"])
def test_a_wrong_limit_is_named_by_its_option(preset_file, option):
    done = run_here("ask", "--preset", preset_file(), option, "-5", "How wet?")

    assert done.code == 2
    assert option in done.err
