"""Reads what looks like a citation, and decides by its numbers and its place whether it is one."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from fusion_graph.evidence._places import After, in_prose, in_superscript_place, reads_as_numbers
from fusion_graph.evidence._prose import Block, prose

LONGEST_QUOTE = 2_000
WIDEST_RANGE = 30
LARGEST_UNKNOWN = 999
"""A larger number that no source has is a year or a figure, and no mistaken citation."""

Kind = Literal["cites", "doubtful", "unreadable", "label"]
"""`cites`: a citation, of sources that exist or not. `doubtful`: text, since its numbers are no
sources. `unreadable`: looks like a citation and follows no rule of them. `label`: the number
before an entry of the text's own list of sources."""


@dataclass(frozen=True, slots=True)
class Part:
    """Numbers, and the words quoted from them."""

    ids: tuple[int, ...]
    words: str | None


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that looks like a citation.

    Attributes:
        start: Where it begins.
        end: Where it ends.
        kind: What it is held to be.
        parts: What it cites, in order.
        number: Where in the text its number stands, if it is a label or unreadable.
        bare: Whether it is numbers in square brackets and no more.
    """

    start: int
    end: int
    kind: Kind
    parts: tuple[Part, ...]
    number: tuple[int, int] | None = None
    bare: bool = False

    @property
    def ids(self) -> tuple[int, ...]:
        """All numbers in it, in order."""
        return tuple(n for part in self.parts for n in part.ids)

    @property
    def words(self) -> str | None:
        """The first words quoted in it."""
        return next((part.words for part in self.parts if part.words), None)


_CLOSERS = {"[": "]", "\u3010": "\u3011", "\uff3b": "\uff3d"}
_QUOTES = {
    '"': '"\u201d\u201c',
    "\u201c": '"\u201d\u201c',
    "\u201d": '"\u201d',
    "\u201e": '"\u201c\u201d',
    "\u00ab": '\u00bb"',
    "\u00bb": '\u00ab"',
    "'": "'\u2019",
    "\u2018": "'\u2019",
    "\u201a": "'\u2018\u2019",
    "\u2039": "\u203a",
    "\u300c": "\u300d",
    "\u300e": "\u300f",
}
_OPEN_QUOTE = "[" + "".join(_QUOTES) + "]"
_NAMES = (
    r"(?:sources?|src|refs?|references?|cites?|cited|citations?|docs?|documents?|results?"
    r"|quellen?|fuentes?|fontes?|fonti|bron(?:nen)?"
    r"|\u6765\u6e90|\u4f86\u6e90|\u51fa\u5178|\u51fa\u5904)"
)
_NAMED = rf"(?:{_NAMES}(?:\.?\s{{0,2}}[:#]|\.)?\s{{0,2}}(?:no\.?\s|nr\.?\s|#)?)"
_NAME = re.compile(rf"{_NAMED}(?=\^?\d)", re.IGNORECASE)
_STRONG_NAME = re.compile(
    r"(?:sources?|refs?|references?|cites?|citations?)(?:\s?[:#]\s?|\s)(?=\d)", re.IGNORECASE
)
_DASH = r"[-\u2010-\u2015\u2212]"
_ITEM = re.compile(
    rf"(?P<caret>\^?)(?P<first>\d{{1,4}})(?!\d)"
    rf"(?:\s{{0,2}}(?:{_DASH}|\bto\b|\bbis\b)\s{{0,2}}\^?{_NAMED}?(?P<last>\d{{1,4}})(?![\d.]))?",
    re.IGNORECASE,
)
_DAGGER = re.compile(r"\s?\u2020[^\]\u3011\n]{0,80}")
_LOCATOR = re.compile(
    r"\s{0,2}[,;:]?\s{0,3}(?:at\s|on\s)?(?:\u00a7{1,2}|\u00b6|(?:pp?|pages?|s|seiten?|p[\u00e1a]gs?|p[\u00e1a]ginas?"
    r"|sec|sect|sections?|ch|chap|chapters?|paras?|paragraphs?|lines?|figs?|figures?|tabs?|tables?"
    r"|vol|slides?|appendix|art|abs)\b\.?)"
    rf"\s{{0,3}}[\w.]{{0,8}}\d[\w.]{{0,8}}(?:\s?{_DASH}\s?[\w.]{{1,8}})?"
    r"|\s{0,2}[,;:]?\s{0,3}L\d{1,6}(?:-L?\d{1,6})?",
    re.IGNORECASE,
)
_LEAD = re.compile(rf"\s{{0,3}}(?:[:,;=]|{_DASH}|\s)\s{{0,3}}(?P<quote>{_OPEN_QUOTE})")
_MORE = re.compile(rf"\s{{0,3}}(?:[,;]|\band\b)\s{{0,3}}(?P<quote>{_OPEN_QUOTE})")
_SEPARATOR = re.compile(
    rf"\s{{0,3}}(?:[,;&\uff0c\u3001\uff1b](?:\s{{0,2}}(?:and|und|et|y|e)\b)?|\b(?:and|und|et|y|e|or|en|og|och|i|\u0438)\b)"
    rf"\s{{0,3}}(?P<name>{_NAMED}(?=\^?\d))?(?=\^?\d)",
    re.IGNORECASE,
)
_NEXT = re.compile(rf"[\[\u3010]\^?\d{{1,4}}\s?(?:[:,]|{_DASH})\s?{_OPEN_QUOTE}")
_SUP = re.compile(
    r"<sup>\s?\[?(?P<ids>\d{1,4}(?:\s?[,;\u2013-]\s?\d{1,4}){0,9})\]?\s?</sup>", re.IGNORECASE
)
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_DEFINITION = re.compile(r"\[(?P<caret>\^?)(?P<n>\d{1,4})\]:(?=[ \t]|https?:|$)", re.MULTILINE)
_FOOTNOTE = re.compile(r"^[ \t>]{0,12}\[\^(?P<n>\d{1,4})\]:(?P<rest>[^\n]{0,600})", re.MULTILINE)
_OF_A_SOURCE = re.compile(rf"https?://|\bwww\.|\b{_NAMES}\b\W{{0,3}}\d", re.IGNORECASE)
_NOTED = re.compile(
    rf"\[(?P<n>\d{{1,3}})\s?(?::\s{{1,3}}|(?:[,;]|{_DASH})\s{{1,3}}(?=[^\W\d_]{{3}}))"
    r"[^\W\d_][^\[\]\n]{0,300}\]"
)
_NOTHING = re.compile(r"\[\?(?::[^\[\]\n]{0,2000})?\]")
"""What stands where a number pointed nowhere: other citations may stand beside it."""

_NUMBER = re.compile(r"\d{1,4}")
_BREAK = re.compile(r"\s*\n[\s>]*")


def marks(text: str, known: Collection[int]) -> Iterator[Mark]:
    """What looks like a citation in a text, in order.

    Args:
        text: Markdown.
        known: The numbers that exist.
    """
    for _, found in marked_blocks(text, known):
        yield from found


def marked_blocks(text: str, known: Collection[int]) -> Iterator[tuple[Block, Iterator[Mark]]]:
    """Every paragraph, heading and row of a text, each with its marks, to be read in order."""
    footnotes = {
        int(match["n"])
        for match in _FOOTNOTE.finditer(text)
        if not _OF_A_SOURCE.search(match["rest"])
    }
    for block in prose(text):
        yield block, _Reader(text, block, known, footnotes).marks()


@dataclass(frozen=True, slots=True)
class _Read:
    """A citation's inside as it was read. `bare` holds numbers in square brackets and no more."""

    end: int
    parts: tuple[Part, ...]
    bare: bool
    caret: bool = False
    apart: bool = False

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(n for part in self.parts for n in part.ids)


