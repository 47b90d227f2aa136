"""`fusion-graph code`: from the question and a file of tests to code that passed them."""

from __future__ import annotations

import json

import pytest

from fusion_graph.errors import SandboxUnavailable
from fusion_graph.sandbox import wall
from tests.commands import run, run_here

RIGHT = "Here:\n\n```python\ndef triple(x):\n    return x * 3\n```"
WRONG = "```python\ndef triple(x):\n    return x ** 3\n```"
TESTS = "```python\nassert triple(1) == 3\nassert triple(5) == 15\n```"


@pytest.fixture
def bubblewrap() -> None:
    """A machine on which code can be confined; elsewhere the test is skipped, and says why."""
    try:
        wall()
    except SandboxUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture
def tests_file(tmp_path) -> str:
    path = tmp_path / "test_triple.py"
    path.write_text("def test_triple():\n    assert triple(2) == 6\n", "utf-8")
    return str(path)


def test_the_code_that_passes_the_tests_of_a_file_is_printed_with_its_record(
    bubblewrap, models, preset_file, tests_file, tmp_path
):
    models.script("a", WRONG, TESTS)
    models.script("b", RIGHT, TESTS)
    models.script("c", WRONG, TESTS)
    report = tmp_path / "run.html"

    ended = run(
        *("code", "--preset", preset_file(), "--tests", tests_file, "--report", str(report)),
        "Write triple(x)",
    )

    assert ended.code == 0, ended.err
    assert ended.out.strip().endswith(RIGHT)
    assert "The code of b, as it stands, chosen by running it: it passes your tests" in ended.out
    assert "code: a: fails your tests" in ended.err
    assert "code: best: b" in ended.err
    # The members see what is asked of their code.
    asked = str(models.calls("a")[0].body["messages"])
    assert "assert triple(2) == 6" in asked
    assert "What running the code showed" in report.read_text("utf-8")


def test_where_no_code_passes_the_exit_code_says_so_and_the_report_why(
    bubblewrap, models, preset_file, tests_file
):
    for name in "abc":
        models.script(name, WRONG)

    ended = run_here(
        *("code", "--preset", preset_file(), "--tests", tests_file, "--json", "-q"), "Triple"
    )

    assert ended.code == 3
    data = json.loads(ended.out)
    assert data["code"]["reason"] == "none_passes_given"
    assert data["code"]["candidates"][0]["given"] == "failed"
    assert [loss["code"] for loss in data["degradations"]] == ["no_code_passes"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--tests", "nowhere.py"], "--tests: nowhere.py cannot be read (No such file"),
        (["--language", "rust"], "--language is rust. Only python can be run"),
        (["--max-tool-calls", "99"], "--max-tool-calls is 99"),
    ],
)
def test_wrong_usage_is_told_before_anybody_is_asked(models, preset_file, arguments, words):
    ended = run_here("code", "--preset", preset_file(), *arguments, "Write triple(x)")

    assert ended.code == 2
    assert words in ended.err
    assert models.calls() == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("assert triple(2 ==\n", "this is not Python, line 1"),
        ("assert 1 == 1\n", "they use nothing of the code that they test"),
    ],
)
def test_a_file_that_tests_nothing_is_refused_by_its_name(
    models, preset_file, tmp_path, text, words
):
    path = tmp_path / "empty.py"
    path.write_text(text, "utf-8")

    ended = run_here("code", "--preset", preset_file(), "--tests", str(path), "Write triple(x)")

    assert ended.code == 2
    assert words in ended.err
    assert "empty.py" in ended.err
    assert models.calls() == []


def test_without_bubblewrap_nothing_is_asked_and_the_remedy_is_told(models, preset_file, tmp_path):
    empty = tmp_path / "bin"
    empty.mkdir()

    ended = run(
        "code", "--preset", preset_file(), "Write triple(x)", environment={"PATH": str(empty)}
    )

    assert ended.code == 2
    assert "Install bubblewrap" in ended.err
    assert "--unconfined" in ended.err
    assert models.calls() == []
