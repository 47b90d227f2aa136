"""Models' Markdown as HTML that can do nothing: no HTML of theirs, no images, web links only."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markupsafe import Markup, escape

from fusion_graph.evidence import Mark, read_citations
from fusion_graph.report.html._claims import mark_claims
from fusion_graph.report.html.strangers import web_address

Cite = Callable[[list[int], str | None], str]
"""`cite(ids, words)`: the HTML of a citation `[ids]` or `[ids: "words"]`."""

LOWEST_HEADING = 6


@dataclass(frozen=True)
class Claimed:
    """The claims of a text: their sentences in order, and the HTML around and after each."""

    sentences: Sequence[str]
    around: Callable[[int], str]
    after: Callable[[int], str]


NO_CLAIMS = Claimed((), str, str)

_PRIVATE = re.compile("[\ue000\ue001]")
_PLACE = re.compile("\\[\ue000(\\d{1,9})\ue001\\]")
"""Where a citation was put aside."""

_TEXTS = frozenset({"paragraph_open", "heading_open", "th_open", "td_open"})
"""Blocks of text: a browser finds their writing direction."""

_CONTAINERS = frozenset(
    {"blockquote_open", "bullet_list_open", "ordered_list_open", "list_item_open", "table_open"}
)
"""Blocks of blocks: `dir="auto"` would not look into those, so their direction is found here."""


def markdown(
    text: str,
    cite: Cite,
    *,
    known: Collection[int],
    below: int,
    claimed: Claimed = NO_CLAIMS,
    breaks: bool = False,
) -> Markup:
    """A model's Markdown as HTML.

    HTML in it is shown as text, images as their descriptions; links go to web addresses only.
    Link definitions (`[1]: https://…`) are text: they could give a citation an address of the
    model's own.

    Args:
        text: The Markdown.
        cite: Makes the citations.
        known: The numbers that can be cited.
        below: Level of the heading the text stands under; its own headings are deeper.
        claimed: Marks the claims.
        breaks: Whether a line end in a paragraph is shown as one.
    """
    marks: list[Mark] = []

    def put_aside(mark: Mark) -> str:
        marks.append(mark)
        return f"[\ue000{len(marks) - 1}\ue001]"

    # Private characters of the text's own could pass for places.
    reading = read_citations(_PRIVATE.sub("\ufffd", text), known)
    written = reading.text

    def as_written(place: re.Match[str]) -> str:
        mark = marks[int(place[1])]
        return str(escape(written[mark.start : mark.end]))

    env = {
        "cite": cite,
        "below": below,
        "marks": marks,
        "known": known,
        "claimed": claimed,
        "breaks": breaks,
    }
    parser = _parser()
    tokens = parser.parse(reading.without(put_aside), env)
    mark_claims(tokens, claimed.sentences, _inline)
    html = parser.renderer.render(tokens, parser.options, env)
    # Where this parser sees code or a link that the reading did not, the text stands as written.
    return Markup(_PLACE.sub(as_written, html))  # noqa: S704


class Block(NamedTuple):
    """A block of a text, such as a paragraph or a whole list.

    Attributes:
        line: Where it begins, lines from 0.
        html: One element.
    """

    line: int
    html: str


def blocks(text: str, *, below: int) -> list[Block]:
    """A text that is still being written as its blocks, each line end in them shown.

    Nothing in it is a citation: the numbers are not those of the report yet.

    Args:
        text: The Markdown.
        below: Level of the heading the text stands under.
    """
    env = {"below": below, "marks": (), "known": (), "breaks": True}
    parser = _parser()
    tokens = parser.parse(_PRIVATE.sub("\ufffd", text), env)
    found: list[Block] = []
    begin = 0
    for place, token in enumerate(tokens, start=1):
        if token.level == 0 and token.nesting <= 0:  # the end of a block, or a block by itself
            html = parser.renderer.render(tokens[begin:place], parser.options, env).strip()
            found.append(Block((tokens[begin].map or [0])[0], html))
            begin = place
    return found


def plain_words(line: str) -> str:
    """A line of Markdown as it reads, without what marks it up."""
    return " ".join(_words_of(_inline(line)).split())


def _inline(line: str) -> Sequence[Token]:
    # Without marks put aside it holds no citations.
    env = {"marks": (), "below": 0}
    (token,) = _parser().parseInline(_PRIVATE.sub("\ufffd", line), env)
    return token.children or ()


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    # "commonmark" comes with a limit to nesting, so that no text can exhaust the stack.
    parser = MarkdownIt("commonmark", {"html": False})
    parser.enable(["table", "strikethrough"])
    parser.disable(["reference", "html_block", "html_inline"])
    parser.validateLink = lambda url: web_address(url) is not None  # type: ignore[method-assign]
    parser.inline.ruler.before("link", "citation", _read_citation)
    parser.core.ruler.push("placed", _place)
    parser.add_render_rule("citation", _write_citation)
    parser.add_render_rule("claim_open", _write_claim)
    parser.add_render_rule("claim_close", _write_claim)
    parser.add_render_rule("claim_mark", _write_claim)
    parser.add_render_rule("image", _write_image)
    parser.add_render_rule("table_open", _write_table_open)
    parser.add_render_rule("table_close", _write_table_close)
    parser.add_render_rule("softbreak", _write_softbreak)
    parser.add_render_rule("fence", _write_code)
    parser.add_render_rule("code_block", _write_code)
    return parser


def _read_citation(state: StateInline, silent: bool) -> bool:
    # A citation can be pressed, and what can be pressed cannot stand inside a link. `silent` is
    # the search for the end of a link's text: there too it is text.
    if state.src[state.pos] != "[" or state.linkLevel or silent:
        return False
    match = _PLACE.match(state.src, state.pos, state.posMax)
    if match is None:
        return False
    token = state.push("citation", "", 0)
    token.content = match[0]
    token.meta = {"mark": state.env["marks"][int(match[1])]}
    state.pos = match.end()
    return True


def _place(state: StateCore) -> None:
    """Headings go below the page's own; every block finds its own writing direction."""
    below = state.env["below"]
    open_containers: list[Token] = []
    for token in state.tokens:
        if token.type in _CONTAINERS:
            open_containers.append(token)
        elif token.type == "inline" and open_containers and (side := direction(token.content)):
            for container in open_containers:
                container.attrSet("dir", side)
            open_containers = []
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(LOWEST_HEADING, below + int(token.tag[1:]))}"
        if token.type in _TEXTS:
            token.attrSet("dir", "auto")
        for child in token.children or ():
            if child.type == "link_open":
                child.attrSet("rel", "noopener noreferrer nofollow")
                child.attrSet("target", "_blank")
                # A model may call one address by another's name: this shows the real one.
                child.attrSet("title", str(child.attrs["href"]))


