"""Strangers' text in Markdown that somebody else will render."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fusion_graph.text.blocks import cuts
from fusion_graph.text.printable import printable

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_MEANS_SOMETHING = re.compile(r"[\\`*\[\]<]|(?<!\w)_|_(?!\w)|~(?=~)|&(?=#?\w+;)|(?<=~)~")
_ADDRESS = re.compile(r"(?<=[a-z]:)(?=//)|(?<=\bwww)(?=\.)", re.IGNORECASE)
_UNSAFE_IN_ADDRESS = re.compile(r"[\s\\`*\[\]<>\"^{}|]|~(?=~)|!(?=%5B|\[)")

_MEDIA = (
    r"(?:img|image|picture|source|video|audio|track|svg|iframe|frame|object|embed|link|style|script"
    r"|meta|base|input|body|table|td|th|form|bgsound)"
)
_MEDIA_TAG = re.compile(rf"<(?=/?{_MEDIA}\b)", re.IGNORECASE)
_STYLED_TAG = re.compile(
    r"<(?=[a-z][^<>]*(?:style|src|srcset|background|poster|on\w{2,20})\s{0,9}=)", re.IGNORECASE
)
_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
"""A line as CommonMark ends it."""

_HTML = re.compile(r"<[a-z/!?]", re.IGNORECASE)
"""What HTML begins with; a block of it goes on over lines at which Markdown's would end."""

_PICTURE = re.compile(r"!(?=\[)")
_CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)
_DESTINATION = re.compile(r"\]\((?=\s*<?[a-z][a-z0-9+.-]*:)", re.IGNORECASE)
_DEFINITION = re.compile(r"^([ >]{0,12})\[(?=[^\]]{1,999}\]:)", re.MULTILINE)
# corpus: is our own, for documents that were searched; nobody's browser knows it.
_LINK_SCHEMES = frozenset({"", "http", "https", "mailto", "corpus"})
_OTHER_SCHEME = re.compile(r"(?!(?:https?|mailto|corpus):)[a-z][a-z0-9+.-]{1,31}:", re.IGNORECASE)
_AUTOLINK = re.compile(rf"<(?={_OTHER_SCHEME.pattern})", re.IGNORECASE)


def as_text(text: str, own: str = "") -> str:
    """A stranger's text as one line that Markdown takes for text: no links, pictures or marks.

    Args:
        text: A title or an excerpt.
        own: The address it is from, which may stand in it as it is.
    """
    line = " ".join(printable(text).split())
    parts = line.split(own) if own else [line]
    return as_address(own).join(
        _ADDRESS.sub(r"\\", _MEANS_SOMETHING.sub(r"\\\g<0>", part)) for part in parts
    )


def as_address(url: str) -> str:
    """An address that Markdown cannot take for anything but text: what could is percent-encoded.

    Args:
        url: The address.
    """
    return _UNSAFE_IN_ADDRESS.sub(
        lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), printable(url)
    )


def may_load(text: str) -> bool:
    """Tell whether rendering a text might load something: if not, nobody need look closer."""
    return "![" in text or "<" in text or "](" in text or "]:" in text


def loading_nothing(text: str, addresses: Collection[str]) -> str:
    """A model's Markdown in which nothing is loaded by being shown, but from the given addresses.

    Pictures of other addresses and HTML that loads or styles become text: whoever renders them
    asks a stranger's server for an address that a model wrote, with whatever it put into it.
    Links stay, to the web, to mail, and relative ones; of other schemes they become text. What is
    code stays as it is.

    Args:
        text: The Markdown.
        addresses: Where pictures may come from, each exactly as it is spelled.
    """
    if not may_load(text):
        return text
    allowed = frozenset(addresses)
    for spare_code in (True, True, False):
        lines = _LINE.findall(text)
        kinds = (True, False) if "<" in text else (False,)
        harmful = [block for html in kinds for block in _harmful(text, allowed, html=html)]
        if not harmful:
            return text
        for first, last in dict.fromkeys(harmful):
            block = disarmed("".join(lines[first:last]), spare_code=spare_code)
            lines[first:last] = _LINE.findall(block)
        text = "".join(lines)
    return text


