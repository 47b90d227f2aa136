"""Going on from an earlier fusion: its answer called the caller's tools, and here are the results.

The report of that fusion comes back in the message that made the calls, so that the writer can
go on from the same answers and the same comparison, and nobody is asked or paid again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from fusion_graph.evidence import SourceRecord
from fusion_graph.judgement import Analysis
from fusion_graph.state import Joined, Judgement, PanelAnswer
from fusion_graph.state.handovers import is_handover

REPORT_KEY = "fusion"
"""Where in `response_metadata` a message carries the report of the fusion that made it."""


class _EarlierAnswer(TypedDict):
    name: str
    model: str
    label: str | None
    status: str
    content: str
    failure: dict[str, Any] | None


class _EarlierReport(TypedDict):
    answers: list[_EarlierAnswer]
    sources: list[SourceRecord]
    analysis: Analysis | None


_READ = TypeAdapter(_EarlierReport)


def split_at_question(
    messages: Sequence[AnyMessage],
) -> tuple[list[AnyMessage], list[AnyMessage]]:
    """The conversation up to its last human message, and what came after it."""
    last = max((i for i, m in enumerate(messages) if isinstance(m, HumanMessage)), default=-1)
    return list(messages[: last + 1]), list(messages[last + 1 :])


def earlier_fusion(messages: Sequence[AnyMessage]) -> tuple[Joined, Judgement] | None:
    """The panel's work and the comparison that a conversation goes on from, if it does.

    Args:
        messages: The conversation; what counts is that it ends with tool results for a message
            that carries a report.

    Returns:
        The work, with nothing left to pay; None if there is no report, or none that can be read.
    """
    _, since = split_at_question(messages)
    # Who was handed the word is to work itself, whatever the other one's panel had found.
    if not since or not isinstance(since[-1], ToolMessage) or is_handover(since[-1]):
        return None
    asked = next((m for m in reversed(since) if isinstance(m, AIMessage)), None)
    report = asked.response_metadata.get(REPORT_KEY) if asked is not None else None
    try:
        earlier = _READ.validate_python(report)
    except ValidationError:
        return None
    answers = [_answer(index, answer) for index, answer in enumerate(earlier["answers"])]
    if not any(answer["status"] == "ok" for answer in answers):
        return None
    analysis = earlier["analysis"]
    return (
        {"answers": answers, "sources": earlier["sources"], "degradations": []},
        {
            "analysis": analysis.model_dump() if analysis is not None else None,
            "calls": [],
            "degradations": [],
        },
    )


def _answer(index: int, earlier: _EarlierAnswer) -> PanelAnswer:
    answer: Any = {
        **earlier,
        "index": index,
        "tool_calls": [],
        "sources": [],
        "calls": [],
        "degradations": [],
        "replaced": [],
        "start": 0.0,
        "end": 0.0,
    }
    return answer  # type: ignore[no-any-return]