class _Reader:
    def __init__(
        self, text: str, block: Block, known: Collection[int], footnotes: set[int]
    ) -> None:
        self.text, self.block, self.known, self.footnotes = text, block, known, footnotes
        self.after = After()
        self.worded = any(c.isalpha() for c in text[block.start : block.end])

    def marks(self) -> Iterator[Mark]:
        at = self.block.start
        for start in self.block.candidates:
            if start < at:
                continue
            found = self._at(start)
            if found is not None:
                at = found.end
                yield found

    def _at(self, start: int) -> Mark | None:
        opener = self.text[start]
        if opener == "<":
            return self._sup(start)
        if opener not in _CLOSERS:
            return self._raised(start)
        if definition := self._definition(start):
            return definition
        if nothing := _NOTHING.match(self.text, start):
            self.after = After(nothing.end(), cited=True)
            return None
        if opener == "[" and self.text.startswith("[[", start):
            return self._doubled(start)
        read = _read(self.text, start + 1, self.block.end, _CLOSERS[opener])
        if read is None:
            return self._unreadable(start)
        if opener != "[":
            read = _Read(read.end, read.parts, bare=False, apart=True)
        return self._judged(start, read)

    def _judged(self, start: int, read: _Read) -> Mark | None:
        ids, kind = read.ids, None
        if all(n > 0 for n in ids) and self._placed(start, read):
            kind = self._kind(start, read)
        numeric = read.bare and (len(ids) > 1 or kind is None)
        self.after = After(read.end, cited=kind == "cites", numbers=numeric and kind != "cites")
        return Mark(start, read.end, kind, read.parts, bare=read.bare) if kind else None

    def _placed(self, start: int, read: _Read) -> bool:
        if read.caret and any(n in self.footnotes for n in read.ids):
            return False
        return in_prose(self.text, start, read.end, self.block, self.after, loose=not read.bare)

    def _kind(self, start: int, read: _Read) -> Kind | None:
        ids, several = read.ids, len(read.ids) > 1
        exist = [n in self.known for n in ids]
        if read.bare and several:
            if self.after.numbers and reads_on(self.text, self.after.end, start):
                return None
            if not self.worded or self._numeric(start, read.end, all(exist)):
                return None if all(exist) else "doubtful"
        if all(exist):
            return "cites"
        if max(ids) > LARGEST_UNKNOWN or read.caret:
            return "doubtful"
        if not read.bare:
            return "cites"
        if not self.worded or self._numeric(start, read.end, False):
            return "doubtful"
        return "cites"

    def _numeric(self, start: int, end: int, exist: bool) -> bool:
        return reads_as_numbers(self.text, start, end, self.block, exist)

    def _definition(self, start: int) -> Mark | None:
        line = self.text.rfind("\n", self.block.start, start) + 1 or self.block.start
        match = _DEFINITION.match(self.text, start)
        if match is None or self.text[line:start].strip(" \t>"):
            return None
        n = int(match["n"])
        if match["caret"] and n in self.footnotes:
            # The writer's own note: its number is no source's.
            return None
        span = (match.start("n"), match.end("n"))
        return Mark(start, match.end(), "label", (Part((n,), None),), span)

    def _doubled(self, start: int) -> Mark | None:
        """`[[1]]`: what some products write for `[1]`; otherwise rows of numbers."""
        match = re.compile(r"\[\[(\d{1,4})\]\](?!\()").match(self.text, start)
        if match is None:
            self.after = After(start + 1, numbers=True)
            return None
        return self._judged(start, _Read(match.end(), (Part((int(match[1]),), None),), bare=True))

    def _sup(self, start: int) -> Mark | None:
        match = _SUP.match(self.text, start, self.block.end)
        if match is None:
            return None
        read = _read(f"{match['ids']}]", 0, len(match["ids"]) + 1, "]")
        if read is None:
            return None
        return self._small(start, match.end(), read.parts)

    def _raised(self, start: int) -> Mark | None:
        end = start
        while end < self.block.end and self.text[end].translate(_RAISED) in "0123456789":
            if self.text[end].isascii():
                break
            end += 1
        number = int(self.text[start:end].translate(_RAISED)[:5])
        return self._small(start, end, (Part((number,), None),), bare=True)

    def _small(
        self, start: int, end: int, parts: tuple[Part, ...], *, bare: bool = False
    ) -> Mark | None:
        ids = [n for part in parts for n in part.ids]
        if not in_superscript_place(self.text, start, end, self.block, self.after, bare=bare):
            return None
        if not ids or 0 in ids:
            return None
        kind: Kind = "cites" if all(n in self.known for n in ids) else "doubtful"
        self.after = After(end, cited=kind == "cites")
        return Mark(start, end, kind, parts)

    def _unreadable(self, start: int) -> Mark | None:
        """What names a source in brackets, and goes on as no citation does."""
        text, opener = self.text, self.text[start]
        if opener == "[" and (noted := _NOTED.match(text, start, self.block.end)):
            if int(noted["n"]) in self.known and in_prose(
                text, start, noted.end(), self.block, self.after, loose=False
            ):
                return _told(start, noted.end(), noted.span("n"), text)
            return None
        inside = re.compile(r"[^\[\]\u3010\u3011\n]{1,200}").match(text, start + 1, self.block.end)
        if inside is None or text[inside.end() : inside.end() + 1] != _CLOSERS[opener]:
            return None
        named = _STRONG_NAME.match(text, start + 1)
        if named is None and (opener != "\u3010" or not text[start + 1].isdigit()):
            return None
        number = _NUMBER.match(text, named.end() if named else start + 1)
        return _told(start, inside.end() + 1, number.span(), text) if number else None


