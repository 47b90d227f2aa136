"""Files in a question: text is read into it, a PDF goes to the models as it is."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from fusion_graph.faces.server.protocols._fields import wrong
from fusion_graph.state.files import pdf_block, text_of_file

TEXTS = re.compile(r"text/|application/(?:json|xml|yaml|yml|toml|javascript|x-sh|sql)\b|.*\+xml$")
"""Media types whose bytes are text."""


def file_block(data: str, name: str | None, where: str, kind: str | None = None) -> dict[str, Any]:
    """A file as a block of LangChain's.

    Args:
        data: A `data:` address, or base64 where `kind` is given.
        name: What the file is called.
        where: The request's field.
        kind: Its media type, where the protocol tells it apart.

    Raises:
        ApiError: 400, it is no `data:` address, or neither text nor PDF.
    """
    if kind is None:
        match = re.match(r"data:([\w.+-]+/[\w.+-]+)?(?:;[\w-]+=[\w.-]+)*;base64,", data)
        if match is None:
            raise wrong(where, "send the file as `data:TYPE;base64,…`.", "invalid_file")
        kind, data = match[1] or "text/plain", data[match.end() :]
    kind = kind.lower()
    try:
        content = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise wrong(where, "the file's base64 is broken.", "invalid_file") from None
    if kind == "application/pdf" or content.startswith(b"%PDF-"):
        return pdf_block(data, name)
    if TEXTS.match(kind):
        return text_block(content.decode("utf-8", "replace"), name)
    raise wrong(where, f"files are text or PDF, not {kind[:60]!r}.", "unsupported_file")


def text_block(text: str, name: str | None) -> dict[str, Any]:
    """A text file as a part of the question.

    Args:
        text: What the file holds.
        name: What it is called.
    """
    return {"type": "text", "text": text_of_file(text, name)}
