"""One numbered list of what everybody in a run found, and every quote checked on it."""

from __future__ import annotations

from collections.abc import Sequence

from fusion_graph.evidence.ledger import Pages, no_pages
from fusion_graph.evidence.sources import QuoteRecord, SourceRecord, recheck
from fusion_tools.sites import source_key


def merge_sources(
    panel: Sequence[Sequence[SourceRecord]], pages: Pages = no_pages
) -> tuple[list[SourceRecord], list[dict[int, int]]]:
    """One list of everybody's sources, and for each panelist its old id → the new one.

    A page is one source whoever found it and however its address is spelled; where it said
    different things to different readers it is as many. Who cites a page that only others have
    read cites theirs, and the quote is checked there.

    Args:
        panel: Each panelist's sources, in the order in which they are to be numbered.
        pages: The texts that were read, by content.

    Returns:
        Sources numbered from 1, and the id maps in the order of `panel`.
    """
    versions: dict[str, list[str | None]] = {}
    for source in (source for sources in panel for source in sources if source["fetched"]):
        read = versions.setdefault(source_key(source["url"]), [])
        if source.get("content") not in read:
            read.append(source.get("content"))
    merged: dict[tuple[str, str | None], SourceRecord] = {}
    maps: list[dict[int, int]] = []
    for sources in panel:
        renumbered: dict[int, int] = {}
        for source in sources:
            key = source_key(source["url"])
            content, quotes = source.get("content"), list(source["quotes"])
            if not source["fetched"] and key in versions:
                content, quotes = _read_by_others(quotes, versions[key], pages)
            known = merged.get((key, content))
            if known is None:
                known = {**source, "id": len(merged) + 1, "cited_by": [], "quotes": []}
                known["content"] = content
                merged[key, content] = known
            elif source["fetched"] and not known["fetched"]:
                known["title"], known["fetched"] = source["title"], True
                known["retrieved_at"] = source["retrieved_at"]
            known["cited_by"] += [n for n in source["cited_by"] if n not in known["cited_by"]]
            known["quotes"] = _with(known["quotes"], quotes)
            renumbered[source["id"]] = known["id"]
        maps.append(renumbered)
    return list(merged.values()), maps


def _read_by_others(
    quotes: list[QuoteRecord], versions: list[str | None], pages: Pages
) -> tuple[str | None, list[QuoteRecord]]:
    """Which version of a page is cited by one who saw it only as a hit, and its quotes checked.

    The version that holds what is quoted; if none does, or nothing is, the first.
    """
    first: list[QuoteRecord] | None = None
    for content in versions if quotes else ():
        text = pages(content) if content is not None else None
        if text is None:
            continue
        checked = recheck(quotes, text)
        if all(quote["verdict"] in ("verified", "near") for quote in checked):
            return content, checked
        if content == versions[0]:
            first = checked
    return versions[0], quotes if first is None else first


def _with(known: list[QuoteRecord], more: list[QuoteRecord]) -> list[QuoteRecord]:
    """Both, each quote once: a verdict counts before none."""
    by_words = {quote["text"]: quote for quote in known}
    for quote in more:
        had = by_words.get(quote["text"])
        if had is None or had["verdict"] == "unchecked":
            by_words[quote["text"]] = quote
    return list(by_words.values())


def with_found(
    sources: Sequence[SourceRecord], found: Sequence[SourceRecord]
) -> list[SourceRecord]:
    """The sources with what was found later: under its own number, or in place of the same one.

    Args:
        sources: The panel's.
        found: The judge's.
    """
    by_id = {source["id"]: source for source in [*sources, *found]}
    return [by_id[n] for n in sorted(by_id)]
