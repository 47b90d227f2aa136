"""HTML as a tree: parsing, hidden elements out, links absolute, plain text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urldefrag, urljoin

from lxml import etree, html

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_HIDING_STYLE = re.compile(
    r"(?:^|;)(?:display:none|visibility:(?:hidden|collapse)|font-size:0(?:\.0*)?[a-z%]*)"
    r"(?:!important)?(?:;|$)"
)
# Possessive: a style of nothing but "/*" must take no longer than its length.
_CSS_NOISE = re.compile(r"/\*(?:[^*]|\*(?!/))*+(?:\*/)?|\s++")
_HIDDEN = etree.XPath("//*[@hidden or @style or @aria-hidden='true' or self::template]")
_SILENT = frozenset({"script", "style", "template", "noscript", "svg", "head", "iframe", "object"})
# fmt: off
_INLINE = frozenset({
    "a", "abbr", "b", "bdi", "bdo", "cite", "code", "data", "dfn", "em", "font", "i", "img", "kbd",
    "label", "mark", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "time",
    "tt", "u", "var", "wbr",
})
# fmt: on


def parse(text: str) -> HtmlElement | None:
    """Parse HTML of any quality; None when there is nothing to parse."""
    # Bytes and a named encoding: lxml refuses text that declares an encoding of its own.
    parser = html.HTMLParser(
        encoding="utf-8", remove_comments=True, remove_pis=True, collect_ids=False, no_network=True
    )
    try:
        return html.document_fromstring(text.replace("\x00", "").encode(), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return None


def drop_hidden(tree: HtmlElement) -> None:
    """Remove elements that a reader of the page does not see, where markup itself says so.

    Instructions to models are planted there. Style sheets can hide text as well; those are
    not read, so this is a filter and not a guarantee.
    """
    for element in _HIDDEN(tree):
        if element.tag in ("html", "body") or element.getparent() is None:
            continue  # pages hide all until their scripts have run
        style = _CSS_NOISE.sub("", element.get("style", "")).lower()
        if (
            element.tag == "template"
            or element.get("hidden") is not None
            or element.get("aria-hidden") == "true"
            or _HIDING_STYLE.search(style)
        ):
            element.drop_tree()


def make_links_absolute(tree: HtmlElement, url: str) -> list[str]:
    """Make every link a full http(s) URL or none at all; return them in page order.

    Args:
        tree: Changed in place.
        url: Of the page, after redirects.
    """
    base = url
    for element in tree.iter("base"):
        base = _join(url, element.get("href", "")) or url
        break
    links: dict[str, None] = {}
    for element in tree.iter("a", "area"):
        href = element.attrib.pop("href", None)
        if href is None or (link := _join(base, href)) is None:
            continue
        element.set("href", link)
        links[link] = None
    return list(links)


def _join(base: str, href: str) -> str | None:
    try:
        link = urldefrag(urljoin(base, href.strip())).url
    except ValueError:
        return None
    return link if link.startswith(("http://", "https://")) and len(link) <= 2000 else None


def page_title(tree: HtmlElement) -> str:
    """The text of the first `<title>`, or an empty string."""
    for element in tree.iter("title"):
        return " ".join(element.text_content().split())
    return ""


_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def plain_text(tree: HtmlElement) -> str:
    """All visible text, a line for each block. Menus and footers included."""
    parts: list[str] = []
    silent_depth = 0
    for event, element in etree.iterwalk(tree, events=("start", "end")):
        tag = element.tag if isinstance(element.tag, str) else ""
        if tag not in _INLINE:
            parts.append("\n")
        if event == "start":
            silent_depth += tag in _SILENT
            text = element.text
            if tag == "sup" and text and text.strip().isdecimal():
                text = text.translate(_RAISED)  # 10⁶ is no 106
        else:
            silent_depth -= tag in _SILENT
            text = element.tail
        if text and not silent_depth:
            parts.append(re.sub(r"\s+", " ", text))
    lines = (line.strip() for line in "".join(parts).split("\n"))
    return "\n".join(line for line in lines if line)