def _told(start: int, end: int, number: tuple[int, int], text: str) -> Mark:
    part = Part((int(text[number[0] : number[1]]),), None)
    return Mark(start, end, "unreadable", (part,), number)


def reads_on(text: str, end: int, start: int) -> bool:
    """Whether two brackets stand in one enumeration."""
    between = text[end:start] if start - end < 12 else "x"
    return between.strip() in (",", "and", "or", ";", ", and", "und", "et", "y", "")


def _read(text: str, at: int, limit: int, closer: str) -> _Read | None:
    """Read the inside of a citation, from after its opening bracket."""
    parts: list[Part] = []
    ids: list[int] = []
    bare, caret = True, False
    spaced = re.compile(r"\s{0,3}").match(text, at, limit)
    at = spaced.end() if spaced else at
    if name := _NAME.match(text, at, limit):
        bare, at = False, name.end()
    while item := _ITEM.match(text, at, limit):
        numbers = _numbers(item)
        if numbers is None:
            return None
        ids += numbers
        caret = caret or bool(item["caret"])
        at = item.end()
        for pattern in (_DAGGER, _LOCATOR, _LOCATOR):
            if more := pattern.match(text, at, limit):
                bare, at = False, more.end()
        lead = _LEAD.match(text, at, limit)
        while lead:
            quote = _quote(text, lead, limit, closer)
            if quote is None:
                return None
            words, at, closed = quote
            parts.append(Part(tuple(ids), words or None))
            bare = False
            if not closed:
                return _Read(at, tuple(parts), bare=False, caret=caret)
            lead = _MORE.match(text, at, limit)
            if not lead:
                ids = []
        end = re.compile(r"\s{0,3}\.?\s{0,3}" + re.escape(closer)).match(text, at, limit)
        if end:
            if ids:
                parts.append(Part(tuple(ids), None))
            return _Read(end.end(), tuple(parts), bare=bare and not caret, caret=caret)
        separator = _SEPARATOR.match(text, at, limit)
        if separator is None or len(ids) > 99:
            return None
        if separator["name"]:
            bare = False
        at = separator.end()
    return None


