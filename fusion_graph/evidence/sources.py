"""Sources: what each panelist found, as one numbered list with every quote checked on it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NotRequired

from typing_extensions import TypedDict

from fusion_graph.evidence.citations import cited, read_citations
from fusion_graph.evidence.ledger import Pages, no_pages
from fusion_graph.evidence.quotes import Checked, Verdict, check_quotes
from fusion_graph.text.claims import Told, found_at
from fusion_graph.text.markdown import as_address, as_text
from fusion_tools.sites import source_key
from fusion_tools.sources import SourceEntry

_SAYS = r"(?:quotes?|search|[\d,]+ of [\d,]+ claims?)\b"
_FORGES = re.compile(rf"://|\bwww\.|\u2014|\(\s*{_SAYS}", re.IGNORECASE)
_VERDICT = re.compile(rf"\(\s*({_SAYS}[^()]*)\)?", re.IGNORECASE)


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
    """A numbered source. `cited_by` holds panelists' names; `fetched` tells a page from a hit.

    `content` is the hash of the text that was read (`ledger.content_of`), `origin` the lowest
    number among the sources it is not independent of. Records of earlier versions have neither.
    """

    id: int
    url: str
    title: str
    retrieved_at: str | None
    fetched: bool
    cited_by: list[str]
    quotes: list[QuoteRecord]
    content: NotRequired[str | None]
    origin: NotRequired[int | None]


def used_sources(
    name: str, text: str, entries: Iterable[SourceEntry], keep: Callable[[str], str] | None = None
) -> list[SourceRecord]:
    """What of a researcher's sources is kept: pages read, and whatever the answer cites.

    Quotes are checked here, against the full text of what this researcher has read.

    Args:
        name: The researcher.
        text: Its answer.
        entries: All sources it met.
        keep: Keeps the text of a page that was read, and gives its hash.
    """
    entries = list(entries)
    reading = read_citations(text, [entry["id"] for entry in entries])
    named, quotes = set(reading.cited), reading.quotes
    used: list[SourceRecord] = []
    for entry in entries:
        if not entry["fetched"] and entry["id"] not in named:
            continue
        words = list(dict.fromkeys(words for n, words in quotes if n == entry["id"]))
        record = record_of(entry, keep)
        record["cited_by"] = [name] if entry["id"] in named else []
        record["quotes"] = [
            quote_record(quote, found, read=entry["fetched"])
            for quote, found in zip(words, check_quotes(words, entry["text"]), strict=True)
        ]
        used.append(record)
    return used


def record_of(entry: SourceEntry, keep: Callable[[str], str] | None = None) -> SourceRecord:
    """A source that nobody cites yet.

    Args:
        entry: The source as its researcher has it.
        keep: Keeps the text of a page that was read, and gives its hash.
    """
    return {
        "id": entry["id"],
        "url": entry["url"],
        "title": entry["title"],
        "retrieved_at": entry["retrieved_at"],
        "fetched": entry["fetched"],
        "cited_by": [],
        "quotes": [],
        "content": keep(entry["text"]) if keep and entry["fetched"] and entry["text"] else None,
    }


def recheck(quotes: Sequence[QuoteRecord], page: str) -> list[QuoteRecord]:
    """Quotes checked on a page that somebody else has read.

    Args:
        quotes: The quotes, whatever became of them before.
        page: The full text of the page.
    """
    words = [quote["text"] for quote in quotes]
    return [
        quote_record(text, found, read=True)
        for text, found in zip(words, check_quotes(words, page), strict=True)
    ]


def quote_record(quote: str, checked: Checked, *, read: bool) -> QuoteRecord:
    """A quote with its verdict; what no excerpt of an unread page shows is not thereby false.

    Args:
        quote: The quoted words.
        checked: What became of them on what was at hand.
        read: Whether that was the page, and not a search's excerpt.
    """
    if not read and checked.verdict not in ("verified", "near"):
        checked = Checked("unchecked", notes=("the page was not read",))
    return {
        "text": quote,
        "verdict": checked.verdict,
        "page_says": checked.page_says,
        "note": "; ".join(checked.notes),
    }


def quote_verdict(
    sources: Sequence[SourceRecord], id: int, words: str, pages: Pages = no_pages
) -> Verdict | None:
    """The verdict on a quote: the panel's, or that of the page; None where nobody can check it.

    Args:
        sources: The numbered sources.
        id: Whose words they are said to be.
        words: The quoted words.
        pages: The texts that were read.
    """
    wanted = " ".join(words.split()).casefold()
    for source in sources:
        if source["id"] == id:
            for quote in source["quotes"]:
                if " ".join(quote["text"].split()).casefold() == wanted:
                    return quote["verdict"]
            content = source.get("content")
            page = pages(content) if content else None
            return check_quotes([words], page)[0].verdict if page is not None else None
    return None


def source_list(sources: Sequence[SourceRecord], text: str, claims: Sequence[Told] = ()) -> str:
    """The list of cited sources that stands under an answer, or an empty string.

    Args:
        sources: The numbered sources.
        text: The answer.
        claims: What became of its claims.
    """
    by_id = {source["id"]: source for source in sources}
    found = found_at(claims)
    lines = [
        f"[{n}] {_title(by_id[n]) or as_address(by_id[n]['url'])} — "
        f"{as_address(by_id[n]['url'])}{_checked(by_id[n], found.get(n))}"
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


def _checked(source: SourceRecord, found: str | None) -> str:
    """What was verified of a source, in brackets, or nothing if nothing was to be."""
    counts = Counter(quote["verdict"] for quote in source["quotes"])
    said = {
        "verified": "{} verified",
        "near": "{} nearly",
        "altered": "{} altered",
        "not_found": "{} not on the page",
        "unchecked": "{} unchecked",
    }
    parts = [words.format(counts[verdict]) for verdict, words in said.items() if counts[verdict]]  # type: ignore[index]
    told = []
    if parts:
        noun = "quote" if counts.total() == 1 else "quotes"
        told.append(f"{noun}: {', '.join(parts)}")
    elif not source["fetched"]:
        told.append("search result, page not read")
    if found:
        told.append(found)
    return f" ({'; '.join(told)})" if told else ""


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
