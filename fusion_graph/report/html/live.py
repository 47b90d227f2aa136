"""A run as it goes on: its events become a state, of which every live view is a picture.

The picture here is the notebook's: drawn into pages with styles of their own (dark or light), it
brings few colours, and takes the rest from around it. The playground's is in `cards`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from markupsafe import Markup

from fusion_graph.evidence import ANY_SOURCE
from fusion_graph.report.html._live_events import TELLERS
from fusion_graph.report.html._run_state import RunState
from fusion_graph.report.html.strangers import readable
from fusion_graph.text.phrases import clean


class LiveRun(RunState):
    """The state of a run, from its events."""

    def take(self, event: Mapping[str, Any]) -> None:
        """Take an event of `faces.follow` into the state; an unknown one changes nothing."""
        teller = TELLERS.get(str(event.get("type")))
        if teller:
            teller(self, event)

    def to_html(self, elapsed: float) -> str:
        """The state as a piece of HTML, escaped throughout; runs and loads nothing.

        Args:
            elapsed: Seconds since the run began.
        """
        from fusion_graph.report.html._environment import template
        from fusion_graph.report.html._markdown import markdown

        return readable(
            template("live.html").render(
                run=self,
                elapsed=int(elapsed),
                prose=partial(markdown, cite=_cited, known=ANY_SOURCE, below=4),
            )
        )

    def to_text(self) -> str:
        """The state as lines of text, where HTML is not shown."""
        rows = [f"{worker.name}: {worker.doing}" for worker in self.workers]
        return "\n".join([clean(self.question), self.headline, *rows])


def _cited(ids: list[int], words: str | None) -> str:
    # Sources are not numbered for good before the run ends: a mark is a mark, and no link.
    marks = Markup("").join(Markup("<span class='cited'>[{}]</span>").format(n) for n in ids)
    return (Markup("“{}” ").format(words) if words else "") + marks
