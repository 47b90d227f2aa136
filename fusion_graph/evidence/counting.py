"""How many say so: "3 of 3 models agree" held against who of the panel really says it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from fusion_graph.evidence._cited_sentences import CitedSentence
from fusion_graph.evidence._claim_check import check_sentence, is_checkable
from fusion_graph.evidence._items import read
from fusion_graph.evidence._negations import number_of
from fusion_graph.evidence._passages import PageIndex, keys, telling_keys
from fusion_graph.evidence._prose import prose
from fusion_graph.evidence._sentences import spans
from fusion_graph.evidence._tables import table
from fusion_graph.evidence.citations import ANY_SOURCE, read_citations

MOST_SENTENCES = 2_000
"""Sentences of an answer that are looked at."""

ABOUT = 0.34
"""Least share of a point's telling words in a sentence that counts who makes it."""


SAYS = 3
"""Telling words from which a sentence says for itself what it counts."""


@dataclass(frozen=True, slots=True)
class Miscount:
    """A count that an answer tells of its panel, and the real one.

    Attributes:
        said: The answer's words.
        sentence: The sentence they stand in.
        agreeing: How many make the point; 0 where no point of the consensus has a word of it,
            None where it cannot be told which point is meant.
        answered: How many answered.
    """

    said: str
    sentence: str
    agreeing: int | None
    answered: int


def miscounted(
    answer: str, points: Sequence[tuple[str, Sequence[str]]], asked: int, answered: int
) -> list[Miscount]:
    """The counts of the panel that an answer tells and that are not so.

    "n of m" may be told of those who were asked or of those who answered. Counts of anything
    else ("3 of 3 tests passed") are none of the panel's.

    Args:
        answer: Markdown.
        points: The points of the consensus, each with the names of those who make it.
        asked: How many were asked.
        answered: How many answered.
    """
    found: list[Miscount] = []
    widest = max((len(set(names)) for _, names in points), default=0)
    before = ""
    for sentence in _sentences(answer):
        for count in _counts(sentence):
            agreeing = _agreeing(sentence, before, points)
            if agreeing is None and points and count.n > widest:
                agreeing = widest  # whichever point is meant, so many make none
            if not _right(count, agreeing, asked, answered):
                found.append(Miscount(count.said, sentence, agreeing, answered))
        before = sentence
    return found


def unfounded(
    point: str,
    answers: Mapping[str, str],
    question: str = "",
    indexes: dict[str, PageIndex] | None = None,
) -> list[str]:
    """Who of those who are said to make a point does not make it, as far as code can tell.

    Somebody does not where a figure, date, name or denial of the point is contradicted by the
    answer or not in it. Another wording is no alarm, nor is a name that the question gave.

    Args:
        point: A point of the consensus.
        answers: The answers of those who are said to make it, by name.
        question: What was asked.
        indexes: Those of the same answers by name, as far as there are any; the others are put in.
            Who asks of many points so has each answer read once.
    """
    indexes = {} if indexes is None else indexes
    said = _plain_beginning(_without_counts(point, answers), answers.values())
    if not is_checkable(said):
        return []
    sentence = CitedSentence(said, (), ())
    for name in answers.keys() - indexes.keys():
        indexes[name] = _index_of(answers[name], question)
    return [name for name in answers if not _makes(sentence, indexes[name])]


def _plain_beginning(point: str, answers: Iterable[str]) -> str:
    """A point whose first word is no name, unless an answer has it with a capital too.

    Every sentence begins with a capital: "Water is wet" names nobody.
    """
    first, _, rest = point.partition(" ")
    if not first.istitle() or rest[:1].isupper() or any(first in text for text in answers):
        return point
    return f"{first.lower()} {rest}"


def _index_of(text: str, question: str) -> PageIndex:
    plain = read_citations(text, ANY_SOURCE).without(lambda _mark: "")
    # What was asked stands over every answer to it, as a title stands over a page.
    return PageIndex(f"{' '.join(question.split())}\n\n{plain}" if question else plain)


def _makes(sentence: CitedSentence, answer: PageIndex) -> bool:
    return check_sentence(sentence, [answer]).verdict in ("supported", "not_checkable")


# --- counts in an answer


@dataclass(frozen=True, slots=True)
class _Count:
    """What is told: `n` of `m`, all (of `m`, where it is said), or most."""

    said: str
    kind: Literal["some", "all", "most"]
    n: int = 0
    m: int = 0


_WORDS = {
    name: listed.split() for name, listed in table("claims").items() if isinstance(listed, str)
}


def _one_of(*names: str) -> str:
    words = sorted({word for name in names for word in _WORDS[name]}, key=len, reverse=True)
    return "(?:" + "|".join(re.escape(word) for word in words) + ")"


