"""A deliberation: what the panel and the judge found, as a client carries it from step to step.

An agent's turn takes many requests: the writer calls a tool, the client runs it and asks again.
All of them go on from one panel's work. It travels in the conversation, sealed, so that any worker
and a server that was started again can go on from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fusion_graph.text.cutting import common_level, cut_text

ANSWER_CHARACTERS = 24_000
"""Most characters of all answers together: about 6,000 tokens, and a third of it once packed."""

SOURCES = 40
"""Most sources that travel; the first are those that most answers cite."""

POINTS = 12
"""Most points of each kind of the comparison."""

POINT_CHARACTERS = 600
"""Most characters of one text in the comparison or in a source."""

OF_AN_ANSWER = ("name", "model", "label", "status")
OF_A_SOURCE = ("id", "url", "title", "retrieved_at", "fetched", "cited_by")


def deliberation(report: Mapping[str, Any]) -> dict[str, Any]:
    """Cut a run's report down to what a writer goes on from.

    Args:
        report: The run's report.

    Returns:
        Answers, sources and comparison as a report has them; of a run without a panel only that
        there was none.
    """
    if not report["invoked"]:
        return {"invoked": False}
    answered = [answer for answer in report["answers"] if answer["status"] == "ok"]
    level = common_level([len(answer["content"]) for answer in answered], ANSWER_CHARACTERS)
    return {
        "invoked": True,
        "answers": [
            {
                **{key: answer[key] for key in OF_AN_ANSWER},
                "content": cut_text(answer["content"], level),
                "failure": None,
            }
            for answer in answered
        ],
        "sources": [
            {**{key: _short(source[key]) for key in OF_A_SOURCE}, "quotes": []}
            for source in report["sources"][:SOURCES]
        ],
        "analysis": _short(report["analysis"]),
    }


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _short(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_short(item) for item in value[:POINTS]]
    return cut_text(value, POINT_CHARACTERS) if isinstance(value, str) else value
