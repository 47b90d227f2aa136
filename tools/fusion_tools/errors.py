"""Every error that the page tools raise, as one tree.

FusionToolsError
├── ToolError
│   └── HttpStatusError
├── CorpusError (also a ValueError)
├── UnknownSearch (also a ValueError)
├── SearchNotSetUp (also a ValueError)
└── WorkerError

Wrong settings are ValueErrors, raised before anything is searched. The line `Do:` of each says what
to do about it.
"""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

from fusion_tools.results import Failure, FailureCode

_STATUSES = frozenset(map(int, HTTPStatus))


class FusionToolsError(Exception):
    """Everything that this package raises on purpose; `str(error)` is one clear line.

    Do: Catch it where any of its kinds is to be handled alike.
    """


class ToolError(FusionToolsError):
    """A search or fetch failed in an expected way; tools turn it into text for the model.

    Do: Follow `detail`, which says what the model can do instead.

    Args:
        code: One of `FailureCode`.
        detail: One sentence: what failed and what the model can do instead.
    """

    def __init__(self, code: FailureCode, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code: FailureCode = code
        self.detail = detail

    def failure(self) -> Failure:
        """The error as plain data."""
        return {"code": self.code, "detail": self.detail}


class HttpStatusError(ToolError):
    """A page is not there, as the status of the answer says.

    Do: Use another source.

    Args:
        host: Who answered.
        status: HTTP status.
    """

    def __init__(self, host: str, status: int) -> None:
        # Not the server's own phrase: that is text from a stranger, and models would read it.
        phrase = f"{status} {HTTPStatus(status).phrase}" if status in _STATUSES else str(status)
        super().__init__("url_not_accessible", f"{host} answered {phrase}; use another source.")
        self.status = status


class CorpusError(FusionToolsError, ValueError):
    """A folder cannot serve as a corpus.

    Do: Follow `remedy`.

    Args:
        folder: The folder as given.
        problem: What is wrong with it.
        remedy: What to do about it.
    """

    def __init__(self, folder: Path, problem: str, remedy: str) -> None:
        super().__init__(f"Cannot search the folder {folder}: {problem}. {remedy}.")
        self.folder = folder
        self.problem = problem
        self.remedy = remedy


class UnknownSearch(FusionToolsError, ValueError):
    """Nobody knows a search of this name.

    Do: Take one of the names that the error lists.
    """


class SearchNotSetUp(FusionToolsError, ValueError):
    """A search's package, key or address is missing; the message says which.

    Do: Install the package or set the variable that the error names.
    """


class WorkerError(FusionToolsError):
    """A page's reader process gave no answer; the text says why, fit to stand in brackets.

    Do: Nothing; the fetch goes on without it and tells of it as a `ToolError`.
    """
