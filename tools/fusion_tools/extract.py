"""Extraction in private worker processes, so that no page can stall or sink its reader.

trafilatura holds the interpreter for a second per megabyte and some pages keep it for minutes:
in a thread that stalls everybody, and a thread cannot be ended. A worker process can. Threads
talk to the workers over blocking pipes and answer with `concurrent.futures` futures, so any
event loop, closed or reopened, any thread and no event loop at all will do.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import queue
import sys
import threading
import time
import weakref
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import cache

from fusion_tools._limits import FetchLimits
from fusion_tools._readers import Document, Extracted, read_plainly
from fusion_tools._worker import Worker
from fusion_tools.errors import ToolError, WorkerError

logger = logging.getLogger(__name__)

WORKER_MEMORY_BYTES = 768 * 2**20
"""Address space of one worker. It starts with 60 MiB; a hostile 1.5 MB table takes 290 MiB."""

IDLE_SECONDS = 60.0
"""A worker without work for this long is closed, and started again when needed (0.5 s)."""

PAGES_PER_WORKER = 500
"""Then a fresh process takes over: lxml and trafilatura's caches keep what they once had."""


@dataclass
class _Job:
    document: Document
    limits: FetchLimits
    future: Future[Extracted] = field(default_factory=Future)
    queued: float = field(default_factory=time.monotonic)


@dataclass
class _Seat:
    """What one thread owns."""

    worker: Worker | None = None


