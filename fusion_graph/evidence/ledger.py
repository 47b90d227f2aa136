"""The run's ledger: the text of every page that anybody in a run has read, until the run is over.

Checkpoints hold a hash of each text and not the text: a page may be as long as a book. The texts
are in this process's memory and, for a run that a checkpointer keeps, in the user's cache folder
too, so that a process that resumes the run has them again. Where they are gone (another machine,
a cache that was emptied) quotes that need them are `unchecked`.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from fusion_tools.ledger import Followed

logger = logging.getLogger(__name__)

CACHE_DIR_ENV = "FUSION_GRAPH_CACHE_DIR"
"""Variable that names another folder for page texts."""

MOST_BYTES = 64 * 2**20
"""Text that one run keeps, in bytes: some thousand articles. Further pages are not kept, and
quotes of them are checked against what their own reader has in hand."""

MOST_RUNS = 64
"""Runs that are open in a process: the one that was not touched for longest is dropped from
memory. A run that was given up closes nothing."""

KEPT_DAYS = 7
"""How long the folder of a run that never came to its end is kept."""

Pages = Callable[[str], str | None]
"""`pages(content)`: the text of a page by its hash, None where it is not at hand."""


def no_pages(_content: str) -> str | None:
    """No page's text is at hand."""
    return None


def content_of(text: str) -> str:
    """The hash of a page's text, whatever its spacing.

    Args:
        text: The text.
    """
    digest = hashlib.sha256()
    at, before = 0, ""
    # Piece by piece: the 270,000 words of a page of 1.5 million characters, split in one step,
    # held every other thread for 30 ms.
    while at < len(text):
        blank = _BLANK.search(text, at + _PIECE)
        end = blank.start() if blank else len(text)
        if words := text[at:end].split():
            digest.update((before + " ".join(words)).encode(errors="replace"))
            before = " "
        at = end
    return digest.hexdigest()[:32]


_PIECE = 100_000
"""Characters that are hashed at once."""

_BLANK = re.compile(r"\s")


class Ledger:
    """What one run has read and followed. Safe to use from several threads.

    Attributes:
        followed: The links that were followed, counted for the whole run in this process.

    Args:
        folder: Where texts are written too; None keeps them in memory alone.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.followed = Followed()
        self._folder = folder
        self._texts: dict[str, str] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def keep(self, text: str) -> str:
        """Keep a page's text; its hash. Blocks: it may write a file.

        Args:
            text: The whole text.
        """
        content = content_of(text)
        size = len(text.encode(errors="replace"))
        with self._lock:
            if content in self._texts or self._bytes + size > MOST_BYTES:
                return content
            self._texts[content] = text
            self._bytes += size
        if self._folder is not None:
            _write(self._folder, content, text)
        return content

    def page(self, content: str) -> str | None:
        """The text with this hash, from memory or the folder; None if it is gone."""
        text = self._texts.get(content)
        if text is None and self._folder is not None:
            with suppress(OSError, ValueError):
                read = (self._folder / content).read_text("utf-8")
                text = read if content_of(read) == content else None
        return text


_open: OrderedDict[str, Ledger] = OrderedDict()
_lock = threading.Lock()


def open_ledger(run_id: str, *, resumable: bool = False) -> Ledger:
    """The ledger of a run: the one that is open in this process, or a new one.

    Args:
        run_id: The run.
        resumable: Whether a checkpointer keeps the run, so that another process may go on with it.
    """
    with _lock:
        ledger = _open.get(run_id)
        if ledger is None:
            ledger = _open[run_id] = Ledger(_folder(run_id) if resumable else None)
            while len(_open) > MOST_RUNS:
                _open.popitem(last=False)
        _open.move_to_end(run_id)
    return ledger


def close_ledger(run_id: str) -> None:
    """Forget what a run has read: it is over. Blocks: it may remove a folder."""
    with _lock:
        _open.pop(run_id, None)
    shutil.rmtree(_folder(run_id), ignore_errors=True)


def cache_folder() -> Path:
    """Where page texts of runs under way are, a folder for each run."""
    if override := os.environ.get(CACHE_DIR_ENV):
        return Path(override).expanduser() / "pages"
    from platformdirs import user_cache_path

    return user_cache_path("fusion-graph") / "pages"


def _folder(run_id: str) -> Path:
    # A run's id may come from an edited state: it names one folder here, whatever it says.
    return cache_folder() / hashlib.sha256(run_id.encode(errors="replace")).hexdigest()[:32]


def _write(folder: Path, content: str, text: str) -> None:
    """Write a text, whole or not at all; a disk that takes none costs a resumed run its checks."""
    _sweep(folder.parent)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = folder / f"{content}.{os.getpid()}.{threading.get_ident()}"
        part.write_text(text, "utf-8", errors="replace")
        part.replace(folder / content)
    except OSError as error:
        logger.warning("a page's text is not kept for a resumed run: %s", error)


@lru_cache(maxsize=1)
def _sweep(folder: Path) -> None:
    """Remove what runs left that never came to their end; once in a process."""
    oldest = time.time() - KEPT_DAYS * 86_400
    with suppress(OSError):
        for old in folder.iterdir():
            if old.stat().st_mtime < oldest:
                shutil.rmtree(old, ignore_errors=True)
