"""A folder of documents as a search engine and a web of pages: no network, no key.

Every Markdown, text, HTML and PDF file under the folder is a page at `corpus:///its/path.md`.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, TypeVar
from urllib.parse import quote, unquote_to_bytes, urlsplit

from fusion_tools.documents import DocumentFile, document_files, read_document
from fusion_tools.errors import CorpusError, ToolError
from fusion_tools.fulltext import FullText
from fusion_tools.results import Page, SearchResult

T = TypeVar("T")

SCHEME = "corpus"

MAX_LIMIT = 50

CACHED_FOLDERS = 8
"""Indexes kept for folders opened again, least recently used dropped first."""


def open_corpus(folder: str | os.PathLike[str]) -> Corpus:
    """A corpus over `folder`; `~` is expanded.

    Raises:
        CorpusError: The folder is missing, a file, unreadable, or holds no document.
    """
    return Corpus(Path(folder))


class Corpus:
    """A `SearchProvider` and a `PageFetcher` over a folder of .md, .txt, .html and .pdf files.

    The folder is looked through when this is made. It is read and indexed at the first search
    or fetch; the index is shared with every corpus opened on the same folder until a file in
    it changes.

    Args:
        folder: The folder, searched with its subfolders. Hidden files, links that leave the
            folder, files over 5 MB (PDF: 20 MB) and other kinds of files are left out, and told
            in `notes`.

    Raises:
        CorpusError: The folder is missing, a file, unreadable, or holds no document.
    """

    name = "corpus"

    def __init__(self, folder: Path) -> None:
        self.folder = _readable_folder(folder)
        files, notes = document_files(self.folder)
        if not files:
            raise CorpusError(
                folder,
                "there is no document in it" + (f" ({'; '.join(notes[:3])})" if notes else ""),
                "Put .md, .markdown, .txt, .html, .htm or .pdf files there",
            )
        self._index = _shared_index(self.folder, files)
        self._left_out = notes

    @property
    def notes(self) -> list[str]:
        """A line for each file left out so far: too big, unreadable, linked from elsewhere."""
        return self._left_out + self._index.unreadable

    def urls(self) -> list[str]:
        """The URL of every document, by path."""
        return [_url(file.path) for file in self._index.files]

    async def search(self, query: str, limit: int) -> list[SearchResult]:
        """At most `limit` documents that have words of `query`, best first; [] when none has."""
        index = self._index
        return await index.call(lambda: index.search(query, max(1, min(limit, MAX_LIMIT))))

    async def fetch(self, url: str) -> Page:
        """The whole text of a document.

        Raises:
            ToolError: `url_not_allowed` for what is no document URL of this kind,
                `url_not_accessible` for one that is not in the folder.
        """
        index, path = self._index, _path(url)
        return await index.call(lambda: index.page(path))


def _readable_folder(folder: Path) -> Path:
    try:
        resolved = folder.expanduser().resolve()
        with os.scandir(resolved):
            return resolved
    except FileNotFoundError as error:
        raise CorpusError(folder, "it does not exist", "Check the path") from error
    except NotADirectoryError as error:
        raise CorpusError(folder, "it is a file", "Give the folder that holds it") from error
    except (OSError, RuntimeError, ValueError) as error:  # no home, loops of links, NULs
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        problem = f"it cannot be read ({reason})"
        raise CorpusError(folder, problem, "Check the path and its permissions") from error


class _Document(NamedTuple):
    file: DocumentFile
    title: str
    text: str


class _Index:
    """Titles, texts and full-text index of one state of a folder, in memory."""

    def __init__(self, folder: Path, files: list[DocumentFile]) -> None:
        self.folder = folder
        self.files = files
        self.unreadable: list[str] = []
        self._lock = threading.Lock()

    async def call(self, work: Callable[[], T]) -> T:
        """Do `work` on the built index, off the event loop: it reads files and asks SQLite."""
        return await asyncio.to_thread(self._locked, work)

    def _locked(self, work: Callable[[], T]) -> T:
        with self._lock:
            return work()

    @cached_property
    def _documents(self) -> dict[str, _Document]:
        documents = {}
        for file in self.files:
            try:
                title, text = read_document(self.folder, file)
            except OSError as error:
                self.unreadable.append(f"{file.name}: skipped, {error.strerror or error}")
            except ToolError as error:
                self.unreadable.append(f"{file.name}: skipped, {error}")
            else:
                documents[file.path] = _Document(file, title, text)
        return documents

    @cached_property
    def _fulltext(self) -> FullText:
        return FullText((document.title, document.text) for document in self._documents.values())

    def search(self, query: str, limit: int) -> list[SearchResult]:
        """Hits for the words of `query`."""
        hits = self._fulltext.search(query, limit)
        documents = list(self._documents.values())
        return [_result(documents[place], snippet) for place, snippet in hits]

    def page(self, path: str) -> Page:
        """A document as a page."""
        document = self._documents.get(path)
        if document is None:
            raise ToolError(
                "url_not_accessible",
                "No such document in this folder. Fetch a URL from the search results.",
            )
        return {
            "url": _url(path),
            "final_url": _url(path),
            "title": document.title,
            "date": document.file.date,
            "text": document.text,
            "content_type": document.file.content_type,
            "retrieved_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "links": [],
            "note": None,
        }


def _result(document: _Document, snippet: str) -> SearchResult:
    return {
        "url": _url(document.file.path),
        "title": document.title,
        "snippet": snippet,
        "date": document.file.date,
    }


_indexes: OrderedDict[Path, _Index] = OrderedDict()
_indexes_lock = threading.Lock()


def _shared_index(folder: Path, files: list[DocumentFile]) -> _Index:
    with _indexes_lock:
        index = _indexes.get(folder)
        if index is None or index.files != files:
            index = _indexes[folder] = _Index(folder, files)
        _indexes.move_to_end(folder)
        while len(_indexes) > CACHED_FOLDERS:
            _indexes.popitem(last=False)
        return index


def _url(path: str) -> str:
    return f"{SCHEME}:///{quote(os.fsencode(path))}"


def _path(url: str) -> str:
    """The path that a document URL names; never used to open a file, only to look one up."""
    parts = None
    with suppress(ValueError):
        parts = urlsplit(url.strip())
    if parts is None or parts.scheme != SCHEME or parts.netloc or parts.query:
        raise ToolError(
            "url_not_allowed",
            f"Only {SCHEME}:/// URLs can be fetched here. Take one from the search results.",
        )
    path = os.fsdecode(unquote_to_bytes(parts.path.removeprefix("/")))
    if ".." in path.split("/") or "\\" in path:
        raise ToolError(
            "url_not_allowed", "The URL leads out of the folder. Take one from the search results."
        )
    return path
