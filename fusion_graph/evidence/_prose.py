"""Finds the prose of a Markdown text: what is no code, mathematics, data, link or tag."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from fusion_graph.text.blocks import cuts

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

LONGEST_FORMULA = 5_000
LONGEST_DATA = 20_000
LONGEST_BRACES = 2_000
"""Characters within which a formula, a JSON object or a pair of braces must be closed: an odd
mark at the top of an answer is not to hide the rest."""

_LINE = re.compile(r"\r\n|\r|\n")
_RULE = re.compile(r"[ \t>]{0,12}(?=[^\n]*\|)(?=[^\n]*-)[ \t|:-]++\s{0,2}")
_STEP = re.compile(
    r"\\(?:begin\{(?P<env>[a-zA-Z]{1,20}\*?)\}|.)|`+|\$\$?|[\[\]{<\u3010\uff3b]"
    r"|[\u00b9\u00b2\u00b3\u2070\u2074-\u2079]+",
    re.DOTALL,
)
_TARGET = re.compile(
    r"\([ \t]{0,9}"
    r"(?:<[^<>\n]{0,2000}+>|[^\s()<]{0,2000}+(?:\([^\s()]{0,500}+\)[^\s()]{0,500}+){0,3})"
    r"(?:\s{1,9}(?:\"[^\"\n]{0,500}+\"|'[^'\n]{0,500}+'))?[ \t]{0,9}\)"
)
_TAG = re.compile(
    r"</?(?P<name>[a-zA-Z][a-zA-Z0-9-]{0,20})(?:[\s/][^<>]{0,2000}+)?>"
    r"|<[a-z]{2,10}:[^\s<>]{0,2000}+>"
)
_SUP = re.compile(r"<sup>", re.IGNORECASE)
_RAW = frozenset({"code", "pre", "math", "script", "style", "svg", "kbd", "samp", "textarea"})
"""Elements whose text is none for readers, or not prose."""

_DATA = re.compile(r"\{\s{0,99}(?:[\"'}]|[\w.-]{1,60}\s{0,5}:)")
_CURRENCY = re.compile(r"\d[^\\^_{}]*?[^\W\d_]{3}")
"""What stands between two dollar signs that are prices: `$5 in 2020 and US$`."""


@dataclass
class Block:
    """A paragraph, heading or table row.

    Attributes:
        start: Where it begins in the text.
        end: Where it ends.
        row: Whether it is a row of a table.
        heading: Whether it is a heading.
        candidates: Places in its prose where a citation may begin.
        closed: Places where code, a link or a tag has just ended.
    """

    start: int
    end: int
    row: bool
    heading: bool = False
    candidates: list[int] = field(default_factory=list)
    closed: set[int] = field(default_factory=set)


class _Ahead:
    """Finds the next occurrence of a string, in linear time over rising positions."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._next: dict[str, int] = {}

    def find(self, wanted: str, at: int, most: int) -> int:
        """Where the string stands next, or -1 if not within so many characters."""
        found = self._next.get(wanted, -2)
        if found == -2 or 0 <= found < at:
            found = self._next[wanted] = self._text.find(wanted, at)
        return found if 0 <= found <= at + most else -1


def prose(text: str) -> Iterator[Block]:
    """Blocks of prose, in order, with the places where a citation may begin."""
    if _is_data(text):
        return
    ahead, blocks, braces = _Ahead(text), _blocks(text), {}
    if "{" in text:
        blocks = iter(every := list(blocks))
        braces = _braces(text, every)
    at = 0
    for block in blocks:
        at = max(at, block.start)
        if at < block.end:
            at = _scan(text, block, at, ahead, braces)
            yield block


def _is_data(text: str) -> bool:
    """Whether a text is JSON as a whole. A lone `[1]` is not taken for it."""
    bare = text.strip()
    if (bare[:1], bare[-1:]) not in (("[", "]"), ("{", "}")):
        return False
    try:
        data: Any = json.loads(bare)
    except (ValueError, RecursionError):
        return False
    return isinstance(data, dict) or any(isinstance(item, (list, dict, str)) for item in data)


def _blocks(text: str) -> Iterator[Block]:
    starts = [0, *(match.end() for match in _LINE.finditer(text)), len(text)]
    for first, last in pairwise([0, *cuts(text, starts), len(starts) - 1]):
        yield from _parsed(text, starts[first : last + 1])


def _parsed(text: str, starts: list[int]) -> list[Block]:
    """The blocks of a part of a text, given as the starts of its lines and its end."""
    last = len(starts) - 1
    blocks: list[Block] = []
    tokens = _parser().parse(text[starts[0] : starts[-1]])
    tokens.reverse()
    heading = False
    # One by one: freeing 300,000 at once held every other thread for 0.1 s.
    while tokens:
        token = tokens.pop()
        if token.type == "inline" and token.map:
            first, after = token.map
            found = _rows(text, starts[min(first, last) : min(after, last) + 1])
            for block in found:
                block.heading = heading
            blocks += found
        heading = token.type == "heading_open"
    return blocks


