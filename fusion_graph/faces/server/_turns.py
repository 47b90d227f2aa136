"""Turns of a thread: questions asked one after the other, each with all that went before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from fusion_graph.faces.server._attached import Attached
from fusion_graph.text.phrases import clean

ADDRESS = 300
"""Characters of a source's address that are told."""

ANEW = "(These numbers are this answer's own: the next answer numbers its sources anew.)"
"""Keeps models from citing an earlier answer's numbers, which by now are other pages'."""


class Cited(TypedDict):
    """A source that an earlier answer cites: the number it cites it by, its address and title."""

    id: int
    url: str
    title: str


class Turn(TypedDict):
    """A question that was answered, as plain data.

    run: The id of its run, which may be forgotten by now.
    question: What was asked.
    files: What was attached to it.
    answer: The answer, as the report has it.
    sources: Those that the answer cites.
    """

    run: str
    question: str
    files: list[Attached]
    answer: str
    sources: list[Cited]


def turn_of(run: str, question: str, files: Sequence[Attached], report: Mapping[str, Any]) -> Turn:
    """A run that was answered as a turn of a thread.

    Args:
        run: Its id.
        question: What was asked.
        files: What was attached to it.
        report: Its report, as plain data.
    """
    answer = report["answer"]
    cited = _cited(answer, {source["id"] for source in report["sources"]})
    return {
        "run": run,
        "question": question,
        "files": list(files),
        "answer": answer,
        "sources": [
            {"id": source["id"], "url": source["url"], "title": source["title"]}
            for source in report["sources"]
            if source["id"] in cited
        ],
    }


def conversation(
    turns: Sequence[Turn], question: str, files: Sequence[Attached] = ()
) -> list[dict[str, Any]]:
    """The messages of a thread that ends with a question.

    Args:
        turns: What was asked and answered before, the oldest first.
        question: What is asked now.
        files: What is attached to it.
    """
    messages = []
    for turn in turns:
        messages += [
            _asked(turn["question"], turn["files"]),
            {"role": "assistant", "content": _told(turn)},
        ]
    return [*messages, _asked(question, files)]


def _asked(question: str, files: Sequence[Attached]) -> dict[str, Any]:
    from fusion_graph.state.files import question_content  # LangGraph comes with it

    content = question_content(question, [file["block"] for file in files])
    return {"role": "user", "content": content}


def _told(turn: Turn) -> str:
    """An answer with the addresses of its sources: its numbers alone mean nothing to a reader.

    Titles are left out: strangers wrote them, and here they would speak as the answer does.
    """
    if not turn["sources"]:
        return turn["answer"]
    lines = [f"[{one['id']}] {clean(one['url'], ADDRESS)}" for one in turn["sources"]]
    return "\n".join([turn["answer"].rstrip(), "", "Sources:", *lines, "", ANEW])


def _cited(answer: str, known: set[int]) -> set[int]:
    from fusion_graph.evidence import cited

    return set(cited(answer, known))
