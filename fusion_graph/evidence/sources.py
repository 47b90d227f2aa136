"""Sources and citations: one numbered list for the whole panel, and every `[n]` on it.

Models cite `[n]` and quote `[n: "exact words"]`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from typing_extensions import TypedDict

from fusion_graph.evidence.quotes import Checked, Verdict, check_quotes, normalised
from fusion_graph.text.markdown import as_address, as_text
from fusion_tools.sites import source_key
from fusion_tools.sources import SourceEntry

CITATION = re.compile(
    r"\[(?P<ids>\d{1,4}(?:\s*,\s*\d{1,4})*)"
    r"(?:\s*:\s*[\"\u201c\u201d\u201e\u00ab](?P<quote>[^\n]{1,2000}?)[\"\u201d\u201c\u00bb]\s*)?"
    r"\](?!\()"
)
"""`[3]`, `[3, 5]` or `[3: "exact words"]`, but not the text of a Markdown link."""


_CODE = r"(?P<code>^[ \t]*(?P<fence>`{3,}|~{3,})(?s:.*?)(?:^[ \t]*(?P=fence)|\Z)|`[^`\n]+`)"
_CITED = re.compile(rf"{_CODE}|(?P<gap>[ \t]*){CITATION.pattern}", re.MULTILINE)
"""Code, in which brackets are no citations, or a citation with the space before it."""


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


def cited_ids(text: str) -> list[int]:
    """The ids a text cites, each once, in order of first appearance."""
    found = (n for match in _CITED.finditer(text) if match["ids"] for n in _ids(match))
    return list(dict.fromkeys(found))


def quotes_in(text: str) -> list[tuple[int, str]]:
    """The quotes in a text, as `(id, words)`, in order."""
    return [
        (n, match["quote"].strip())
        for match in _CITED.finditer(text)
        if match["quote"]
        for n in _ids(match)
    ]


def used_sources(name: str, text: str, entries: Iterable[SourceEntry]) -> list[SourceRecord]:
    """What of a researcher's sources is kept: pages read, and whatever the answer cites.

    Quotes are checked here, against the full text of the page; the text itself is not kept.

    Args:
        name: The researcher.
        text: Its answer.
        entries: All sources it met.
    """
    cited = set(cited_ids(text))
    quotes = quotes_in(text)
    used: list[SourceRecord] = []
    for entry in entries:
        if not entry["fetched"] and entry["id"] not in cited:
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
                "cited_by": [name] if entry["id"] in cited else [],
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


def rewrite_citations(text: str, ids: Mapping[int, int]) -> tuple[str, list[int]]:
    """The text with its citations renumbered, and the ids that stood for nothing.

    A citation that `ids` does not know is taken out: a number that points nowhere (or, after
    renumbering, at somebody else's page) is worse than none. Words quoted with it stay, as an
    ordinary quotation.
    """

    def cite(known: list[int], quote: str | None, _before: str) -> str:
        if quote and known:
            return "".join(f'[{n}: "{quote}"]' for n in known)
        return "".join(f"[{n}]" for n in known) or (f'"{quote}"' if quote else "")

    return _rewritten(text, ids, cite)


def plain_citations(text: str, known: Collection[int]) -> tuple[str, list[int]]:
    """The text with `[n: "words"]` as `"words" [n]`, without citations of unknown sources.

    Words that the text has just said itself are not said again.

    Returns:
        The text, and the ids that do not exist.
    """

    def cite(ids: list[int], quote: str | None, before: str) -> str:
        marks = "".join(f"[{n}]" for n in ids)
        if quote and normalised(quote).rstrip(".") not in normalised(before[-2 * len(quote) :]):
            return f'"{quote}" {marks}'.strip()
        return marks

    return _rewritten(text, {n: n for n in known}, cite)


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
        for n in sorted(cited_ids(text))
        if n in by_id
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


def _ids(match: re.Match[str]) -> list[int]:
    return [int(n) for n in match["ids"].split(",")]


def _rewritten(
    text: str, ids: Mapping[int, int], cite: Callable[[list[int], str | None, str], str]
) -> tuple[str, list[int]]:
    unknown: list[int] = []

    def replace(match: re.Match[str]) -> str:
        if match["code"]:
            return match[0]
        old = _ids(match)
        unknown.extend(n for n in old if n not in ids)
        known = list(dict.fromkeys(ids[n] for n in old if n in ids))
        new = cite(known, match["quote"], text[: match.start()])
        return match["gap"] + new if new else ""

    rewritten = _CITED.sub(replace, text)
    return rewritten, list(dict.fromkeys(unknown))
