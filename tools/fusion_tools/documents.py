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
}
"""The files that count as documents, by ending."""

MAX_FILE_BYTES = 5 * 1024 * 1024
"""Bigger files are data or logs, seldom something to read and quote."""

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
    for path in _candidates(folder):
        relative = path.removeprefix(str(folder)).lstrip(os.sep).replace(os.sep, "/")
        try:
            file = _document_file(folder, path, relative)
        except (OSError, RuntimeError, _LeftOutError) as error:  # RuntimeError: a loop of links
            notes.append(f"{_printable(relative)}: skipped, {error}")
        else:
            files += [file] if file else []
    return sorted(files, key=lambda file: file.path), notes


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
    if status.st_size > MAX_FILE_BYTES:
        limit = MAX_FILE_BYTES // (1024 * 1024)
        raise _LeftOutError(f"{status.st_size} bytes, more than {limit} MB")
    return DocumentFile(relative, status.st_size, status.st_mtime_ns)


def _candidates(folder: Path) -> Iterator[str]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in CONTENT_TYPES:
                yield os.path.join(parent, name)


def _printable(path: str) -> str:
    return os.fsencode(path).decode("utf-8", errors="replace")


def read_document(folder: Path, file: DocumentFile) -> tuple[str, str]:
    """Title and text of a document. Raises OSError when the file cannot be read."""
    data = (folder / file.path).read_bytes()
    is_html = file.content_type == "text/html"
    decoded = decode(data, None, markup=is_html, cut=False).text
    text = decoded.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")
    if is_html:
        title, text = html_document(text)
    else:
        title = markdown_title(text) if file.content_type == "text/markdown" else ""
    return title or Path(file.name).stem, text


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
