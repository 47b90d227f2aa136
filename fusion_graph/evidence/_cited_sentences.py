"""The sentences of an answer that cite, each with what it cites and what it quotes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from fusion_graph.evidence._citation_marks import Mark, marked_blocks
from fusion_graph.evidence._pages import index_words
from fusion_graph.evidence._prose import Block
from fusion_graph.evidence._sentences import spans

_MARK = "\ue000"
"""Stands in place of a citation while sentences are told apart."""

_AFTER_POINT = re.compile(
    rf"([.!?…。！？।؟][\"'”’»)\]*_」』]{{0,3}})(\s{{0,3}}{_MARK}(?:\s?{_MARK})*)"
)
_LOWER = re.compile(r"\s*[,;:]?\s*[^\W\d_]")
_BEFORE_POINT = re.compile(r"\s+(?=[.,;:!?)\]»”](?:\s|$))")
_BULLET = re.compile(r"(?:>\s*)*(?:[-*+•]\s+|\d{1,3}[.)]\s+)?(?:\[[ xX]\]\s+)?")
_QUOTED = re.compile(
    r"\"([^\"\n]{4,2000}?)\"|“([^”\n]{4,2000}?)”|„([^“”\n]{4,2000}?)[“”]|«([^»\n]{4,2000}?)»"
    r"|「([^」\n]{2,2000}?)」|『([^』\n]{2,2000}?)』"
)


@dataclass(frozen=True, slots=True)
class CitedSentence:
    """A sentence that cites.

    Attributes:
        text: The sentence without its citations.
        sources: The numbers cited, each once.
        quotes: Words in quotation marks, in the sentence or in its citations.
        row: Whether it is a row of a table.
        header: The table's first row, where it is one.
    """

    text: str
    sources: tuple[int, ...]
    quotes: tuple[str, ...]
    row: bool = False
    header: str = ""


def cited_sentences(answer: str, known: Collection[int]) -> Iterator[CitedSentence]:
    """The sentences of an answer that cite, in order. Code and headings hold none.

    Args:
        answer: Markdown.
        known: The numbers that exist.
    """
    header, row_before = "", False
    for block, found in marked_blocks(answer, known):
        cites = [mark for mark in found if mark.kind == "cites"]
        if block.row and not row_before:
            header = answer[block.start : block.end].strip()
        row_before = block.row
        if not cites or block.heading:
            continue
        if block.row:
            yield _row(answer, block, cites, header)
        else:
            yield from _sentences(answer, block, cites)


def _row(answer: str, block: Block, cites: list[Mark], header: str) -> CitedSentence:
    text = _with_signs(answer, block, cites).replace(_MARK, "")
    return CitedSentence(
        _tidy(text), _numbers(cites), _quotes(text, cites), row=True, header=header
    )


def _sentences(answer: str, block: Block, cites: list[Mark]) -> Iterator[CitedSentence]:
    text = _with_signs(answer, block, cites)
    text = _AFTER_POINT.sub(lambda match: _drawn_in(match, text), text)
    rest = iter(cites)
    for start, end in spans(text):
        sentence = text[start:end]
        here = [next(rest) for _ in range(sentence.count(_MARK))]
        bare = sentence.replace(_MARK, "")
        if here and any(c.isalnum() for c in bare):
            yield CitedSentence(_tidy(bare), _numbers(here), _quotes(bare, here))


def _with_signs(answer: str, block: Block, cites: list[Mark]) -> str:
    """The block's text with a sign in place of each citation."""
    pieces, at = [], block.start
    for mark in cites:
        pieces += [answer[at : mark.start], _MARK]
        at = mark.end
    return "".join([*pieces, answer[at : block.end]])


def _drawn_in(match: re.Match[str], text: str) -> str:
    """A citation after a full stop, put before it, unless the next sentence begins with it.

    "It is blue. [2] reports that it is red.": [2] is what reports.
    """
    following = _LOWER.match(text, match.end())
    if following and following[0][-1].islower():
        return match[0]
    return match[2].replace(" ", "") + match[1]


def _tidy(text: str) -> str:
    text = _BEFORE_POINT.sub("", " ".join(text.split()))
    bullet = _BULLET.match(text)
    return text[bullet.end() :] if bullet else text


def _numbers(cites: list[Mark]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(n for mark in cites for n in mark.ids))


def _quotes(text: str, cites: list[Mark]) -> tuple[str, ...]:
    # A word or two in quotation marks name something, or doubt it.
    found = (next(part for part in match.groups() if part) for match in _QUOTED.finditer(text))
    said = [words for words in found if len(index_words(words)) > 2]
    said += [part.words for mark in cites for part in mark.parts if part.words]
    return tuple(dict.fromkeys(said))
