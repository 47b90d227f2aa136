"""State that a person may have edited while a run stood still, checked before it is used.

LangGraph takes any value for a state key (`update_state`, Studio's editor), and a node that
trips over one would fail with whatever exception comes first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from fusion_graph.errors import Degradation, InvalidEdit
from fusion_graph.evidence import SourceRecord, with_found
from fusion_graph.judgement import Analysis, with_independence
from fusion_graph.state import CallRecord, Joined, Judgement, ToolRecord, found_by_judge


class _Judgement(BaseModel):
    """The state's `judgement`; calls and losses that an edit leaves out are none."""

    analysis: Analysis | None
    calls: list[CallRecord] = []
    degradations: list[Degradation] = []
    sources: list[SourceRecord] = []
    tool_calls: list[ToolRecord] = []


def checked_judgement(value: Any, joined: Joined) -> Judgement:
    """The judgement, fit for the writer and the report.

    Args:
        value: The state's `judgement`: the judge's own, or one that was edited.
        joined: The answers and sources that it may speak of.

    Raises:
        InvalidEdit: A field is missing, unknown or of a wrong kind, or names a panelist or a
            source that does not exist.
    """
    try:
        judgement = _Judgement.model_validate(value, extra="forbid")
    except ValidationError as error:
        raise _in_words(error) from None
    if judgement.analysis is not None:
        names = [answer["name"] for answer in joined["answers"] if answer["status"] == "ok"]
        there = with_found(joined["sources"], judgement.sources)
        known = sorted(source["id"] for source in there)
        for where, models, sources in _references(judgement.analysis):
            for name in models:
                if name and name not in names:
                    problem = f"'{name[:80]}' gave no answer; those who did: {', '.join(names)}"
                    raise InvalidEdit(where, problem)
            for n in sources:
                if n not in known:
                    problem = f"there is no source [{n}]; there are {known or 'none'}"
                    raise InvalidEdit(where, problem)
        # An edit may have changed what a point rests on.
        judgement.analysis = with_independence(judgement.analysis, there)
    checked = judgement.model_dump()
    whole: Judgement = {
        "analysis": checked["analysis"],
        "calls": checked["calls"],
        "degradations": checked["degradations"],
    }
    return found_by_judge(whole, judgement.sources, judgement.tool_calls)


def _in_words(error: ValidationError) -> InvalidEdit:
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, ("judgement", *first["loc"])))
    problem = first["msg"].rstrip(".")
    if first["type"].startswith("model_"):
        problem = "an object was expected"  # pydantic's words name our classes
    elif first["type"] == "extra_forbidden":
        problem = "there is no such field"
    return InvalidEdit(where, f"{problem[:1].lower()}{problem[1:]}")


def _references(analysis: Analysis) -> Iterator[tuple[str, list[str], list[int]]]:
    """Place, panelists and sources of everything in an analysis that names some."""
    for part in ("consensus", "partial_coverage"):
        for i, point in enumerate(getattr(analysis, part)):
            yield f"judgement.analysis.{part}.{i}", point.models, point.sources
    for i, clash in enumerate(analysis.contradictions):
        for j, side in enumerate(clash.stances):
            where = f"judgement.analysis.contradictions.{i}.stances.{j}"
            yield where, [side.model], side.sources
    for i, alone in enumerate(analysis.unique_insights):
        yield f"judgement.analysis.unique_insights.{i}", [alone.model], alone.sources
