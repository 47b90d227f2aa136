"""The judge: compares the panel's answers by their sentences and writes the verdict."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage

from fusion_graph.offline._chat import Extract, ExtractiveModel
from fusion_graph.offline._comparison import Clash, Comparison, Shared, statements
from fusion_graph.offline._material import Material, panel_material
from fusion_graph.offline._question import Question, ask, named_question
from fusion_graph.offline._text import listed

MOST_UNIQUE = 40
"""Single contributions listed; those of many long answers would bury the rest."""


class JudgeModel(ExtractiveModel):
    """A judge without a language model: it clusters the answers' sentences."""

    def reply(self, messages: Sequence[BaseMessage], tools: Sequence[Mapping[str, Any]]) -> Extract:
        """The verdict as JSON; as a call of the tool, where one takes a verdict."""
        verdict = judge(panel_material(messages))
        for tool in tools:
            function = tool["function"]
            if "blind_spots" in (function.get("parameters") or {}).get("properties", {}):
                return Extract(calls=((function["name"], verdict),))
        return Extract(json.dumps(verdict, ensure_ascii=False))


def judge(material: Material | None) -> dict[str, Any]:
    """The verdict on the material's answers, in the shape of `analysis.Verdict`.

    A point of every answer is consensus, a point of several is partial coverage, a point of one
    is a unique insight; what stands in a contradiction is not said again as an insight.
    """
    if material is None:
        return _verdict(blind_spots=["There were no answers to compare."])
    question = ask(material.question, material.earlier)
    compared = Comparison(question, statements(material.answers, material.titles))
    clashes = compared.clashes()
    disputed = {id(point) for clash in clashes for point in clash.points}
    points = compared.by_relevance(compared.points)
    everyone = len({label for label, _ in material.answers})
    shared = [point for point in points if len(point.labels) > 1]
    alone = [p for p in points if len(p.labels) == 1 and id(p) not in disputed]
    return _verdict(
        consensus=[_point(p) for p in shared if len(p.labels) == everyone],
        contradictions=[_contradiction(clash) for clash in clashes],
        partial_coverage=[_point(p) for p in shared if len(p.labels) < everyone],
        unique_insights=[
            {"insight": p.first.text, "label": p.first.label, "sources": p.sources}
            for p in alone[:MOST_UNIQUE]
        ],
        blind_spots=_blind_spots(question, compared),
    )


def _verdict(**lists: list[Any]) -> dict[str, Any]:
    names = ("consensus", "contradictions", "partial_coverage", "unique_insights", "blind_spots")
    return {name: lists.get(name, []) for name in names}


def _point(point: Shared) -> dict[str, Any]:
    return {"point": point.first.text, "labels": point.labels, "sources": point.sources}


def _contradiction(clash: Clash) -> dict[str, Any]:
    stances = [
        {
            "label": label,
            "stance": point.first.text,
            "sources": list(
                dict.fromkeys(n for s in point.statements if s.label == label for n in s.sources)
            ),
        }
        for point in clash.points
        for label in point.labels
    ]
    return {"topic": clash.topic, "stances": stances}


def _blind_spots(question: Question, compared: Comparison) -> list[str]:
    if not compared.points:
        return [f"Nothing was found about {named_question(question)}."]
    missing = compared.relevance.missing()
    return [f"Nothing was found about {listed(missing)}."] if missing else []