class Extractor:
    """A few worker processes, started when first needed, and the queue in front of them.

    Args:
        workers: Processes at most. Default: two, or one on a single CPU.
        memory_bytes: Address space of each.
        idle_seconds: After which a worker without work is closed.
    """

    def __init__(
        self,
        *,
        workers: int | None = None,
        memory_bytes: int = WORKER_MEMORY_BYTES,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._max_workers = workers or min(2, _cpus())
        self._memory_bytes = memory_bytes
        self._idle_seconds = idle_seconds
        self._fresh()
        _every_extractor.add(self)

    def _fresh(self) -> None:
        self._lock = threading.Lock()
        self._reading_plainly = threading.Lock()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads: set[threading.Thread] = set()
        self._workers: set[Worker] = set()
        self._unfinished = 0
        self._closed = False
        # A worker that does not start (a library is missing) is not tried for every page.
        self._broken_until = 0.0
        self._broken_reason = ""

    async def extract(self, document: Document, limits: FetchLimits) -> Extracted:
        """Extract a document's main content, or its plain text when that fails.

        Cancelling the call takes the document out of the queue; if a worker is at it already,
        the worker finishes it for nobody, within its time limit.

        Args:
            document: What to read.
            limits: `extract_seconds`, `queue_seconds` and `fallback_bytes` apply here.

        Raises:
            ToolError: `unsupported_content_type` when no text can be had.
        """
        return await asyncio.wrap_future(self.submit(document, limits))

    def submit(self, document: Document, limits: FetchLimits) -> Future[Extracted]:
        """As `extract`, for callers without an event loop."""
        job = _Job(document, limits)
        with self._lock:
            if self._closed:
                raise _closed()
            if len(self._threads) < min(self._unfinished + 1, self._max_workers):
                # Daemons: a script must be able to end while a page is being read.
                thread = threading.Thread(target=self._serve, name="fusion-extract", daemon=True)
                thread.start()
                self._threads.add(thread)
            self._unfinished += 1
            self._jobs.put(job)
        return job.future

    def pids(self) -> list[int]:
        """Process ids of the workers that are running now."""
        with self._lock:
            return [worker.pid for worker in self._workers]

    def close(self) -> None:
        """End the workers, whatever they are doing. Called at interpreter exit."""
        with self._lock:
            self._closed = True
            threads, workers = list(self._threads), list(self._workers)
            for _ in threads:
                self._jobs.put(None)
        for worker in workers:
            worker.kill()
        for thread in threads:
            thread.join(timeout=5)

    def _serve(self) -> None:
        """One thread's life: own a worker, feed it jobs, go when there is no more work.

        The worker is started by the thread that owns it, and closed before the thread ends:
        Linux ends a child that asked for it with the *thread* that started it.
        """
        seat = _Seat()
        try:
            while (job := self._next_job()) is not None:
                if job.future.set_running_or_notify_cancel():
                    self._settle(job, seat)
                with self._lock:
                    self._unfinished -= 1
                del job  # megabytes, and the next one may be long in coming
        finally:
            self._release(seat)

    def _next_job(self) -> _Job | None:
        """Wait for a job; None when this thread is to end, and then it is signed off."""
        while True:
            try:
                job = self._jobs.get(timeout=self._idle_seconds)
            except queue.Empty:
                job = None
            with self._lock:
                # Not when jobs are left for this thread: `submit` counts on it.
                if job is None and (self._closed or self._unfinished < len(self._threads)):
                    self._threads.discard(threading.current_thread())
                    return None
            if job is not None:
                return job

    def _settle(self, job: _Job, seat: _Seat) -> None:
        try:
            extracted = self._read(job, seat)
        except BaseException as error:  # the caller gets it, whatever it is
            job.future.set_exception(error)
        else:
            job.future.set_result(extracted)

    def _read(self, job: _Job, seat: _Seat) -> Extracted:
        limits = job.limits
        if self._closed:
            raise _closed()
        if time.monotonic() - job.queued > limits.queue_seconds:
            return self._plainly(job, f" (no worker was free within {limits.queue_seconds:g} s)")
        try:
            worker = self._worker(seat)
            return worker.read(job.document, limits.extract_seconds)
        except WorkerError as failed:
            logger.info("extraction of %s failed: %s", job.document.url, failed)
            return self._plainly(job, f" ({failed})")

    def _worker(self, seat: _Seat) -> Worker:
        """The thread's worker, or a new one when it has none that may go on."""
        if seat.worker and seat.worker.running and seat.worker.pages < PAGES_PER_WORKER:
            return seat.worker
        self._release(seat)
        if time.monotonic() < self._broken_until:
            raise WorkerError(self._broken_reason)
        seat.worker = Worker(self._memory_bytes)
        with self._lock:
            self._workers.add(seat.worker)
            if self._closed:  # since the job was taken; `close` may not have seen this worker
                raise WorkerError("the page reader was closed")
        try:
            seat.worker.greet()
        except WorkerError as failed:
            self._broken_until = time.monotonic() + self._idle_seconds
            self._broken_reason = str(failed)
            raise
        return seat.worker

    def _release(self, seat: _Seat) -> None:
        worker, seat.worker = seat.worker, None
        if worker is not None:
            worker.close()
            with self._lock:
                self._workers.discard(worker)

    def _plainly(self, job: _Job, reason: str) -> Extracted:
        document, limit = job.document, job.limits.fallback_bytes
        with self._reading_plainly:  # several threads at it would only slow each other down
            if len(document.body) <= limit:
                return read_plainly(document, reason)
            extracted = read_plainly(
                replace(document, body=document.body[:limit], cut=True), reason
            )
        note = f"Only the first {limit // 1000} KB were read."
        return replace(extracted, notes=[*extracted.notes, note])

    def _forget(self) -> None:
        """In a forked child: the workers, threads and locks belong to the parent."""
        for worker in self._workers:
            worker.disown()
        self._fresh()


_every_extractor: weakref.WeakSet[Extractor] = weakref.WeakSet()


@cache
def shared_extractor() -> Extractor:
    """The extractor of this process, for everybody who has no reason for one of their own."""
    return Extractor()


def _closed() -> ToolError:
    return ToolError("unavailable", "The page reader has been closed; start it anew.")


def _cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _close_all() -> None:
    for extractor in list(_every_extractor):
        extractor.close()


def _forget_all() -> None:
    for extractor in list(_every_extractor):
        extractor._forget()


atexit.register(_close_all)
if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forget_all)
