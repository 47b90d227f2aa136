"""The log of runs: what was asked on this machine, what came of it, and what it cost.

One SQLite file in the user's data folder, for his eyes only. It holds reports, so questions and
answers, and no key. `FUSION_GRAPH_LOG=off` keeps none.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from fusion_graph.config.folders import DATA_DIR_ENV, data_folder
from fusion_graph.errors import RunLogError
from fusion_graph.text.phrases import paid, spent

SWITCH = "FUSION_GRAPH_LOG"
"""Environment variable; `off` keeps no log."""

KEPT = 500
"""Runs; the oldest are dropped. A report has 10 to 500 KB."""

LOCK_SECONDS = 5.0
"""How long one process waits while another writes."""

_TABLE = """
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, at REAL NOT NULL, question TEXT NOT NULL, preset TEXT NOT NULL,
    status TEXT NOT NULL, cost_usd REAL, cost TEXT NOT NULL, seconds REAL NOT NULL,
    thread TEXT NOT NULL, report TEXT NOT NULL
)
"""


@dataclass(frozen=True)
class LoggedRun:
    """One run in the log.

    Attributes:
        id: Names it.
        at: When it ended, Unix time in seconds.
        question: What was asked.
        preset: The preset's name; empty for a panel that was given.
        status: `ok`, `degraded` or `error`.
        cost_usd: US dollars; None if unknown.
        cost: The same in words, with what a plan paid for.
        seconds: How long it took.
        thread: The thread that keeps it; empty for none.
    """

    id: str
    at: float
    question: str
    preset: str
    status: str
    cost_usd: float | None
    cost: str
    seconds: float
    thread: str


def log_file() -> Path:
    """The SQLite file of this user's runs."""
    return data_folder() / "runs.sqlite"


def is_on() -> bool:
    """Whether runs are logged."""
    return os.environ.get(SWITCH, "").strip().lower() not in ("off", "0", "no", "false")


def log_run(report: Mapping[str, Any], seconds: float, thread: str = "") -> str:
    """Log a run that has ended, and drop the oldest past what is kept.

    Args:
        report: The run's report.
        seconds: How long it took.
        thread: The thread that keeps it; empty for none.

    Returns:
        Its id.

    Raises:
        RunLogError: The file takes nothing.
    """
    id = uuid4().hex[:12]
    total = report["usage"]["total"]
    row = (
        id,
        time.time(),
        str(report["question"]),
        str(report["preset"] or ""),
        "error" if report["answer"] is None else str(report["status"]),
        total["cost_usd"],
        paid(spent(total["cost_usd"], None), total["calls"], total.get("plan_calls", 0)),
        seconds,
        thread,
        json.dumps(report, ensure_ascii=False),
    )
    with _opened() as rows:
        rows.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        rows.execute(
            "DELETE FROM runs WHERE id NOT IN (SELECT id FROM runs ORDER BY at DESC LIMIT ?)",
            (KEPT,),
        )
    return id


def latest_runs(most: int) -> list[LoggedRun]:
    """The last runs, the newest first.

    Args:
        most: How many.

    Raises:
        RunLogError: The file cannot be read.
    """
    if not log_file().exists():
        return []
    query = (
        "SELECT id, at, question, preset, status, cost_usd, cost, seconds, thread FROM runs "
        "ORDER BY at DESC LIMIT ?"
    )
    with _opened() as rows:
        return [LoggedRun(*row) for row in rows.execute(query, (most,))]


def logged_report(id: str) -> dict[str, Any] | None:
    """The report of a run.

    Args:
        id: The run's, or so many of its first characters that no other begins with them.

    Returns:
        The report; None where no run, or more than one, is meant.

    Raises:
        RunLogError: The file or the run's record cannot be read.
    """
    if not log_file().exists():
        return None
    with _opened() as rows:
        query = "SELECT report FROM runs WHERE substr(id, 1, ?) = ? LIMIT 2"
        found = rows.execute(query, (len(id), id)).fetchall()
    if len(found) != 1:
        return None
    try:
        report = json.loads(found[0][0])
    except (TypeError, ValueError):
        raise RunLogError(f"The record of run {id} cannot be read.") from None
    return report if isinstance(report, dict) else None


def clear_log() -> int:
    """Remove all runs. Returns how many there were.

    Raises:
        RunLogError: The file cannot be written.
    """
    if not log_file().exists():
        return 0
    with _opened() as rows:
        removed = rows.execute("DELETE FROM runs").rowcount
    with _opened() as rows:
        rows.execute("VACUUM")  # what was said is to be gone from the disk
    return removed


@contextmanager
def _opened() -> Iterator[sqlite3.Connection]:
    path = log_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        with closing(sqlite3.connect(path, timeout=LOCK_SECONDS)) as connection, connection:
            connection.execute(_TABLE)
            yield connection
    except (OSError, sqlite3.Error) as error:
        raise RunLogError(
            f"The log of runs in {path} cannot be used: {error}.",
            f"Move the file away, set {DATA_DIR_ENV} to another folder, or {SWITCH}=off.",
        ) from None
