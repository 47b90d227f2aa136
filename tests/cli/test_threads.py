"""`ask --thread` and `resume`: named runs, kept on disk, followed on and resumed."""

from __future__ import annotations

import json
import stat

import pytest

from tests.commands import run, run_here


@pytest.fixture(autouse=True)
def data_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("FUSION_GRAPH_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def test_a_second_question_follows_on_the_first(models, preset_file):
    preset = preset_file()

    run_here("ask", "--preset", preset, "--thread", "water", "How wet is water?")
    done = run("ask", "--preset", preset, "--thread", "water", "And ice?")

    assert done.code == 0
    said = json.dumps(models.calls("a")[1].body["messages"])
    assert "How wet is water?" in said
    assert "The final answer of the writer." in said
    assert "And ice?" in said


def test_other_threads_know_nothing_of_it(models, preset_file):
    preset = preset_file()

    run_here("ask", "--preset", preset, "--thread", "water", "How wet is water?")
    run_here("ask", "--preset", preset, "--thread", "fire", "How hot is fire?")

    assert "water?" not in json.dumps(models.calls("a")[1].body["messages"])


def test_a_finished_thread_is_told_again_and_nobody_is_asked(models, preset_file):
    first = run_here("ask", "--preset", preset_file(), "--thread", "water", "How wet is water?")
    calls = len(models.calls())

    again = run_here("resume", "water")

    assert (again.code, again.out) == (0, first.out)
    assert len(models.calls()) == calls


def test_the_configuration_is_kept_with_the_run(preset_file):
    run_here("ask", "--preset", preset_file(), "--seed", "3", "--thread", "water", "How wet?")

    report = json.loads(run_here("resume", "water", "--json", "--quiet").out)

    assert report["seed"] == 3
    assert report["thread_id"] == "water"


def test_threads_are_listed(preset_file):
    run_here("ask", "--preset", preset_file(), "--thread", "water", "How wet is water?")

    assert run_here("resume").out == "water\tdone\tHow wet is water?\n"


def test_without_threads_the_list_says_where_they_would_be(data_folder):
    assert run_here("resume").out == f"No threads in {data_folder / 'threads.sqlite'}.\n"


def test_an_unknown_thread_is_refused_with_the_known_ones(preset_file):
    run_here("ask", "--preset", preset_file(), "--thread", "water", "How wet is water?")

    done = run_here("resume", "fire")

    assert done.code == 2
    assert "no thread 'fire'" in done.err
    assert "water" in done.err


def test_a_question_asked_again_after_everybody_failed_asks_everybody_again(models, preset_file):
    preset = preset_file()
    for name in "abc":
        models.script(name, {"status": 401}, f"The answer of {name}.")
    command = ("ask", "--preset", preset, "--thread", "water", "How wet is water?")

    assert run_here(*command).code == 3
    done = run_here(*command)

    assert (done.code, done.out) == (0, "The final answer of the writer.\n")
    asked = [m for m in models.calls("a")[1].body["messages"] if m["role"] == "user"]
    assert len(asked) == 1


def test_the_file_is_for_the_users_eyes_only(preset_file, data_folder):
    run_here("ask", "--preset", preset_file(), "--thread", "water", "How wet is water?")

    assert stat.S_IMODE((data_folder / "threads.sqlite").stat().st_mode) == 0o600
    assert stat.S_IMODE(data_folder.stat().st_mode) == 0o700


def test_no_key_is_in_the_file(models, preset_file, data_folder, monkeypatch):
    monkeypatch.setenv("SCRIPTED_KEY", "very-secret-value")
    preset = preset_file(provider={"api_key_env": "SCRIPTED_KEY"})

    done = run_here("ask", "--preset", preset, "--thread", "water", "How wet is water?")

    assert done.code == 0
    assert models.calls("a")[0].headers["authorization"] == "Bearer very-secret-value"
    for file in data_folder.rglob("*.*"):
        assert b"very-secret-value" not in file.read_bytes()
