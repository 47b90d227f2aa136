"""The comparison a run concluded, over panelists' names.

`Verdict` (in `verdict.py`) is what the judge wrote, over labels. The split keeps a model's words
apart from the machinery's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, SerializerFunctionWrapHandler, model_serializer

from fusion_graph.evidence import SourceRecord, independent
from fusion_graph.judgement.verdict import Verdict


class _Sparse(BaseModel):
    """An item whose fields that are None are left out of its data."""

    @model_serializer(mode="wrap")
    def _without_none(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data: dict[str, Any] = whole(self)
        return {name: value for name, value in data.items() if value is not None}


class Point(_Sparse):
    """Something several panelists said. `models` are names, `sources` are the ids of `[n]`.

    `independent` is how many sources independent of each other stand behind it: "3 of 3" who read
    one page rest on one. None, and left out of the data, where there is nothing to count.
    `rechecked` says, where they differed on it and were asked again, how that ended.
    """

    point: str
    models: list[str]
    sources: list[int]
    independent: int | None = None
    rechecked: str | None = None


class Stance(BaseModel):
    """One side of a contradiction."""

    model: str
    stance: str
    sources: list[int]


class Contradiction(_Sparse):
    """A topic on which panelists disagree.

    `rechecked` says, where they were asked again about it alone, that they still do, and how.
    """

    topic: str
    stances: list[Stance]
    rechecked: str | None = None


class Insight(BaseModel):
    """Something only one panelist said."""

    insight: str
    model: str
    sources: list[int]


class Analysis(BaseModel):
    """The comparison of the answers: what they agree on, differ over, half cover, say alone, miss.

    A `model` is empty, and `models` are, where the judge did not say whose point it is.
    """

    consensus: list[Point] = []
    contradictions: list[Contradiction] = []
    partial_coverage: list[Point] = []
    unique_insights: list[Insight] = []
    blind_spots: list[str] = []

    def to_openrouter(self) -> dict[str, Any]:
        """The same in the shape of OpenRouter's `FusionAnalysisResult`: no sources."""
        return {
            "consensus": [item.point for item in self.consensus],
            "contradictions": [
                {
                    "topic": item.topic,
                    "stances": [{"model": s.model, "stance": s.stance} for s in item.stances],
                }
                for item in self.contradictions
            ],
            "partial_coverage": [
                {"models": item.models, "point": item.point} for item in self.partial_coverage
            ],
            "unique_insights": [
                {"model": item.model, "insight": item.insight} for item in self.unique_insights
            ],
            "blind_spots": list(self.blind_spots),
        }

    def counts(self) -> dict[str, int]:
        """Count the items of each list."""
        return {name: len(getattr(self, name)) for name in Analysis.model_fields}


def with_independence(analysis: Analysis, sources: Sequence[SourceRecord]) -> Analysis:
    """The analysis with the number of independent sources behind each point.

    Args:
        analysis: Over panelists' names.
        sources: The run's sources.
    """
    copy = analysis.model_copy(deep=True)
    for item in [*copy.consensus, *copy.partial_coverage]:
        item.independent = independent(item.sources, sources) if item.sources else None
    return copy


EVERYBODY = frozenset({"ALL", "BOTH", "EVERYBODY", "EVERYONE", "EACH"})
"""Words that judges write in place of all the labels."""


def name_panelists(
    verdict: Verdict, names: Mapping[str, str], known_sources: Iterable[int]
) -> tuple[Analysis, list[str]]:
    """The analysis over panelists' names, and what of the verdict pointed at nothing.

    Args:
        verdict: As the judge wrote it.
        names: Label → panelist's name.
        known_sources: Ids that exist.

    Returns:
        The analysis, and the labels and source ids (as `[n]`) that do not exist. Items all of
        whose labels are unknown are left out; a consensus of one is filed as a unique insight.
    """
    known = set(known_sources)
    lost: list[str] = []

    def named(labels: Sequence[str]) -> list[str]:
        if len(labels) == 1 and labels[0] in EVERYBODY and labels[0] not in names:
            return list(names.values())
        lost.extend(label for label in labels if label and label not in names)
        return list(dict.fromkeys(names[label] for label in labels if label in names))

    def cited(ids: Sequence[int]) -> list[int]:
        lost.extend(f"[{n}]" for n in ids if n not in known)
        return [n for n in ids if n in known]

    analysis = Analysis(blind_spots=[text for text in verdict.blind_spots if text])
    for items, out in (
        (verdict.consensus, analysis.consensus),
        (verdict.partial_coverage, analysis.partial_coverage),
    ):
        for item in items:
            models, sources = named(item.labels), cited(item.sources)
            if len(models) > 1 or not item.labels:
                out.append(Point(point=item.point, models=models, sources=sources))
            elif models:
                analysis.unique_insights.append(
                    Insight(insight=item.point, model=models[0], sources=sources)
                )
    for clash in verdict.contradictions:
        stances = []
        for side in clash.stances:
            models = named([side.label])
            if models or not side.label:
                stance = side.stance
                stances.append(
                    Stance(model="".join(models), stance=stance, sources=cited(side.sources))
                )
        if stances or not clash.stances:
            analysis.contradictions.append(Contradiction(topic=clash.topic, stances=stances))
    for alone in verdict.unique_insights:
        models = named([alone.label])
        if models or not alone.label:
            analysis.unique_insights.append(
                Insight(insight=alone.insight, model="".join(models), sources=cited(alone.sources))
            )
    return analysis, list(dict.fromkeys(lost))


def relabelled(analysis: Analysis, labels: dict[str, str]) -> Analysis:
    """Put labels for names, as the writer is to see it.

    Args:
        analysis: Over panelists' names.
        labels: Name → label.
    """
    copy = analysis.model_copy(deep=True)
    for item in [*copy.consensus, *copy.partial_coverage]:
        item.models = sorted(labels.get(name, name) for name in item.models)
    for clash in copy.contradictions:
        for stance in clash.stances:
            stance.model = labels.get(stance.model, stance.model)
    for alone in copy.unique_insights:
        alone.model = labels.get(alone.model, alone.model)
    return copy
