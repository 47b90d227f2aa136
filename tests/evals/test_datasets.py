"""Question sets from files: what is read, what is refused and how that is told."""

from __future__ import annotations

import hashlib
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from fusion_graph.errors import ConfigurationError, DatasetError
from fusion_graph.evals._questions import (
    Check,
    Criterion,
    Programs,
    Question,
    Reference,
    Rubric,
)
from fusion_graph.evals.datasets import read_dataset, select
from fusion_graph.sandbox import Suite

RUBRIC = {
    "id": "staggered-did",
    "sections": [
        {
            "id": "factual-accuracy",
            "title": "Factual Accuracy",
            "criteria": [
                {"id": "names-estimator", "weight": 10, "requirement": "Names the estimator."},
                {"id": "invents-paper", "weight": -25, "requirement": "Cites a made-up paper."},
            ],
        },
        {
            "id": "citation-quality",
            "title": "Citation Quality",
            "criteria": [{"id": "links", "weight": 4, "requirement": "Links its sources."}],
        },
    ],
}


def draco_line(**fields: Any) -> dict[str, Any]:
    return {
        "id": "d43e7c5c-6e43-4e34-9f7c-1c8f4f0f8a11",
        "domain": "Academic",
        "problem": "Which estimator suits staggered adoption?\n",
        "answer": json.dumps(RUBRIC),
        **fields,
    }


def own_line(**fields: Any) -> dict[str, Any]:
    return {"question": "How wet is water?", "reference": "Very.", **fields}


@pytest.fixture
def written(tmp_path: Path):
    """`written(*lines)`: a file of them; strings and bytes are written as they stand."""

    def write(*lines: Any, name: str = "set.jsonl") -> Path:
        path = tmp_path / name
        raw = [
            line
            if isinstance(line, bytes)
            else (line if isinstance(line, str) else json.dumps(line)).encode()
            for line in lines
        ]
        path.write_bytes(b"\n".join(raw) + b"\n")
        return path

    return write


def refused(path: Path) -> DatasetError:
    with pytest.raises(DatasetError) as caught:
        read_dataset(path)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ConfigurationError)
    return caught.value


# DRACO


def test_a_draco_line_becomes_a_question_with_its_criteria_by_axis(written):
    path = written(draco_line())

    dataset = read_dataset(path)

    assert dataset.draco
    assert not dataset.as_published
    assert dataset.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    (question,) = dataset.questions
    assert question == Question(
        "d43e7c5c-6e43-4e34-9f7c-1c8f4f0f8a11",
        "Which estimator suits staggered adoption?\n",
        Rubric(
            (
                Criterion(
                    "factual-accuracy/names-estimator",
                    "Names the estimator.",
                    10,
                    "factual-accuracy",
                ),
                Criterion(
                    "factual-accuracy/invents-paper",
                    "Cites a made-up paper.",
                    -25,
                    "factual-accuracy",
                ),
                Criterion("citation-quality/links", "Links its sources.", 4, "citation-quality"),
            )
        ),
        "Academic",
    )
    assert question.wants_grader


def test_a_rubric_may_be_an_object_and_have_sections_inside_sections(written):
    inner = {"id": "figures", "criteria": [{"id": "x", "weight": 5, "requirement": "Says 5."}]}
    nested = {"sections": [{"id": "factual-accuracy", "sections": [inner]}]}

    (question,) = read_dataset(written(draco_line(answer=nested))).questions

    assert [(c.id, c.axis) for c in question.criteria] == [
        ("factual-accuracy/x", "factual-accuracy")
    ]


def test_criteria_of_the_same_name_stay_apart(written):
    twice = [{"id": "x", "weight": 5, "requirement": f"Says {n}."} for n in (1, 2)]
    rubric = {"sections": [{"id": "a", "criteria": twice}]}

    (question,) = read_dataset(written(draco_line(answer=rubric))).questions

    assert [c.id for c in question.criteria] == ["a/x", "a/x #2"]


