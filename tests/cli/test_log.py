"""`fusion-graph log`: what was asked on this machine, and what came of it."""

from __future__ import annotations

import json
import stat

import pytest

from tests.commands import run_here

ANSWER = "The final answer of the writer."


@pytest.fixture(autouse=True)
def data_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("FUSION_GRAPH_LOG", "on")
    monkeypatch.setenv("FUSION_GRAPH_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def test_runs_are_listed_and_shown_again_without_asking_anybody(models, preset_file):
    preset = preset_file()
    run_here("ask", "--preset", preset, "How wet is water?")
    run_here("ask", "--preset", preset, "How cold is ice?", "--thread", "ice")
    calls = len(models.calls())

    lines = run_here("log").out.splitlines()
    fields = [line.split("\t") for line in lines]
    id = fields[0][0]
    report = run_here("log", id[:6], "--json")
    page = run_here("report", "--text", "-", stdin=report.out)

    assert [line[5] for line in fields] == ["[ice] How cold is ice?", "How wet is water?"]
    assert {line[2] for line in fields} <= {"ok", "degraded"}
    assert run_here("log", id).out == f"{ANSWER}\n"
    assert json.loads(report.out)["question"] == "How cold is ice?"
    assert ANSWER in page.out
    assert len(run_here("log", "-n", "1").out.splitlines()) == 1
    data = json.loads(run_here("log", "--json").out)
    assert [run["question"] for run in data] == ["How cold is ice?", "How wet is water?"]
    assert data[0]["cost_usd"] == json.loads(report.out)["usage"]["total"]["cost_usd"]
    assert len(models.calls()) == calls


def test_a_run_that_nobody_answered_is_logged(models, preset_file):
    for name in "abc":
        models.script(name, {"status": 400, "error": {"message": "no"}})

    assert run_here("ask", "--preset", preset_file(), "How wet?").code == 3

    assert run_here("log").out.split("\t")[2] == "error"


def test_the_log_is_for_its_owners_eyes_can_be_cleared_and_turned_off(
    preset_file, data_folder, monkeypatch
):
    preset = preset_file()
    run_here("ask", "--preset", preset, "How wet is water?")
    file = data_folder / "runs.sqlite"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    assert "removed 1 run from the log" in run_here("log", "--clear").err
    assert b"How wet" not in file.read_bytes()
    monkeypatch.setenv("FUSION_GRAPH_LOG", "off")
    run_here("ask", "--preset", preset, "How wet is water?")

    assert run_here("log").out == f"No runs in {file}; FUSION_GRAPH_LOG is off.\n"


def test_a_log_that_cannot_be_written_costs_no_answer(preset_file, data_folder):
    data_folder.mkdir()
    (data_folder / "runs.sqlite").write_text("no database at all\n" * 99)

    done = run_here("ask", "--preset", preset_file(), "How wet is water?")

    assert (done.code, done.out) == (0, f"{ANSWER}\n")
    assert "warning: the run was not logged" in done.err
    listed = run_here("log")
    assert listed.code == 2
    assert "FUSION_GRAPH_LOG=off" in listed.err


def test_an_unknown_run_is_refused(data_folder):
    refused = run_here("log", "ffff")
    assert refused.code == 2
    assert "fusion-graph log" in refused.err