def _rows(text: str, starts: list[int]) -> list[Block]:
    """A paragraph, with each row of a table in it as a block of its own."""
    ruled = None
    for line in range(1, len(starts) - 1):
        if _RULE.fullmatch(text, starts[line], starts[line + 1]):
            ruled = line - 1
            break
    if ruled is None:
        return [Block(starts[0], starts[-1], row=False)] if starts[0] < starts[-1] else []
    blocks = [Block(starts[0], starts[ruled], row=False)] if ruled else []
    rows = zip(starts[ruled:-1], starts[ruled + 1 :], strict=True)
    return [*blocks, *(Block(start, end, row=True) for start, end in rows)]


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    # Blocks only: what is inside them is read here, where places in the source are known.
    # Tables are told by their second line: a token for each cell would cost more than all else.
    return MarkdownIt("commonmark").disable(["reference", "html_block", "inline"])


def _braces(text: str, blocks: list[Block]) -> dict[int, int]:
    """The place after the closing brace of each `{` that is data or closed near by."""
    pairs: dict[int, int] = {}
    opened: list[int] = []
    for number, block in enumerate(blocks):
        for match in re.compile(r"[{}]").finditer(text, block.start, block.end):
            at = match.start()
            if match[0] == "{":
                opened.append(at)
            elif opened:
                start = opened.pop()
                near = start >= block.start and at - start <= LONGEST_BRACES
                if near or (at - start <= LONGEST_DATA and _DATA.match(text, start)):
                    pairs[start] = at + 1
        if number % 64 == 0:
            opened = [at for at in opened if block.end - at <= LONGEST_DATA]
    return pairs


def _scan(text: str, block: Block, at: int, ahead: _Ahead, braces: dict[int, int]) -> int:
    """Find the candidates of a block from a place on; returns where the next may be looked for."""
    opened: list[int] = []
    ticks = _runs(text, at, block.end)
    while at < block.end and (step := _STEP.search(text, at, block.end)):
        start, at = step.span()
        found, end = step[0], -1
        match found[0]:
            case "\\":
                end = _formula(step, at, ahead)
            case "`":
                # Behind an escaped one the rest of a run may be of a length that no whole run has.
                places = ticks.get(len(found), [])
                while places and places[-1] <= start:
                    places.pop()
                end = places.pop() + len(found) if places else -1
            case "$":
                end = _dollars(text, step, block, ahead)
            case "{":
                end = braces.get(start, -1)
            case "<":
                end = _tag(text, start, ahead)
                if end == start:
                    block.candidates.append(start)
                    continue
            case "]":
                if opened:
                    begun = opened.pop()
                    target = _TARGET.match(text, at, block.end)
                    if target:
                        while block.candidates and block.candidates[-1] >= begun:
                            block.candidates.pop()
                        end = target.end()
                        opened.clear()
            case _:
                block.candidates.append(start)
                if found == "[":
                    opened.append(start)
        if end > 0:
            block.closed.add(end)
            at = end
    return max(at, block.end)


def _runs(text: str, start: int, end: int) -> dict[int, list[int]]:
    """Where backtick runs of each length stand, the last first."""
    runs: dict[int, list[int]] = {}
    for match in re.compile("`+").finditer(text, start, end):
        runs.setdefault(len(match[0]), []).append(match.start())
    for places in runs.values():
        places.reverse()
    return runs


def _formula(step: re.Match[str], at: int, ahead: _Ahead) -> int:
    close = {"\\[": "\\]", "\\(": "\\)"}.get(step[0])
    if step["env"]:
        close = f"\\end{{{step['env']}}}"
    if close is None:
        return -1
    found = ahead.find(close, at, LONGEST_FORMULA)
    return found + len(close) if found >= 0 else -1


def _dollars(text: str, step: re.Match[str], block: Block, ahead: _Ahead) -> int:
    at = step.end()
    if step[0] == "$$":
        found = ahead.find("$$", at, LONGEST_FORMULA)
        return found + 2 if found >= 0 else -1
    found = ahead.find("$", at, LONGEST_FORMULA)
    # As pandoc has it: no space inside either sign, no digit after the second.
    if found <= at or found >= block.end or text[at].isspace() or text[found - 1].isspace():
        return -1
    if text[found + 1 : found + 2].isdigit() or _CURRENCY.match(text, at, found):
        return -1
    return found + 1


def _tag(text: str, start: int, ahead: _Ahead) -> int:
    """The place after a tag (of code: after its end); `start` itself for `<sup>`; or -1."""
    if _SUP.match(text, start):
        return start
    tag = _TAG.match(text, start)
    if tag is None:
        if not text.startswith("<!--", start):
            return -1
        found = ahead.find("-->", start, LONGEST_DATA)
        return found + 3 if found >= 0 else -1
    name = tag["name"]
    if name and name.lower() in _RAW and not text.startswith("</", start):
        found = ahead.find(f"</{name}", tag.end(), LONGEST_DATA)
        return found if found >= 0 else tag.end()
    return tag.end()
