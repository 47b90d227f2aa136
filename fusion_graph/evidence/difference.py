"""Differences: what two sentences say differently, and the figures, names and dates they say.

Words are aligned, and what is not the same is judged: a figure with its unit, a name, a denial.
Typography, spelling, inflection and function words are no difference. Quotes, duplicates,
contradictions and claims are all held against one another here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from rapidfuzz.distance import Levenshtein

from fusion_graph.evidence import _english as english
from fusion_graph.evidence._dates import Date
from fusion_graph.evidence._figures import Figure, agrees, comparable
from fusion_graph.evidence._forms import english_form
from fusion_graph.evidence._items import ANTONYMS, Item, Reading, joined, read
from fusion_graph.evidence._words import without_accents

Kind = Literal[
    "figure",
    "unit",
    "currency",
    "scale",
    "date",
    "name",
    "negation",
    "hedge",
    "quantifier",
    "modal",
    "comparative",
    "antonym",
    "order",
    "content",
]
"""What was changed. `scale`: million for billion. `modal` holds conditions too (if, when).
`comparative` holds prepositions that turn one (before, above, by, to). `order`: the same words in
other places. `content`: any other word."""

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
        if joined(first) == joined(second) and not _signs_differ(first, second):
            return []
        pairs: list[_Pair] = []
        at_first = at_second = 0
        for n, m in [*_alike(first, second, self._rounded), (len(first), len(second))]:
            left, right = first[at_first:n], second[at_second:m]
            written_alike = bool(left and right) and joined(left) == joined(right)
            if (left or right) and (not written_alike or _signs_differ(left, right)):
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


def _signs_differ(first: Sequence[Item], second: Sequence[Item]) -> bool:
    """Whether figures of the same digits say different things: -5 and 5, 5 % and $5, 10^6, 106."""
    one = [item.figure for item in first if item.figure]
    two = [item.figure for item in second if item.figure]
    if len(one) != len(two):
        return any(f.first < 0 or f.unit or f.currency for f in (*one, *two))
    return any(not _equal_figures(a, b) for a, b in zip(one, two, strict=True))


def alike(one: Item, two: Item, rounded: bool = False) -> bool:
    """Whether two items say the same in another form."""
    if one.key == two.key:
        return not _two_words(one, two)
    if one.figure and two.figure:
        return _equal_figures(one.figure, two.figure) or (
            rounded and agrees(one.figure, two.figure)
        )
    if one.date and two.date:
        return one.date.year == two.date.year and bool(
            set(one.date.readings()) & set(two.date.readings())
        )
    if one.group in ("figure", "date", "bound") or two.group in ("figure", "date", "bound"):
        return False
    first, second = without_accents(one.text), without_accents(two.text)
    if first == second or _umlauts(one.text) == second or first == _umlauts(two.text):
        return True
    return _prefixed(one.text, two.text) or _prefixed(two.text, one.text)


def _two_words(one: Item, two: Item) -> bool:
    """Words whose forms fall together by a mute e: plan and plane."""
    first, second = sorted((one.text, two.text), key=len)
    return one.figure is None and len(first) >= 3 and second == first + "e"


def _umlauts(text: str) -> str:
    """German as typed without umlauts: groesse."""
    for mark, plain in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("å", "aa"), ("ø", "oe")):
        text = text.replace(mark, plain)
    return without_accents(text)


_ARABIC = ("ال", "وال", "بال", "فال", "كال", "لل", "و", "ف", "ب", "ل", "ك")
_HEBREW = ("ה", "ו", "ב", "ל", "מ", "כ", "ש", "וה", "שה", "מה", "כש", "וב", "ול", "ומ")


def _prefixed(longer: str, shorter: str) -> bool:
    """Whether a word is another with an Arabic or Hebrew particle written onto it."""
    if len(shorter) < 2 or not longer.endswith(shorter):
        return False
    prefix = longer[: len(longer) - len(shorter)]
    return prefix in _ARABIC or prefix in _HEBREW


def _equal_figures(one: Figure, two: Figure) -> bool:
    return one.same_numbers(two) and one.unit == two.unit and one.currency == two.currency


def _moved(pairs: Sequence[_Pair]) -> set[object]:
    """The keys that stand on both sides among what differs: words that changed their places."""
    one = Counter(pair.first.key for pair in pairs if pair.first)
    two = Counter(pair.second.key for pair in pairs if pair.second)
    return set(one & two)


_NEGATING_PREFIXES = (
    "un",
    "in",
    "im",
    "il",
    "ir",
    "non",
    "dis",
    "mis",
    "ne",
    "nie",
    "не",
    "on",
    "a",
)


def _negated(one: Item | None, two: Item | None) -> bool:
    if one is None or two is None:
        return False
    longer, shorter = sorted((one.text, two.text), key=len, reverse=True)
    if longer.endswith(shorter) and len(shorter) >= 3:
        return longer[: len(longer) - len(shorter)] in _NEGATING_PREFIXES
    ends = {one.text[-4:], two.text[-3:]} | {two.text[-4:], one.text[-3:]}
    return "less" in ends and "ful" in ends and one.text[:3] == two.text[:3]


def kind_of(first: Item | None, second: Item | None) -> Kind:
    """What it is that two items differ in; None stands for no item."""
    groups = {item.group for item in (first, second) if item}
    if first and second and first.figure and second.figure:
        return _figures_differ(first.figure, second.figure)
    if "date" in groups:
        return "date"
    if "negation" in groups or _negated(first, second):
        return "negation"
    if "bound" in groups:
        said = {item.key for item in (first, second) if item and item.group == "bound"}
        return "hedge" if "about" in said and len(groups) == 1 and len(said) == 1 else "quantifier"
    if "figure" in groups:
        return "figure"
    if first and second and (first.key, second.key) in ANTONYMS:
        return "antonym"
    by_group: tuple[tuple[str, Kind], ...] = (
        ("quantifier", "quantifier"),
        ("modal", "modal"),
        ("condition", "modal"),
        ("negating", "negation"),
        ("comparative", "comparative"),
        ("direction", "comparative"),
        ("hedge", "hedge"),
    )
    for group, kind in by_group:
        if group in groups:
            return kind
    if any(_comparative(item) for item in (first, second) if item):
        return "comparative"
    return "name" if any(item.name for item in (first, second) if item) else "content"


def _comparative(item: Item) -> bool:
    text = item.text
    return text in english.COMPARATIVES


def _figures_differ(one: Figure, two: Figure) -> Kind:
    if not one.same_numbers(two):
        ratio = two.first / one.first if one.first else Decimal(0)
        if one.scale != two.scale and ratio and _power_of_ten(ratio):
            return "scale"
        return "figure"
    return "currency" if one.currency != two.currency else "unit"


def _power_of_ten(ratio: Decimal) -> bool:
    return abs(ratio).normalize().as_tuple().digits == (1,)
