"""The passages of a page that are nearest to a sentence, found by the words they share."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from fusion_graph.evidence import _english as english
from fusion_graph.evidence._negations import weak_languages
from fusion_graph.evidence._pages import index_words, readable, without_headers
from fusion_graph.evidence._sentences import spans

LONGEST = 1_200
"""Characters of a sentence of a page that are looked at."""

MOST_TEXT = 400_000
"""Characters of a page that are looked at."""

COMMON = 400
"""A word in more sentences than so many tells nothing about where to look, on a large page."""

_PARAGRAPH = re.compile(r"\n[ \t]*\n")


@dataclass(slots=True)
class Passage:
    """A sentence of a page, or a row of a table with the table's first row as `header`."""

    text: str
    place: int
    header: str = ""
    heading: str = ""
    words: frozenset[str] = field(default_factory=frozenset)


class PageIndex:
    """The sentences of a page, by their words. Linear in the page."""

    def __init__(self, page: str) -> None:
        self.passages: list[Passage] = list(_passages(page[:MOST_TEXT]))
        self._places: dict[str, list[int]] = {}
        for passage in self.passages:
            passage.words = keys(passage.text)
            for word in passage.words:
                self._places.setdefault(word, []).append(passage.place)

    def has(self, word: str) -> bool:
        """Whether a word stands on the page, in this or a like form."""
        return all(key in self._places for key in keys(word))

    def nearest(self, words: frozenset[str], most: int) -> list[Passage]:
        """The passages that share the most telling words, the nearest first."""
        size = len(self.passages)
        scores = Counter[int]()
        for word in sorted(words):
            places = self._places.get(word, ())
            if not places or (len(places) > COMMON and len(places) * 4 > size):
                continue
            weight = int(1000 * math.log(1 + size / len(places))) + 1
            for place in places[: 4 * COMMON]:
                scores[place] += weight
        best = sorted(
            scores, key=lambda place: (-scores[place], len(self.passages[place].words), place)
        )
        return [self.passages[place] for place in best[:most]]

    def around(self, place: int, reach: int) -> Sequence[Passage]:
        """The passages beside one, and itself."""
        return self.passages[max(0, place - reach) : place + reach + 1]


_NO_BLANKS = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
)


def telling_keys(text: str) -> frozenset[str]:
    """The same without function words, unless there is nothing else."""
    every = keys(text)
    return every - _function_words(text) or every


def _function_words(text: str) -> frozenset[str]:
    return frozenset(
        key
        for word in index_words(text)
        if word in english.WEAK or weak_languages(word)
        for key in keys(word)
    )


def share_words(text: str, other: str) -> bool:
    """Whether two texts have a telling word in common, in this or a like form.

    Args:
        text: One of them.
        other: The other; one without a telling word has something in common with every text.
    """
    wanted = keys(other) - _function_words(other)
    return not wanted or not wanted.isdisjoint(keys(text))


def keys(text: str) -> frozenset[str]:
    """What of a text is looked for: how its words begin; in scripts without blanks, pairs."""
    found: set[str] = set()
    before = ""
    for word in index_words(text):
        if len(word) == 1 and _NO_BLANKS.match(word):
            found.add(before + word)
            before = word
            continue
        before = ""
        found.add(word if word[0].isdigit() else word[:5])
    return frozenset(found)


def passages(sentence: str, page: str, most: int) -> list[str]:
    """The passages of a page nearest to a sentence, to be shown to a model that decides.

    Each comes with the sentence before and after it; a row of a table with the table's first row.

    Args:
        sentence: What is to be checked.
        page: The page's text.
        most: How many, at most.
    """
    index = PageIndex(page)
    shown: list[str] = []
    taken: set[int] = set()
    for passage in index.nearest(telling_keys(sentence), 3 * most):
        if len(shown) == most:
            break
        if passage.place in taken:
            continue
        if passage.header:
            around = [passage]
            text = f"{passage.header}\n{passage.text}"
        else:
            around = [p for p in index.around(passage.place, 1) if not p.header]
            text = " ".join(p.text for p in around)
        taken.update(p.place for p in around)
        shown.append(text)
    return shown


def _passages(page: str) -> Iterator[Passage]:
    place, heading = 0, ""
    for paragraph in _paragraphs(without_headers(page)):
        titled = paragraph.lstrip().startswith("#")
        text = readable(paragraph)
        header = ""
        if titled:
            heading = text.strip()[:200]
        for kind, piece in _pieces(text):
            if kind == "row":
                row = " ".join(piece.split())
                header = header or row
                yield Passage(row[:LONGEST], place, header[:LONGEST], heading)
                place += 1
                continue
            header = ""
            for start, end in spans(piece):
                sentence = " ".join(piece[start:end].split())
                for at in range(0, len(sentence), LONGEST):
                    yield Passage(sentence[at : at + LONGEST], place, "", heading)
                    place += 1


def _paragraphs(page: str) -> Iterator[str]:
    """Paragraphs, cut where a single one is too long to be worked on at once."""
    at = 0
    for match in _PARAGRAPH.finditer(page):
        yield from _cut(page[at : match.start()])
        at = match.end()
    yield from _cut(page[at:])


_AT_ONCE = 20_000


def _cut(text: str) -> Iterator[str]:
    while len(text) > _AT_ONCE:
        at = max(text.rfind("\n", 0, _AT_ONCE), text.rfind(". ", 0, _AT_ONCE) + 1)
        at = at if at > _AT_ONCE // 2 else _AT_ONCE
        yield text[:at]
        text = text[at:]
    if text.strip():
        yield text


def _pieces(paragraph: str) -> Iterator[tuple[str, str]]:
    """Rows of tables, and the prose between them."""
    prose: list[str] = []
    for line in paragraph.split("\n"):
        if line.count("|") >= 2:
            if prose:
                yield "prose", "\n".join(prose)
                prose = []
            if any(c.isalnum() for c in line):
                yield "row", line
        else:
            if prose and re.match(r"[ \t]*(?:[-*•]|\d{1,3}[.)])[ \t]", line):
                yield "prose", "\n".join(prose)
                prose = []
            prose.append(line)
    if prose:
        yield "prose", "\n".join(prose)