def direction(text: str) -> str | None:
    """`ltr` or `rtl` by the first letter that has a direction, or None."""
    for character in text:
        kind = unicodedata.bidirectional(character)
        if kind in ("L", "R", "AL"):
            return "ltr" if kind == "L" else "rtl"
    return None


def _write_citation(_self: Any, tokens: Sequence[Token], index: int, _: Any, env: Any) -> str:
    written = []
    for part in tokens[index].meta["mark"].parts:
        ids = list(dict.fromkeys(part.ids))
        if known := [n for n in ids if n in env["known"]]:
            written.append(str(env["cite"](known, part.words)))
        elif part.words:
            written.append(str(Markup('"{}" ').format(part.words)))
        written += [f"[{n}]" for n in ids if n not in known]
    return "".join(written)


def _write_claim(_self: Any, tokens: Sequence[Token], index: int, _: Any, env: Any) -> str:
    claimed, number = env["claimed"], tokens[index].meta["claim"]
    if tokens[index].type == "claim_close":
        return "</span>"
    write = claimed.around if tokens[index].type == "claim_open" else claimed.after
    return str(write(number))


def _write_image(_self: Any, tokens: Sequence[Token], index: int, *_: Any) -> str:
    described = _words_of(tokens[index].children or ()).strip()
    shown = f"image: {described}" if described else "image"
    return str(Markup('<span class="image">{}</span>').format(shown))


def _words_of(tokens: Sequence[Token]) -> str:
    """What is to be read of inline tokens, with the places of citations."""
    return "".join(
        _words_of(token.children) if token.children else token.content or " " * _breaks(token)
        for token in tokens
    )


def _breaks(token: Token) -> bool:
    return token.type in ("softbreak", "hardbreak")


def _write_table_open(_self: Any, tokens: Sequence[Token], index: int, *_: Any) -> str:
    side = tokens[index].attrGet("dir") or "ltr"
    wide = '<div class="wide" tabindex="0" role="region" aria-label="Table">'
    return f'{wide}<table dir="{side}">\n'


def _write_table_close(*_: Any) -> str:
    return "</table></div>\n"


def _write_softbreak(_self: Any, _tokens: Sequence[Token], _index: int, _: Any, env: Any) -> str:
    return "<br>\n" if env.get("breaks") else "\n"


def _write_code(_self: Any, tokens: Sequence[Token], index: int, *_: Any) -> str:
    # It may scroll: who has no mouse has to get there.
    code = escape(tokens[index].content)
    return str(Markup('<pre tabindex="0"><code>{}</code></pre>\n').format(code))
