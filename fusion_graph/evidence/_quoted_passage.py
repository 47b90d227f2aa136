"""The passage of a page that a quote is of, or is most like, and what differs between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from fusion_graph.evidence._items import Item, Reading, read
from fusion_graph.evidence._pages import Page, index_words
from fusion_graph.evidence._words import fold
from fusion_graph.evidence.difference import Difference, between

LIKE = 0.55
"""Least share of a quote's telling words in a passage that is taken for what was quoted."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a page that a quote may be of, and what differs between the two.

    Attributes:
        start: Its first character.
        end: The character after its last.
        reading: The part, read.
        differences: What the quote says otherwise.
        verbatim: Whether it is the quote, letter by letter but for typography.
    """

    start: int
    end: int
    reading: Reading
    differences: list[Difference]
    verbatim: bool


MOST_PLACES = 60
"""Places of one word that are looked at; words that stand oftener do not tell where a quote is."""

WINDOWS = 3
"""Passages that are compared word by word."""


def most_like(wanted: Reading, page: Page, after: int = 0) -> Passage | None:
    """Find the passage most like a quote.

    Args:
        wanted: The quote, read.
        page: The page.
        after: The character from which it is looked for.

    Returns:
        The passage; None where nothing on the page is like the quote.
    """
    best: Passage | None = None
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
    """List where on the page to look, as first and last word, the likeliest first."""
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
    """List where the very words stand in a row."""
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


def _aligned(wanted: Reading, page: Page, first: int, last: int, after: int) -> Passage | None:
    """Find the part of a window most like the quote; None where too little of it is there."""
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
    if not target:  # in the page's language all of it is function words
        return None
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
    return Passage(at, to, reading, found, _texts(reading) == _texts(wanted))


_TURNING = frozenset({"negation", "negating", "quantifier", "modal", "hedge"})


def _with_what_stands_before(
    wanted: Reading, window: Reading, target: list[Item], chosen: list[Item]
) -> tuple[list[Difference], list[Item]]:
    """Tell what differs where a quote begins with a function word and its page with a telling one.

    "It defines" is no quote of "it only defines", nor "the dose" of "no dose".
    """
    at = window.items.index(chosen[0])
    leading = wanted.items.index(target[0])
    if not at or not leading or window.items[at - 1].group not in _TURNING or chosen[0].breaks:
        return [], chosen
    longer = [window.items[at - 1], *chosen]
    return between(wanted, window, target, longer), longer


def _missing(found: Sequence[Difference]) -> int:
    """Count the words of the quote that the passage has not."""
    return sum(1 for difference in found if difference.first)


def _grown(text: str, at: int) -> int:
    """Take in a sign or mark of currency before a numeral: it belongs to it."""
    while at > 0 and not text[at - 1].isspace():
        at -= 1
    return at


def _texts(reading: Reading) -> list[str]:
    return ["".join(c for c in fold(item.text) if c not in _UNHEARD) for item in reading.items]


_UNHEARD = frozenset("-–—‐‑‒―−^ \u00a0\u202f\u2009\n\t.'’")


MOST_OPTIONS = 12
"""Spans of a passage, as near to the quote as one another, that are compared in full."""


def closest(target: list[Item], words: list[Item]) -> list[tuple[int, int]]:
    """Find the parts of a passage nearest to the quote, as spans of its items.

    Args:
        target: The quote's telling items.
        words: The passage's.
    """
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
    """Find where the passage begins, with the function words that the quote begins with."""
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