def test_other_columns_blank_lines_and_a_byte_order_mark_do_no_harm(written):
    path = written(b"\xef\xbb\xbf" + json.dumps(draco_line(split="test")).encode(), "", "  ")

    assert len(read_dataset(path).questions) == 1


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"answer": "{"}, "not JSON"),
        ({"answer": "7"}, "answer"),
        ({"answer": json.dumps({"sections": []})}, "answer.sections"),
        (
            {"answer": '{"sections": [{"id": "a", "criteria": [{"id": "x", "weight": NaN}]}]}'},
            "NaN",
        ),
        ({"domain": ""}, "domain"),
        ({"problem": 7}, "problem"),
        ({"id": None}, "id"),
    ],
)
def test_a_draco_line_of_another_form_is_refused_by_field(written, fields, told):
    error = refused(written(draco_line(id="first"), draco_line(**fields)))

    assert error.line == 2
    assert str(error).startswith("set.jsonl, line 2: ")
    assert told in str(error)


@pytest.mark.parametrize("weight", ["10", 1.5, True, None])
def test_a_weight_that_is_no_whole_number_is_refused(written, weight):
    criterion = {"id": "x", "weight": weight, "requirement": "Says 5."}
    rubric = {"sections": [{"id": "a", "criteria": [criterion]}]}

    assert "weight" in str(refused(written(draco_line(answer=rubric))))


def test_a_rubric_of_errors_only_is_refused_since_nothing_could_be_scored(written):
    criterion = {"id": "x", "weight": -5, "requirement": "Errs."}
    rubric = {"sections": [{"id": "a", "criteria": [criterion]}]}

    assert "no criterion of positive weight" in str(refused(written(draco_line(answer=rubric))))


# One's own questions


def test_every_kind_of_question_is_read(written):
    rubric = [{"requirement": "Says very.", "weight": 3, "axis": "facts"}, "Is short."]
    cases = [{"stdin": "2\n", "stdout": "4\n"}]
    path = written(
        {"id": "a", "question": "A?", "rubric": rubric, "domain": "water"},
        {"id": "b", "question": "B?", "reference": "Yes."},
        {"id": "c", "question": "C?", "reference": ["one", "two"], "check": "contains"},
        {"id": "d", "question": "D?", "reference": 65.5, "check": "numeric", "tolerance": 0.05},
        {"id": "e", "prompt": "E", "tests": "assert f(2) == 4", "entry_point": "f"},
        {"id": "f", "prompt": "F", "tests": ["assert f(2) == 4", "assert f(3) == 6"]},
        {"id": "g", "prompt": "G", "tests": cases},
    )

    dataset = read_dataset(path)

    assert not dataset.draco
    assert [(q.id, q.text, q.domain, q.marking) for q in dataset.questions] == [
        (
            "a",
            "A?",
            "water",
            Rubric((Criterion("1", "Says very.", 3, "facts"), Criterion("2", "Is short.", 1))),
        ),
        ("b", "B?", "", Reference("Yes.")),
        ("c", "C?", "", Check("contains", ("one", "two"))),
        ("d", "D?", "", Check("numeric", ("65.5",), 0.05)),
        ("e", "E", "", Suite("assert f(2) == 4", "f")),
        ("f", "F", "", Suite(("assert f(2) == 4", "assert f(3) == 6"))),
        ("g", "G", "", Programs((("2\n", "4\n"),))),
    ]
    assert [q.wants_grader for q in dataset.questions] == [True, True, *[False] * 5]


