"""The files of a folder as documents: which count, and what their titles and texts are."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fusion_tools._charsets import decode

CONTENT_TYPES = {
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".txt": "text/plain",
    ".html": "text/html",
    ".htm": "text/html",
    ".pdf": "application/pdf",
}
"""The files that count as documents, by ending."""

MAX_FILE_BYTES = 5 * 1024 * 1024
"""Bigger files are data or logs, seldom something to read and quote."""

MAX_PDF_BYTES = 20 * 1024 * 1024
"""A PDF's pictures count too."""

MOST_OTHERS = 5
"""Files of other kinds that are named one by one."""

_HEADING = re.compile(r"^ {0,3}#[ \t]+(.*?)[ \t#]*$", re.MULTILINE)
_FENCE = re.compile(r"^ {0,3}(```|~~~).*?(?:^ {0,3}\1|\Z)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class DocumentFile:
    """A file to index: where it is, and what tells whether it has changed.

    `path` is relative to its folder, with forward slashes; `size` is in bytes.
    """

    path: str
    size: int
    mtime_ns: int

    @property
    def name(self) -> str:
        """The path as text that can be stored and printed, which not every file name is."""
        return _printable(self.path)

    @property
    def content_type(self) -> str:
        """The media type that the file's ending stands for."""
        return CONTENT_TYPES[Path(self.path).suffix.lower()]

    @property
    def date(self) -> str | None:
        """The day of the last change, UTC, ISO 8601; None when the file system's is no date."""
        try:
            return datetime.fromtimestamp(self.mtime_ns / 1e9, UTC).date().isoformat()
        except (ValueError, OverflowError, OSError):
            return None


def document_files(folder: Path) -> tuple[list[DocumentFile], list[str]]:
    """The documents under `folder`, sorted by path, and a note for each that was left out.

    Hidden files and folders, linked folders, and links that lead out of the folder are not
    looked at.

    Args:
        folder: An existing folder, resolved.
    """
    files: list[DocumentFile] = []
    notes: list[str] = []
    others: list[str] = []
    for path in _visible(folder):
        relative = path.removeprefix(str(folder)).lstrip(os.sep).replace(os.sep, "/")
        if os.path.splitext(path)[1].lower() not in CONTENT_TYPES:
            others.append(_printable(relative))
            continue
        try:
            file = _document_file(folder, path, relative)
        except (OSError, RuntimeError, _LeftOutError) as error:  # RuntimeError: a loop of links
            notes.append(f"{_printable(relative)}: skipped, {error}")
        else:
            files += [file] if file else []
    return sorted(files, key=lambda file: file.path), notes + _other_kinds(sorted(others))


def _other_kinds(names: list[str]) -> list[str]:
    """Notes on files that are none of the kinds that are read."""
    notes = [f"{name}: skipped, {_kind(name)} is not read" for name in names[:MOST_OTHERS]]
    if more := names[MOST_OTHERS:]:
        endings = ", ".join(sorted({_kind(name) for name in more})[:MOST_OTHERS])
        notes.append(f"{len(more)} more files: skipped, not read ({endings})")
    return notes


def _kind(name: str) -> str:
    return os.path.splitext(name)[1].lower() or "a name without an ending"


class _LeftOutError(Exception):
    """Why a file does not count as a document."""


def _document_file(folder: Path, path: str, relative: str) -> DocumentFile | None:
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        if not Path(path).resolve().is_relative_to(folder):
            raise _LeftOutError("a link that leaves the folder")
        status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        return None  # reading a pipe would wait for ever
    most = MAX_PDF_BYTES if path.lower().endswith(".pdf") else MAX_FILE_BYTES
    if status.st_size > most:
        limit = most // (1024 * 1024)
        raise _LeftOutError(f"{status.st_size} bytes, more than {limit} MB")
    return DocumentFile(relative, status.st_size, status.st_mtime_ns)


def _visible(folder: Path) -> Iterator[str]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if not name.startswith("."):
                yield os.path.join(parent, name)


def _printable(path: str) -> str:
    return os.fsencode(path).decode("utf-8", errors="replace")


def read_document(folder: Path, file: DocumentFile) -> tuple[str, str]:
    """Title and text of a document.

    Raises:
        OSError: The file cannot be read.
        ToolError: There is no text in it: a PDF that is damaged, encrypted or only pictures.
    """
    data = (folder / file.path).read_bytes()
    if file.content_type == "application/pdf":
        return _pdf_document(file, data)
    is_html = file.content_type == "text/html"
    decoded = decode(data, None, markup=is_html, cut=False).text
    text = decoded.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")
    if is_html:
        title, text = html_document(text)
    else:
        title = markdown_title(text) if file.content_type == "text/markdown" else ""
    return title or Path(file.name).stem, text


def _pdf_document(file: DocumentFile, data: bytes) -> tuple[str, str]:
    # In the worker that reads fetched PDFs: a crafted one must not take this process down.
    from fusion_tools._limits import FetchLimits
    from fusion_tools._readers import Document
    from fusion_tools.extract import shared_extractor

    document = Document(data, "pdf", f"corpus:///{file.name}")
    read = shared_extractor().submit(document, FetchLimits()).result()
    return read.title or Path(file.name).stem, read.text


def markdown_title(text: str) -> str:
    """The first `# heading` outside code fences, or ""."""
    heading = _HEADING.search(_FENCE.sub("", text))
    return heading.group(1).strip() if heading else ""


def html_document(text: str) -> tuple[str, str]:
    """Title and visible text of an HTML page, a line for each paragraph."""
    from fusion_tools import _markup  # brings lxml, which Markdown and text do without

    tree = _markup.parse(text)
    if tree is None:
        return "", ""
    _markup.drop_hidden(tree)
    headings = (" ".join(heading.text_content().split()) for heading in tree.iter("h1"))
    return _markup.page_title(tree) or next(headings, ""), _markup.plain_text(tree)
