"""Sentences with their citations: written after quoting, and read back from an answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fusion_graph.evidence import ANY_SOURCE, Mark, read_citations
from fusion_graph.offline._quantities import quantities
from fusion_graph.offline._text import LONGEST_TEXT, content_stems, sentences

QUOTE_WORDS = (4, 14)
"""Fewest and most words of a quoted phrase: enough to be found again, short enough to read."""

_AFTER_STOP = re.compile("([.!?\u3002])[ \t]{0,9}((?:\ue000\\d{1,9}\ue001[ \t]{0,9})+)")
_FINAL = re.compile(r"[\s.!\u3002\u2026;,]+$")
_MARKUP = re.compile(r"^[ \t]*(?:#{1,6}\s.*|[-*_=]{3,})$", re.MULTILINE)
_BULLET = re.compile(r"^[ \t]*(?:[-*+\u2022]|\d{1,3}[.)])\s+", re.MULTILINE)


_BLOCK = re.compile(r"\n[ \t]*\n|\n(?=[ \t]*(?:[-*+\u2022]|\d{1,3}[.)])\s)")
_PLACE = re.compile("\\s*\ue000(\\d+)\ue001")


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of an answer without its citations, and the ids it cites."""

    text: str
    sources: tuple[int, ...]


def cited(sentence: str, sources: Sequence[int | None], quote: str = "") -> str:
    """The sentence with its citations before the full stop.

    Args:
        sentence: The sentence.
        sources: Ids; None stands for a source without a number.
        quote: Exact words of the first source, written into its citation.
    """
    ids = [n for n in dict.fromkeys(sources) if n is not None]
    marks = [f"[{n}]" for n in ids]
    if marks and quote:
        marks[0] = f'[{ids[0]}: "{quote}"]'
    stop = "\u3002" if sentence.endswith("\u3002") else "."
    body = _FINAL.sub("", sentence)
    if marks:
        return f"{body} {''.join(marks)}{stop}"
    return body if body.endswith(("?", "!", "\uff1f", "\uff01")) else f"{body}{stop}"


def telling_phrase(sentence: str, page: str, terms: frozenset[str]) -> str:
    """The part of a sentence that answers best and stands in the page word for word, or "".

    Args:
        sentence: As it will stand in the answer.
        page: The page's text.
        terms: Stems of the question.
    """
    fewest, most = QUOTE_WORDS
    flat = " ".join(page.split())
    candidates: list[str] = []
    for clause in [_FINAL.sub("", sentence), *re.split(r"[,;]\s+", _FINAL.sub("", sentence))]:
        words = clause.split()
        if len(words) <= most:
            candidates.append(clause)
        else:
            candidates += [" ".join(words[:most]), " ".join(words[-most:])]
    fit = [
        phrase
        for phrase in candidates
        if len(phrase.split()) >= fewest
        and phrase in flat
        and not re.search(r"[\"\[\]\u201c\u201d]", phrase)
    ]
    return max(
        fit,
        key=lambda p: (len(content_stems(p) & terms) + 2 * bool(quantities(p)), -len(p)),
        default="",
    )


def claims(answer: str) -> list[Claim]:
    """The sentences of an answer with what each cites, markup and headings left out."""
    # A quote in a citation may hold full stops: citations wait outside while splitting.
    cited_there: list[tuple[int, ...]] = []

    def put_aside(mark: Mark) -> str:
        cited_there.append(mark.ids)
        return f"\ue000{len(cited_there) - 1}\ue001"

    answer = re.sub("[\ue000\ue001]", "", answer)
    text = _MARKUP.sub("", read_citations(answer, ANY_SOURCE).without(put_aside))
    text = _AFTER_STOP.sub(lambda m: f" {m[2].strip()}{m[1]} ", text)
    found: list[Claim] = []
    for block in _BLOCK.split(text):
        for piece in sentences(" ".join(_BULLET.sub("", block).replace("**", "").split())):
            ids = [n for place in _PLACE.findall(piece) for n in cited_there[int(place)]]
            bare = _PLACE.sub("", piece).strip()
            if len(bare) <= LONGEST_TEXT and any(char.isalnum() for char in bare):
                found.append(Claim(bare, tuple(dict.fromkeys(ids))))
    return found
