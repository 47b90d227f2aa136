"""Claims in an answer's Markdown: each sentence found again among its tokens, and marked there.

A claim's sentence is the answer's own Markdown without its citations, so it is looked for by its
words, as both are read: nothing is put into the source, where it could change what is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from markdown_it.token import Token

_WORD = re.compile(r"[^\W_]+")
_ENDS = re.compile(r"[.,;:!?…。！？)\]”\"»’']*")
"""What belongs to a sentence after its last word."""

_READ = frozenset({"text", "code_inline"})


class _Place(NamedTuple):
    """Where words of a claim stand in one token's text: from, to, the claim's number, its end."""

    start: int
    end: int
    claim: int
    last: bool


def mark_claims(
    tokens: Sequence[Token], sentences: Sequence[str], read: Callable[[str], Sequence[Token]]
) -> None:
    """Put `claim_open` and `claim_close` around each sentence's texts, and `claim_mark` after it.

    A sentence that is not found is left alone. The number of the claim is the token's `meta`.

    Args:
        tokens: An answer's blocks.
        sentences: Its claims' sentences, in order.
        read: Reads a line of Markdown into inline tokens.
    """
    if not sentences:
        return
    lines = [token for token in tokens if token.type == "inline" and token.children]
    found: dict[int, list[_Place]] = {}
    words = [(child, word) for line in lines for child, word in _words(line.children or ())]
    stream, begins = _joined([word[0] for _, word in words])
    cursor = 0
    for number, sentence in enumerate(sentences):
        wanted, _ = _joined([word[0] for _, word in _words(read(sentence))])
        at = stream.find(wanted, cursor) if wanted.strip() else -1
        if at < 0:
            continue
        cursor = at + len(wanted) - 1
        taken = words[begins[at] : begins[cursor]]
        for child, places in _by_token(taken, number):
            found.setdefault(id(child), []).append(places)
    for line in lines:
        line.children = list(_marked(line.children or [], found))


def _words(tokens: Sequence[Token]) -> Iterator[tuple[Token, re.Match[str]]]:
    for token in tokens:
        if token.type in _READ:
            for word in _WORD.finditer(token.content):
                yield token, word


def _joined(words: Sequence[str]) -> tuple[str, dict[int, int]]:
    """Words with a space around each, and which word begins after the space at a place."""
    begins, at = dict[int, int](), 0
    for number, word in enumerate(words):
        begins[at] = number
        at += len(word) + 1
    begins[at] = len(words)
    return f" {' '.join(words)} ", begins


def _by_token(
    taken: Sequence[tuple[Token, re.Match[str]]], claim: int
) -> Iterator[tuple[Token, _Place]]:
    """The places of one claim, one in every token that holds some of it."""
    spans: dict[int, tuple[Token, int, int]] = {}
    for token, word in taken:
        start = spans[id(token)][1] if id(token) in spans else word.start()
        spans[id(token)] = (token, start, word.end())
    for place, (token, start, end) in enumerate(spans.values(), start=1):
        if token.type == "code_inline":
            start, end = 0, len(token.content)  # noqa: PLW2901  # code stays in one piece
        yield token, _Place(start, end, claim, last=place == len(spans))


def _marked(children: Sequence[Token], found: dict[int, list[_Place]]) -> Iterator[Token]:
    due: list[int] = []  # claims whose marks are to come after their citations
    in_links = 0  # a mark can be pressed, and what can be pressed cannot stand inside a link
    for child, following in zip(children, [*children[1:], None], strict=True):
        in_links += child.nesting if child.type in ("link_open", "link_close") else 0
        if child.type == "citation" or child.nesting < 0:
            yield child
            continue
        if child.type not in _READ:
            yield from () if in_links else _marks(due)
            yield child
            continue
        at = 0
        for start, end, claim, last in found.get(id(child), ()):
            yield from _after(child, at, start, [] if in_links else due)
            yield _token("claim_open", claim)
            yield _part(child, start, end)
            yield _token("claim_close", claim)
            at = end
            due += [claim] if last else []
        goes_on = following is not None and (following.type == "citation" or following.nesting < 0)
        waits = in_links or (goes_on and not _WORD.search(child.content, at))
        yield from _after(child, at, len(child.content), [] if waits else due)
    yield from _marks(due)


def _after(child: Token, start: int, end: int, due: list[int]) -> Iterator[Token]:
    """A part of a text; marks that are due stand after what ends their sentence."""
    if due:
        ended = _ENDS.match(child.content, start, end) if child.type == "text" else None
        cut = ended.end() if ended else start
        yield from _after(child, start, cut, [])
        yield from _marks(due)
        start = cut
    if end > start:
        yield _part(child, start, end)


def _marks(due: list[int]) -> Iterator[Token]:
    yield from (_token("claim_mark", claim) for claim in due)
    due.clear()


def _part(child: Token, start: int, end: int) -> Token:
    return Token(child.type, child.tag, 0, content=child.content[start:end], markup=child.markup)


def _token(type: str, claim: int) -> Token:
    return Token(type, "", 0, meta={"claim": claim})