def test_a_question_without_an_id_is_named_by_its_text(written):
    one = read_dataset(written(own_line())).questions[0].id
    other = read_dataset(written(own_line(question="B?"), own_line())).questions[1].id

    assert one == other


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ({"reference": "x"}, "give 'question' or 'prompt'"),
        ({"question": "A?", "prompt": "A?", "reference": "x"}, "give 'question' or 'prompt'"),
        ({"question": "A?"}, "give one of rubric, reference, tests"),
        ({"question": "A?", "reference": "x", "rubric": ["y"]}, "give one of rubric, reference"),
        ({"question": "", "reference": "x"}, "question"),
        ({"question": "A?", "refrence": "x"}, "Unknown field 'refrence'"),
        ({"question": "A?", "rubric": []}, "rubric"),
        ({"question": "A?", "rubric": [{"requirement": "x", "weigth": 3}]}, "weigth"),
        ({"question": "A?", "rubric": [{"requirement": "x", "weight": 0}]}, "no criterion"),
        ({"question": "A?", "rubric": ["x", {"requirement": "x", "weight": 0}]}, "weight 0"),
        ({"question": "A?", "rubric": [{"requirement": "x", "weight": -1}]}, "no criterion"),
        ({"question": "A?", "rubric": [{"requirement": "x", "id": "1"}] * 2}, "the same id"),
        ({"question": "A?", "reference": ["x", "y"]}, "go with a 'check'"),
        ({"question": "A?", "reference": "x", "check": "sounds"}, "check"),
        ({"question": "A?", "reference": "x", "check": "numeric"}, "'x' is no number"),
        ({"question": "A?", "reference": "nan", "check": "numeric"}, "'nan' is no number"),
        ({"question": "A?", "reference": "x", "tolerance": 1}, "tolerance"),
        ({"question": "A?", "rubric": ["x"], "check": "exact"}, "compares with a 'reference'"),
        ({"prompt": "A", "tests": "assert f(2) =="}, "not Python"),
        ({"prompt": "A", "tests": "x\0"}, "not Python"),
        ({"prompt": "A", "tests": []}, "tests"),
        ({"prompt": "A", "tests": [{"stdin": "1"}]}, "tests"),
        ({"question": "A?", "reference": "x", "entry_point": "f"}, "entry_point"),
    ],
)
def test_a_line_that_cannot_be_meant_is_refused(written, line, told):
    error = refused(written(own_line(), line))

    assert error.line == 2
    assert told in str(error)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "not JSON"),
        ("[1]", "not a JSON object"),
        ("7", "not a JSON object"),
        (b'{"question": "\xff"}', "not UTF-8"),
        ('{"question": "\\ud800", "reference": "x"}', "surrogate"),
        ('{"question": "A?", "reference": NaN}', "NaN"),
        ('{"question": "A?", "reference": Infinity}', "Infinity"),
        ("[" * 100_000, "nested too deeply"),
        ('{"question": "A?", "reference": ' + "9" * 5000 + "}", "5000 digits"),
    ],
    ids=range(9),
)
def test_a_hostile_line_is_an_error_of_that_line(written, line, told):
    error = refused(written(own_line(), "", line))

    assert error.line == 3
    assert told in str(error)
    assert len(str(error)) < 500


def test_a_file_without_line_breaks_does_not_fill_the_memory(written):
    assert "longer than" in str(refused(written("x" * 5_000_000)))


def test_a_question_twice_is_refused_with_both_lines(written):
    error = refused(written(own_line(), own_line(question="B?"), own_line()))

    assert (error.line, "line 1" in str(error)) == (3, True)


def test_a_file_without_questions_and_no_file_are_refused(written, tmp_path):
    assert "no question" in str(refused(written("")))
    assert "No such file" in str(refused(tmp_path / "missing.jsonl"))
    assert "cannot be read" in str(refused(tmp_path))


# Choosing


QUESTIONS = tuple(Question(str(n), f"{n}?", Reference("x")) for n in range(50))


def test_a_limit_takes_the_first(tmp_path):
    assert select(QUESTIONS, limit=3) == QUESTIONS[:3]
    assert select(QUESTIONS, limit=500) == QUESTIONS
    assert select(QUESTIONS) == QUESTIONS


def test_a_sample_is_the_same_for_a_seed_in_the_datasets_order():
    drawn = select(QUESTIONS, sample=20, seed=3)

    assert drawn == select(QUESTIONS, sample=20, seed=3)
    assert drawn != select(QUESTIONS, sample=20, seed=4)
    assert list(drawn) == sorted(drawn, key=lambda question: int(question.id))
    assert len(set(drawn)) == 20
    assert select(QUESTIONS, sample=500) == QUESTIONS


def test_a_sample_grows_without_losing_what_was_paid_for():
    sizes = (1, 5, 20, 49, 50)
    samples = [set(select(QUESTIONS, sample=size, seed=9)) for size in sizes]

    assert all(small < large for small, large in pairwise(samples))


def test_a_limit_cuts_the_sample():
    sample = select(QUESTIONS, sample=20, seed=3)

    assert select(QUESTIONS, sample=20, seed=3, limit=4) == sample[:4]
