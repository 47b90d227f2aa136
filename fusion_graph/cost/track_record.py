"""The track record: who was right on which question, at what cost, in your own evaluations.

A file of JSON lines in the user's data folder, to which `fusion-graph eval --record` appends. It
holds no question and no answer. A line that cannot be read is told and passed over: what a broken
write or a hand's slip did to one line costs no other.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fusion_graph.config.folders import data_folder
from fusion_graph.errors import ConfigurationError

FORMAT: Literal[1] = 1
"""Of a line; a later version that changes what a field means takes another number."""

LINE_BYTES = 2**16
"""No line has more: sixteen models and a few names."""

RIGHT_FROM = 50.0
"""Points, of 100, from which an answer counts as right. Checks by code give 0 or 100; of several
passes of a grader the majority decides; of a rubric it takes half of what was possible."""


class Entry(BaseModel):
    """One answer and its marks. Fields that a later version adds are passed over.

    Attributes:
        format: Of the line.
        made: When it was recorded, in UTC, as ISO 8601.
        dataset: The question set's name.
        sha256: Of the question set's file.
        question: The question's id.
        domain: The question's; may be empty.
        arm: Who answered, as the command line named it.
        kind: The kind of arm: `panel`, `solo`, …
        stack: Names everything that the arm was made with: the same models and settings.
        models: The panel's, as `provider:model`; one for `solo`.
        points: 0 to 100; None for an answer that could not be marked.
        cost_usd: As if it had been asked by itself; None if unknown.
        tokens: In and out.
        seconds: From the question to the answer.
        judge: Who compared, as `provider:model`; empty for one model alone.
        writer: Who wrote; empty for one model alone.
        stopped: Whether those asked first were enough; None where everybody was asked at once.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    format: Literal[1] = FORMAT
    made: str = Field(max_length=40)
    dataset: str = Field(max_length=1000)
    sha256: str = Field(max_length=64)
    question: str = Field(max_length=1000)
    domain: str = Field("", max_length=1000)
    arm: str = Field(max_length=4000)
    kind: str = Field(max_length=40)
    stack: str = Field(max_length=64)
    models: tuple[str, ...] = Field(min_length=1, max_length=16)
    points: float | None = Field(ge=0, le=100)
    cost_usd: float | None = Field(ge=0)
    tokens: int = Field(ge=0)
    seconds: float = Field(ge=0)
    judge: str = Field("", max_length=1000)
    writer: str = Field("", max_length=1000)
    stopped: bool | None = None


@dataclass(frozen=True)
class TrackRecord:
    """What was recorded.

    Attributes:
        entries: One for each stack and question, the last that was recorded, oldest first.
        faults: The lines that could not be read, each as a sentence.
    """

    entries: tuple[Entry, ...] = ()
    faults: tuple[str, ...] = ()


_last_read: dict[Path, tuple[tuple[int, int], TrackRecord]] = {}


def own_record() -> TrackRecord:
    """Read this user's track record, anew only where its file has changed.

    Raises:
        ConfigurationError: It is there and cannot be opened.
    """
    path = record_file()
    try:
        found = path.stat()
    except OSError:
        return read(path)
    state = found.st_mtime_ns, found.st_size
    kept = _last_read.get(path)
    if kept is None or kept[0] != state:
        kept = state, read(path)
        _last_read.clear()
        _last_read[path] = kept
    return kept[1]


def record_file() -> Path:
    """Name the file of this user's track record; it need not exist."""
    return data_folder() / "track-record.jsonl"


def append(entries: Iterable[Entry], path: Path) -> None:
    """Append entries to a track record.

    Args:
        entries: What to add.
        path: The file; made with its folder if it is not there.

    Raises:
        OSError: It cannot be written.
    """
    lines = "".join(f"{entry.model_dump_json()}\n" for entry in entries).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file:
        end = file.seek(0, os.SEEK_END)
        if end:
            file.seek(end - 1)
            if file.read(1) != b"\n":  # a write that broke off: its line stays one line
                lines = b"\n" + lines
        file.write(lines)
        file.flush()
        os.fsync(file.fileno())


def read(path: Path) -> TrackRecord:
    """Read a track record; one that is not there is empty.

    Args:
        path: The file.

    Raises:
        ConfigurationError: It is there and cannot be opened.
    """
    entries: dict[tuple[str, str, str], Entry] = {}
    faults = []
    try:
        for number, line in _lines(path):
            found = _entry(line)
            if isinstance(found, str):
                faults.append(f"Line {number} of {path.name} {found}; it is passed over.")
                continue
            key = found.sha256, found.question, found.stack
            entries.pop(key, None)  # so that the last is in its own place
            entries[key] = found
    except FileNotFoundError:
        return TrackRecord()
    except OSError as error:
        raise ConfigurationError(
            f"The track record {path} cannot be read: {error.strerror or error}.",
            "Make it readable, or move it away.",
        ) from None
    return TrackRecord(tuple(entries.values()), tuple(faults))


def _lines(path: Path) -> Iterator[tuple[int, bytes | None]]:
    """The lines that are not blank, with their numbers from 1; None for one that is too long."""
    with path.open("rb") as file:
        number, broken = 0, False
        while line := file.readline(LINE_BYTES + 1):
            ended = line.endswith(b"\n")
            if broken:  # the rest of a line that was too long
                broken = not ended
                continue
            number += 1
            if len(line) > LINE_BYTES:
                broken = not ended
                yield number, None
            elif line.strip():
                yield number, line


def _entry(line: bytes | None) -> Entry | str:
    """The entry of a line, or what is wrong with the line."""
    if line is None:
        return f"is longer than {LINE_BYTES} bytes"
    try:
        return Entry.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        if where == "format":
            return f"is not of format {FORMAT} (a later version of fusion-graph wrote it?)"
        return f"has a wrong {where}" if where else "is no JSON object"
