"""One process at a time is at work in a thread; a lock ends with whoever holds it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import sha256

from filelock import AsyncFileLock, Timeout

from fusion_graph.config.folders import data_folder

POLL_SECONDS = 0.2


@asynccontextmanager
async def alone_in(name: str, waiting: Callable[[str], None]) -> AsyncIterator[bool]:
    """Wait until nobody else is at work in a thread, and keep others out.

    Where no file can be made nobody is kept out.

    Args:
        name: The thread.
        waiting: Is told, once, that somebody else is at work.

    Yields:
        Whether it had to wait.
    """
    folder = data_folder() / "locks"
    lock = AsyncFileLock(folder / f"{sha256(name.encode()).hexdigest()[:32]}.lock")
    waited = False
    try:
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)  # its mode is its own's only
        folder.mkdir(exist_ok=True, mode=0o700)
        try:
            await lock.acquire(timeout=0)
        except Timeout:
            waited = True
            waiting(f"Another process is at work in thread '{name}'; waiting for its end.")
            await lock.acquire(timeout=-1, poll_interval=POLL_SECONDS)
    except (OSError, NotImplementedError):  # a folder that takes no files, or no locks
        yield False
        return
    try:
        yield waited
    finally:
        await lock.release()
