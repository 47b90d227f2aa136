"""The store of a server's runs: they survive its restart, and what it cannot take it says once.

A folder with two SQLite files, for this user's eyes only: the runs with their events and reports,
and the checkpoints from which interrupted ones go on. Writing is done by one thread, in the order
in which it was asked for; nobody waits for it but who says so, and its failure ends no run.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from asyncio import wrap_future
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from filelock import FileLock, Timeout

from fusion_graph.faces.server import _run_file as file
from fusion_graph.faces.server._run_records import (
    RunRecord,
    about_run,
    is_lasting,
    lasting,
    recorded,
    restored,
)
from fusion_graph.faces.server._spending import today
from fusion_graph.faces.server.run import Run

RUNS_FILE, CHECKPOINTS_FILE, LOCK_FILE = "runs.sqlite", "checkpoints.sqlite", "lock"

_log = logging.getLogger("fusion_graph.server")


@dataclass(frozen=True)
class _Order:
    """Something to write down.

    Attributes:
        do: Writes it.
        run: The run that it is about.
        record: That run as a whole, where the order is to write it; None where it is dropped.
        whole: Whether it leaves nothing of what was there of the run before.
        wipes: Whether what it removes is to be gone from the disk at once.
        done: Is told, once it is written, whether everything is.
    """

    do: Callable[[sqlite3.Connection], None]
    run: str = ""
    record: RunRecord | None = None
    whole: bool = False
    wipes: bool = False
    done: Future[bool] | None = None


@dataclass
class RunStore:
    """A store keeps runs in a folder.

    Args:
        folder: The folder. One server at a time keeps its runs there.

    Attributes:
        lost: Why nothing is kept; empty while it is.
    """

    folder: Path
    lost: str = ""
    _rows: sqlite3.Connection | None = field(default=None, repr=False)
    _spent: dict[str, float] = field(default_factory=dict, repr=False)
    _spent_on: str = field(default="", repr=False)
    _found: list[Run] = field(default_factory=list, repr=False)
    _queue: SimpleQueue[_Order | None] = field(default_factory=SimpleQueue, repr=False)
    _missed: dict[str, RunRecord | None] = field(default_factory=dict, repr=False)
    _writer: threading.Thread | None = field(default=None, repr=False)
    _lock: FileLock | None = field(default=None, repr=False)

    @property
    def runs_file(self) -> Path:
        """The file of the runs."""
        return self.folder / RUNS_FILE

    @property
    def checkpoints_file(self) -> Path:
        """The file of the checkpoints."""
        return self.folder / CHECKPOINTS_FILE

    def open(self) -> None:
        """Open the folder and read what is there; may take a second.

        What cannot be used is left as it is, and `lost` says why.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = FileLock(self.folder / LOCK_FILE, thread_local=False, mode=0o600)
            self._lock.acquire(timeout=0)
            self._rows = file.open_file(self.runs_file)
            records, unreadable = file.read_runs(self._rows)
            self._spent_on = today()
            self._spent = file.read_spent(self._rows, self._spent_on)
        except Timeout:
            self._give_up("another server keeps its runs there")
            return
        except (OSError, NotImplementedError, sqlite3.Error) as error:
            self._give_up(getattr(error, "strerror", None) or str(error))
            return
        for record in records:
            try:
                self._found.append(restored(record))
            except (KeyError, TypeError, ValueError, AttributeError):
                unreadable.append(record.id)
        self._found.sort(key=lambda run: run.started)
        if unreadable:
            _log.warning(
                "%d of the runs kept in %s cannot be read and are not shown; the others are not "
                "touched by it. Delete the file to be rid of them.",
                len(unreadable),
                self.runs_file,
            )
        if not any(run.status == "interrupted" for run in self._found):
            self._empty_checkpoints()
        self._writer = threading.Thread(target=self._work, name="run-store", daemon=True)
        self._writer.start()

    def found(self) -> list[Run]:
        """The runs that were there when it was opened, the oldest first; given once."""
        found, self._found = self._found, []
        return found

    def spent(self, day: str) -> dict[str, float]:
        """What each key had spent on a day when it was opened, US dollars."""
        return self._spent if day == self._spent_on else {}

    def write_spent(self, day: str, name: str, usd: float) -> None:
        """Have what a key has spent on a day written down."""
        self._order(_Order(lambda rows: file.write_spent(rows, day, name, usd)))

    def write(self, run: Run) -> None:
        """Have a run written down as it stands now."""
        record = recorded(run)
        self._order(_Order(lambda rows: file.write_run(rows, record), run.id, record, whole=True))

    def write_about(self, run: Run) -> None:
        """Have written down how a run stands, and nothing else of it."""
        about = about_run(run)
        self._order(_Order(lambda rows: file.write_about(rows, run.id, about), run.id))

    def add(self, run: Run, number: int | None, event: dict[str, Any]) -> None:
        """Have one event of a run written down, if it is one that lasts.

        Args:
            run: The run, written down before.
            number: The event's.
            event: What happened.
        """
        if number is not None and is_lasting(event):
            kept = lasting(event)
            self._order(_Order(lambda rows: file.write_event(rows, run.id, number, kept), run.id))

    def drop(self, id: str, *, wipe: bool = False) -> None:
        """Have a run removed.

        Args:
            id: The run's.
            wipe: Whether it is to be gone from the disk at once: somebody said so.
        """
        self._order(_Order(lambda rows: file.drop_run(rows, id), id, whole=True, wipes=wipe))

    async def settled(self) -> bool:
        """Wait until all that was ordered has been tried. Returns whether everything is written."""
        if self._writer is None:
            return False
        done: Future[bool] = Future()
        self._order(_Order(lambda _: None, done=done))
        return await wrap_future(done)

    async def close(self) -> None:
        """Write what was ordered, and close the folder for another server."""
        import asyncio

        writer, self._writer = self._writer, None  # nothing is ordered behind the last order
        if writer is not None:
            self._queue.put(None)
            await asyncio.to_thread(writer.join)
        self._release()

    def _order(self, order: _Order) -> None:
        if self._writer is not None:
            self._queue.put(order)

    def _work(self) -> None:
        while True:
            orders = [self._queue.get()]
            with suppress(Empty):
                while orders[-1] is not None:
                    orders.append(self._queue.get_nowait())
            self._carry_out([order for order in orders if order is not None])
            if orders[-1] is None:
                return

    def _carry_out(self, orders: list[_Order]) -> None:
        """Write down, in one go; what fails is tried again with whatever comes next."""
        assert self._rows is not None
        missed = dict(self._missed)
        try:
            with self._rows:
                for id, record in missed.items():
                    _do(_Order(partial(_write_or_drop, id, record), id), self._rows)
                for order in orders:
                    _do(order, self._rows)
        except (OSError, sqlite3.Error) as error:
            self._missed |= {order.run: order.record for order in orders if order.whole}
            if not self.lost:
                self.lost = str(error)
                _log.warning(
                    "runs are not kept in %s any more: %s. They go on in memory; make room, and "
                    "what is missing is written with the next.",
                    self.runs_file,
                    error,
                )
        else:
            self._missed.clear()
            if self.lost:
                self.lost = ""
                _log.warning("runs are kept in %s again", self.runs_file)
            if any(order.wipes for order in orders):
                file.wipe(self._rows)
        for order in orders:
            # Not for who has left: a run that was stopped while it waited cancelled its future, and
            # the error of setting one would end this thread, and with it every wait to come.
            if order.done is not None and order.done.set_running_or_notify_cancel():
                order.done.set_result(not self._missed and not self.lost)

    def _empty_checkpoints(self) -> None:
        for ending in ("", "-wal", "-shm"):
            with suppress(OSError):
                self.checkpoints_file.with_name(f"{CHECKPOINTS_FILE}{ending}").unlink()

    def _give_up(self, why: str) -> None:
        self.lost = why
        self._release()
        _log.warning(
            "runs are not kept in %s: %s. They are in memory only, and gone when this server "
            "ends. Give another folder with --keep-runs, move the file away, or say "
            "--keep-runs none.",
            self.folder,
            why,
        )

    def _release(self) -> None:
        if self._rows is not None:
            self._rows.close()
            self._rows = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def _do(order: _Order, rows: sqlite3.Connection) -> None:
    try:
        order.do(rows)
    except (TypeError, ValueError, RecursionError) as error:  # no JSON: this one alone is not kept
        _log.warning("run %s is not kept whole: %s", order.run, type(error).__name__)


def _write_or_drop(id: str, record: RunRecord | None, rows: sqlite3.Connection) -> None:
    if record is None:
        file.drop_run(rows, id)
    else:
        file.write_run(rows, record)
