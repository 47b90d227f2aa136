"""`fusion-graph stacks`: what was recorded, and stacks that are shared with their verdict."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from fusion_graph.cli.eval import EvaluationRequest, evaluate
from fusion_graph.cli.stacks import export_stack, import_stack, show_stacks
from fusion_graph.config.presets import load
from fusion_graph.cost.track_record import read, record_file
from fusion_graph.errors import ConfigurationError, PresetFileError
from tests.evals.evaluations import question_file, script, stack_file


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FUSION_GRAPH_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def recorded(models, tmp_path, capsys) -> str:
    """Path of a stack of which an evaluation of six questions was recorded."""
    script(models)
    stack = stack_file(models, tmp_path)
    request = EvaluationRequest(
        dataset=question_file(tmp_path, 6),
        arms=[f"{stack},{stack}:solo"],
        out=str(tmp_path / "out"),
        record=True,
    )
    assert evaluate(request) == 0
    assert "recorded: 24 answers" in capsys.readouterr().err
    return stack


def test_nothing_is_recorded_unless_it_is_asked_for(models, tmp_path, capsys):
    script(models)
    stack = stack_file(models, tmp_path)
    evaluate(EvaluationRequest(question_file(tmp_path, 1), [stack], out=str(tmp_path / "out")))

    assert not record_file().exists()
    capsys.readouterr()
    assert show_stacks() == 0
    assert "Nothing is recorded yet" in capsys.readouterr().out


def test_every_stack_stands_there_with_its_score_and_cost_and_no_question(recorded, capsys):
    assert show_stacks() == 0

    rows = capsys.readouterr().out
    assert rows.count("questions.jsonl") == 4
    assert all(f" {score} " in rows for score in ("100.0", "50.0", "0.0"))
    entries = read(record_file()).entries
    points = {e.arm.removeprefix(recorded): [] for e in entries}
    for e in entries:
        points[e.arm.removeprefix(recorded)].append(e.points)
    assert points == {
        "": [100] * 6,
        ":solo:a": [100] * 6,
        ":solo:b": [0, 100] * 3,
        ":solo:c": [0] * 6,
    }
    assert "wet" not in record_file().read_text("utf-8")


def test_a_line_that_cannot_be_read_is_told_and_the_others_are_shown(recorded, capsys):
    with record_file().open("a") as file:
        file.write("{\n")

    assert show_stacks() == 0

    out, err = capsys.readouterr()
    assert "Line 25 of track-record.jsonl is no JSON object" in err
    assert "100.0" in out


def test_a_stack_is_shared_as_one_file_with_its_verdict(recorded, capsys):
    assert export_stack(recorded) == 0

    shared = tomllib.loads(capsys.readouterr().out)
    assert shared["panel"] == ["scripted:a", "scripted:b", "scripted:c"]
    verdict = shared["verdict"]
    assert (verdict["questions"], verdict["score"]) == (6, 100)
    assert (verdict["best_member"], verdict["best_member_score"]) == ("scripted:a", 100)
    assert verdict["lead"] == 0
    assert verdict["lead_says"] == "no difference shown"
    assert verdict["usd_each"] == pytest.approx(0.008)


def test_a_stack_that_was_changed_since_goes_without_a_verdict_and_says_so(recorded, capsys):
    path = Path(recorded)
    path.write_text(path.read_text("utf-8").replace('"scripted:c"', '"scripted:a"'), "utf-8")

    assert export_stack(recorded) == 0

    out, err = capsys.readouterr()
    assert "verdict" not in tomllib.loads(out)
    assert "goes without a verdict" in err


def test_a_shared_stack_is_a_preset_once_it_is_imported(recorded, presets_folder, tmp_path, capsys):
    export_stack(recorded)
    file = tmp_path / "theirs.toml"
    file.write_text(capsys.readouterr().out, "utf-8")

    assert import_stack(str(file)) == 0

    out, err = capsys.readouterr()
    assert str(presets_folder / "theirs.toml") in out
    assert "It may send questions to scripted at http://" in err
    preset = load("theirs")
    assert preset.fields["panel"] == load(recorded).fields["panel"]
    assert preset.verdict["score"] == 100
    assert show_stacks() == 0
    assert "theirs, as its file says: dataset questions.jsonl" in capsys.readouterr().out

    assert import_stack(str(file)) == 0  # the same again changes nothing
    file.write_text(file.read_text("utf-8") + "# changed\n", "utf-8")
    with pytest.raises(ConfigurationError, match="there is a preset theirs already"):
        import_stack(str(file))


def test_what_cannot_be_a_stack_is_refused_and_nothing_is_written(presets_folder, tmp_path):
    bad = tmp_path / "bad.toml"
    bad.write_text('panel = ["offline:keyword"]\n[verdict]\nscore = [1]\n', "utf-8")

    with pytest.raises(PresetFileError, match="'verdict' is not a table"):
        import_stack(str(bad))
    with pytest.raises(ConfigurationError, match="There is no preset file"):
        import_stack(str(tmp_path / "none.toml"))
    with pytest.raises(ConfigurationError, match=r"is not a \.toml file"):
        import_stack("budget")
    shipped = tmp_path / "budget.toml"
    shipped.write_text('panel = ["offline:keyword"]\n', "utf-8")
    with pytest.raises(ConfigurationError, match="there is a preset budget already"):
        import_stack(str(shipped))
    assert list(presets_folder.iterdir()) == []


def test_a_verdict_cannot_write_to_the_terminal(presets_folder, capsys):
    (presets_folder / "theirs.toml").write_text(
        'panel = ["offline:keyword"]\n[verdict]\nscore = "\\u001b[31mred\\nline"\n', "utf-8"
    )

    assert show_stacks() == 0

    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "red" in out
