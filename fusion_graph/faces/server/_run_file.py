"""The SQLite file of a server's runs: opened, written, read, and emptied."""

from __future__ import annotations

import json
import sqlite3
from contextlib import suppress
from pathlib import Path

from fusion_graph.faces.server._run_records import RunRecord, decoded, encoded

FORMAT_NUMBER = 1
"""Raised when an older version could not read what this one keeps."""

LOCK_SECONDS = 5.0
"""How long a write waits while somebody else looks into the file."""

_TABLES = """
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, about TEXT NOT NULL, context TEXT NOT NULL, messages TEXT, report TEXT
);
CREATE TABLE IF NOT EXISTS events (
    run TEXT NOT NULL, number INTEGER NOT NULL, event TEXT NOT NULL, PRIMARY KEY (run, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS spent (
    day TEXT NOT NULL, owner TEXT NOT NULL, usd REAL NOT NULL, PRIMARY KEY (day, owner)
) WITHOUT ROWID;
"""


def open_file(path: Path) -> sqlite3.Connection:
    """Open the file; it is made with its folder if need be, for this user's eyes only.

    Args:
        path: The file.

    Raises:
        OSError, sqlite3.Error: It cannot be written, is no database, or was written by a later
            version.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    # Used by one thread at a time: whoever opens it, then the one that writes.
    rows = sqlite3.connect(path, timeout=LOCK_SECONDS, check_same_thread=False)
    try:
        (number,) = rows.execute("PRAGMA user_version").fetchone()
        if number > FORMAT_NUMBER:
            said = f"it was kept by a later version of fusion-graph (form {number})"
            raise sqlite3.NotSupportedError(said)
        rows.execute("PRAGMA journal_mode=WAL")
        rows.execute("PRAGMA synchronous=NORMAL")  # a killed process loses nothing by it
        rows.execute("PRAGMA secure_delete=ON")
        rows.executescript(_TABLES)
        rows.execute(f"PRAGMA user_version={FORMAT_NUMBER}")
        rows.commit()
    except BaseException:
        rows.close()
        raise
    return rows


def write_run(rows: sqlite3.Connection, record: RunRecord) -> None:
    """Write a run down, whole, in place of what was there of it."""
    rows.execute("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?)", encoded(record))
    rows.execute("DELETE FROM events WHERE run = ?", (record.id,))
    for number, event in record.events:
        write_event(rows, record.id, number, event)


def write_about(rows: sqlite3.Connection, id: str, about: object) -> None:
    """Write down how a run stands, if it is there."""
    rows.execute("UPDATE runs SET about = ? WHERE id = ?", (json.dumps(about), id))


def write_event(rows: sqlite3.Connection, run: str, number: int, event: object) -> None:
    """Write one event of a run down."""
    text = json.dumps(event, default=str)
    rows.execute("INSERT OR REPLACE INTO events VALUES (?, ?, ?)", (run, number, text))


def drop_run(rows: sqlite3.Connection, id: str) -> None:
    """Remove a run."""
    rows.execute("DELETE FROM runs WHERE id = ?", (id,))
    rows.execute("DELETE FROM events WHERE run = ?", (id,))


def wipe(rows: sqlite3.Connection) -> None:
    """Have what was removed be gone from the log beside the file too, which keeps old pages."""
    with suppress(sqlite3.Error):  # somebody is reading: it goes with the next
        rows.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def read_runs(rows: sqlite3.Connection) -> tuple[list[RunRecord], list[str]]:
    """All runs, and the ids of those whose records cannot be read."""
    records, unreadable = [], []
    for texts in rows.execute("SELECT id, about, context, messages, report FROM runs").fetchall():
        query = "SELECT number, event FROM events WHERE run = ? ORDER BY number"
        try:
            records.append(decoded(texts, rows.execute(query, (texts[0],)).fetchall()))
        except (KeyError, TypeError, ValueError, AttributeError, NotImplementedError):
            unreadable.append(str(texts[0]))
    return records, unreadable


def write_spent(rows: sqlite3.Connection, day: str, owner: str, usd: float) -> None:
    """Write down what a key has spent on a day; days before are dropped."""
    rows.execute("DELETE FROM spent WHERE day < ?", (day,))
    rows.execute("INSERT OR REPLACE INTO spent VALUES (?, ?, ?)", (day, owner, usd))


def read_spent(rows: sqlite3.Connection, day: str) -> dict[str, float]:
    """What each key has spent on a day, US dollars."""
    query = "SELECT owner, usd FROM spent WHERE day = ?"
    return {str(owner): float(usd) for owner, usd in rows.execute(query, (day,))}
