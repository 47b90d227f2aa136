"""Quotes checked by code: are these words on that page?

The verdict says that the words are there, not that what they are cited for follows from them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from fusion_graph.evidence._items import Reading, read
from fusion_graph.evidence._pages import Page, readable
from fusion_graph.evidence._quoted_passage import Passage, most_like
from fusion_graph.evidence._surroundings import cut_out, hidden
from fusion_graph.evidence.difference import Difference

Verdict = Literal["verified", "near", "altered", "not_found", "unchecked"]
"""`verified`: the words stand on the page. `near`: they do but for typography, spelling, inflection
or function words. `altered`: something else differs. `not_found`: no passage is like them.
`unchecked`: nobody read the page, or the quote came after `MOST_QUOTES`."""

MOST_QUOTES = 20
"""Quotes of one source that are checked; more are `unchecked`."""

MOST_WORDS = 3000
"""Longer quotes are looked for by their first words and told as not found where those differ."""

SHORT = 2
"""With fewer telling words a quote shows nothing."""

TOO_SHORT = "too short to show anything"


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of a quote: its verdict, the page's own words where they differ, and notes."""

    verdict: Verdict
    page_says: str = ""
    notes: tuple[str, ...] = ()


NOT_FOUND = Checked("not_found")


def normalised(text: str) -> str:
    """The text in one case, with plain quotes and dashes, without markup."""
    text = unicodedata.normalize("NFKC", readable(text)).translate(_PLAIN).casefold()
    return " ".join(re.sub(r"[*_`#>|]+", "", text).split())


_PLAIN = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032`\u00b4", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
        "\u2026": "...",
    }
)


def check_quote(quote: str, page: str) -> str:
    """Whether one quote stands on a page: `verified`, `near`, `altered` or `not_found`.

    Args:
        quote: The quoted words. Dots that stand for left-out words split it: every part must be
            there, in order, in one paragraph, and hide neither a denial nor a figure.
        page: The full text of the page, Markdown or plain.
    """
    return check_quotes([quote], page)[0].verdict


def check_quotes(quotes: Sequence[str], page: str) -> list[Checked]:
    """What becomes of each quote on a page; those after `MOST_QUOTES` are `unchecked`.

    Linear in the page, and bounded for every quote.

    Args:
        quotes: The quoted words.
        page: The full text of the page, Markdown or plain.
    """
    if not quotes:
        return []
    looked_for = quotes[:MOST_QUOTES]
    prepared = Page.of(page, looked_for)
    checked = [_check(quote, prepared) for quote in looked_for]
    return checked + [Checked("unchecked")] * (len(quotes) - len(checked))


_DOTS = re.compile(r"\s*[\[(]?\s*(?:\.{3,}|…|\. \. \.)\s*[\])]?\s*")
_AROUND = " \t\n\"'“”„‟‘’«»`*_"


def _check(quote: str, page: Page) -> Checked:
    text = readable(quote).strip(_AROUND)
    parts = [part for part in (p.strip(" ,;:") for p in _DOTS.split(text)) if part]
    if not parts:
        return NOT_FOUND
    if len(parts) > 1:
        return _check_parts(parts, page)
    wanted = read(parts[0])
    telling = wanted.telling
    if not telling:
        return Checked("not_found", notes=(TOO_SHORT,))
    if len(telling) > MOST_WORDS:
        return NOT_FOUND
    found = most_like(wanted, page)
    if found is None:
        return NOT_FOUND
    checked = _judged(wanted, found, page)
    if len(telling) < SHORT and checked.verdict in ("verified", "near"):
        return Checked(checked.verdict, checked.page_says, (*checked.notes, TOO_SHORT))
    return checked


def _judged(wanted: Reading, found: Passage, page: Page) -> Checked:
    says = _shown(page.text[found.start : found.end])
    notes: list[str] = []
    differing = _without_edges(wanted, found, notes)
    if differing:
        return Checked("altered", says, tuple(notes))
    if "\n" in says and _crosses_rows(wanted, page.lines(found.start, found.end)):
        return Checked("altered", says, ("words of several rows of a table",))
    cut = cut_out(wanted, page, found.start, found.end)
    if cut is not None:
        notes.append(cut.note)
        if cut.changes:
            whole = page.sentence_before(found.start) + page.text[found.start : found.end]
            whole += page.sentence_after(found.end)
            return Checked("altered", _shown(whole), tuple(notes))
    if found.verbatim and not notes:
        return Checked("verified")
    few = len(wanted.telling) < 3 and wanted.telling[0].figure is None
    if few and not found.verbatim and _apart(wanted, found):
        return NOT_FOUND
    verbatim = found.verbatim and len(notes) == (1 if cut else 0)
    return Checked("verified" if verbatim else "near", "" if verbatim else says, tuple(notes))


def _apart(wanted: Reading, found: Passage) -> bool:
    """Whether a quote of a word or two has function words that do not stand beside them."""
    return _weak(found.reading) != _weak(wanted)


def _weak(reading: Reading) -> list[str]:
    return [item.text for item in reading.items if item.group == "weak"]


def _without_edges(wanted: Reading, found: Passage, notes: list[str]) -> list[Difference]:
    """What differs, but for a range that a quote takes one end of, and for a bare number."""
    left: list[Difference] = []
    alone = len(wanted.telling) == 1
    for difference in found.differences:
        if difference.kind in ("unit", "currency", "scale", "figure") and difference.second:
            first, second = difference.first, difference.second
            edge = second.endswith(first) or second.startswith(first)
            if edge and " to " in second and not first.startswith("-"):
                continue
            if alone and first[:1].isdigit() and _whole_numeral(first, second):
                notes.append(f"the page says {' '.join(second.split())}")
                continue
        left.append(difference)
    return left


def _whole_numeral(number: str, measured: str) -> bool:
    """Whether a numeral is the whole one of a measure: 3.5 of $3.5 million, no 5 of -5 °C."""
    return bool(re.search(rf"(?<![\d.,\-−–]){re.escape(number)}(?![\d–-]|[.,]\d)", measured))


def _crosses_rows(wanted: Reading, passage: str) -> bool:
    """Whether lines are rows of a table where the quote shows none."""
    rows = passage.split("\n")
    return len(rows) > 1 and sum("|" in row for row in rows) > 1 and "\n" not in wanted.text


MOST_SHOWN = 600
"""Characters of the page that are shown beside a quote."""


def _shown(passage: str) -> str:
    words = re.sub(r"[ \t]+", " ", passage).strip()
    return words if len(words) <= MOST_SHOWN else words[: MOST_SHOWN - 1] + "…"


def _check_parts(parts: list[str], page: Page) -> Checked:
    """Parts of a quote with dots between them: in order, near one another, hiding nothing."""
    read_parts = [read(part) for part in parts]
    read_parts = [part for part in read_parts if part.telling]
    if not read_parts:
        return Checked("not_found", notes=(TOO_SHORT,))
    after, near = 0, False
    places: list[Passage] = []
    for wanted in read_parts:
        found = most_like(wanted, page, after)
        if found is None:
            return NOT_FOUND
        checked = _judged(wanted, found, page)
        if checked.verdict in ("altered", "not_found"):
            return checked
        near = near or checked.verdict == "near"
        places.append(found)
        after = found.end
    for one, two in pairwise(places):
        note = hidden(page.text[one.end : two.start])
        if note is not None:
            return Checked("altered", _shown(page.text[one.start : two.end]), (note,))
    if near:
        return Checked("near", _shown(page.text[places[0].start : places[-1].end]))
    return Checked("verified")
