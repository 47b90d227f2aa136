"""An answer as it is written, in which nothing is loaded by being shown."""

from __future__ import annotations

import re
from collections.abc import Collection

from fusion_graph.text.markdown import disarmed, loading_nothing, may_load, without_definitions

QUICKLY_READ = 20_000
"""Characters that are parsed in some milliseconds; what stands in longer texts waits for their
end, when they are read off the event loop."""

_TRIGGER = re.compile(
    r"!(?:\[|\Z)|<(?=[a-z/!?]|\Z)|\](?:\((?!https?://\w)|:|\Z)"
    r"|^[ >]{0,12}\[(?=[^\]\n]*(?:\]:|\]?\Z))",
    re.IGNORECASE | re.MULTILINE,
)
"""What may load something, and so waits to be read. A link to the web is none: for each, all that
was given before would be read again, and an answer of 250 links held up every other run of its
event loop (for 22 s, measured on a busy machine; now 1 s)."""

_PARAGRAPH_END = re.compile(r"\n[ \t>]*\n")


class Guarded:
    """Lets a text through as it comes, but for what may be a picture: that waits for the end of
    its paragraph, and comes as `loading_nothing` has it.

    Args:
        addresses: Where pictures may come from.
    """

    def __init__(self, addresses: Collection[str]) -> None:
        self._addresses = addresses
        self._text = ""
        self._done = 0  # so far it is decided what the text becomes
        self._given = ""

    @property
    def waits(self) -> int:
        """Characters that are held back."""
        return len(self._text) - self._done

    def take(self, piece: str) -> str:
        """Take the next piece; what may be shown now."""
        self._text += piece
        begun = _TRIGGER.search(self._text, self._done)
        if begun is None:
            return self._let(self._text[self._done :], len(self._text))
        ready = self._let(self._text[self._done : begun.start()], begun.start())
        if len(self._text) > QUICKLY_READ:
            return ready
        ends = [end.end() for end in _PARAGRAPH_END.finditer(self._text, self._done)]
        return ready + self._decided(ends[-1]) + self.take("") if ends else ready

    def end(self) -> str:
        """The text is whole: what was held back."""
        return self._decided(len(self._text))

    def _decided(self, until: int) -> str:
        part = self._text[self._done : until]
        if may_load(part):
            # What was shown is shown: a definition that would make a picture of it is undone.
            for tried in (part, without_definitions(part), disarmed(part)):
                whole = loading_nothing(self._given + tried, self._addresses)
                if whole.startswith(self._given):
                    return self._let(whole[len(self._given) :], until)
            part = disarmed(part)
        return self._let(part, until)

    def _let(self, text: str, until: int) -> str:
        self._given += text
        self._done = until
        return text