def _harmful(text: str, allowed: Collection[str], *, html: bool) -> Iterator[tuple[int, int]]:
    """The lines of blocks that load something, as a renderer with or without HTML sees them."""
    env: dict[str, dict[str, dict[str, str]]] = {}
    parser = _parser(html)
    blocks: list[tuple[int, int, str]] = []
    # Part by part, and then what is in each block by itself: while the tokens of 200,000 characters
    # were there as a whole, every pass of the garbage collector held all threads for 60 ms.
    for before, part in _parts(text):
        for token in parser.parse(part, env):
            if token.map is None:
                continue
            first, last = before + token.map[0], before + token.map[1]
            if token.type == "inline":
                blocks.append((first, last, token.content))
            elif token.type == "html_block" and _has_media(token.content):
                yield first, last
    for first, last, content in blocks:  # now that every definition of a link is known
        inside: list[Token] = []
        parser.inline.parse(content, parser, env, inside)
        if any(_loads(token, allowed) for token in _inside(inside)):
            yield first, last
    if not all(_is_link(reference["href"]) for reference in env.get("references", {}).values()):
        for number, line in enumerate(_LINE.findall(text)):
            if _DEFINITION.match(line):
                yield number, number + 1


def _parts(text: str) -> Iterator[tuple[int, str]]:
    """Parts of a text that are parsed by themselves, and how many lines stand before each."""
    lines = [match.start() for match in _LINE.finditer(text)]
    starts = [*lines, len(text)]
    places = () if _HTML.search(text) else cuts(text, starts)
    for first, last in pairwise([0, *places, len(lines)]):
        yield first, text[starts[first] : starts[last]]


def _inside(children: Sequence[Token]) -> Iterator[Token]:
    for child in children:
        yield child
        yield from _inside(child.children or ())


def _loads(token: Token, allowed: Collection[str]) -> bool:
    if token.type == "image":
        return token.attrs.get("src") not in allowed
    if token.type == "html_inline":
        return _has_media(token.content)
    return token.type == "link_open" and not _is_link(str(token.attrs.get("href", "")))


def _is_link(href: str) -> bool:
    try:
        return urlsplit(href).scheme.lower() in _LINK_SCHEMES
    except ValueError:
        return False


def _has_media(html: str) -> bool:
    return bool(_MEDIA_TAG.search(html) or _STYLED_TAG.search(html))


def disarmed(block: str, *, spare_code: bool = False) -> str:
    """A text whose every picture, loading tag and odd link is text.

    Args:
        block: Markdown.
        spare_code: Leave alone what stands between backticks.
    """
    if not spare_code:
        return _plain(block)
    pieces, at = list[str](), 0
    for span in _CODE_SPAN.finditer(block):
        pieces += [_plain(block[at : span.start()]), span[0]]
        at = span.end()
    return "".join([*pieces, _plain(block[at:])])


def without_definitions(text: str) -> str:
    """A text whose link definitions are text."""
    return _DEFINITION.sub(r"\1\\[", text)


def _plain(text: str) -> str:
    text = _MEDIA_TAG.sub("&lt;", _STYLED_TAG.sub("&lt;", text))
    text = re.sub(_PICTURE.pattern + r"\[", r"!\\[", text)
    text = _DESTINATION.sub(_closed, text)
    text = _AUTOLINK.sub("&lt;", text)
    return _DEFINITION.sub(_undefined, text)


def _closed(found: re.Match[str]) -> str:
    rest = found.string[found.end() : found.end() + 64].lstrip(" \r\n\t<")
    return "]\\(" if _OTHER_SCHEME.match(rest) else found[0]


def _undefined(found: re.Match[str]) -> str:
    label_end = found.string.index("]:", found.end())
    rest = found.string[label_end + 2 :][:64].lstrip(" \r\n\t<")
    return f"{found[1]}\\[" if _OTHER_SCHEME.match(rest) else found[0]


@lru_cache(maxsize=2)
def _parser(html: bool) -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": html}).enable(["table", "strikethrough"])
    parser.disable(["inline", "text_join"])  # what is in a block is parsed by itself, with it
    parser.validateLink = lambda url: True  # type: ignore[method-assign]  # noqa: ARG005
    parser.normalizeLink = lambda url: url  # type: ignore[method-assign]
    return parser
