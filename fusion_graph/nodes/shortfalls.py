"""Faults of a writer's answer that show beside what the panel wrote."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fusion_graph.errors import Degradation
from fusion_graph.prompts import WRITER_OPENING, WRITER_SYSTEM
from fusion_graph.state import PanelAnswer

STUB_CHARACTERS = 80
STUB_WORDS = 12
"""An answer shorter than both is one line."""

TIMES_LONGER = 10
WHOLE_CHARACTERS = 300
"""Every answer of the panel is so much longer, and so long, before a line counts as a stub: where
the request wants a word, at least one member gives a word."""

_WANTS_LITTLE = re.compile(
    r"\b(?:one|single|1)[ -](?:word|line|sentence|letter|number|name)|\byes\b.{0,9}\bno\b|\bbrief|"
    r"\bshort(?:ly|est)?\b|\bconcise|\bonly (?:the|a|an|with)\b|\bjust (?:the|a|an)\b|"
    r"\bnothing else|\btl;?dr|\bheadline|\btitle\b|true or false",
    re.IGNORECASE,
)
_LABELLED = re.compile(r"\b(?:[Aa]nswer|[Pp]anell?ist|[Rr]esponse|[Mm]ember) ([A-P])\b")

FEWEST_WORDS = 7
"""A shorter sentence of the instructions may be anybody's."""

_OURS = tuple(
    " ".join(sentence.split())
    for sentence in (*re.split(r"(?<=[.:;]) (?=\S)|\n\n", WRITER_SYSTEM), WRITER_OPENING)
    if len(sentence.split()) >= FEWEST_WORDS
)
"""Sentences of the writer's instructions. A real model of half a billion weights said them back in
5 of 12 answers, in four of them with no answer besides (docs/verdict.md)."""


def shortfalls(question: str, text: str, survivors: Sequence[PanelAnswer]) -> list[Degradation]:
    """Report that an answer is a stub, speaks of the panel's labels or repeats its instructions.

    Args:
        question: The request; one that asks for little gets little.
        text: The writer's answer.
        survivors: The panel's answers.
    """
    losses: list[Degradation] = []
    shortest = min((len(answer["content"]) for answer in survivors), default=0)
    line = 0 < len(text) < STUB_CHARACTERS and len(text.split()) < STUB_WORDS
    whole = shortest >= max(WHOLE_CHARACTERS, TIMES_LONGER * len(text))
    if line and whole and not _WANTS_LITTLE.search(question):
        detail = (
            f"The writer's answer has {len(text)} characters, the shortest of the panel's "
            f"{shortest}: read those too."
        )
        losses.append({"code": "answer_stub", "detail": detail})
    labels = {str(answer["label"]): answer["name"] for answer in survivors}
    # Words of the request, or of what the panel found, are no talk of this panel's labels.
    read = "\n".join([question, *(answer["content"] for answer in survivors)]).lower()
    named = sorted({m[1] for m in _LABELLED.finditer(text) if m[0].lower() not in read})
    if named_members := [f"{label} is {labels[label]}" for label in named if label in labels]:
        detail = f"The answer speaks of the panel's labels: {', '.join(named_members)}."
        losses.append({"code": "labels_mentioned", "detail": detail})
    said, asked = _plain(text), _plain(read)
    if ours := next((s for s in _OURS if (low := s.lower()) in said and low not in asked), None):
        detail = (
            f'The writer repeated its instructions: "{ours[:100]}". Read the panel\'s answers, or '
            "name a larger model as the synthesizer."
        )
        losses.append({"code": "instructions_repeated", "detail": detail})
    return losses


def _plain(text: str) -> str:
    """A text in small letters, with one blank between words."""
    return " ".join(text.lower().split())
