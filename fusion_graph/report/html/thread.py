"""The thread before a question: what was asked and answered earlier, as pieces of HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from markupsafe import Markup

from fusion_graph.report.html._environment import template
from fusion_graph.report.html._raised import raised


class Thread(NamedTuple):
    """The earlier turns of a thread as one element: whole, and empty for who has it already."""

    whole: Markup
    kept: Markup


NO_THREAD = Thread(Markup(), Markup())
"""What stands before a question that follows none."""


def thread(turns: Sequence[Mapping[str, Any]]) -> Thread:
    """Draw the earlier turns of a thread.

    Args:
        turns: Each with question, files (name, kind), answer, sources (id, url, title), run (its
            id) and kept (whether that run can be opened), the oldest first.
    """
    if not turns:
        return NO_THREAD
    drawn = [{**turn, "prose": raised(turn["answer"], _Links(turn["sources"]))} for turn in turns]
    macros: Any = template("thread.html").module
    # Macros escape what they are given.
    return Thread(Markup(macros.thread(drawn)), Markup(macros.thread([])))  # noqa: S704


class _Links:
    """Draws citations as raised links to the pages themselves: their list is not on this page."""

    def __init__(self, sources: Sequence[Mapping[str, Any]]) -> None:
        self._sources = {source["id"]: source for source in sources}
        self._macros: Any = template("thread.html").module

    @property
    def known(self) -> frozenset[int]:
        return frozenset(self._sources)

    def __call__(self, ids: Sequence[int], words: str | None = None) -> Markup:
        quoted = Markup("“{}”").format(words) if words else Markup()
        marks = [self._macros.cited(self._sources[n]) for n in ids if n in self._sources]
        return quoted + Markup().join(cast(list[Markup], marks))