_NUMBER = r"(?:\d{1,3}|[^\W\d_]{2,12})"
_THE = r"(?:(?:the|our|these|its|den|der|die|les|los|las|dei|gli|le)\s+)?"
_ADJECTIVE = r"(?:[^\W\d_]{3,14}\s+){0,2}?"
_PANEL_NOUN = rf"(?:panel[ -]members?|members?\s+of\s+the\s+panel|{_one_of('panel')})"
_PERHAPS = _one_of("perhaps_panel")
_SAY = rf"(?:\s+(?:[^\W\d_]{{2,12}}\s+){{0,2}}?{_one_of('agreeing', 'saying')}\b)"
_ENDS = r"(?=\s*(?:$|[.,;:!?)\]\[(—–]))"
_WHO = (
    rf"(?:\s+{_THE}{_ADJECTIVE}(?:{_PANEL_NOUN}\b|{_PERHAPS}\b(?:{_SAY}|{_ENDS}))"
    rf"|\s+(?:[^\W\d_]{{2,12}}\s+){{0,2}}?{_one_of('agreeing')}\b)"
)
_OF = re.compile(
    rf"\b(?P<n>{_NUMBER})(?:\s+(?:out\s+)?{_one_of('of')}\s+{_THE}|\s?/\s?)(?P<m>{_NUMBER})\b{_WHO}",
    re.IGNORECASE,
)
_ALL = re.compile(
    rf"\b(?:{_one_of('whole')}(?:\s+of)?\s+{_THE}(?:(?P<m>\d{{1,3}}|[^\W\d_]{{2,12}})\b)?"
    rf"|(?P<both>{_one_of('both')})\b){_WHO}",
    re.IGNORECASE,
)
_MOST = re.compile(
    rf"\b{_one_of('majority')}\b(?:\s+(?:of|der|des|de|dei)\b)?{_WHO}", re.IGNORECASE
)
_UNANIMOUS = re.compile(
    rf"\b{_one_of('unanimous')}(?!\w)|\bthe (?:whole|entire) panel\b", re.IGNORECASE
)
_PANEL_SAID = re.compile(rf"\b(?:panel|{_PERHAPS}|{_one_of('panel')})\b", re.IGNORECASE)


def _sentences(answer: str) -> Iterator[str]:
    plain = read_citations(answer, ANY_SOURCE).without(lambda _mark: "")
    told = 0
    for block in prose(plain):
        if block.heading:
            continue
        for start, end in spans(plain, block.start, block.end):
            told += 1
            if told > MOST_SENTENCES:
                return
            yield " ".join(plain[start : min(end, start + 2_000)].split())


def _counts(sentence: str) -> Iterator[_Count]:
    language = ""
    for match in _OF.finditer(sentence):
        language = language or read(sentence).language
        n, m = _number(match["n"], language), _number(match["m"], language)
        if n is not None and m is not None and n <= m:
            yield _Count(match[0], "some", n, m)
    for match in _ALL.finditer(sentence):
        language = language or read(sentence).language
        m = 2 if match["both"] else _number(match["m"] or "", language)
        yield _Count(match[0], "all", m=m or 0)
    for match in _MOST.finditer(sentence):
        yield _Count(match[0], "most")
    unanimous = _UNANIMOUS.search(sentence)
    if unanimous and _PANEL_SAID.search(sentence) and not _ALL.search(sentence):
        yield _Count(unanimous[0], "all")


def _number(word: str, language: str) -> int | None:
    if word.isdecimal():
        return int(word)
    if word.casefold() in _ONES:
        return 1
    for item in read(word, language or "en").items:
        if item.figure is not None and item.figure.first == int(item.figure.first):
            return int(item.figure.first)
    return number_of(word.casefold(), language)


_ONES = frozenset(["one", "ein", "eine", "eines", "un", "une", "uno", "una"])


Points = Sequence[tuple[str, Sequence[str]]]


def _agreeing(sentence: str, before: str, points: Points) -> int | None:
    """How many make the point that a sentence is about, or the sentence before it."""
    scored: list[tuple[float, int]] = []
    for text in (sentence, f"{before} {sentence}"):
        words = telling_keys(text)
        scored = []
        for point, names in points:
            told = telling_keys(point) - _COUNTING
            if told:
                scored.append((len(told & words) / len(told), len(set(names))))
        if scored and max(scored)[0] >= ABOUT:
            return max(scored)[1]
    telling = telling_keys(_without_counts(sentence, {})) - _COUNTING
    return 0 if scored and max(scored)[0] == 0 and len(telling) >= SAYS else None


_COUNTING = frozenset(
    key
    for name in ("perhaps_panel", "agreeing", "panel", "whole")
    for word in _WORDS[name]
    for key in keys(word)
)


def _right(count: _Count, agreeing: int | None, asked: int, answered: int) -> bool:
    if count.kind == "most":
        return agreeing is None or 2 * agreeing > answered
    if count.kind == "all":
        if count.m and count.m not in (answered, asked):
            return False
        if count.m and count.m > answered:
            return False
        return agreeing is None or agreeing == answered
    if count.m not in (asked, answered) or count.n > answered:
        return False
    return agreeing is None or count.n == agreeing


def _without_counts(point: str, answers: Mapping[str, str]) -> str:
    """A point without what it says of the panel itself."""
    text = point
    for pattern in (_OF, _ALL, _MOST, _UNANIMOUS):
        text = pattern.sub(" ", text)
    for name in answers:
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", " ", text)
    text = re.sub(r"^\s*(?:that|dass|que|che)\s+", "", text)
    return " ".join(text.split())
