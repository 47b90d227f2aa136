"""Differences: what two sentences say differently, and the figures, names and dates they say.

Words are aligned, and what is not the same is judged: a figure with its unit, a name, a denial.
Typography, spelling, inflection and function words are no difference. Quotes, duplicates,
contradictions and claims are all held against one another here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from fusion_graph.evidence._alike import alike, signs_differ
from fusion_graph.evidence._dates import Date
from fusion_graph.evidence._figures import Figure, agrees, comparable
from fusion_graph.evidence._forms import english_form
from fusion_graph.evidence._items import ANTONYMS, Item, Reading, joined, read
from fusion_graph.evidence._kinds import Kind, kind_of

MOST_ITEMS = 4000
"""Longer texts are told as different without a look at where: alignment takes the product."""


__all__ = [
    "Date",
    "Difference",
    "Figure",
    "Kind",
    "Name",
    "Polarity",
    "agrees",
    "comparable",
    "dates",
    "differences",
    "figures",
    "language_of",
    "names",
    "opposite",
    "polarity",
    "same",
]


@dataclass(frozen=True, slots=True)
class Difference:
    """A word or figure that one sentence has where the other has another, or none.

    `first` and `second` are the words on either side, empty where there is none; `first_at` and
    `second_at` where they stand, as `(start, end)` in characters.
    """

    kind: Kind
    first: str
    second: str
    first_at: tuple[int, int]
    second_at: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Name:
    """A name where it stands: words with capital letters in a row."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Polarity:
    """What of a sentence denies and what hedges, as written."""

    negations: tuple[str, ...]
    hedges: tuple[str, ...]

    @property
    def denied(self) -> bool:
        """Whether the sentence denies: two denials are none."""
        return len(self.negations) % 2 == 1


def differences(a: str, b: str, *, rounded: bool = False) -> list[Difference]:
    """What differs between two sentences, in their order; nothing where they say the same.

    Args:
        a: One sentence.
        b: The other.
        rounded: Whether a figure that agrees with the other by rounding or conversion
            (`agrees`) is no difference.
    """
    one, two = _read_alike(a, b)
    return _Comparison(one, two, rounded).differences(one.telling, two.telling)


def same(a: str, b: str, *, rounded: bool = False) -> bool:
    """Whether nothing but typography, spelling, inflection and function words differs."""
    return not differences(a, b, rounded=rounded)


def figures(text: str) -> list[Figure]:
    """The figures of a text, in order; dates are none."""
    return [item.figure for item in read(text).items if item.figure is not None]


def dates(text: str) -> list[Date]:
    """The dates of a text, in order: days, and months with their year."""
    return [item.date for item in read(text).items if item.date is not None]


def names(text: str) -> list[Name]:
    """The names of a text, in order: capitalised words that do not only begin a sentence."""
    found: list[Name] = []
    for item in read(text).items:
        if not item.name:
            continue
        if found and not item.breaks and text[found[-1].end : item.start] in (" ", "-", "\n"):
            found[-1] = Name(text[found[-1].start : item.end], found[-1].start, item.end)
        else:
            found.append(Name(text[item.start : item.end], item.start, item.end))
    return found


def language_of(text: str) -> str:
    """The language (`en`, `de`) that most function words of a text are of; "" where it has none."""
    return read(text).language


def opposite(word: str, other: str) -> bool:
    """Whether one English word says the opposite of the other: "rose" and "fell"."""
    return (english_form(word), english_form(other)) in ANTONYMS


def polarity(text: str) -> Polarity:
    """What denies and what hedges in a text."""
    items = read(text).items
    return Polarity(
        tuple(item.text for item in items if item.group in ("negation", "negating")),
        tuple(item.text for item in items if item.group in ("hedge", "modal")),
    )


def between(
    one: Reading, two: Reading, first: Sequence[Item], second: Sequence[Item]
) -> list[Difference]:
    """What differs between parts of two texts that were read already.

    Args:
        one: A text.
        two: The other.
        first: The items of the one that are compared.
        second: Those of the other.
    """
    return _Comparison(one, two, False).differences(first, second)


def _read_alike(a: str, b: str) -> tuple[Reading, Reading]:
    """Both texts read in one language: that of the longer, since short ones tell little."""
    one, two = read(a), read(b)
    if one.language == two.language:
        return one, two
    longer, shorter = (one, two) if len(one.items) >= len(two.items) else (two, one)
    language = longer.language or shorter.language
    return read(a, language), read(b, language)


@dataclass(frozen=True, slots=True)
class _Pair:
    first: Item | None
    second: Item | None
    first_place: int
    second_place: int


