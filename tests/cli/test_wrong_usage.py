"""Wrong usage and configuration: exit 2, one line that names the thing, no traceback."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fusion_graph.cli.ask import named_by_option, split_models
from tests.commands import run, run_here

FILES = {
    "broken.toml": 'panel = ["openai:a"',
    "typo.toml": 'panell = ["openai:a"]',
    "range.toml": 'panel = ["openai:a"]\nmax_tool_calls = 99',
    "stranger.toml": 'panel = ["nobody:a"]\nsearch = "none"',
    "keyless.toml": 'panel = ["lab:a"]\nsearch = "none"\n'
    '[providers.lab]\nbase_url = "http://127.0.0.1:9/v1"\napi_key_env = "LAB_KEY"',
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with preset files of every kind of mistake, and two unusable corpora."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, "utf-8")
    (tmp_path / "empty").mkdir()
    (tmp_path / "locked").mkdir()
    (tmp_path / "locked" / "note.md").write_text("A note.")
    (tmp_path / "locked").chmod(0)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (["ask", "-p", "nope", "Q"], ["There is no preset 'nope'", "Known: quality, budget"]),
        (["ask", "-p", "nope.toml", "Q"], ["There is no preset file nope.toml"]),
        (["ask", "-p", "broken.toml", "Q"], ["broken.toml is not valid TOML"]),
        (["ask", "-p", "typo.toml", "Q"], ["typo.toml", "Unknown field 'panell'", "panel,"]),
        (["ask", "-p", "range.toml", "Q"], ["range.toml", "max_tool_calls", "99", "16"]),
        (["ask", "-p", "stranger.toml", "Q"], ["'nobody:a'", "[providers.nobody]"]),
        (["ask", "-p", "keyless.toml", "Q"], ["'lab:a'", "LAB_KEY is not set", "Set LAB_KEY"]),
        (["ask", "  \n"], ["The question is empty", "fusion-graph ask"]),
        (["ask", "-"], ["Nothing came from standard input"]),
        (["ask", "--corpus", "missing", "Q"], ["missing", "does not exist", "Check the path"]),
        (["ask", "--corpus", "empty", "Q"], ["empty", "no document", ".md"]),
        (["ask", "--corpus", "empty", "--search", "ddgs", "Q"], ["--corpus", "--search ddgs"]),
        (["ask", "--max-tool-calls", "17", "Q"], ["--max-tool-calls is 17", "16"]),
        (["ask", "--max-tool-calls", "x", "Q"], ["--max-tool-calls", "valid integer"]),
        (["ask", "--panel", "gpt-5.5", "Q"], ["--panel is 'gpt-5.5'", "provider:model"]),
        (["ask", "--invocation", "maybe", "Q"], ["--invocation is 'maybe'", "'auto'"]),
        (["ask", "--frobnicate", "Q"], ["--frobnicate", "fusion-graph ask --help"]),
        (["ask"], ["QUESTION", "fusion-graph ask --help"]),
        (["asks", "Q"], ["'asks'", "Did you mean 'ask'"]),
        (["presets", "nope"], ["There is no preset 'nope'"]),
    ],
    ids=lambda value: " ".join(value) if "ask" in value[0] or "presets" in value[0] else "",
)
def test_one_line_names_the_thing_and_the_remedy(place, args, named):
    ended = run_here(*args)

    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: ")
    assert ended.err.count("\n") == 1
    for words in named:
        assert words in ended.err


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all")
def test_an_unreadable_folder_is_named(place):
    ended = run("ask", "--corpus", "locked", "Q")

    assert ended.code == 2
    assert "locked: it cannot be read (Permission denied)" in ended.err
    assert ended.err.count("\n") == 1


def test_models_are_split_at_commas_and_blank_ones_stay_to_be_named():
    assert split_models(["a:x, b:y", "c:z"]) == ["a:x", "b:y", "c:z"]
    assert split_models(["a:x,"]) == ["a:x", ""]


def test_a_field_is_named_by_its_option():
    assert named_by_option("Field 'max_tool_calls' is 17:") == "--max-tool-calls is 17:"
    assert named_by_option("Unknown field 'x'.") == "Unknown field 'x'."
