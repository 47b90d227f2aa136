"""Files in a question: text is read into it, a PDF goes to the models as it is."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from fusion_graph.faces.server.protocols._fields import wrong
from fusion_graph.text.json_data import whole_characters

TEXTS = re.compile(r"text/|application/(?:json|xml|yaml|yml|toml|javascript|x-sh|sql)\b|.*\+xml$")
"""Media types whose bytes are text."""

NAME_CHARACTERS = 120
"""How much of a file's name is told to the models."""


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
        return {
            "type": "file",
            "base64": data,
            "mime_type": "application/pdf",
            "filename": _named(name, "document.pdf"),
        }
    if TEXTS.match(kind):
        return text_block(content.decode("utf-8", "replace"), name)
    raise wrong(where, f"files are text or PDF, not {kind[:60]!r}.", "unsupported_file")


def text_block(text: str, name: str | None) -> dict[str, Any]:
    """A text file as a part of the question.

    Args:
        text: What the file holds.
        name: What it is called.
    """
    called = _named(name, "document")
    return {
        "type": "text",
        "text": f"[File: {called}]\n{whole_characters(text)}\n[End of {called}]",
    }


def _named(name: object, otherwise: str) -> str:
    said = name if isinstance(name, str) else ""
    return re.sub(r"[\s\[\]]+", " ", said).strip()[:NAME_CHARACTERS] or otherwise
