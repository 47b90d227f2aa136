"""Sources and citations: one numbered list for the whole panel, and every `[n]` on it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import TypedDict

from fusion_tools.normalise import normalise_url

CITATION = re.compile(r"\[(\d{1,4}(?:\s*,\s*\d{1,4})*)\](?!\()")
"""`[3]` or `[3, 5]`, but not the text of a Markdown link."""


class QuoteRecord(TypedDict):
    """A quoted passage and what became of checking it against the page."""

    text: str
    verdict: str


class SourceRecord(TypedDict):
    """A numbered source. `cited_by` holds panelists' names; `fetched` tells a page from a hit."""

    id: int
    url: str
    title: str
    retrieved_at: str | None
    fetched: bool
    cited_by: list[str]
    quotes: list[QuoteRecord]


def cited_ids(text: str) -> list[int]:
    """The ids a text cites, each once, in order of first appearance."""
    found = (int(n) for match in CITATION.finditer(text) for n in match[1].split(","))
    return list(dict.fromkeys(found))


def merge_sources(
    panel: Sequence[Sequence[SourceRecord]],
) -> tuple[list[SourceRecord], list[dict[int, int]]]:
    """One list of everybody's sources, and for each panelist its old id → the new one.

    Args:
        panel: Each panelist's sources, in the order in which they are to be numbered.

    Returns:
        Sources numbered from 1 (one per address, whoever found it), and the id maps in the
        order of `panel`.
    """
    merged: dict[str, SourceRecord] = {}
    maps: list[dict[int, int]] = []
    for sources in panel:
        renumbered: dict[int, int] = {}
        for source in sources:
            key = normalise_url(source["url"])
            known = merged.get(key)
            if known is None:
                known = {**source, "id": len(merged) + 1, "cited_by": [], "quotes": []}
                merged[key] = known
            elif source["fetched"] and not known["fetched"]:
                known["title"], known["fetched"] = source["title"], True
                known["retrieved_at"] = source["retrieved_at"]
            known["cited_by"] += [n for n in source["cited_by"] if n not in known["cited_by"]]
            known["quotes"] += [q for q in source["quotes"] if q not in known["quotes"]]
            renumbered[source["id"]] = known["id"]
        maps.append(renumbered)
    return list(merged.values()), maps


def rewrite_citations(text: str, ids: Mapping[int, int]) -> tuple[str, list[int]]:
    """The text with its citations renumbered, and the ids that stood for nothing.

    A citation that `ids` does not know is taken out: a number that points nowhere (or, after
    renumbering, at somebody else's page) is worse than none.
    """
    unknown: list[int] = []

    def renumber(match: re.Match[str]) -> str:
        new: list[int] = []
        for old in (int(part) for part in match[1].split(",")):
            if old in ids:
                new.append(ids[old])
            else:
                unknown.append(old)
        return "".join(f"[{n}]" for n in dict.fromkeys(new))

    rewritten = CITATION.sub(renumber, text)
    if unknown:
        rewritten = re.sub(r"[ \t]+([.,;:!?])", r"\1", rewritten)
    return rewritten, list(dict.fromkeys(unknown))


def keep_known(text: str, known: Collection[int]) -> tuple[str, list[int]]:
    """The text without citations of sources that do not exist, and those ids."""
    return rewrite_citations(text, {n: n for n in known})


def source_list(sources: Sequence[SourceRecord], text: str) -> str:
    """The list of cited sources that stands under an answer, or an empty string."""
    by_id = {source["id"]: source for source in sources}
    lines = [
        f"[{n}] {by_id[n]['title'] or by_id[n]['url']} — {by_id[n]['url']}"
        for n in sorted(cited_ids(text))
        if n in by_id
    ]
    return "Sources:\n" + "\n".join(lines) if lines else ""
