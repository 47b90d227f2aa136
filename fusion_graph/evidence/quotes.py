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

from rapidfuzz.distance import Levenshtein

from fusion_graph.evidence._items import Item, Reading, read
from fusion_graph.evidence._pages import Page, index_words, readable
from fusion_graph.evidence._surroundings import cut_out, hidden
from fusion_graph.evidence._words import fold
from fusion_graph.evidence.difference import Difference, between

Verdict = Literal["verified", "near", "altered", "not_found", "unchecked"]
"""`verified`: the words stand on the page. `near`: they do but for typography, spelling, inflection
or function words. `altered`: something else differs. `not_found`: no passage is like them.
`unchecked`: nobody read the page, or the quote came after `MOST_QUOTES`."""

MOST_QUOTES = 20
"""Quotes of one source that are checked; more are `unchecked`."""

MOST_WORDS = 3000
"""Longer quotes are looked for by their first words and told as not found where those differ."""

LIKE = 0.55
"""Least share of a quote's telling words in a passage that is taken for what was quoted."""

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
    found = _best(wanted, page)
    if found is None:
        return NOT_FOUND
    checked = _judged(wanted, found, page)
    if len(telling) < SHORT and checked.verdict in ("verified", "near"):
        return Checked(checked.verdict, checked.page_says, (*checked.notes, TOO_SHORT))
    return checked


# --- finding the passage


@dataclass(frozen=True, slots=True)
class _Passage:
    """Where on a page a quote may stand, and what differs there."""

    start: int
    end: int
    reading: Reading
    differences: list[Difference]
    verbatim: bool


MOST_PLACES = 60
"""Places of one word that are looked at; words that stand oftener do not tell where a quote is."""

WINDOWS = 3
"""Passages that are compared word by word."""


def _best(wanted: Reading, page: Page, after: int = 0) -> _Passage | None:
    """The passage most like a quote, from a character on."""
    best: _Passage | None = None
    for first, last in _windows(index_words(wanted.text), page, after):
        found = _aligned(wanted, page, first, last, after)
        if found is None:
            continue
        if not found.differences and found.verbatim:
            return found
        if best is None or (len(found.differences), not found.verbatim) < (
            len(best.differences),
            not best.verbatim,
        ):
            best = found
    return best


def _windows(words: list[str], page: Page, after: int) -> list[tuple[int, int]]:
    """Where on the page to look, as first and last word, the likeliest first."""
    if not words or not page.words:
        return []
    size = len(words)
    exact = _runs(words, page, after)
    if exact:
        return [(at, at + size - 1) for at in exact[:WINDOWS]]
    known = sorted(
        (len(page.places[word]), n) for n, word in enumerate(words) if word in page.places
    )
    votes: list[tuple[int, int]] = []
    for count, n in known[:40]:
        places = page.places[words[n]]
        if count > MOST_PLACES and len(votes) > 200:
            break
        votes += [
            (place - n, n) for place in places[: 20 * MOST_PLACES] if page.start_of(place) >= after
        ]
    votes.sort()
    slack = size // 4 + 3
    scored: list[tuple[int, int, int]] = []
    low = 0
    inside: dict[int, int] = {}
    for high, (offset, n) in enumerate(votes):
        inside[n] = inside.get(n, 0) + 1
        while votes[low][0] < offset - slack:
            gone = votes[low][1]
            inside[gone] -= 1
            if not inside[gone]:
                del inside[gone]
            low += 1
        scored.append((len(inside), -(offset - votes[low][0]), high))
    scored.sort(reverse=True)
    chosen: list[tuple[int, int]] = []
    for count, spread, high in scored:
        if len(chosen) == WINDOWS or count * 5 < min(len(known), 40):
            break
        first, last = votes[high][0] + spread, votes[high][0] + size - 1
        if all(last < other or first > other_last for other, other_last in chosen):
            chosen.append((first, last))
    return chosen


def _runs(words: list[str], page: Page, after: int) -> list[int]:
    """Where the very words stand in a row."""
    if any(word not in page.places for word in words):
        return []
    n = min(range(len(words)), key=lambda i: len(page.places[words[i]]))
    size = len(words)
    return [
        place - n
        for place in page.places[words[n]]
        if place >= n
        and page.words[place - n : place - n + size] == words
        and page.start_of(place - n) >= after
    ]


MARGIN = 6
"""Words beside a passage that are read with it, so that no figure, sign or unit is cut."""


def _aligned(wanted: Reading, page: Page, first: int, last: int, after: int) -> _Passage | None:
    """The part of a window most like the quote, or None where too little of it is there."""
    slack = MARGIN + (last - first + 1) // 8
    begin = max(after, page.start_of(first - slack)) if first > slack else after
    end = page.end_of(last + slack)
    if last + slack >= len(page.words) - 1:
        end = len(page.text)
    begin = _grown(page.text, begin) if begin > after else begin
    window = read(page.text[begin:end], wanted.language if len(wanted.items) > 8 else None)
    if window.language != wanted.language:
        wanted = read(wanted.text, window.language)
    target, words = wanted.telling, window.telling
    measure = len(target) == 1 and target[0].figure is not None
    if measure:  # a bare number, maybe of a measure: any figure may hold it
        options = [[word] for word in words if target[0].text in word.text]
    else:
        options = [words[start:stop] for start, stop in closest(target, words)]
    if not options:
        return None
    compared = [(between(wanted, window, target, option), option) for option in options]
    found, chosen = min(compared, key=lambda one: (len(one[0]), _missing(one[0])))
    if not found:
        found, chosen = _with_what_stands_before(wanted, window, target, chosen)
    like = len(target) - _missing(found)
    least = LIKE * len(target)
    if len(target) <= 2:  # one word of two is no likeness, but for a figure beside it
        least = 1 if any(item.figure for item in target) else len(target)
    if not measure and like < least:
        return None
    at = begin + _left_edge(window, wanted, chosen)
    to = begin + _right_edge(window, wanted, chosen)
    reading = read(page.text[at:to], window.language)
    return _Passage(at, to, reading, found, _texts(reading) == _texts(wanted))


