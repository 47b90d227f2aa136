"""How many independent sources stand behind a point: three who read one page are one source."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice

from fusion_graph.evidence.ledger import Pages
from fusion_graph.evidence.sources import SourceRecord
from fusion_tools.sites import site_of

SHINGLE = 8
"""Words of a run that two texts share only if one was copied: the usual size for finding copies
(Broder, "On the resemblance and containment of documents", 1997)."""

COPIED = 0.6
"""Share of the shorter text's runs of words in the other, from which one is a copy: agencies'
reports come with other headings and endings."""

MOST_WORDS = 5_000
"""Words of a text that are compared."""


def with_origins(sources: Sequence[SourceRecord], pages: Pages) -> list[SourceRecord]:
    """The sources, each with its origin: the lowest number among those it is not independent of.

    Two are independent if they are of different sites and of different content; one that copies
    another is not, and neither is what hangs together by a third.

    Args:
        sources: The numbered sources.
        pages: The texts of those that were read.
    """
    origin = {source["id"]: source["id"] for source in sources}

    def root(n: int) -> int:
        while origin[n] != n:
            n = origin[n]
        return n

    for one, other in _dependent(sources, pages):
        low, high = sorted((root(one), root(other)))
        origin[high] = low
    return [{**source, "origin": root(source["id"])} for source in sources]


def independent(ids: Iterable[int], sources: Sequence[SourceRecord]) -> int | None:
    """How many of these sources are independent of each other; None where nobody looked.

    Args:
        ids: Source numbers.
        sources: The run's sources.
    """
    origins = {source["id"]: source.get("origin") for source in sources}
    found = {origins.get(n) for n in ids}
    return None if None in found else len(found)


def _dependent(sources: Sequence[SourceRecord], pages: Pages) -> Iterator[tuple[int, int]]:
    first_of: dict[str, int] = {}
    runs: list[tuple[int, Collection[int]]] = []
    for source in sources:
        content = source.get("content")
        for mark in (f"site {site_of(source['url'])}", f"content {content}" if content else ""):
            if mark:
                yield first_of.setdefault(mark, source["id"]), source["id"]
        text = pages(content) if content else None
        own = _runs(text) if text else frozenset()
        for n, others in runs:
            if own and len(own & others) >= COPIED * min(len(own), len(others)):  # type: ignore[operator]
                yield n, source["id"]
        if own:
            runs.append((source["id"], own))


_WORD = re.compile(r"\w+")


def _runs(text: str) -> frozenset[int]:
    # One by one, since a whole page's words in one step keep every other thread waiting.
    words = [found[0] for found in islice(_WORD.finditer(text.casefold()), MOST_WORDS)]
    return frozenset(
        hash(tuple(words[at : at + SHINGLE])) for at in range(len(words) - SHINGLE + 1)
    )
