"""Cuts between the blocks of a long Markdown text, so that it can be parsed part by part."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

AT_ONCE = 4_000
"""Characters that are parsed at once: the tokens of a long answer are so many that a look of the
garbage collector at all of them holds every other thread for 0.1 s."""

_FENCE = re.compile(
    r"(?P<before>[ \t>]*+(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*+[ \t>]*+)(?P<fence>`{3,}+|~{3,}+)"
)
_ITEM = re.compile(r"[-*+][ \t]+[^\s*_-]")


def cuts(text: str, starts: list[int]) -> Iterator[int]:
    """Find the lines of a long text before which it may be cut: no block goes on over them.

    These are lines without indent after a blank one, and top items of a list, outside of fences.
    Where HTML is read, it may go on over them.

    Args:
        text: Markdown.
        starts: Where its lines start, and its end.
    """
    begun, fence, blank = 0, "", False
    if len(text) < 2 * AT_ONCE:
        return
    for line, (start, end) in enumerate(pairwise(starts)):
        first = text[start : start + 1]
        opening = _FENCE.match(text, start, end)
        if opening:
            rest = text[opening.end() : end].strip()
            if opening["before"] or (not fence and "`" in rest):
                return  # whether it opens or ends code depends on what it stands in
            if not fence:
                fence = opening["fence"]
            elif opening["fence"].startswith(fence) and not rest:
                fence = ""
        elif fence or start - begun <= AT_ONCE or not first or first.isspace():
            pass
        elif blank or _ITEM.match(text, start, end):
            begun = start
            yield line
        blank = end - start < 3 and not text[start:end].strip()
