"""The judge: compares the panel's answers by their sentences and writes the verdict."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage

from fusion_graph.offline.chat import ExtractiveModel, Reply
from fusion_graph.offline.comparison import Comparison, Shared, statements
from fusion_graph.offline.question import Question, ask, named_question
from fusion_graph.offline.reading import Fence, fences
from fusion_graph.offline.text import listed

MOST_UNIQUE = 40
"""Single contributions listed; long answers of many models would bury the rest."""

_TURN = re.compile(r"(?:\A|\n\n)(User|Assistant|Instructions|Other): ")


_SOURCE = re.compile(r"^\[(\d{1,4})\] (.*?)(?: \u2014 \S*(?: \(.*\))?)?$")


@dataclass(frozen=True, slots=True)
class Material:
    """What the judge or the writer was given. `titles` are the sources', by id, if listed."""

    question: str
    earlier: tuple[str, ...]
    answers: tuple[tuple[str, str], ...]
    analysis: str | None
    titles: dict[int, str] | None


class JudgeModel(ExtractiveModel):
    """A judge without a language model: it clusters the answers' sentences."""

    def reply(self, messages: Sequence[BaseMessage], tools: Sequence[Mapping[str, Any]]) -> Reply:
        """The verdict as JSON; as a call of the tool, where one takes a verdict."""
        material = panel_material(messages)
        verdict = judge(material) if material else _nothing_to_compare()
        for tool in tools:
            function = tool["function"]
            if "blind_spots" in (function.get("parameters") or {}).get("properties", {}):
                return Reply(calls=((function["name"], verdict),))
        return Reply(json.dumps(verdict, ensure_ascii=False))


def panel_material(messages: Sequence[BaseMessage]) -> Material | None:
    """The last message's request and labelled answers; None when no message has answers."""
    for place in range(len(messages) - 1, -1, -1):
        pieces = fences(messages[place].text)
        answers = tuple((p.label, p.body) for p in pieces if p.kind == "answer" and p.label)
        if not answers:
            continue
        request = _body(pieces, "request")
        asked = (
            _asked(request)
            if request is not None
            else [m.text for m in messages[:place] if isinstance(m, HumanMessage)]
        ) or [""]
        return Material(
            question=asked[-1],
            earlier=tuple(asked[:-1]),
            answers=answers,
            analysis=_body(pieces, "analysis"),
            titles=_titles(_body(pieces, "sources")),
        )
    return None


def judge(material: Material) -> dict[str, Any]:
    """The verdict on the answers: the five lists, over labels."""
    question = ask(material.question, material.earlier)
    return verdict(question, material.answers, material.titles)


def verdict(
    question: Question,
    answers: Sequence[tuple[str, str]],
    titles: Mapping[int, str] | None = None,
) -> dict[str, Any]:
    """How `(label, text)` answers relate, in the shape of `analysis.Verdict`.

    A point of every answer is consensus, a point of several is partial coverage, a point of one
    is a unique insight; what stands in a contradiction is not said again as an insight.
    """
    made = statements(answers, titles)
    compared = Comparison(question, made)
    clashes = compared.clashes()
    disputed = {id(point) for clash in clashes for point in clash.points}
    points = compared.by_relevance(compared.points)
    everyone = len({label for label, _ in answers})
    shared = [point for point in points if len(point.labels) > 1]
    return {
        "consensus": [_point(p) for p in shared if len(p.labels) == everyone],
        "contradictions": [
            {
                "topic": clash.topic,
                "stances": [
                    {"label": s.label, "stance": s.text, "sources": list(s.sources)}
                    for point in clash.points
                    for s in {s.label: s for s in reversed(point.statements)}.values()
                ],
            }
            for clash in clashes
        ],
        "partial_coverage": [_point(p) for p in shared if len(p.labels) < everyone],
        "unique_insights": [
            {"insight": p.first.text, "label": p.first.label, "sources": p.sources}
            for p in points
            if len(p.labels) == 1 and id(p) not in disputed
        ][:MOST_UNIQUE],
        "blind_spots": _blind_spots(question, compared),
    }


def _blind_spots(question: Question, compared: Comparison) -> list[str]:
    if not compared.points:
        return [f"Nothing was found about {named_question(question)}."]
    missing = compared.uncovered()
    return [f"Nothing was found about {listed(missing)}."] if missing else []


def _point(point: Shared) -> dict[str, Any]:
    return {"point": point.first.text, "labels": point.labels, "sources": point.sources}


def _nothing_to_compare() -> dict[str, Any]:
    empty: dict[str, Any] = {
        "consensus": [],
        "contradictions": [],
        "partial_coverage": [],
        "unique_insights": [],
    }
    return {**empty, "blind_spots": ["There were no answers to compare."]}


def _asked(transcript: str) -> list[str]:
    """What the person said, turn by turn."""
    parts = _TURN.split(transcript)
    turns = zip(parts[1::2], parts[2::2], strict=False)
    return [said.strip() for who, said in turns if who == "User"] or [transcript.strip()]


def _titles(sources: str | None) -> dict[int, str] | None:
    if sources is None:
        return None
    lines = (_SOURCE.match(line) for line in sources.split("\n"))
    return {int(match[1]): match[2] for match in lines if match}


def _body(pieces: Sequence[Fence], kind: str) -> str | None:
    return next((piece.body for piece in pieces if piece.kind == kind), None)
