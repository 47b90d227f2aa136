"""Text for people to read: nothing in it that a terminal acts on or that turns its order round."""

from __future__ import annotations

import re

_ACTING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but tab and line end
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # Unicode's Bidi_Control
    "\ud800-\udfff]"  # half characters, which no encoding takes
)


def printable(text: str) -> str:
    """The text without control and bidirectional characters; tabs and line ends stay.

    Args:
        text: Any text, or a piece of one as it is written.
    """
    return _ACTING.sub("", text)
