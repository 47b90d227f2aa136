"""The track record: what is appended is read, and a broken line costs no other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fusion_graph.cost.standings import panel_standing, standings
from fusion_graph.cost.track_record import (
    LINE_BYTES,
    Entry,
    append,
    own_record,
    read,
    record_file,
)
from fusion_graph.errors import ConfigurationError


def entry(question: str = "q1", **fields: Any) -> Entry:
    given = {
        "made": "2026-11-27T12:00:00+00:00",
        "dataset": "mine.jsonl",
        "sha256": "0" * 64,
        "question": question,
        "arm": "p:solo:a",
        "kind": "solo",
        "stack": "s1",
        "models": ("lab:a",),
        "points": 100.0,
        "cost_usd": 0.01,
        "tokens": 100,
        "seconds": 2.0,
    }
    return Entry(**{**given, **fields})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "track-record.jsonl"


def test_what_was_appended_is_read_again_in_its_order(path):
    append([entry("q1")], path)
    append([entry("q2", points=None, cost_usd=None), entry("ü")], path)

    record = read(path)

    assert record.entries == (
        entry("q1"),
        entry("q2", points=None, cost_usd=None),
        entry("ü"),
    )
    assert record.faults == ()


def test_a_record_that_is_not_there_is_empty(path):
    assert read(path).entries == ()


def test_the_same_stack_and_question_count_once_the_last_time(path):
    append([entry("q1", points=0), entry("q2"), entry("q1", points=100)], path)
    append([entry("q1", stack="s2", points=0)], path)

    found = [(e.question, e.stack, e.points) for e in read(path).entries]

    assert found == [("q2", "s1", 100), ("q1", "s1", 100), ("q1", "s2", 0)]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"{", "is no JSON object"),
        (b"\xff\xfe", "is no JSON object"),
        (b"[1]", "is no JSON object"),
        (b"[" * 5000, "is no JSON object"),
        (b"x" * (LINE_BYTES * 3), "is longer than"),
        (b'{"format": 2}', "later version"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_line_that_cannot_be_read_is_told_and_costs_no_other(path, line, says):
    append([entry("q1")], path)
    with path.open("ab") as file:
        file.write(line + b"\n\n")
    append([entry("q2")], path)

    record = read(path)

    assert [e.question for e in record.entries] == ["q1", "q2"]
    (fault,) = record.faults
    assert fault.startswith("Line 2 of track-record.jsonl ")
    assert says in fault


@pytest.mark.parametrize(
    ("field", "value"),
    [("points", 101), ("points", "many"), ("cost_usd", -1), ("models", []), ("seconds", None)],
)
def test_a_field_that_cannot_be_is_named(path, field, value):
    data = {**json.loads(entry().model_dump_json()), field: value}
    path.parent.mkdir()
    path.write_text(json.dumps(data), "utf-8")

    assert f"has a wrong {field}" in read(path).faults[0]


def test_a_field_that_a_later_version_adds_is_passed_over(path):
    data = {**json.loads(entry().model_dump_json()), "mood": "good"}
    path.parent.mkdir()
    path.write_text(json.dumps(data), "utf-8")

    assert read(path).entries == (entry(),)


def test_after_a_write_that_broke_off_the_next_begins_a_line_of_its_own(path):
    append([entry("q1"), entry("q2")], path)
    path.write_bytes(path.read_bytes()[:-30])

    append([entry("q3")], path)

    record = read(path)
    assert [e.question for e in record.entries] == ["q1", "q3"]
    assert len(record.faults) == 1


def test_a_record_that_cannot_be_opened_says_so(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read(tmp_path)


def test_a_model_s_standing_counts_its_own_marked_answers_alone():
    found = standings(
        [
            entry("q1", points=100, seconds=1),
            entry("q2", points=50, seconds=3, arm="other:solo:a"),
            entry("q3", points=49.9, seconds=2),
            entry("q4", points=None),
            entry("q5", kind="panel", models=("lab:a", "lab:b")),
            entry("q1", models=("lab:b",), cost_usd=None),
        ]
    )

    a, b = found["lab:a"], found["lab:b"]
    assert (a.right, a.graded, a.seconds_each) == (2, 3, 2)
    assert a.usd_each == pytest.approx(0.01)
    assert (b.right, b.graded, b.usd_each) == (1, 1, None)


def test_a_panel_s_standing_is_of_the_same_members_judge_writer_and_policy():
    of = {"kind": "panel", "models": ("lab:a", "lab:b"), "judge": "lab:j", "writer": "lab:w"}
    adaptive = {**of, "kind": "adaptive"}
    entries = [
        entry("q1", **of, cost_usd=0.02, tokens=100, seconds=1),
        entry("q2", **of, cost_usd=0.04, tokens=300, seconds=3),
        entry("q3", **{**of, "judge": "lab:other"}),
        entry("q4", **{**of, "models": ("lab:b", "lab:a")}),
        entry("q5", **adaptive, stopped=True),
        entry("q6", **adaptive, stopped=False),
        entry("q7", **adaptive, stopped=True),
    ]
    members = ["lab:a", "lab:b"]

    full = panel_standing(entries, members, "lab:j", "lab:w", adaptive=False)
    two = panel_standing(entries, members, "lab:j", "lab:w", adaptive=True)

    assert full is not None
    assert two is not None
    assert (full.questions, full.tokens_each, full.seconds_each) == (2, 200, 2)
    assert full.usd_each == pytest.approx(0.03)
    assert (full.stopped, two.questions, two.stopped) == (None, 3, 2)
    assert panel_standing(entries, members, "lab:j", "lab:x", adaptive=False) is None


def test_the_user_s_own_record_is_read_anew_once_it_has_grown(tmp_path, monkeypatch):
    monkeypatch.setenv("FUSION_GRAPH_DATA_DIR", str(tmp_path))
    assert own_record().entries == ()

    append([entry("q1")], record_file())
    once = own_record()
    assert own_record() is once
    append([entry("q2")], record_file())

    assert [e.question for e in own_record().entries] == ["q1", "q2"]
