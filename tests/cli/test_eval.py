"""`fusion-graph eval`: from a stack file and a question set to a verdict, and what it says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from fusion_graph.cli.eval import STOPPED, EvaluationRequest, command, evaluate
from fusion_graph.errors import ConfigurationError, FusionError
from fusion_graph.evals.datasets import read_dataset
from tests.commands import run, run_here, start
from tests.evals.evaluations import PRICES, counts, question_file, script, stack_file


@pytest.fixture
def scripted(models, tmp_path):
    """`scripted(count, **fields)`: dataset, arms and out for the scripted panel."""
    script(models)

    def make(count: int = 2, **fields) -> dict[str, str]:
        stack = stack_file(models, tmp_path)
        return {
            "dataset": question_file(tmp_path, count, **fields),
            "arms": [f"{stack},{stack}:solo:c"],
            "out": str(tmp_path / "out"),
        }

    return make


def test_the_offline_preset_is_compared_with_its_panelists_without_key_or_grader(tmp_path):
    out = tmp_path / "out"

    ended = run_here(
        *("eval", "--dataset", "offline", "--arms", "offline,offline:solo"),
        *("--limit", "2", "--out", str(out)),
    )

    assert ended.code == 0, ended.err
    for name in ("keyword", "figures", "central"):
        assert f"offline:solo:{name}" in re.sub(r"\s", "", ended.out)
    assert "no difference shown" in ended.out
    assert "8 of 8 answers" in ended.err
    assert {path.name for path in out.iterdir()} == {
        "store",
        "answers.jsonl",
        "seconds.jsonl",
        "results.json",
        "summary.md",
        "summary.html",
    }
    data = json.loads((out / "results.json").read_text())
    assert data["command"] == (
        "fusion-graph eval --dataset offline --arms offline,offline:solo --limit 2"
    )
    assert data["grader"] is None
    assert data["configurations"][0]["corpus_sha256"]


def test_a_stack_file_goes_in_and_a_verdict_comes_out(models, scripted, capsys):
    assert evaluate(EvaluationRequest(**scripted(6))) == 0

    out, err = capsys.readouterr()
    assert "is better than" in out
    assert "+100.0" in out
    assert "12 of 12 answers" in err
    assert f"${6 * sum(PRICES.values()):.4f} so far" in err
    assert re.search(r"about \$\d+\.\d{4} to come", err)
    assert counts(models) == dict.fromkeys("abcjw", 6)


def test_what_it_will_cost_is_said_before_anybody_is_paid(models, scripted, capsys):
    given = scripted(2)
    with open(given["arms"][0].partition(",")[0], "a", encoding="utf-8") as file:
        prices = [f"{name} = {{ input = 1, output = 10 }}" for name in PRICES]
        file.write("\n[providers.scripted.prices]\n" + "\n".join(prices))
    for name in PRICES:
        models.script(name, {"status": 402})

    with pytest.raises(FusionError, match=r"insufficient_credits"):
        evaluate(EvaluationRequest(**given, max_cost=0.0001))

    _, err = capsys.readouterr()
    assert re.match(r"4 answers, about \$0\.\d{4} in all, grading included \(\$0\.", err)
    assert "--max-cost 0.0001 will probably stop it" in err


def test_quiet_says_nothing_but_the_result(scripted, capsys):
    assert evaluate(EvaluationRequest(**scripted(), quiet=True)) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_the_cap_stops_the_run_says_how_to_go_on_and_leaves_no_results(models, scripted, capsys):
    given = scripted(8)
    each = sum(PRICES.values())

    assert evaluate(EvaluationRequest(**given, max_cost=3 * each, concurrency=1)) == STOPPED
    out, err = capsys.readouterr()
    assert out == ""
    assert "higher --max-cost goes on" in err
    whole = int(re.search(r"--limit (\d+)", err)[1])
    assert not (Path(given["out"]) / "results.json").exists()

    before = len(models.calls())
    assert evaluate(EvaluationRequest(**given, max_cost=3 * each, limit=whole)) == 0
    assert len(models.calls()) == before

    assert evaluate(EvaluationRequest(**given, max_cost=100)) == 0
    assert counts(models) == dict.fromkeys("abcjw", 8)


def test_a_command_that_is_interrupted_says_that_it_can_go_on(models, scripted):
    given = scripted(4)
    for name in "abc":
        models.script(name, {"text": "Water is wet.", "hang": True})
    arms = ("--arms", *given["arms"])
    process = start("eval", "--dataset", given["dataset"], *arms, "--out", given["out"])
    models.calls(arrived=3)
    process.signal(2)
    ended = process.wait()

    assert ended.code == 130
    assert "the same command goes on" in ended.err


def test_a_model_that_marks_is_asked_and_named(models, scripted, capsys):
    models.script("g", '{"verdict": "CORRECT"}')
    given = scripted(2, reference="It is wet.")

    assert evaluate(EvaluationRequest(**given, grader="scripted:g", passes=1, policy="strict")) == 0

    assert counts(models)["g"] == 4
    data = json.loads((Path(given["out"]) / "results.json").read_text())
    assert data["grader"]["model"] == "scripted:g"
    assert data["policy"]["name"] == "strict"
    assert "--grader scripted:g --policy strict --passes 1" in data["command"]


def test_a_grader_without_its_key_is_found_before_anybody_is_paid(models, scripted):
    with pytest.raises(ConfigurationError) as caught:
        evaluate(EvaluationRequest(**scripted(1, reference="It is wet.")))

    assert "OPENROUTER_API_KEY" in str(caught.value)
    assert "--grader" in str(caught.value)
    assert models.calls() == []


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"dataset": "nowhere.jsonl"}, "there is no file nowhere.jsonl"),
        ({"dataset": "humanevil"}, "humaneval, fanoutqa, perlfaq"),
        ({"arms": ["nonsuch"]}, "no preset 'nonsuch'"),
        ({"policy": "lenient"}, "openrouter, strict"),
    ],
)
def test_what_cannot_work_is_said_in_words(wrong, says, scripted):
    with pytest.raises(ConfigurationError, match=re.escape(says)):
        evaluate(EvaluationRequest(**{**scripted(), **wrong}))


def test_a_published_set_is_asked_by_its_name(models, scripted, tmp_path, monkeypatch):
    item = {"id": "f1", "question": "Which hills are high?", "answer": {"Low Hill": 12}}
    package = tmp_path / "fanoutqa"
    (package / "data").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "data" / "fanout-final-dev.json").write_text(json.dumps([item]))
    monkeypatch.syspath_prepend(str(tmp_path))
    given = scripted()

    assert evaluate(EvaluationRequest(**{**given, "dataset": "fanoutqa"}, quiet=True)) == 0

    data = json.loads((Path(given["out"]) / "results.json").read_text())
    assert data["dataset"]["name"] == "fanoutqa"
    assert "--dataset fanoutqa" in data["command"]


def test_a_sample_asks_part_of_the_questions_and_is_part_of_the_command(models, scripted):
    given = scripted(6)

    assert evaluate(EvaluationRequest(**given, sample=2, seed=3, quiet=True)) == 0

    data = json.loads((Path(given["out"]) / "results.json").read_text())
    assert len(data["dataset"]["asked"]) == 2
    assert "--sample 2 --seed 3" in data["command"]
    assert "--max-cost" not in data["command"]


def test_the_command_can_be_given_to_a_shell_again():
    request = EvaluationRequest(dataset="my set.jsonl", arms=["a,b", "c"])
    assert command(request, None) == "fusion-graph eval --dataset 'my set.jsonl' --arms a,b,c"


def test_the_bundled_questions_are_enough_and_all_marked_by_code():
    import fusion_graph.evals

    path = Path(fusion_graph.evals.__file__).parent / "offline_questions.jsonl"
    questions = read_dataset(path).questions
    assert len(questions) >= 40
    assert not any(question.wants_grader for question in questions)
    assert all(question.domain for question in questions)


WITHOUT_PROGRAMS = {"PATH": ""}


def test_without_bubblewrap_questions_of_code_are_refused_before_anybody_is_paid(models, scripted):
    given = scripted(tests="assert f(2) == 4")
    arguments = ("--dataset", given["dataset"], "--arms", given["arms"][0], "--out", given["out"])

    ended = run("eval", *arguments, environment=WITHOUT_PROGRAMS)

    assert ended.code == 2
    assert ended.err.startswith("error: Answers in code cannot be run safely here: bubblewrap ")
    assert "`apt install bubblewrap`" in ended.err
    assert "--unconfined" in ended.err
    assert counts(models) == {}


def test_whoever_trusts_the_code_needs_no_bubblewrap_and_the_command_says_so(scripted):
    given = scripted(1, tests="assert f(2) == 4")
    arguments = ("--dataset", given["dataset"], "--arms", given["arms"][0], "--out", given["out"])

    ended = run("eval", *arguments, "--unconfined", environment=WITHOUT_PROGRAMS)

    assert ended.code == 0, ended.err
    results = json.loads((Path(given["out"]) / "results.json").read_text())
    assert results["command"].endswith(" --unconfined")
