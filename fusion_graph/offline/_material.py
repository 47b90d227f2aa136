"""What a judge or a writer was given: the request, the labelled answers, the comparison."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from langchain_core.messages import BaseMessage

from fusion_graph.offline._reading import Fence, fences
from fusion_graph.state.conversation import is_the_users, is_the_users_text

_TURN = re.compile(r"(?:\A|\n\n)(User|Assistant|Instructions|Other): ")
_SOURCE = re.compile(r"^\[(\d{1,4})\] (.*?)(?: \u2014 \S*(?: \(.*\))?)?$")


@dataclass(frozen=True, slots=True)
class Material:
    """The panel's work as it stands in a message.

    Attributes:
        question: What is asked.
        earlier: What was asked before, oldest first.
        answers: `(label, text)`.
        analysis: The judge's comparison, as it was written; None without one.
        titles: The listed sources' titles by id; None when no list was given.
    """

    question: str
    earlier: tuple[str, ...]
    answers: tuple[tuple[str, str], ...]
    analysis: str | None = None
    titles: dict[int, str] | None = None


def panel_material(messages: Sequence[BaseMessage]) -> Material | None:
    """The material of the last message that holds labelled answers; None when none does."""
    for place in range(len(messages) - 1, -1, -1):
        pieces = fences(messages[place].text)
        answers = tuple((p.label, p.body) for p in pieces if p.kind == "answer" and p.label)
        if answers:
            break
    else:
        return None
    request = _body(pieces, "request")
    if request is not None:
        asked = asked_in(request)
    else:
        asked = [m.text for m in messages[:place] if is_the_users(m)] or [""]
    return Material(
        question=asked[-1],
        earlier=tuple(asked[:-1]),
        answers=answers,
        analysis=_body(pieces, "analysis"),
        titles=_titles(_body(pieces, "sources")),
    )


def asked_in(transcript: str) -> list[str]:
    """What the person said, turn by turn, in a conversation told as text."""
    parts = _TURN.split(transcript)
    turns = zip(parts[1::2], parts[2::2], strict=True)
    asked = [said.strip() for who, said in turns if who == "User"]
    return [text for text in asked if is_the_users_text(text)] or [transcript.strip()]


def _titles(sources: str | None) -> dict[int, str] | None:
    if sources is None:
        return None
    lines = (_SOURCE.match(line) for line in sources.split("\n"))
    return {int(match[1]): match[2] for match in lines if match}


def _body(pieces: Sequence[Fence], kind: str) -> str | None:
    return next((piece.body for piece in pieces if piece.kind == kind), None)
