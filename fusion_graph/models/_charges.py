"""The charge for a call that failed: none where the provider refused it, else unknown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fusion_graph.models.failures import status_of

NOT_CONNECTED = frozenset(
    {"ConnectError", "ConnectTimeout", "ConnectionRefusedError", "gaierror", "ForeignRedirect"}
)
"""Errors before a model could have read anything, by name: those of every HTTP client."""


@dataclass
class ReplySoFar:
    """The part of a reply that has come so far.

    Attributes:
        sink: Where its text goes.
        anything: Whether it had begun: text, reasoning or the arguments of a call.
        characters: Length of its text.
    """

    sink: Callable[[str], None]
    anything: bool = False
    characters: int = 0

    def take(self, text: str) -> None:
        """Pass a piece on; an empty one is a sign of life."""
        self.anything = True
        self.characters += len(text)
        self.sink(text)


def charged_nothing(error: BaseException, so_far: ReplySoFar | None) -> bool:
    """Tell whether a call that failed is sure to cost nothing.

    Providers charge neither for what they refuse (a status of 400 and more, or an error in place
    of a reply) nor for what never reached them. A reply that had begun, a connection that broke
    and a call that was given up are charged, or not, and nobody tells.

    Args:
        error: How it failed.
        heard: What was heard of its reply; None if it was to come in one piece.
    """
    if so_far is not None and so_far.anything:
        return False
    if isinstance(error, NotImplementedError):
        return True  # LangChain's word for a model class without tools: nothing was sent
    status = status_of(error)
    if status is not None and status >= 400:
        return True
    if isinstance(getattr(error, "body", None), dict | str):
        return True  # an error object, with HTTP status 200
    cause: BaseException | None = error
    while cause is not None:
        if type(cause).__name__ in NOT_CONNECTED:
            return True
        cause = cause.__cause__ or cause.__context__
    return False
