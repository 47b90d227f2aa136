"""Pages made ready for comparison: without footnote marks, link targets and running headers."""

from __future__ import annotations

import html
import re
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from fusion_graph.evidence._words import IGNORABLE, UNSPACED, fold, without_accents

_PRIVATE = re.compile(f"[{IGNORABLE}]")
_FOOTNOTE = re.compile(
    r"\\?\[(?:\^?\d{1,3}|\^[\w-]{1,24}|[a-z]|(?:note|nb|n|fn|ref)\.?\s?\d{1,3}|"
    r"(?:citation|clarification|verification|page|better source)s?[\s\w]{0,9} needed|edit|"
    r"when\?|who\?|which\?|by whom\?|according to whom\?|dubious[^\[\]\n]{0,24}|"
    r"Quelle fehlt|réf\. nécessaire|cita requerida|zdroj\?|"
    r"(?:\d{1,3},\s?)+\d{1,3})\\?\](?::\s?\d{1,4}\b)?",
    re.IGNORECASE,
)
"""Marks of Wikipedia and of Markdown: [3], [^2], [note 4], [citation needed], [5]:12."""
_LINK = re.compile(
    r"!?\[((?:[^\[\]\n]|\[[^\[\]\n]*\])*)\]\((?:[^()\s]|\([^()\s]*\))*(?:\s+(?:\"[^\"\n]*\"|'[^'\n]*'))?\)"
)
_EMPHASIS = re.compile(r"(?<![\w*])(\*{1,3})(?=\S)|(?<=\S)(\*{1,3})(?![\w*])|__(?=\S)|(?<=\S)__|`")
_LINE_START = re.compile(r"^[ \t]*(?:#{1,6}[ \t]+|(?:>[ \t]?)+)", re.MULTILINE)
_RULE = re.compile(r"^[ \t]*+(?:\|[ \t]*+)?(?::?-{2,}+:?[ \t]*+(?:\|[ \t]*+)?)++$", re.MULTILINE)
_HYPHENATED = re.compile(r"[-\u2010\u00ad][ \t]*\n[ \t]*(?=[^\W\d_])")
_PAGE_NUMBER = re.compile(
    r"(?:(?:[-–—|•]\s+)?(?:page|p\.|seite|página|pagina|strana|стр\.|s\.)?\s*\d{1,4}"
    r"(?:\s*(?:of|/|von|de|sur|di|z)\s*\d{1,4})?(?:\s+[-–—|•])?)",
    re.IGNORECASE,
)


def readable(text: str) -> str:
    """A page or a quote as a reader sees it: no markup, no footnote marks, no link targets.

    Linear in the text.
    """
    text = _HYPHENATED.sub(_joined, text.replace("\r\n", "\n"))
    if not text.isascii():
        text = _PRIVATE.sub("", text)
    if "&" in text:
        text = html.unescape(text)
    text = text.replace("\\[", "[").replace("\\]", "]")
    if "](" in text:
        text = _LINK.sub(r"\1", text)
    if "*" in text or "_" in text or "`" in text:
        text = _without_emphasis(text)
    if "[" in text:
        text = _FOOTNOTE.sub("", text)
    if "<" in text:
        text = _TAG.sub("", _RAISED.sub(_raised, text))
    if not text.isascii():
        text = _RAISED_SIGNS.sub(_power_or_note, text)
    return _RULE.sub("", _LINE_START.sub("", text)).replace("\\", "")


def _without_emphasis(text: str) -> str:
    # Looked for only where it can be: all at once takes 120 ms for a page of 1.5 million
    # characters, in which no other thread runs.
    pieces: list[str] = []
    done = 0
    for mark in _EMPHASIS_MARK.finditer(text):
        match = _EMPHASIS.match(text, mark.start()) if mark.start() >= done else None
        if match is not None:
            pieces.append(text[done : match.start()])
            done = match.end()
    return "".join((*pieces, text[done:]))


_EMPHASIS_MARK = re.compile("[*_`]")

