"""What the native servers have in common: turns with calls, then an answer; and refusals."""

from dataclasses import dataclass, field
from typing import Any


class Refused(Exception):
    """A request that the provider would not take; `body` is the provider's way to say so."""

    def __init__(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        super().__init__(str(body))
        self.status = status
        self.body = body
        self.headers = headers or {}


@dataclass
class Scope:
    """What one test has asked so far.

    log: the requests.
    cached: Anthropic's kept prefixes.
    """

    log: list[dict[str, Any]] = field(default_factory=list)
    cached: set[str] = field(default_factory=set)


@dataclass
class Asked:
    """One request.

    rounds, ids: as for `client.Native`.
    verb: what follows the model's name in Google's paths.
    """

    body: dict[str, Any]
    model: str
    rounds: int
    ids: str
    scope: Scope
    verb: str = ""

    def goes_on(self, turns: int, *, may_call: bool) -> bool:
        """Whether the model calls once more after so many turns with calls."""
        return may_call and turns < self.rounds

    def numbers(self, turn: int) -> list[int]:
        """The calls of a turn; the first makes two side by side."""
        return [0, 1] if turn == 0 else [0]

    def id_of(self, turn: int, call: int, form: str = "call_{}_{}") -> str:
        """The id of a call, as the model gives it."""
        return form.format(0 if self.ids == "same" else turn, call)


def wanted(turn: int, call: int) -> dict[str, Any]:
    """The arguments of a call."""
    return {"query": f"wet water {turn}.{call}"}


def same_calls(
    sent: list[tuple[str, str, Any]], expected: list[tuple[str, str, Any]], ids: set[str]
) -> str:
    """Whether a turn's calls came back: (id, name, arguments); ids may be others, but not twice.

    ids: those of the turns before; gets this turn's. Returns what is wrong, or nothing.
    """
    if [call[1:] for call in sent] != [call[1:] for call in expected]:
        return f"the calls came back as {sent}, not as {expected}"
    own = [call[0] for call in sent]
    if not all(own) or len(set(own)) < len(own) or ids & set(own):
        return f"the ids {own} are missing or were used before"
    ids |= set(own)
    return ""
