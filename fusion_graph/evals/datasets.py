"""Question sets: DRACO's file or one's own, read whole and checked before anything is paid.

A line of one's own has `question` (or `prompt`) and one way to mark the answer:

    {"question": "…", "rubric": [{"requirement": "…", "weight": 10}, "…"]}
    {"question": "…", "reference": "…"}                                       a grader compares
    {"question": "…", "reference": ["1.5 °C", "1.5 degrees"], "check": "contains"}   code compares
    {"question": "…", "reference": 65.5, "check": "numeric", "tolerance": 0.05}
    {"prompt": "…", "tests": "assert f(2) == 4"}                           Python, or a list of it
    {"prompt": "…", "tests": [{"stdin": "2\\n", "stdout": "4\\n"}]}                   whole programs

and, if wanted, `id`, `domain`, `entry_point` (for HumanEval's `check(candidate)`), and in a
criterion `id` and `axis`.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
    model_validator,
)

from fusion_graph.config import explain
from fusion_graph.errors import DatasetError
from fusion_graph.evals import _checks as checks
from fusion_graph.evals import _draco as draco
from fusion_graph.evals._lines import read_lines
from fusion_graph.evals._questions import (
    Check,
    CheckKind,
    Criterion,
    Marking,
    Programs,
    Question,
    Reference,
    Rubric,
)
from fusion_graph.evals.published import Published
from fusion_graph.sandbox import Suite, used_names

MARKINGS = ("rubric", "reference", "tests")

Number = StrictInt | StrictFloat
Text = Annotated[StrictStr, Field(min_length=1, max_length=200_000)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


def _criterion(value: Any) -> Any:
    return {"requirement": value} if isinstance(value, str) else value


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


class CriterionLine(_Strict):
    """One criterion of a rubric; a bare string is a requirement of weight 1."""

    requirement: Text
    weight: Number = 1
    id: Text | None = None
    axis: StrictStr = ""


class ProgramCase(_Strict):
    """One input of a program and the output it must give."""

    stdin: StrictStr = ""
    stdout: StrictStr


class QuestionLine(_Strict):
    """A line of one's own question set."""

    id: Text | None = None
    question: Text | None = None
    prompt: Text | None = None
    domain: StrictStr = ""
    rubric: (
        Annotated[
            list[Annotated[CriterionLine, BeforeValidator(_criterion)]],
            Field(min_length=1, max_length=1000),
        ]
        | None
    ) = None
    reference: (
        Annotated[
            list[Text | Number], BeforeValidator(_listed), Field(min_length=1, max_length=100)
        ]
        | None
    ) = None
    check: CheckKind | None = None
    tolerance: Annotated[Number, Field(ge=0)] | None = None
    tests: Text | Annotated[list[Text] | list[ProgramCase], Field(min_length=1)] | None = None
    entry_point: StrictStr | None = None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if (self.question is None) == (self.prompt is None):
            raise ValueError("give 'question' or 'prompt', one of them")
        given = [name for name in MARKINGS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give one of {', '.join(MARKINGS)} to mark the answer by")
        if self.check is not None and self.reference is None:
            raise ValueError("'check' compares with a 'reference', and there is none")
        if self.tolerance is not None and self.check != "numeric":
            raise ValueError('\'tolerance\' goes with "check": "numeric"')
        if self.check is None and self.reference is not None and len(self.reference) > 1:
            raise ValueError("several references go with a 'check'; a grader compares with one")
        if self.entry_point is not None and self.tests is None:
            raise ValueError("'entry_point' goes with 'tests'")
        return self

    def marking(self) -> Marking:
        """How an answer is marked.

        Raises:
            ValueError: The rubric has no positive weight, a number is none, a test is no Python.
        """
        if self.rubric is not None:
            return _rubric(self.rubric)
        if self.reference is not None:
            expected = tuple(str(item) for item in self.reference)
            if self.check is None:
                return Reference(expected[0])
            if self.check == "numeric":
                for item in expected:
                    _finite(item)
            return Check(self.check, expected, self.tolerance or 0.0)
        assert self.tests is not None
        if isinstance(self.tests, list) and isinstance(self.tests[0], ProgramCase):
            cases = [item for item in self.tests if isinstance(item, ProgramCase)]
            return Programs(tuple((case.stdin, case.stdout) for case in cases))
        texts = self.tests if isinstance(self.tests, str) else tuple(map(str, self.tests))
        try:
            used_names(texts)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise ValueError(f"tests: not Python ({error})") from None
        return Suite(texts, self.entry_point)


def _rubric(lines: Sequence[CriterionLine]) -> Rubric:
    criteria = tuple(
        Criterion(line.id or str(n), line.requirement, line.weight, line.axis)
        for n, line in enumerate(lines, 1)
    )
    if not any(item.weight > 0 for item in criteria):
        raise ValueError("the rubric has no criterion of positive weight")
    if any(item.weight == 0 for item in criteria):
        raise ValueError("a criterion of weight 0 counts for nothing")
    if len({item.id for item in criteria}) < len(criteria):
        raise ValueError("two criteria have the same id")
    return Rubric(criteria)


def _finite(text: str) -> None:
    if checks.number(text) is None:
        raise ValueError(f"reference: {text!r} is no number")


@dataclass(frozen=True)
class Dataset:
    """A question set.

    Attributes:
        name: The file's name.
        sha256: Of the file.
        questions: In the file's order.
        draco: Whether it is DRACO's.
    """

    name: str
    sha256: str
    questions: tuple[Question, ...]
    draco: bool

    @property
    def as_published(self) -> bool:
        """Whether it is DRACO's file, byte for byte."""
        return self.sha256 == draco.PUBLISHED_SHA256


def read_dataset(path: str | Path) -> Dataset:
    """Read a question set: DRACO's `test.jsonl`, or lines as this module's text shows them.

    Args:
        path: The file.

    Raises:
        DatasetError: It cannot be read, a line is wrong, or there is no question in it.
    """
    path = Path(path)
    digest = hashlib.sha256()
    questions, all_draco = _questions(path.name, read_lines(path, digest))
    if not questions:
        raise DatasetError(str(path), None, "there is no question in it.")
    return Dataset(path.name, digest.hexdigest(), questions, all_draco)


def dataset_of(published: Published) -> Dataset:
    """A published question set, checked as any other.

    Args:
        published: As its package holds it.

    Raises:
        DatasetError: One of its questions is wrong.
    """
    questions, _ = _questions(published.name, enumerate(published.lines, 1))
    return Dataset(published.name, published.sha256, questions, draco=False)


def _questions(
    name: str, lines: Iterable[tuple[int, Mapping[str, Any]]]
) -> tuple[tuple[Question, ...], bool]:
    """The questions of numbered lines, and whether all are DRACO's."""
    questions: dict[str, tuple[int, Question]] = {}
    all_draco = True
    for number, data in lines:
        is_draco = data.keys() >= draco.KEYS
        all_draco = all_draco and is_draco
        question = _question(data, is_draco, name, number)
        if question.id in questions:
            raise DatasetError(
                name,
                number,
                f"question {question.id!r} stands in line {questions[question.id][0]} too.",
                "Give every question an id of its own.",
            )
        questions[question.id] = number, question
    return tuple(question for _, question in questions.values()), all_draco


def _question(data: Mapping[str, Any], is_draco: bool, name: str, number: int) -> Question:
    schema = draco.DracoLine if is_draco else QuestionLine
    try:
        if is_draco:
            return draco.question(data)
        line = QuestionLine.model_validate(data)
        text = line.question or line.prompt or ""
        own_id = line.id or hashlib.sha256(text.encode()).hexdigest()[:12]
        return Question(own_id, text, line.marking(), line.domain)
    except ValidationError as error:
        raise DatasetError(name, number, *explain(error, schema)) from None
    except ValueError as error:
        raise DatasetError(name, number, f"{error}.") from None


def select(
    questions: Sequence[Question],
    *,
    limit: int | None = None,
    sample: int | None = None,
    seed: int = 0,
) -> tuple[Question, ...]:
    """Some of the questions, in the dataset's order.

    A smaller sample with the same seed is part of a larger one: a run can be grown and pays only
    for what is new.

    Args:
        questions: All.
        limit: Take the first so many, of the sample if there is one.
        sample: Draw so many at random.
        seed: Decides which are drawn.
    """
    chosen = list(range(len(questions)))
    if sample is not None:
        order = chosen.copy()
        random.Random(seed).shuffle(order)
        chosen = sorted(order[:sample])
    return tuple(questions[index] for index in chosen[:limit])
