"""Words, stems and sentences: how the offline models read a text of any language."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TypeVar

from fusion_graph.evidence.difference import dates, language_of
from fusion_graph.offline._lexicon import (
    ALL_STOPS,
    FOREIGN_STOP,
    GLUE,
    NEGATIONS,
    RELATED,
    STOP,
)
from fusion_graph.text.stems import snowball_stem

T = TypeVar("T")

LONGEST_SENTENCE = 60
"""Words. What is longer is a list or a table that lost its breaks, not a sentence to quote."""

LONGEST_TEXT = 1_500
"""Characters from which text without an end is no sentence. Checked before any pattern sees it:
a page of brackets or spaces must not cost seconds."""

SHORTEST_SENTENCE = 4
"""Words. What is shorter is a heading, a caption or a button."""

_SPACELESS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\u0e00-\u0e7f"
_TOKEN = re.compile(
    rf"[{_SPACELESS}]+|\d+(?:[.,]\d+)*|[^\W\d_{_SPACELESS}]+(?:['\u2019][^\W\d_]+)*"
)
_SPACELESS_START = re.compile(f"[{_SPACELESS}]")
PREFIX = 5
"""Letters that stand for a word of an inflected language, where no ending is known."""

_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|ca|approx|resp|no|nos|fig|figs|sec|dr|mr|mrs|ms|prof|st|jr|sr"
    r"|inc|ltd|co|al|ed|eds|vol|pp|z\.b|bzw|usw|u\.s|u\.k|a\.m|p\.m)|\b[A-Z])\.$",
    re.IGNORECASE,
)
_END = re.compile(
    r"(?<=[.!?\u2026\u061f\u0964])[\"'\u201d\u2019)\]*_]*[ \t]+(?=\S)"
    r"|(?<=[\u3002\uff01\uff1f])[\u300d\u300f\u201d]?\s*(?=\S)"
)
_LOWER_START = re.compile(r"[a-zß-öø-ÿа-я]")

_FENCE = re.compile(r"^ {0,3}(```|~~~).*?(?:^ {0,3}\1[^\n]*$|\Z)", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^ {0,3}#{1,6}\s+(.*?)[\s#]*$")
_ITEM = re.compile(r"^\s*(?:[-*+\u2022]|\d{1,3}[.)])\s+")
_NOT_PROSE = re.compile(r"^\s*(?:\||[-=*_]{3,}\s*$|<|>\s*$|\[\d+\]:)| \| .* \| ")
_MARKDOWN_LINK = re.compile(r"!?\[([^\]\n]*)\]\([^)\s]*(?:\s+\"[^\"]*\")?\)")
_BRACKETED_NUMBER = re.compile(r"\s*\[\s*\d[^\]\n]{0,300}\]|\s*\[(?:citation|edit|note)[^\]\n]*\]")
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_EMPHASIS = re.compile(r"\*\*|__|`|(?<!\w)[*_](?=\w)|(?<=[\w.!?])[*_](?!\w)")


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """A word without its ending: English by Snowball, other letters by the first of them.

    Example:
        >>> [stem(word) for word in ("judges", "judging", "studies", "scored", "waiting")]
        ['judg', 'judg', 'studi', 'score', 'wait']
    """
    word = word.casefold()
    if not word.isalpha():
        return word
    return snowball_stem(word, "english") if word.isascii() else word[:PREFIX]


def tokens(text: str) -> list[str]:
    """The words and numbers of a text, folded to lower case; `n't` is `not`, `'s` is dropped.

    Runs of Chinese, Japanese, Korean or Thai are read as overlapping pairs of characters.
    """
    return list(_tokens(text) if len(text) <= SENTENCE else _tokens.__wrapped__(text))


SENTENCE = 1_000
"""Characters of a text whose tokens are kept: a sentence of a page is read by many questions to it,
and 4,096 of them take some megabytes."""


@lru_cache(maxsize=4096)
def _tokens(text: str) -> tuple[str, ...]:
    found: list[str] = []
    blanks = text.isascii()
    for match in _TOKEN.finditer(text.casefold().replace("\u2019", "'")):
        token = match[0]
        if not blanks and is_spaceless(token):
            found += pairs_of_characters(token)
        elif token.endswith("n't"):
            found += [token[:-3], "not"]
        else:
            found.append(token.split("'")[0] if token.endswith("'s") else token)
    return tuple(found)


def pairs_of_characters(run: str) -> list[str]:
    """A run without spaces as overlapping pairs of characters, in place of words."""
    return [run[i : i + 2] for i in range(max(1, len(run) - 1))]


def is_spaceless(token: str) -> bool:
    """Whether a token is of a language without spaces, and so a pair of characters."""
    return bool(_SPACELESS_START.match(token))


def capitalised(text: str) -> frozenset[str]:
    """Words, folded, that stand with a capital inside a sentence: names, in most languages.

    In text that capitalises most words (headlines, German) capitals tell nothing: then none.
    """
    words = re.findall(r"(?<![.!?:\u201c\"] )(?<!^)\b[^\W\d_][\w'\u2019-]*", text)
    names = [word for word in words if word[0].isupper() and word.lower() not in STOP]
    if len(names) * 2 > len(words):
        return frozenset()
    return frozenset(token for name in names for token in tokens(name))


def stop_words(text: str) -> frozenset[str]:
    """The words of `text`'s language that say nothing: English ones, and others in other ones."""
    words = set(tokens(text))
    if language_of(text) not in ("en", "") and not words & _PLAINLY_ENGLISH:
        return ALL_STOPS
    return STOP.union(*(stops for stops in FOREIGN_STOP.values() if len(words & stops) > 1))


