"""The question as people type it: words, what is piped in beside them, and files."""

from __future__ import annotations

import os
import select
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fusion_graph.cli.exits import complain
from fusion_graph.errors import ConfigurationError, EmptyQuestion
from fusion_graph.text.json_data import whole_characters

if TYPE_CHECKING:
    from langchain_core.messages import HumanMessage

FROM_STDIN = "-"

MOST_BYTES = 10_000_000
"""Of one file or of what is piped in; the server takes no larger body either."""

PATIENCE_SECONDS = 1.0
"""After so long without a byte of standard input it is said that it is being read."""


def read_question(words: str | Sequence[str], attached: Sequence[str] = ()) -> HumanMessage:
    """The question as a message.

    Words are joined by blanks. Alone, `-` stands for standard input; so do no words at all. What is
    piped in beside words is context and stands after them.

    Args:
        words: The command line's.
        attached: Files that go with it; `-` is standard input.

    Raises:
        EmptyQuestion: There is nothing to ask.
        ConfigurationError: A file cannot be read, or is of a kind that no model takes.
    """
    from langchain_core.messages import HumanMessage

    from fusion_graph.state.files import question_content

    # Bytes that are no text arrive as lone surrogates, which no API takes.
    written = whole_characters(words if isinstance(words, str) else " ".join(words)).strip()
    alone = written == FROM_STDIN or not words
    if alone and FROM_STDIN in attached:
        raise ConfigurationError(
            "Standard input cannot be both the question and an attachment.", "Write the question."
        )
    if alone:
        missing = "Nothing came from standard input" if written else "QUESTION is missing"
        question = _decoded(_all_of_stdin(waits=bool(written))).strip()
    else:
        missing = "The question is empty"
        question = written
    blocks = [_attachment(path) for path in attached]
    if not question and not blocks:
        raise EmptyQuestion(
            f'{missing}: write one, as in `fusion-graph ask "What is self-fusion?"`, or pipe one '
            "into `fusion-graph ask -`. More: fusion-graph ask --help"
        )
    if not alone and FROM_STDIN not in attached and (piped := _decoded(_beside()).strip()):
        blocks.insert(0, {"type": "text", "text": _told(piped, "standard input")})
    return HumanMessage(question_content(question, blocks))


def _attachment(path: str) -> dict[str, Any]:
    from fusion_graph.state.files import file_block

    if path == FROM_STDIN:
        name, content = "standard input", _all_of_stdin(waits=True)
    else:
        name, content = Path(path).name, _bytes_of(path)
    if not content:
        raise ConfigurationError(f"The attachment {path} is empty.")
    block = file_block(content, name)
    if block is None:
        raise ConfigurationError(
            f"The attachment {path} is neither text (UTF-8), a picture (PNG, JPEG, GIF, WebP) nor "
            "a PDF.",
            "Convert it first.",
        )
    return block


def _bytes_of(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(
            f"The attachment {path} cannot be read: {error.strerror or error}."
        ) from None
    return _bounded(content, f"The attachment {path}")


def _beside() -> bytes:
    """What is piped in beside a question; nothing where no program or file is at the other end."""
    kind = _kind_of_stdin()
    if kind is None:
        return b""
    if kind in (stat.S_IFIFO, stat.S_IFSOCK) and not _something_comes():
        if kind == stat.S_IFSOCK:
            # Programs start others with a socket that they never write to and never close.
            return b""
        complain("reading standard input as context (`< /dev/null` gives none)")
    return _bounded(sys.stdin.buffer.read(MOST_BYTES + 1), "Standard input")


def _all_of_stdin(*, waits: bool) -> bytes:
    """All of standard input.

    Args:
        waits: Whether it was asked for, so that a terminal is waited for too.
    """
    if sys.stdin is None or (not waits and sys.stdin.isatty()):
        return b""
    return _bounded(sys.stdin.buffer.read(MOST_BYTES + 1), "Standard input")


def _kind_of_stdin() -> int | None:
    """The kind of file that standard input is; None for one that nobody has put there."""
    if sys.stdin is None:
        return None
    try:
        kind = stat.S_IFMT(os.fstat(sys.stdin.fileno()).st_mode)
    except (OSError, ValueError):  # closed, or no file of the system's
        return None
    return kind if kind in (stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFREG) else None


def _something_comes() -> bool:
    try:
        readable, _, _ = select.select([sys.stdin], [], [], PATIENCE_SECONDS)
    except (OSError, ValueError):  # Windows waits for sockets alone
        return True
    return bool(readable)


def _bounded(content: bytes, what: str) -> bytes:
    if len(content) > MOST_BYTES:
        raise ConfigurationError(
            f"{what} is larger than {MOST_BYTES // 1_000_000} MB.",
            "Send the part that matters, or put it into a folder and ask with --corpus.",
        )
    return content


def _decoded(content: bytes) -> str:
    return content.decode("utf-8", "replace").removeprefix("\ufeff")


def _told(text: str, name: str) -> str:
    from fusion_graph.state.files import text_of_file

    return text_of_file(text, name)
