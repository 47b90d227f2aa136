"""What strangers' text may do in a page: be read. Addresses and characters that could do more."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from fusion_graph.text.json_data import REPLACEMENT, whole_characters
from fusion_graph.text.printable import printable

_NO_TEXT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]")
"""Control characters but tab and line end, and noncharacters."""

_NOT_IN_ADDRESSES = re.compile(r"[\s\x00-\x20\x7f-\x9f\"'<>\\^`{|}\ud800-\udfff]")


def encodable(text: str) -> str:
    """Text that every encoding of a page can hold; what cannot be shown is a `\\ufffd`."""
    lines = whole_characters(text).replace("\r\n", "\n").replace("\r", "\n")
    return _NO_TEXT.sub(REPLACEMENT, lines)


def readable(text: str) -> str:
    """Text as `encodable` has it, in the order in which it is written: nothing turns it round."""
    return printable(encodable(text))


def web_address(url: str) -> str | None:
    """The address if a reader may be sent there: http or https, with a host; else None.

    Everything else (`javascript:`, `data:`, `file:`, `corpus:`, relative paths) is shown as text.
    """
    if _NOT_IN_ADDRESSES.search(url):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and parts.hostname else None
