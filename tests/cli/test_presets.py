"""`fusion-graph presets`."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from fusion_graph.config.presets import load
from tests.commands import run_here

SECRET = "sk-very-secret-4711"
OWN = f"""
description = "Mine: \\"quoted\\" and ümlaut"
panel = ["lab:one", {{ model = "lab:two", name = "second", temperature = 0.5 }}]
judge = "openai:gpt-5.5"
allowed_domains = ["example.org"]
judge_tools = true

[providers.lab]
base_url = "http://me:{SECRET}@127.0.0.1:9/v1"
api_key_env = "LAB_KEY"
headers = {{ "X-Token" = "{SECRET}" }}
prices = {{ "vendor/one" = {{ input = 0.5, output = 1.0 }} }}
"""


@pytest.fixture
def own_presets(presets_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's preset folder, with a good file and a bad one."""
    (presets_folder / "mine.toml").write_text(OWN, "utf-8")
    (presets_folder / "bad.toml").write_text("panel = 3", "utf-8")
    monkeypatch.setenv("LAB_KEY", SECRET)
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    return presets_folder


def test_the_table_has_every_preset_its_models_and_its_keys(own_presets):
    ended = run_here("presets")

    assert (ended.code, ended.err) == (0, "")
    for text in (
        "openrouter:moonshotai/kimi-k2.6",
        "judge and writer: openrouter:~anthropic/claude-opus-latest",
        "OPENROUTER_API_KEY not set",
        "OPENAI_API_KEY set",
        "LAB_KEY set",
        "none needed",
        str(own_presets.parent.name),
    ):
        assert text in ended.out
    rows = {line.split()[0]: line for line in ended.out.splitlines() if line[:2].strip()}
    assert "cannot be used" in rows["bad"]
    assert 'Mine: "quoted" and ümlaut' in rows["mine"]
    assert {"quality", "budget", "self", "auto", "local", "offline"} <= rows.keys()
    assert SECRET not in ended.out
    assert "\x1b" not in ended.out


def test_one_preset_is_a_file_that_loads_again_and_holds_no_secret(own_presets, tmp_path):
    ended = run_here("presets", "mine")

    assert (ended.code, ended.err) == (0, "")
    assert str(own_presets / "mine.toml") in ended.out.splitlines()[0]
    assert "# Keys: LAB_KEY (set), OPENAI_API_KEY (set)" in ended.out
    assert SECRET not in ended.out
    shown, written = tomllib.loads(ended.out), tomllib.loads(OWN)
    lab = written["providers"]["lab"]
    lab.update(headers={"X-Token": "***"}, base_url="http://***@127.0.0.1:9/v1")
    assert shown == written


@pytest.mark.parametrize("name", ["budget", "auto", "local", "offline"])
def test_shipped_presets_round_trip_as_text(name, tmp_path):
    from fusion_graph.cli.presets import toml_text

    shipped = load(name)
    copy = tmp_path / f"{name}.toml"
    copy.write_text(toml_text(shipped), "utf-8")

    again = load(str(copy))
    assert (again.fields, again.candidates) == (shipped.fields, shipped.candidates)
    assert (again.description, again.discover) == (shipped.description, shipped.discover)


def test_the_list_as_json_says_who_answers_and_which_keys_are_there(monkeypatch):
    monkeypatch.setenv("OPENROUTER_API_KEY", "a-key")

    presets = {preset["name"]: preset for preset in json.loads(run_here("presets", "--json").out)}

    assert presets["quality"]["keys"] == {"OPENROUTER_API_KEY": True}
    assert len(presets["quality"]["panel"]) == 3
    assert presets["quality"]["judge"] == presets["quality"]["synthesizer"]
    assert presets["offline"]["problem"] is None
    assert presets["local"]["problem"]
    assert "a-key" not in json.dumps(presets)
