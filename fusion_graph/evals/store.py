"""Finished work on disk, each piece under the hash of everything that decides it.

One file a record, written aside and moved into place: a process may die at any moment, and a
record is there whole or not at all. What is there is never made again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from fusion_graph.errors import ConfigurationError
from fusion_graph.state import CallRecord
from fusion_graph.text.whole_file import write_whole
from fusion_graph.version import own_version

Make = Callable[[], Awaitable[dict[str, Any]]]
"""Does the work; its result is plain data."""

FORMAT = "2"
"""Of the folder. 1, which had no mark, kept whole stages under the settings that led to them."""

MARK = "format"
"""Name of the file that says it."""


def key_of(kind: str, *decides: Any) -> str:
    """Names a piece of work by all that decides its result.

    Args:
        kind: What kind of work.
        decides: Plain data.
    """
    content = json.dumps([kind, *decides], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(content.encode()).hexdigest()


@lru_cache(maxsize=1)
def made_by() -> tuple[str, str]:
    """The package's version and its prompts' words: both decide what is made of models' replies."""
    words = (resources.files("fusion_graph") / "prompts.py").read_bytes()
    return own_version(), hashlib.sha256(words).hexdigest()


def folder_digest(folder: Path) -> str:
    """The content of a folder as a hash: names and bytes of all its files.

    Args:
        folder: A corpus; its answers are other answers as soon as a file changes.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()


@dataclass
class Unwritten:
    """Records that the disk did not take: paid for, and there for as long as the process.

    Attributes:
        records: By the file where each should be.
        problem: What the disk said first; empty if it took everything.
    """

    records: dict[Path, dict[str, Any]] = field(default_factory=dict)
    problem: str = ""

    def add(self, path: Path, record: dict[str, Any], error: OSError) -> None:
        """Hold a record."""
        self.records[path] = record
        self.problem = self.problem or error.strerror or str(error)


class Place:
    """Where one record is, or goes; nobody else is at it.

    Args:
        path: Its file.
        unwritten: Takes it if the disk does not.

    Attributes:
        kept: The record; None if there is none yet.
    """

    def __init__(self, path: Path, unwritten: Unwritten) -> None:
        self._path = path
        self._unwritten = unwritten
        self.kept = unwritten.records.get(path) or _read(path)

    def keep(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """Write the record, and give it as it is read: a run that goes on sees the same data.

        It is on disk when this returns, unless the disk took nothing: then it is held, since what
        was paid for is to be of use.
        """
        content = json.dumps(value, sort_keys=True)
        kept: dict[str, Any] = json.loads(content)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._path, content)
        except OSError as error:
            self._unwritten.add(self._path, kept, error)
        self.kept = kept
        return kept


class Store:
    """The records in a folder. Each is made once, however many want it at the same time.

    Args:
        folder: Where they lie; made if it is not there.

    Attributes:
        unwritten: What the disk did not take; it would be asked and paid again by a later run.

    Raises:
        ConfigurationError: The folder cannot be used, or holds records of another format.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.unwritten = Unwritten()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._check_format()
        except OSError as error:
            raise ConfigurationError(
                f"--out: {folder} cannot be used ({error.strerror}).", "Give another folder."
            ) from None

    def _check_format(self) -> None:
        """Refuse what another version kept: read by this one, it would be taken for other work.

        Raises:
            ConfigurationError: It is of another format.
        """
        mark = self._folder / MARK
        if mark.exists():
            found = mark.read_text("utf-8", errors="replace").strip()
        else:
            found = "1" if any(self._folder.iterdir()) else FORMAT
        if found != FORMAT:
            raise ConfigurationError(
                f"--out: {self._folder} holds the work of another version of fusion-graph (format "
                f"{found[:20]!r}; this one keeps {FORMAT!r}), which this one cannot go on from.",
                "Give another folder, or delete that one; then everything is asked and paid anew.",
            )
        if not mark.exists():
            write_whole(mark, f"{FORMAT}\n")

    @asynccontextmanager
    async def place(self, key: str) -> AsyncIterator[Place]:
        """A record's place, once nobody else is at it.

        Args:
            key: From `key_of`.
        """
        lock = self._locks.setdefault(key, asyncio.Lock())  # for as long as somebody waits for it
        async with lock:
            yield Place(self._path(key), self.unwritten)

    async def once(self, key: str, make: Make) -> dict[str, Any]:
        """The record of that key, made if it is not there.

        Args:
            key: From `key_of`.
            make: Makes it. What it raises is raised here, and nothing is kept.
        """
        async with self.place(key) as place:
            return place.kept or place.keep(await make())

    def first(self, key: str, value: dict[str, Any]) -> dict[str, Any]:
        """The record of that key; the one that is given, if there was none.

        Args:
            key: From `key_of`.
            value: Plain data that took no work.
        """
        place = Place(self._path(key), self.unwritten)
        return place.kept or place.keep(value)

    def calls(self) -> Iterable[CallRecord]:
        """The model calls behind all the work, that of earlier runs included, each once."""
        for path in sorted(self._folder.glob("*/*.json")):
            value = _read(path)
            yield from (value or {}).get("calls", ())
        for record in list(self.unwritten.records.values()):
            yield from record.get("calls", ())

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.json"


def _read(path: Path) -> dict[str, Any] | None:
    """A record; None where there is none, or what is there is not whole (a disk that was full)."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
