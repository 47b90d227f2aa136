"""A text that is shown while it is being written: only what changed of it is drawn anew."""

from __future__ import annotations

from typing import NamedTuple

from markupsafe import Markup

from fusion_graph.report.html._markdown import blocks

BELOW = 3
"""Level of the headings that the texts of models stand under in a run's view."""


class Change(NamedTuple):
    """What to do to the elements that show a text: keep so many, and put these after them."""

    keep: int
    html: str


class GrowingText:
    """Draws a text again and again as it grows.

    A block is settled once another has begun after it: more text cannot change it, so that it is
    neither read nor sent again. The time of a drawing is that of the unsettled end.
    """

    def __init__(self) -> None:
        self._text = ""
        self._settled = 0
        self._from = 0
        self._shown: list[str] = []

    @property
    def html(self) -> Markup:
        """All of it, as it was drawn last."""
        return Markup("").join(map(Markup, self._shown))

    def draw(self, text: str) -> Change | None:
        """Draw the text as it is now: what has changed since it was last drawn, if anything.

        Args:
            text: All of it. One that does not begin with what was drawn before is begun anew.
        """
        if text == self._text:
            return None
        if not text.startswith(self._text):
            self._settled = self._from = 0
        self._text = text
        rest = text[self._from :].replace("\r", "")
        drawn = blocks(rest, below=BELOW)
        same = self._settled
        for old, new in zip(self._shown[same:], drawn, strict=False):
            if old != new.html:
                break
            same += 1
        htmls = [*self._shown[: self._settled], *(block.html for block in drawn)]
        changed = Change(same, "".join(htmls[same:]))
        grew = same < len(htmls) or same < len(self._shown)
        self._shown = htmls
        self._settle(text, [block.line for block in drawn])
        return changed if grew else None

    def _settle(self, text: str, lines: list[int]) -> None:
        """Leave alone what stands before the last block whose first line is complete.

        A line that is still being written may yet turn out to go on with the block before it, as
        `#` does that becomes `#1`.
        """
        starts = [self._from]
        at = self._from
        while (end := text.find("\n", at)) >= 0:
            at = end + 1
            starts.append(at)
        complete = len(starts) - 1
        for number in range(len(lines) - 1, 0, -1):
            if lines[number] < complete:
                self._settled += number
                self._from = starts[lines[number]]
                return
