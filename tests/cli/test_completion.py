"""Shell completion: commands, options, names of presets and threads."""

from __future__ import annotations

import pytest

from tests.commands import run_here


def completed(*words: str) -> list[str]:
    """What bash would offer for the last word."""
    environment = {
        "_FUSION_GRAPH_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(["fusion-graph", *words]),
        "COMP_CWORD": str(len(words)),
    }
    return run_here(environment=environment).out.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("est",), ["estimate"]),
        (("ask", "--pane"), ["--panel", "--panel-policy"]),
        (("ask", "--preset", "off"), ["offline"]),
        (("presets", "bud"), ["budget"]),
    ],
)
def test_bash_is_offered_what_fits(words, offered):
    assert completed(*words) == offered


def test_threads_are_offered(preset_file, tmp_path, monkeypatch):
    monkeypatch.setenv("FUSION_GRAPH_DATA_DIR", str(tmp_path / "data"))
    run_here("ask", "--preset", preset_file(), "--thread", "heating", "Heat pump or pellets?")

    assert completed("resume", "he") == ["heating"]
    assert completed("resume", "x") == []


def test_bash_is_given_a_script_that_asks_for_them():
    # As `--show-completion` in bash; that looks which shell started the tests.
    script = run_here(environment={"_FUSION_GRAPH_COMPLETE": "source_bash"}).out
    assert "complete -o default -F" in script
