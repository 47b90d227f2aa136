"""DRACO, Perplexity's benchmark of deep research: its lines, its pages, its published settings.

The dataset (`perplexity-ai/draco` on Hugging Face, MIT licence) is one file, `test.jsonl`, of 100
questions with 3,934 criteria (arXiv:2602.11685). It is not shipped with this project.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt

from fusion_graph.evals._lines import decoded
from fusion_graph.evals._questions import Criterion, Question, Rubric

PUBLISHED_SHA256 = "e35bfe78cd827fa1d541b79fbc7bc7b91966d3227d8742c83e99d26d4ac4679a"
"""Of `test.jsonl` at revision ce076749809027649ebd331bcb70f42bf720d387, as third parties pin it."""

KEYS = frozenset({"problem", "answer"})
"""What tells its lines from a question set of one's own."""

BLOCKED_PAGES = (
    "huggingface.co/datasets/perplexity-ai/draco",
    "huggingface.co/datasets/maxkru92/draco",
    "r2cdn.perplexity.ai/pplx-draco.pdf",
    *(
        f"{host}/{kind}/2602.11685{version}"
        for host in ("arxiv.org", "alphaxiv.org")
        for kind in ("abs", "pdf", "html")
        for version in ("", "v1", "v2", "v3", "v4")
    ),
    "openrouter.ai/blog/announcements/fusion-beats-frontier",
    "openrouter.ai/announcements/fusion-beats-frontier",
    "leaderboard.steel.dev/leaderboards/draco",
    "github.com/OpenRouterTeam/benchmark-harness",
)
"""Pages with the questions, the rubrics or other systems' answers: for `blocked_domains`."""


class _Item(BaseModel):
    # Other columns may be there; what is used must be of the published type.
    model_config = ConfigDict(extra="ignore")


class DracoCriterion(_Item):
    """One criterion; a negative weight marks an error."""

    id: str = Field(min_length=1)
    weight: StrictInt
    requirement: str = Field(min_length=1, max_length=20_000)


class DracoSection(_Item):
    """An axis with its criteria; sections inside sections have been seen in copies."""

    id: str = Field(min_length=1)
    criteria: list[DracoCriterion] = Field(default=[], max_length=1000)
    sections: list[DracoSection] = Field(default=[], max_length=100)


class DracoRubric(_Item):
    """What `answer` holds."""

    sections: list[DracoSection] = Field(min_length=1, max_length=100)


class DracoLine(_Item):
    """A line of `test.jsonl`. `answer` is JSON in a string; an object is taken too."""

    id: str = Field(min_length=1)
    domain: str = Field(min_length=1)
    problem: str = Field(min_length=1, max_length=200_000)
    answer: Annotated[DracoRubric, BeforeValidator(decoded)]


def question(data: Mapping[str, Any]) -> Question:
    """The question on a line.

    Raises:
        ValueError: The line is not of the published form (pydantic's is one), or its rubric has
            no positive weight: there would be nothing to divide by.
    """
    line = DracoLine.model_validate(data)
    criteria: dict[str, Criterion] = {}
    for axis, item in _walk(line.answer.sections, ""):
        key, count = f"{axis}/{item.id}", 1
        while key in criteria:
            count += 1
            key = f"{axis}/{item.id} #{count}"
        criteria[key] = Criterion(key, item.requirement, item.weight, axis)
    if not any(item.weight > 0 for item in criteria.values()):
        raise ValueError("the rubric has no criterion of positive weight")
    return Question(line.id, line.problem, Rubric(tuple(criteria.values())), line.domain)


def _walk(sections: list[DracoSection], axis: str) -> Iterator[tuple[str, DracoCriterion]]:
    """Criteria in the file's order, each with the outermost section it lies in."""
    for section in sections:
        name = axis or section.id
        for item in section.criteria:
            yield name, item
        yield from _walk(section.sections, name)
