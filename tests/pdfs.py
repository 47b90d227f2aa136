"""PDFs that tests make: their pages' dictionaries in the open, or packed into a stream."""

from __future__ import annotations

import base64
import zlib


def plain_pdf(pages: int) -> bytes:
    """A PDF of empty pages, in which every object stands in the open."""
    kids = b" ".join(b"%d 0 R" % (n + 3) for n in range(pages))
    each = b"".join(
        b"%d 0 obj<</Type/Page /Parent 2 0 R/MediaBox[0 0 200 200]>>endobj\n" % (n + 3)
        for n in range(pages)
    )
    return (
        b"%%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        b"2 0 obj<</Type /Pages/Kids[%b]/Count %d>>endobj\n%btrailer<</Root 1 0 R>>\n%%%%EOF\n"
    ) % (kids, pages, each)


def packed_pdf(pages: int) -> bytes:
    """As writers make them since PDF 1.5: the pages' dictionaries in a compressed stream."""
    objects = b" ".join(b"<</Type/Page/Parent 2 0 R>>" for _ in range(pages))
    stream = zlib.compress(objects)
    return (
        b"%%PDF-1.5\n9 0 obj<</Type/ObjStm/N %d/First 0/Filter/FlateDecode/Length %d>>stream\r\n"
        b"%b\nendstream endobj\n%%%%EOF\n"
    ) % (pages, len(stream), stream)


def encoded(content: bytes) -> str:
    """In base64, as it travels."""
    return base64.b64encode(content).decode()
