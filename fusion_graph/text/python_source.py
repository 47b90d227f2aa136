"""Python that a model or a server wrote: read, and never run."""

from __future__ import annotations

import ast
import threading
import warnings

_one_at_a_time = threading.Lock()
"""The filters of warnings are the whole process's, and some texts are read in threads."""


def expression(text: str) -> ast.expr | None:
    """Read a text as one Python expression; None if it is none.

    Odd escapes and numbers in it (`"\\d"`, `3x`) warn nobody: they are not the user's code.

    Args:
        text: The text, maybe between blanks.
    """
    with _one_at_a_time, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