def _numbers(item: re.Match[str]) -> list[int] | None:
    """The numbers of `3` or `3-5`; None for what no list of sources is written as."""
    if item["first"].startswith("0") and item["first"] != "0":
        return None
    first = int(item["first"])
    if not item["last"]:
        return [first]
    last = int(item["last"])
    if item["last"].startswith("0") or not first < last <= first + WIDEST_RANGE:
        return None
    return list(range(first, last + 1))


def _quote(text: str, lead: re.Match[str], limit: int, closer: str) -> tuple[str, int, bool] | None:
    """The words quoted, where they end, and whether the citation goes on or is closed there."""
    start = lead.end()
    limit = min(limit, start + LONGEST_QUOTE)
    if following := _NEXT.search(text, start, limit):
        limit = following.start()
    closers = _QUOTES[lead["quote"]]
    ending = _ending(closers, closer).search(text, start, limit)
    if ending:
        return _plain_words(text[start : ending.start()]), ending.start() + 1, True
    # The bracket was forgotten: the words end with their quotation mark.
    ending = re.compile(rf"[{closers}](?!\w)").search(text, start, limit)
    if ending is None or ending.start() == start:
        return None
    return _plain_words(text[start : ending.start()]), ending.end(), False


def _ending(closers: str, closer: str) -> re.Pattern[str]:
    # `re` keeps compiled patterns.
    return re.compile(
        rf"[{closers}](?=\s{{0,3}}\.?\s{{0,3}}{re.escape(closer)}"
        rf"|\s{{0,3}}(?:[;,]|\band\b)\s{{0,3}}(?:{_NAMED}(?=\d))?\^?\d{{1,4}}\s{{0,3}}(?:[:;,\]]|{_DASH}\s{{0,3}}{_OPEN_QUOTE})"
        rf"|\s{{0,3}}[;,]\s{{0,3}}{_OPEN_QUOTE})",
        re.IGNORECASE,
    )


def _plain_words(words: str) -> str:
    return " ".join(_BREAK.sub(" ", words).split())