class _Comparison:
    def __init__(self, one: Reading, two: Reading, rounded: bool) -> None:
        self._one, self._two = one, two
        self._rounded = rounded

    def differences(self, first: Sequence[Item], second: Sequence[Item]) -> list[Difference]:
        if max(len(first), len(second)) > MOST_ITEMS:
            if [item.key for item in first] == [item.key for item in second]:
                return []
            whole = ((0, len(self._one.text)), (0, len(self._two.text)))
            return [Difference("content", self._one.text, self._two.text, *whole)]
        pairs: list[_Pair] = []
        for a, b in _blocks(first, second):
            pairs += self._unlike(first[a[0] : a[1]], second[b[0] : b[1]], a[0], b[0])
        moved = _moved(pairs)
        return [self._told(pair, moved) for pair in pairs]

    def _unlike(
        self, first: Sequence[Item], second: Sequence[Item], first_at: int, second_at: int
    ) -> list[_Pair]:
        """The items of a block that say different things, paired."""
        if joined(first) == joined(second) and not signs_differ(first, second):
            return []
        pairs: list[_Pair] = []
        at_first = at_second = 0
        for n, m in [*_alike(first, second, self._rounded), (len(first), len(second))]:
            left, right = first[at_first:n], second[at_second:m]
            written_alike = bool(left and right) and joined(left) == joined(right)
            if (left or right) and (not written_alike or signs_differ(left, right)):
                pairs += _paired(left, right, first_at + at_first, second_at + at_second)
            at_first, at_second = n + 1, m + 1
        return pairs

    def _told(self, pair: _Pair, moved: set[object]) -> Difference:
        first, second = pair.first, pair.second
        here = first or second
        assert here is not None
        kind: Kind
        if (first is None or first.key in moved) and (second is None or second.key in moved):
            kind = "order"
        else:
            kind = kind_of(first, second)
        return Difference(
            kind,
            self._one.text[first.start : first.end] if first else "",
            self._two.text[second.start : second.end] if second else "",
            (first.start, first.end) if first else (-1, -1),
            (second.start, second.end) if second else (-1, -1),
        )


Span = tuple[int, int]


def _blocks(first: Sequence[Item], second: Sequence[Item]) -> list[tuple[Span, Span]]:
    """Where two lists of items are not the same, aligned by their keys."""
    found: list[tuple[Span, Span]] = []
    numbers: dict[object, int] = {}
    one = [numbers.setdefault(item.key, len(numbers)) for item in first]
    two = [numbers.setdefault(item.key, len(numbers)) for item in second]
    for op in Levenshtein.opcodes(one, two):
        if op.tag == "equal":
            continue
        a, b = (op.src_start, op.src_end), (op.dest_start, op.dest_end)
        if found and found[-1][0][1] == a[0] and found[-1][1][1] == b[0]:
            (a_start, _), (b_start, _) = found.pop()
            a, b = (a_start, a[1]), (b_start, b[1])
        found.append((a, b))
    return found


MOST_PAIRED = 40
"""Longer blocks are paired in order, not by the best match: they differ anyway."""


def _alike(first: Sequence[Item], second: Sequence[Item], rounded: bool) -> list[tuple[int, int]]:
    """The longest run of items, in order, that say the same in other forms."""
    if not first or not second or max(len(first), len(second)) > MOST_PAIRED:
        return []
    rows, columns = len(first), len(second)
    length = [[0] * (columns + 1) for _ in range(rows + 1)]
    equal = [[alike(a, b, rounded) for b in second] for a in first]
    for n in range(rows - 1, -1, -1):
        for m in range(columns - 1, -1, -1):
            length[n][m] = (
                length[n + 1][m + 1] + 1 if equal[n][m] else max(length[n + 1][m], length[n][m + 1])
            )
    found: list[tuple[int, int]] = []
    n = m = 0
    while n < rows and m < columns:
        if equal[n][m]:
            found.append((n, m))
            n, m = n + 1, m + 1
        elif length[n + 1][m] >= length[n][m + 1]:
            n += 1
        else:
            m += 1
    return found


def _paired(
    first: Sequence[Item], second: Sequence[Item], first_at: int, second_at: int
) -> list[_Pair]:
    """Items of two blocks side by side, items of one group rather than in order."""
    rest = list(enumerate(second))
    pairs: list[_Pair] = []
    for n, item in enumerate(first):
        match = next((k for k, (_, other) in enumerate(rest) if _of_a_kind(item, other)), None)
        if match is None:
            pairs.append(_Pair(item, None, first_at + n, second_at))
        else:
            m, other = rest.pop(match)
            pairs.append(_Pair(item, other, first_at + n, second_at + m))
    pairs += [_Pair(None, other, first_at + len(first), second_at + m) for m, other in rest]
    return _filled(pairs)


def _filled(pairs: list[_Pair]) -> list[_Pair]:
    """Pairs in which what is left on one side meets what is left on the other."""
    left = [pair for pair in pairs if pair.second is None]
    right = [pair for pair in pairs if pair.first is None]
    whole = [pair for pair in pairs if pair.first and pair.second]
    for one, two in zip(left, right, strict=False):
        whole.append(_Pair(one.first, two.second, one.first_place, two.second_place))
    whole += left[len(right) :] + right[len(left) :]
    return sorted(whole, key=lambda pair: (pair.first_place, pair.second_place))


_QUANTITIES = frozenset({"figure", "bound"})


def _of_a_kind(one: Item, two: Item) -> bool:
    return one.group == two.group or (one.group in _QUANTITIES and two.group in _QUANTITIES)


def _moved(pairs: Sequence[_Pair]) -> set[object]:
    """The keys that stand on both sides among what differs: words that changed their places."""
    one = Counter(pair.first.key for pair in pairs if pair.first)
    two = Counter(pair.second.key for pair in pairs if pair.second)
    return set(one & two)
