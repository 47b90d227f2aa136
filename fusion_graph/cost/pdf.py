"""The pages of a PDF, counted without reading them: what it costs depends on their number.

A reader of PDF would take seconds for a large file, and a hostile one could keep it for minutes;
here the file is looked through once, in time that its size bounds.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections import OrderedDict

MOST_PAGES = 1_000
"""Gemini reads so many pages of a document, Claude and the others fewer."""

_PAGE = re.compile(rb"/Type\s*/Page(?![A-Za-z])")
_PACKED = re.compile(rb"/Type\s*/ObjStm(?![A-Za-z])")
"""Since PDF 1.5 pages' dictionaries may stand in compressed streams of objects."""

_MOST_STREAMS, _STREAM_BYTES, _UNPACKED_BYTES = 500, 100_000, 8_000_000
"""Most streams that are unpacked, and bytes of each before and of all after: writers put some 200
objects into one, which come to 10,000 bytes."""

_HEAD_BYTES = 2_000
"""A stream begins at most so far behind its type."""

_KNOWN: OrderedDict[tuple[int, int], int | None] = OrderedDict()
_MOST_KNOWN = 256


def pdf_pages(encoded: str) -> int | None:
    """Count the pages of a PDF.

    Args:
        encoded: Its bytes in base64.

    Returns:
        At most `MOST_PAGES`; None where no page can be seen: it is encrypted, or no PDF.
    """
    # A budget asks before every call. The text itself is not kept: it may have 10 MB.
    key = (len(encoded), hash(encoded))
    if key not in _KNOWN:
        _KNOWN[key] = _counted(encoded)
        while len(_KNOWN) > _MOST_KNOWN:
            _KNOWN.popitem(last=False)
    return _KNOWN[key]


def _counted(encoded: str) -> int | None:
    try:
        content = base64.b64decode(encoded)
    except (binascii.Error, ValueError):
        return None
    pages = sum(1 for _ in _PAGE.finditer(content)) + _packed_pages(content)
    return min(pages, MOST_PAGES) or None


def _packed_pages(content: bytes) -> int:
    whole, pages, room = memoryview(content), 0, _UNPACKED_BYTES
    for number, packed in enumerate(_PACKED.finditer(content)):
        if number >= _MOST_STREAMS or room <= 0:
            break
        head = content.find(b"stream", packed.end(), packed.end() + _HEAD_BYTES)
        if head < 0:
            continue
        begin = head + len(b"stream")
        begin += 2 if content[begin : begin + 2] == b"\r\n" else 1
        try:
            text = zlib.decompressobj().decompress(whole[begin : begin + _STREAM_BYTES], room)
        except zlib.error:
            continue  # encrypted, or packed in a way of which nobody makes use
        room -= len(text)
        pages += sum(1 for _ in _PAGE.finditer(text))
    return pages
