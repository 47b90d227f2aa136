"""The answer on standard output: as it is written, or whole where nobody watches."""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

from fusion_graph.errors import OutputFailed, ReaderGone
from fusion_graph.text.printable import printable
from fusion_graph.text.whole_file import write_whole

SEPARATOR = "--- what stands above broke off and does not count; the answer begins again ---"
"""Between a draft that broke off and the next: on a pipe nothing can be taken back."""


class Answer:
    """Writes the answer to standard output.

    A terminal or a pipe gets it as it is written; a file gets the finished text only. Nowhere is
    there anything that a terminal would act on.

    Args:
        file: A file that takes it in place of standard output.

    Attributes:
        terminal: Whether it goes to a terminal.
        begun: Whether something of it is visible.
    """

    def __init__(self, file: str | None = None) -> None:
        self.terminal = file is None and sys.stdout.isatty()
        self.begun = False
        self._file = file
        self._live = file is None and not _is_file()
        self._draft = ""
        self._draft_id: str | None = None
        self._line_open = False

    def take(self, message_id: str | None, text: str) -> None:
        """Take the next piece of a draft; another message's piece voids the draft so far."""
        if message_id != self._draft_id and self._draft:
            self.void()
        self._draft_id = message_id
        self._draft += text
        if self._live:
            self._write(text)

    def void(self) -> None:
        """The draft does not count: whatever comes next is another one."""
        if self._live and self._draft:
            self._write(f"\n\n{SEPARATOR}\n\n")
        self._draft, self._draft_id = "", None

    def end_line(self) -> None:
        """Begin a new line, so that standard error can write on the same terminal."""
        if self._line_open:
            self._write("\n")

    def finish(self, content: str) -> bool:
        """Write what is still missing of the final text.

        Returns:
            Whether what was written is the final text; not so if it was corrected at the end.

        Raises:
            OutputFailed: A file did not take it; standard output has it instead.
        """
        if self._file is not None:
            write_file(self._file, printable(content).rstrip("\n") + "\n")
            return True
        written = self._draft if self._live else ""
        rest = content.removeprefix(written)
        same = content.startswith(written)
        if same and rest:
            self._write(rest)
        self.end_line()
        return same or "".join(written.split()) == "".join(content.split())

    def _write(self, text: str) -> None:
        # On a pipe too: it may lead to a terminal.
        text = printable(text)
        if text:
            self.begun = True
            self._line_open = not text.endswith("\n")
            write_out(text)


def write_report(report: dict[str, Any], file: str | None = None) -> None:
    """Write a report to standard output as JSON, or to a file in its place.

    Raises:
        OutputFailed: A file did not take it; standard output has it instead.
    """
    if file is not None:
        write_file(file, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
        return
    # Where the encoding is not UTF-8, escapes keep every character.
    write_out(json.dumps(report, indent=2, ensure_ascii=not speaks_utf8()) + "\n")


def write_file(path: str, text: str) -> None:
    """Write a text to a file, or to standard output where the file does not take it.

    Raises:
        OutputFailed: The file did not take it.
    """
    try:
        write_whole(Path(path), text)
    except OSError as error:
        write_out(text)
        raise OutputFailed(f"{path}: {error.strerror or error}; it stands here instead") from error


def speaks_utf8() -> bool:
    """Whether standard output has every character."""
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def write_out(text: str) -> None:
    """Write to standard output, now.

    Raises:
        ReaderGone: Its reader has left.
        OutputFailed: It takes no more for another reason.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # Windows says EINVAL where a pipe's reader has left.
        if error.errno in (errno.EPIPE, errno.EINVAL):
            raise ReaderGone from error
        raise OutputFailed(error.strerror or str(error)) from error


def _is_file() -> bool:
    try:
        return stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode)
    except (OSError, ValueError):
        return False
