"""`fusion-graph stacks`: what was recorded, and stacks that are shared with their verdict."""

from __future__ import annotations

import io
import json
import tomllib
from contextlib import redirect_stderr
from pathlib import Path

import pytest

from fusion_graph.cli.estimate import estimate_question
from fusion_graph.cli.eval import EvaluationRequest, evaluate
from fusion_graph.cli.presets import show_preset
from fusion_graph.cli.stacks import export_stack, import_stack, show_stacks
from fusion_graph.config.presets import load
from fusion_graph.cost.track_record import Entry, append, read, record_file
from fusion_graph.errors import ConfigurationError, PresetFileError
from fusion_graph.evals.arms import open_arms
from fusion_graph.evals.recorded import stack_of
from tests.evals.evaluations import question_file, script, stack_file
from tests.scripted_models import ModelServer


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FUSION_GRAPH_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture(scope="module")
def evaluation(
    model_server: ModelServer, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str, str]:
    """A stack of which an evaluation of six questions was recorded: path, its text, the record."""
    folder = tmp_path_factory.mktemp("evaluation")
    models = model_server.scope()
    script(models)
    stack = stack_file(models, folder)
    request = EvaluationRequest(
        dataset=question_file(folder, 6),
        arms=[f"{stack},{stack}:solo"],
        out=str(folder / "out"),
        record=True,
    )
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as environment, redirect_stderr(said):
        environment.setenv("FUSION_GRAPH_DATA_DIR", str(folder / "data"))
        environment.setenv("FUSION_GRAPH_CONFIG_DIR", str(folder / "config"))
        assert evaluate(request) == 0
        record = record_file().read_text("utf-8")
    models.clear()
    assert "recorded: 24 answers" in said.getvalue()
    return Path(stack), Path(stack).read_text("utf-8"), record


@pytest.fixture
def recorded(evaluation: tuple[Path, str, str], data_folder: Path) -> str:
    """Path of a stack of which an evaluation of six questions was recorded."""
    stack, text, record = evaluation
    stack.write_text(text, "utf-8")
    record_file().parent.mkdir(parents=True, exist_ok=True)
    record_file().write_text(record, "utf-8")
    return str(stack)


def test_nothing_is_recorded_unless_it_is_asked_for(models, tmp_path, capsys):
    script(models)
    stack = stack_file(models, tmp_path)
    evaluate(EvaluationRequest(question_file(tmp_path, 1), [stack], out=str(tmp_path / "out")))

    assert not record_file().exists()
    capsys.readouterr()
    assert show_stacks() == 0
    assert "Nothing is recorded yet" in capsys.readouterr().out


@pytest.mark.slow
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


def solo(right: dict[str, int]) -> list[Entry]:
    """Of six questions each model got so many right by itself."""
    made = {"made": "2026-11-27", "dataset": "d", "sha256": "0", "arm": "x", "kind": "solo"}
    took = {"cost_usd": 0.01, "tokens": 900, "seconds": 2}
    return [
        Entry(
            **made,
            **took,
            question=f"q{number}",
            stack=name,
            models=(f"scripted:{name}",),
            points=100 if number < count else 0,
        )
        for name, count in right.items()
        for number in range(6)
    ]


def test_presets_and_estimate_say_what_was_recorded_of_their_members(models, tmp_path, capsys):
    stack = stack_file(models, tmp_path)
    entries = solo({"a": 6, "b": 3, "c": 0})
    whole = {"kind": "panel", "stack": "p", "models": tuple(f"scripted:{name}" for name in "abc")}
    whole |= {"judge": "scripted:j", "writer": "scripted:w", "tokens": 5_000, "cost_usd": 0.05}
    append([*entries, *(entry.model_copy(update=whole) for entry in entries[:2])], record_file())

    assert show_preset(stack) == 0
    shown = capsys.readouterr().out
    assert [line for line in shown.splitlines() if line.startswith("# scripted:")] == [
        f"# scripted:{name} in your own evaluations: {right} of 6 right, "
        "$0.0100 and 2.0 s an answer"
        for name, right in (("a", 6), ("b", 3), ("c", 0))
    ]

    assert estimate_question("How wet is water?", {"preset": stack}, as_json=False) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "scripted:a (6), scripted:b (6), scripted:c (6)." in told
    assert "This panel in your own evaluations, 2 questions: $0.0500, 5,000 tokens" in told


def test_an_estimate_goes_without_a_record_that_cannot_be_opened(models, tmp_path, capsys):
    record_file().mkdir(parents=True)
    stack = stack_file(models, tmp_path)

    assert estimate_question("How wet is water?", {"preset": stack}, as_json=False) == 0

    found = capsys.readouterr()
    assert "your own evaluations" not in found.out
    assert "track-record.jsonl cannot be read" in found.err


def test_an_adaptive_arm_is_another_one_with_other_scouts_and_a_full_one_the_same(models, tmp_path):
    stack = stack_file(models, tmp_path)
    (unknown,) = open_arms([f"{stack}:adaptive"])
    append(solo({"a": 6, "b": 3, "c": 0}), record_file())
    (known,), (full,) = open_arms([f"{stack}:adaptive"]), open_arms([stack])
    append(solo({"b": 0, "c": 6}), record_file())
    (turned,) = open_arms([f"{stack}:adaptive"])

    assert [arm.settings.scouts for arm in (unknown, known, turned)] == [
        ["a", "b"],
        ["a", "b"],
        ["a", "c"],
    ]
    assert stack_of(unknown) == stack_of(known) != stack_of(turned)
    assert full.settings.scouts is None
    assert open_arms([stack])[0].public() == full.public()


def test_an_evaluation_records_whether_two_were_enough(models, tmp_path, capsys):
    script(models)
    stack = stack_file(models, tmp_path)
    agreed = {"consensus": [{"point": "Wet.", "labels": ["A", "B"], "sources": []}]}
    for name in "ab":
        models.script(name, "Wet.")
    models.script("j", json.dumps(agreed))
    request = EvaluationRequest(
        dataset=question_file(tmp_path, 2),
        arms=[f"{stack},{stack}:adaptive,{stack}:solo:a"],
        out=str(tmp_path / "out"),
        record=True,
    )

    assert evaluate(request) == 0

    found = {(e.kind, e.stopped, e.judge, e.writer) for e in read(record_file()).entries}
    assert found == {
        ("panel", None, "scripted:j", "scripted:w"),
        ("adaptive", True, "scripted:j", "scripted:w"),
        ("solo", None, "", ""),
    }
