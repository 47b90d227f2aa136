"""`fusion-graph estimate`: what a question would cost, without asking anybody."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from fusion_graph.cli.estimate import estimate_question
from fusion_graph.config.presets.files import SHIPPED
from fusion_graph.errors import ConfigurationError, EmptyQuestion
from tests.commands import run_here

QUESTION = "Is fasting safe with metformin?"
CASES = ("low", "likely", "high")


def data(capsys: pytest.CaptureFixture[str], question: str = QUESTION, **options: Any) -> Any:
    """What `estimate --json` prints; in this process, since starting one takes seconds."""
    assert estimate_question(question, options, as_json=True) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("preset", SHIPPED)
def test_every_shipped_preset_is_estimated_without_a_key(preset, capsys):
    found = data(capsys, preset=preset)

    low, likely, high = (found["total"][case]["cost_usd"] for case in CASES)
    assert found["preset"] == preset
    assert found["unknown"] == []
    if preset in ("local", "offline"):
        assert (low, likely, high, found["multiple"]) == (0, 0, 0, None)
    else:
        assert 0 < low < likely < high
        assert found["multiple"] > 1
        assert found["single_usd"] > 0


def test_the_table_has_each_stage_the_total_and_the_multiple():
    ended = run_here("estimate", "--preset", "frontier", QUESTION)

    assert (ended.code, ended.err) == (0, "")
    rows = {line.split()[0]: line for line in ended.out.splitlines() if line.strip()}
    for name in ("panel", "judge", "synthesis", "total"):
        assert len(re.findall(r"\$[\d.,]+, \d+ calls?", rows[name])) == 3
    assert all(case in ended.out for case in CASES)
    assert "openrouter:anthropic/claude-fable-5" in ended.out
    assert re.search(r"costs [\d.]+ times that", ended.out)
    assert "\x1b" not in ended.out
    assert "\n\n\n" not in ended.out


def test_a_preset_that_finds_nothing_says_what_was_taken_instead(capsys):
    auto, local = data(capsys, preset="auto"), data(capsys, preset="local")

    assert "found no API key" in auto["panel_from"]
    assert "openai:gpt-5.5" in auto["panel_from"]
    assert "found no model server" in local["panel_from"]


def test_a_discovering_preset_takes_the_keys_that_are_set(monkeypatch, capsys):
    monkeypatch.setenv("OPENAI_API_KEY", "x" * 20)

    assert list(data(capsys, preset="auto")["models"]) == ["openai:gpt-5.5"]


def test_without_a_preset_the_choice_is_said():
    ended = run_here("estimate", QUESTION)

    assert ended.code == 0
    assert "preset offline (" in ended.out
    assert "nothing to compare" in ended.out


def test_the_options_of_ask_count(capsys):
    def likely(**options: Any) -> float:
        options = {"panel": ["openai:gpt-5.5,openai:gpt-5.4-mini"], **options}
        return float(data(capsys, **options)["total"]["likely"]["cost_usd"])

    whole = likely()
    for less in (
        {"judge": "openai:gpt-5.4-mini"},
        {"synthesizer": "openai:gpt-5.4-mini"},
        {"search": "none"},
        {"max_tool_calls": 1},
        {"invocation": "never"},
    ):
        assert likely(**less) < whole
    assert likely(preset="openai") < likely(preset="openai", panel=None)


def test_an_unknown_price_is_named_and_leaves_no_sum():
    ended = run_here("estimate", "--panel", "openai:gpt-5.5,lab:one", QUESTION)

    assert ended.code == 0
    assert "Nobody knows the price of lab:one" in ended.out
    total = next(line for line in ended.out.splitlines() if line.startswith(" total"))
    assert total.count("unknown") == 3
    assert "times that" not in ended.out


def test_prices_of_a_preset_file_are_taken_and_nobody_is_asked(models, preset_file):
    path = preset_file(max_cost_usd=0.5)
    with open(path, "a", encoding="utf-8") as file:
        for name in "abcjw":
            file.write(f"\n[providers.scripted.prices.{name}]\ninput = 1.0\noutput = 2.0\n")

    ended = run_here("estimate", "--preset", path, QUESTION)

    assert (ended.code, ended.err) == (0, "")
    assert "unknown" not in ended.out
    assert "max_cost_usd: $0.5000" in ended.out
    assert models.calls() == []


def test_the_question_may_come_from_standard_input(capsys):
    ended = run_here("estimate", "-p", "openai", "--json", "-", stdin=QUESTION * 500)

    long, short = json.loads(ended.out), data(capsys, preset="openai")
    assert long["total"]["low"]["cost_usd"] > short["total"]["low"]["cost_usd"]


@pytest.mark.parametrize(
    ("question", "options", "said"),
    [
        (" ", {}, "question is empty"),
        (QUESTION, {"preset": "no-such"}, "no-such"),
        (QUESTION, {"panel": ["nonsense"]}, "--panel"),
        (QUESTION, {"max_tool_calls": 99}, "--max-tool-calls is 99"),
        (QUESTION, {"invocation": "maybe"}, "--invocation"),
        (QUESTION, {"corpus": "x", "search": "ddgs"}, "--corpus"),
    ],
)
def test_wrong_options_are_refused_by_name(question, options, said):
    with pytest.raises((ConfigurationError, EmptyQuestion), match=said):
        estimate_question(question, options, as_json=False)


@pytest.mark.parametrize(
    ("args", "said"), [(("--preset", "no-such", QUESTION), "no-such"), ((), "QUESTION")]
)
def test_wrong_usage_ends_with_2_and_one_line(args, said):
    ended = run_here("estimate", *args)

    assert ended.code == 2
    assert ended.out == ""
    assert said in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ("exa", "Searches come on a bill of their own (exa): at most 16 of the panel's, $0.1120."),
        ("provider", "nobody can bound it: high may be exceeded."),
        ("ddgs", None),
    ],
)
def test_what_is_left_out_of_searches_is_said(capsys, search, said):
    assert estimate_question(QUESTION, {"preset": "frontier", "search": search}, as_json=False) == 0

    printed = " ".join(capsys.readouterr().out.split())
    assert said is None or said in printed
    assert ("bill" in printed) is (said is not None)