_TURNING = frozenset({"negation", "negating", "quantifier", "modal", "hedge"})


def _with_what_stands_before(
    wanted: Reading, window: Reading, target: list[Item], chosen: list[Item]
) -> tuple[list[Difference], list[Item]]:
    """What differs where a quote begins with a function word and its page with a telling one.

    "It defines" is no quote of "it only defines", nor "the dose" of "no dose".
    """
    at = window.items.index(chosen[0])
    leading = wanted.items.index(target[0])
    if not at or not leading or window.items[at - 1].group not in _TURNING or chosen[0].breaks:
        return [], chosen
    longer = [window.items[at - 1], *chosen]
    return between(wanted, window, target, longer), longer


def _missing(found: Sequence[Difference]) -> int:
    """How many words of the quote the passage has not."""
    return sum(1 for difference in found if difference.first)


def _grown(text: str, at: int) -> int:
    """A sign or mark of currency before a numeral belongs to it."""
    while at > 0 and not text[at - 1].isspace():
        at -= 1
    return at


def _texts(reading: Reading) -> list[str]:
    return ["".join(c for c in fold(item.text) if c not in _UNHEARD) for item in reading.items]


_UNHEARD = frozenset("-–—‐‑‒―−^ \u00a0\u202f\u2009\n\t.'’")


MOST_OPTIONS = 12
"""Spans of a passage, as near to the quote as one another, that are compared in full."""


def closest(target: list[Item], words: list[Item]) -> list[tuple[int, int]]:
    """The parts of a passage nearest to the quote, as spans of its items."""
    numbers: dict[object, int] = {}
    one = [numbers.setdefault(item.key, len(numbers)) for item in target]
    two = [numbers.setdefault(item.key, len(numbers)) for item in words]
    size = len(one)
    equal = [op for op in Levenshtein.opcodes(one, two) if op.tag == "equal"]
    if not equal:
        return [(0, min(size, len(two)))] if two else []
    first = max(0, equal[0].dest_start - equal[0].src_start)
    last = min(len(two), equal[-1].dest_end + size - equal[-1].src_end)
    starts = {n for base in (first, last - size) for n in range(base - 4, base + 5)}
    ends = {n for base in (last, first + size) for n in range(base - 4, base + 5)}
    options = [
        (Levenshtein.distance(one, two[start:stop]), abs(stop - start - size), start, stop)
        for start in starts
        for stop in ends
        if 0 <= start < stop <= len(two)
    ]
    if not options:
        return [(first, last)] if first < last else []
    options.sort()
    nearest = options[0][0]
    return [
        (start, stop)
        for distance, _, start, stop in options[:MOST_OPTIONS]
        if distance <= nearest + 1
    ]


def _left_edge(window: Reading, wanted: Reading, chosen: list[Item]) -> int:
    """Where the passage begins, with the function words that the quote begins with."""
    at = window.items.index(chosen[0])
    weak = 0
    for item in wanted.items:
        if item.group != "weak":
            break
        weak += 1
    while weak and at and window.items[at - 1].group == "weak":
        at, weak = at - 1, weak - 1
    return window.items[at].start


def _right_edge(window: Reading, wanted: Reading, chosen: list[Item]) -> int:
    at = max(n for n, item in enumerate(window.items) if item is chosen[-1])
    weak = 0
    for item in reversed(wanted.items):
        if item.group != "weak":
            break
        weak += 1
    while weak and at + 1 < len(window.items) and window.items[at + 1].group == "weak":
        at, weak = at + 1, weak - 1
    return window.items[at].end


# --- judging it


def _judged(wanted: Reading, found: _Passage, page: Page) -> Checked:
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


def _apart(wanted: Reading, found: _Passage) -> bool:
    """Whether a quote of a word or two has function words that do not stand beside them."""
    return _weak(found.reading) != _weak(wanted)


def _weak(reading: Reading) -> list[str]:
    return [item.text for item in reading.items if item.group == "weak"]


def _without_edges(wanted: Reading, found: _Passage, notes: list[str]) -> list[Difference]:
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


# --- dotted quotes


def _check_parts(parts: list[str], page: Page) -> Checked:
    """Parts of a quote with dots between them: in order, near one another, hiding nothing."""
    read_parts = [read(part) for part in parts]
    read_parts = [part for part in read_parts if part.telling]
    if not read_parts:
        return Checked("not_found", notes=(TOO_SHORT,))
    after, near = 0, False
    places: list[_Passage] = []
    for wanted in read_parts:
        found = _best(wanted, page, after)
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
