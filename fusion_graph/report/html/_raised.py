"""A text with its citations as raised marks, as the view of a run shows it."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Protocol

from markupsafe import Markup

from fusion_graph.report.html._growing import BELOW
from fusion_graph.report.html._markdown import NO_CLAIMS, Claimed, markdown

_RAISED = re.compile(r' +(?=<sup class="cite">)')
"""A citation's mark is raised: the space before it would be a gap."""


class Marks(Protocol):
    """Draws citations."""

    @property
    def known(self) -> Collection[int]:
        """The numbers that lead somewhere."""

    def __call__(self, ids: Sequence[int], words: str | None = None) -> Markup:
        """The marks of these sources, after the words quoted."""


def raised(text: str, marks: Marks, claimed: Claimed = NO_CLAIMS) -> Markup:
    """A model's Markdown as HTML with raised citations.

    Args:
        text: The Markdown.
        marks: Draws its citations.
        claimed: Marks its claims.
    """
    html = markdown(text, marks, known=marks.known, below=BELOW, claimed=claimed, breaks=True)
    return Markup(_RAISED.sub("", html))  # noqa: S704  # it was escaped where it was made
