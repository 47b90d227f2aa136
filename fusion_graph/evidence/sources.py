"""Sources: one numbered list for the whole panel."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from typing_extensions import TypedDict

from fusion_graph.evidence.citations import cited, read_citations
from fusion_graph.evidence.quotes import Checked, Verdict, check_quotes
from fusion_graph.text.markdown import as_address, as_text
from fusion_tools.sites import source_key
from fusion_tools.sources import SourceEntry

_FORGES = re.compile(r"://|\bwww\.|\u2014|\(\s*(?:quotes?|search)\b", re.IGNORECASE)
_VERDICT = re.compile(r"\(\s*((?:quotes?|search)\b[^()]*)\)?", re.IGNORECASE)


class QuoteRecord(TypedDict):
    """A quoted passage and what became of checking it against the page.

    `page_says` holds the page's own words where they differ, `note` what else is to be known:
    that the words were cut out of a denial, or are too few to show anything. Both may be empty.
    """

    text: str
    verdict: Verdict
    page_says: str
    note: str


class SourceRecord(TypedDict):
    """A numbered source. `cited_by` holds panelists' names; `fetched` tells a page from a hit."""

    id: int
    url: str
    title: str
    retrieved_at: str | None
    fetched: bool
    cited_by: list[str]
    quotes: list[QuoteRecord]


def used_sources(name: str, text: str, entries: Iterable[SourceEntry]) -> list[SourceRecord]:
    """What of a researcher's sources is kept: pages read, and whatever the answer cites.

    Quotes are checked here, against the full text of the page; the text itself is not kept.

    Args:
        name: The researcher.
        text: Its answer.
        entries: All sources it met.
    """
    entries = list(entries)
    reading = read_citations(text, [entry["id"] for entry in entries])
    named, quotes = set(reading.cited), reading.quotes
    used: list[SourceRecord] = []
    for entry in entries:
        if not entry["fetched"] and entry["id"] not in named:
            continue
        words = list(dict.fromkeys(words for n, words in quotes if n == entry["id"]))
        checked = check_quotes(words, entry["text"])
        used.append(
            {
                "id": entry["id"],
                "url": entry["url"],
                "title": entry["title"],
                "retrieved_at": entry["retrieved_at"],
                "fetched": entry["fetched"],
                "cited_by": [name] if entry["id"] in named else [],
                "quotes": [
                    _record(quote, found, read=entry["fetched"])
                    for quote, found in zip(words, checked, strict=True)
                ],
            }
        )
    return used


def _record(quote: str, checked: Checked, *, read: bool) -> QuoteRecord:
    """A quote with its verdict; what no excerpt of an unread page shows is not thereby false."""
    if not read and checked.verdict not in ("verified", "near"):
        checked = Checked("unchecked", notes=("the page was not read",))
    return {
        "text": quote,
        "verdict": checked.verdict,
        "page_says": checked.page_says,
        "note": "; ".join(checked.notes),
    }


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
            key = source_key(source["url"])
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


def quote_verdict(sources: Sequence[SourceRecord], id: int, words: str) -> Verdict | None:
    """The verdict on a quote the panel made, or None for one nobody checked."""
    wanted = " ".join(words.split()).casefold()
    for source in sources:
        if source["id"] == id:
            for quote in source["quotes"]:
                if " ".join(quote["text"].split()).casefold() == wanted:
                    return quote["verdict"]
    return None


def source_list(sources: Sequence[SourceRecord], text: str) -> str:
    """The list of cited sources that stands under an answer, or an empty string."""
    by_id = {source["id"]: source for source in sources}
    lines = [
        f"[{n}] {_title(by_id[n]) or as_address(by_id[n]['url'])} — "
        f"{as_address(by_id[n]['url'])}{_checked(by_id[n])}"
        for n in sorted(cited(text, by_id.keys()))
    ]
    return "Sources:\n" + "\n".join(lines) if lines else ""


def _title(source: SourceRecord) -> str:
    """A page's title as text. One that says what only this list may say is put in quotation marks:
    another address, or a verdict on quotes."""
    title, url = source["title"], source["url"]
    if not _FORGES.search(title.replace(url, "")):
        return as_text(title, url)
    title = _VERDICT.sub(r"[\1]", title.replace('"', "'").replace("\u2014", "-"))
    return f'"{as_text(title)}"'


def _checked(source: SourceRecord) -> str:
    """What was verified of a source, in brackets, or nothing if nothing was quoted from it."""
    counts = Counter(quote["verdict"] for quote in source["quotes"])
    said = {
        "verified": "{} verified",
        "near": "{} nearly",
        "altered": "{} altered",
        "not_found": "{} not on the page",
        "unchecked": "{} unchecked",
    }
    parts = [words.format(counts[verdict]) for verdict, words in said.items() if counts[verdict]]  # type: ignore[index]
    if parts:
        noun = "quote" if counts.total() == 1 else "quotes"
        return f" ({noun}: {', '.join(parts)})"
    return "" if source["fetched"] else " (search result, page not read)"
