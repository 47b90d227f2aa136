"""Where citations stand in a report's texts, for the page: it has no grammar of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from fusion_graph.evidence import read_citations


def report_spans(report: Mapping[str, Any]) -> dict[str, Any]:
    """The citations of a report's answer, and of each panelist's by name.

    Args:
        report: As callers see it.
    """
    known = [source["id"] for source in report["sources"]]
    return {
        "answer": spans(report["answer"], known),
        "answers": {
            answer["name"]: spans(answer["content"], known) for answer in report["answers"]
        },
    }


def spans(text: str, known: Collection[int]) -> list[dict[str, Any]]:
    """The citations of a text as `{start, end, parts: [{ids, words}]}`, in order.

    Args:
        text: Markdown.
        known: The numbers that exist.

    Returns:
        `start` and `end` count UTF-16 units, as JavaScript does; `words` is None without a quote.
    """
    found, at, units = [], 0, 0
    for mark in read_citations(text, known).citations:
        start = units + _units(text[at : mark.start])
        units, at = start + _units(text[mark.start : mark.end]), mark.end
        parts = [{"ids": list(part.ids), "words": part.words} for part in mark.parts]
        found.append({"start": start, "end": units, "parts": parts})
    return found


def _units(text: str) -> int:
    return len(text) + sum(character > "\uffff" for character in text)
