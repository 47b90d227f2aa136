"""Finished work on disk, each piece under the hash of everything that decides it.

One file a record, written aside and moved into place: a process may die at any moment, and a
record is there whole or not at all. What is there is never made again. A piece of work that takes
several steps has a journal of them until its record is there.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from fusion_graph.errors import ConfigurationError
from fusion_graph.models.journal import Journal
from fusion_graph.state import CallRecord
from fusion_graph.version import own_version

Make = Callable[[Journal], Awaitable[dict[str, Any]]]
"""Does the work; its result is plain data. The journal has the steps that were finished before."""

STEPS = ".steps"
"""Ends the name of a journal: the finished steps of a piece of work that is not finished."""

UNFINISHED = ".unfinished"
"""Ends the name of a file that is being written; one that is left over is no record."""


@dataclass(frozen=True)
class Record:
    """A finished piece of work.

    Attributes:
        value: Its result, as plain data.
        fresh: Whether it was made now rather than found.
    """

    value: dict[str, Any]
    fresh: bool


def key_of(stage: str, *decides: Any) -> str:
    """Names a piece of work by all that decides its result, this package's version included.

    Args:
        stage: What kind of work.
        decides: Plain data.
    """
    content = json.dumps([stage, _versions(), *decides], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(content.encode()).hexdigest()


@lru_cache(maxsize=1)
def _versions() -> list[str]:
    """The package's version, and its prompts' words: a model asked in other words is another."""
    words = (resources.files("fusion_graph") / "prompts.py").read_bytes()
    return [own_version(), hashlib.sha256(words).hexdigest()]


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


class Store:
    """The records in a folder. Each is made once, however many want it at the same time.

    Args:
        folder: Where they lie; made if it is not there.

    Raises:
        ConfigurationError: The folder cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._locks: dict[str, asyncio.Lock] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"--out: {folder} cannot be used ({error.strerror}).", "Give another folder."
            ) from None

    async def once(self, key: str, make: Make) -> Record:
        """The record of that key, made if it is not there.

        Args:
            key: From `key_of`.
            make: Makes it. What it raises is raised here, and nothing is kept.
        """
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            path = self._path(key)
            found = _read(path)
            if found is not None:
                return Record(found, fresh=False)
            journal = Journal(path.with_suffix(STEPS))
            value = await make(journal)
            _write(path, value)
            journal.forget()
            # As read, so that a resumed run sees the very same data.
            return Record(json.loads(json.dumps(value)), fresh=True)

    def calls(self) -> Iterable[CallRecord]:
        """The model calls behind all the work, finished or not, that of earlier runs included."""
        for path in sorted(self._folder.glob("*/*.json")):
            value = _read(path)
            yield from (value or {}).get("calls", ())
        for path in sorted(self._folder.glob(f"*/*{STEPS}")):
            if not path.with_suffix(".json").exists():  # it died just before it forgot the steps
                yield from Journal(path).calls()

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.json"


def _read(path: Path) -> dict[str, Any] | None:
    """A record; None where there is none, or what is there is not whole (a disk that was full)."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _write(path: Path, value: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, delete=False, suffix=UNFINISHED
    ) as file:
        json.dump(value, file, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())  # what was paid for should outlive a power cut
    os.replace(file.name, path)


def write_whole(path: Path, content: str) -> None:
    """Write a text file so that a reader sees the old one or the new one, and nothing between."""
    with NamedTemporaryFile(
        "w", encoding="utf-8", newline="\n", dir=path.parent, delete=False, suffix=UNFINISHED
    ) as file:
        file.write(content)
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)