_PLAINLY_ENGLISH = frozenset({"the", "of", "is", "are", "what", "how"})


def content_stems(text: str, stops: frozenset[str] = STOP) -> frozenset[str]:
    """Stems of the words that say something, numbers included."""
    return frozenset(stem(token) for token in tokens(text) if token not in stops)


def word_pairs(text: str) -> frozenset[tuple[str, str]]:
    """Neighbouring stems, articles and auxiliaries between them overlooked.

    They tell "not to use a panel" from a page that merely names panels.
    """
    row = [stem(token) for token in tokens(text) if token not in GLUE]
    return frozenset(pairwise(row))


def negations(text: str) -> int:
    """How many words of a text deny."""
    return sum(token in NEGATIONS for token in tokens(text))


def _related() -> dict[str, frozenset[str]]:
    groups: dict[str, set[str]] = {}
    for line in RELATED:
        group = {stem(word) for word in line.split()}
        for member in group:
            groups.setdefault(member, set()).update(group - {member})
    return {member: frozenset(others) for member, others in groups.items()}


RELATED_STEMS = _related()
"""Stem → stems that a text may use for it."""


def sentences(text: str) -> list[str]:
    """The sentences of one paragraph of running text."""
    found: list[str] = []
    start = 0
    for match in _END.finditer(text):
        piece = text[start : match.end()].strip()
        following = text[match.end() : match.end() + 1]
        if (
            _ABBREVIATION.search(piece.rstrip("\"')]\u201d\u2019*_ "))
            or (_LOWER_START.match(following) and not piece.endswith(("!", "?")))
            or _within_date(text, match)
        ):
            continue
        found.append(piece)
        start = match.end()
    rest = text[start:].strip()
    return [piece for piece in [*found, rest] if piece]


_DAY = re.compile(r"\b\d{1,2}\.$")


def _within_date(text: str, end: re.Match[str]) -> bool:
    """Whether a full stop belongs to a day: the "4." of "4. März 1998"."""
    near = text[max(0, end.start() - 4) : end.end() + 30]
    if not _DAY.search(text[max(0, end.start() - 4) : end.start()]):
        return False
    place = end.end() - max(0, end.start() - 4)
    return any(date.start < place < date.end for date in dates(near))


def prose(text: str) -> Iterator[tuple[str, str]]:
    """The sentences of a page with the heading each stands under ("" before the first).

    Code, tables, rules and headings themselves are left out; list items are sentences of their
    own; lines wrapped by hand are joined.
    """
    heading = ""
    for block in _blocks(_FENCE.sub("\n", text)):
        if match := _HEADING.match(block):
            heading = match[1]
            continue
        for sentence in sentences(block):
            if len(sentence) <= LONGEST_TEXT and (clean := cleaned(sentence)):
                yield clean, heading


def _blocks(text: str) -> Iterator[str]:
    """Paragraphs, list items and headings, each on one line."""
    lines: list[str] = []
    for line in [*text.split("\n"), ""]:
        item = _ITEM.match(line)
        breaks = not line.strip() or item or _HEADING.match(line) or _NOT_PROSE.search(line)
        if breaks and lines:
            yield " ".join(lines)
            lines = []
        if _HEADING.match(line):
            yield line
        elif line.strip() and not _NOT_PROSE.search(line):
            lines.append((line[item.end() :] if item else line).strip().lstrip("> "))


def cleaned(sentence: str) -> str:
    """A page's sentence as it may stand in an answer: no markup, addresses or citation marks.

    Numbers in brackets are the page's own notes; left in, they would pass for our citations.
    """
    sentence = _MARKDOWN_LINK.sub(r"\1", " ".join(sentence.split()))
    sentence = _BRACKETED_NUMBER.sub("", sentence)
    sentence = _EMPHASIS.sub("", _URL.sub("", sentence))
    sentence = sentence.replace("[", "(").replace("]", ")")
    return re.sub(r"\s+([.,;:!?])", r"\1", " ".join(sentence.split()))


def is_quotable(sentence: str) -> bool:
    """Whether a sentence can stand in an answer: a statement of sensible length."""
    words = tokens(sentence)
    letters = sum(char.isalpha() or char.isspace() for char in sentence)
    return (
        SHORTEST_SENTENCE <= len(words) <= LONGEST_SENTENCE * 2
        and len(sentence.split()) <= LONGEST_SENTENCE
        and letters >= 0.6 * len(sentence)
        and not sentence.rstrip("\"'\u201d)").endswith(("?", "\uff1f", "\u061f", ":", "\u2026"))
        and not sentence.startswith("\u2026")
    )


def spoken_span(text: str, terms: Container[str]) -> str:
    """The stretch of a question from its first telling word to its last, as it was written."""
    telling = [
        match
        for match in _TOKEN.finditer(text)
        if any(stem(token) in terms for token in tokens(match[0]))
    ]
    if not telling:
        return "this"
    return " ".join(text[telling[0].start() : telling[-1].end()].split())


def listed(words: Sequence[str], most: int = 3) -> str:
    """Words in quotation marks, joined by "or"."""
    return " or ".join(f"\u201c{word}\u201d" for word in words[:most])
