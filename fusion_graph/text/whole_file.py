"""Text files that are there whole, or as they were before: a process may die at any moment."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from uuid import uuid4

UNFINISHED = ".unfinished"
"""Ends the name of a file that is being written; one that is left over holds nothing of use."""


def write_whole(path: Path, content: str) -> None:
    """Write a text file so that a reader sees the old one or the new one, and nothing between.

    It outlives a power cut: what it holds was paid for. A link stays one, and a file keeps its
    permissions. What is no file (a pipe, a terminal) is written as it comes, and so is a file whose
    folder takes no other.

    Args:
        path: The file; its folder is there.
        content: In UTF-8, with line ends as they are.

    Raises:
        OSError: It cannot be written. A file that was there before is as it was, unless its folder
            takes no other.
    """
    mode = path.stat().st_mode if path.exists() else None
    data = content.encode()
    target = path.resolve()  # not of a pipe: `/dev/fd/63` leads nowhere
    if mode is not None and not (stat.S_ISREG(mode) and os.access(target.parent, os.W_OK)):
        path.write_bytes(data)
        return
    # Not the file's own name: one of 255 bytes could not be written.
    part = target.parent / f".{uuid4().hex}{UNFINISHED}"
    try:
        # By `os.open`, so that the user's umask decides who may read a new file.
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            part.chmod(stat.S_IMODE(mode))
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