_TAG = re.compile(
    r"</?(?:su[bp]|small|[bius]|em|strong|br|span|mark|wbr|q|cite|kbd)\b[^<>\n]{0,200}>"
)
_RAISED = re.compile(r"<sup>\s*([^<>\n]{0,40}?)\s*</sup>", re.IGNORECASE)
_POWERS = str.maketrans("0123456789+-\u2212", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻")
_RAISED_SIGNS = re.compile(r"(?<=\S)[⁰¹²³⁴⁵⁶⁷⁸⁹]{1,3}")
_UNIT_BEFORE = re.compile(
    r"(?:(?<![\d.,])10|(?<![^\W\d_])(?:[kcdmµn]?m|mi|ft|in|yd|s|[a-zA-Z]))[⁺⁻]?$"
)


def _raised(match: re.Match[str]) -> str:
    """What is raised: a power as such, an ending as it is, a mark of a note as nothing."""
    raised = match[1]
    if re.fullmatch(r"[-+\u2212]?\d{1,3}", raised):
        return raised.translate(_POWERS)
    return "" if len(raised) == 1 or not raised.isalpha() else raised


def _power_or_note(match: re.Match[str]) -> str:
    before = match.string[max(0, match.start() - 8) : match.start()]
    return match[0] if _UNIT_BEFORE.search(before) else ""


def _joined(match: re.Match[str]) -> str:
    """A hyphen at a line's end, gone after a letter. Well-known loses it too, which words bear."""
    before = match.string[max(0, match.start() - 1) : match.start()]
    return "" if before.isalpha() else match[0]


LINES_OF_A_PAGE = 8
"""Fewer lines between two bare numbers make no page of a PDF."""


def without_headers(text: str) -> str:
    """The text without lines that only number a page, and what repeats beside them.

    Args:
        text: Of a PDF, page after page.
    """
    lines = text.split("\n")
    bare = [line.strip() for line in lines]
    lone = {int(line): n for n, line in enumerate(bare) if line.isdecimal() and len(line) < 5}
    numbered = [
        n
        for n, line in enumerate(bare)
        if line and len(line) < 24 and _PAGE_NUMBER.fullmatch(line) and _within(bare, n, lone)
    ]
    if not numbered:
        return text
    repeated = Counter(re.sub(r"\d+", "0", line) for line in bare if 0 < len(line) < 90)
    dropped = set(numbered)
    for n in numbered:
        for beside in (n - 1, n + 1):
            if 0 <= beside < len(bare) and repeated[re.sub(r"\d+", "0", bare[beside])] >= 2:
                dropped.add(beside)
    return "\n".join(line for n, line in enumerate(lines) if n not in dropped)


def _within(lines: list[str], at: int, lone: dict[int, int]) -> bool:
    """Whether a bare number parts a sentence, or a line says itself that it counts pages.

    A bare number counts pages only where the next or the last page has its number too.
    """
    if re.search(r"[^\W\d]", lines[at]):
        return True
    number = re.search(r"\d+", lines[at])
    beside = [lone.get(int(number[0]) + step) for step in (-1, 1)] if number else []
    if not any(line is not None and abs(line - at) >= LINES_OF_A_PAGE for line in beside):
        return False
    before = next((line for line in reversed(lines[max(0, at - 3) : at]) if line), "")
    after = next((line for line in lines[at + 1 : at + 4] if line), "")
    ended = before[-1:] in ".!?:|" or before[-1:].isdigit()
    return bool(before) and not ended and after[:1].islower()


_INDEXED = re.compile(rf"[{UNSPACED}]|[^\W_{UNSPACED}]+")


def index_words(text: str) -> list[str]:
    """The words by which a place on a page is looked for."""
    words = (without_accents(fold(word)) for word in _INDEXED.findall(text))
    return [word for word in words if word]  # nothing is left of a Thai vowel that stands alone


@dataclass(frozen=True)
class Page:
    """A page's text, with an index of the words that are looked for on it."""

    text: str
    sought: frozenset[str]

    @classmethod
    def of(cls, text: str, quotes: Sequence[str]) -> Page:
        """Make a page ready for quotes to be looked for."""
        sought = frozenset(word for quote in quotes for word in index_words(readable(quote)))
        return cls(readable(without_headers(text)), sought)

    @cached_property
    def _spans(self) -> tuple[array[int], array[int]]:
        # Not `list(finditer)`: the 250,000 words of a page are found without a step of Python's
        # own, and no other thread, the event loop's neither, runs for a quarter of a second. Nor a
        # list of pairs, each of which every pass of the garbage collector looks at.
        starts, ends = array("L"), array("L")
        for match in _INDEXED.finditer(self.text):
            starts.append(match.start())
            ends.append(match.end())
        return starts, ends

    @cached_property
    def words(self) -> list[str]:
        """Its words, folded, in order."""
        text = self.text
        return [without_accents(fold(text[at:end])) for at, end in zip(*self._spans, strict=True)]

    @cached_property
    def places(self) -> dict[str, list[int]]:
        """From a word that is looked for to where it stands, counted in words."""
        found: dict[str, list[int]] = {}
        sought = self.sought
        for n, word in enumerate(self.words):
            if word in sought:
                found.setdefault(word, []).append(n)
        return found

    def start_of(self, word: int) -> int:
        """Where a word begins, in characters."""
        return _nearest(self._spans[0], word)

    def end_of(self, word: int) -> int:
        """Where a word ends, in characters."""
        return _nearest(self._spans[1], word)

    def lines(self, start: int, end: int) -> str:
        """The whole lines that a passage touches."""
        after = self.text.find("\n", end)
        return self.text[self.text.rfind("\n", 0, start) + 1 : after if after >= 0 else None]

    def sentence_before(self, at: int, most: int = 600) -> str:
        """What of a sentence stands before a character."""
        low = max(0, at - most)
        start = low
        # Two characters more, since a sentence ends only before the next one.
        for match in _SENTENCE_END.finditer(self.text[low : at + 2]):
            if low + match.end() <= at:
                start = low + match.end()
        return self.text[start:at]

    def sentence_after(self, at: int, most: int = 600) -> str:
        """What of a sentence stands after a character."""
        after = self.text[at : at + most]
        match = _SENTENCE_END.search(after)
        return after[: match.start() + 1] if match else after


def _nearest(places: array[int], word: int) -> int:
    return places[max(0, min(word, len(places) - 1))] if places else 0


_SENTENCE_END = re.compile(
    r"(?<!\b[A-Z])(?<!\bDr)(?<!\bMr)(?<!\bSt)(?<!\bca)[.!?](?=[\"'”’)\]]?\s+[^a-z\s])[\"'”’)\]]?"
    r"|[。！？।؟]|\n[ \t]*\n|\n(?=[ \t]*(?:[-*•|]|\d+[.)])[ \t])|\|"
)
