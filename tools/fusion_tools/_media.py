"""What kind of document a body is: by its content type, corrected by its first bytes."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Kind = Literal["html", "pdf", "text", "markdown", "json", "xml"]
"""The kinds that can be read."""


class MediaType(NamedTuple):
    """A content type as announced: `text/html`, and the charset label if it names one."""

    name: str
    charset: str | None


_KINDS: dict[str, Kind] = {
    "text/html": "html",
    "application/xhtml+xml": "html",
    "application/pdf": "pdf",
    "application/x-pdf": "pdf",
    "text/markdown": "markdown",
    "text/x-markdown": "markdown",
    "application/json": "json",
    "text/json": "json",
    "application/x-ndjson": "json",
    "application/jsonl": "json",
    "application/xml": "xml",
    "text/xml": "xml",
    "application/x-yaml": "text",
    "application/yaml": "text",
    "application/toml": "text",
    "application/javascript": "text",
    "application/x-javascript": "text",
    "application/x-tex": "text",
    "application/x-sh": "text",
}
_CONTENT_TYPES: dict[Kind, str] = {
    "html": "text/html",
    "pdf": "application/pdf",
    "text": "text/plain",
    "markdown": "text/markdown",
    "json": "application/json",
    "xml": "application/xml",
}
# Announced by servers that do not know what they serve.
_UNKNOWN = frozenset(
    {"", "application/octet-stream", "binary/octet-stream", "application/force-download"}
)
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"RIFF", "a media file"),
    (b"OggS", "a media file"),
    (b"ID3", "a media file"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"\xd0\xcf\x11\xe0", "an office document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"\x7fELF", "a program"),
    (b"\x00asm", "a program"),
    (b"MZ\x90", "a program"),
)
_UNICODE_BOMS = (b"\xff\xfe", b"\xfe\xff")
# Possessive and atomic throughout: a page of comments must not make this backtrack.
_HTML_START = re.compile(
    rb"(?:<\?xml[^>]*+>|(?><!--.*?-->)|\s++)*+<(?:!doctype\s++html|html|head|body)\b",
    re.IGNORECASE | re.DOTALL,
)


def parse_content_type(header: str) -> MediaType:
    """Split a `Content-Type` header; tolerant, never raises."""
    name, _, parameters = header.partition(";")
    found = re.search(r"charset\s*=\s*[\"']?([A-Za-z0-9._:-]{1,40})", parameters, re.IGNORECASE)
    return MediaType(name.strip().lower(), found[1] if found else None)


def announced_kind(name: str) -> Kind | Literal["unreadable"] | None:
    """The kind a content type announces; None when only the bytes can tell."""
    if name in _UNKNOWN:
        return None
    if name in _KINDS:
        return _KINDS[name]
    if name.startswith("image/"):
        return "unreadable"  # also image/svg+xml
    if name.endswith("+json"):
        return "json"
    if name.endswith("+xml"):
        return "xml"
    return "text" if name.startswith("text/") else "unreadable"


def actual_kind(announced: Kind | None, body: bytes, path: str) -> Kind | str:
    """The kind of `body`, or in words what it is instead, as in `a PNG image`.

    Servers mislabel: PDFs as text/html, log-in pages as PDFs, archives as text/plain.

    Args:
        announced: From `announced_kind`.
        body: Decoded bytes; the first 2 KiB are looked at.
        path: Of the URL; tells Markdown from plain text.
    """
    start = body[:2048]
    if b"%PDF-" in start[:1024] and (announced in ("pdf", None) or start.lstrip()[:5] == b"%PDF-"):
        return "pdf"
    for magic, description in _MAGIC:
        # Words may begin with "RIFF" or "ID3"; then no zero bytes follow.
        if start.startswith(magic) and (b"\x00" in start or not magic.isalnum()):
            return description
    if _HTML_START.match(start.removeprefix(b"\xef\xbb\xbf")) and announced != "markdown":
        return "html" if announced != "text" else "text"
    if announced == "html":
        return "html"
    if b"\x00" in start and not start.startswith(_UNICODE_BOMS):
        return "binary data"
    if announced == "pdf":
        return "not a PDF"
    if announced is None:
        head = start.lstrip()[:1]
        announced = "xml" if start.lstrip()[:5] == b"<?xml" else "text"
        if head in (b"{", b"[") and path.endswith((".json", ".jsonl", ".geojson")):
            announced = "json"
    if announced == "text" and path.lower().endswith((".md", ".markdown")):
        return "markdown"
    return announced


def content_type(kind: Kind, name: str) -> str:
    """The content type to report: the announced one where the bytes agree with it."""
    return name if announced_kind(name) == kind else _CONTENT_TYPES[kind]
