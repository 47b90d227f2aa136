"""Items: a sentence as figures, dates and words, each in the group that says what it decides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from fusion_graph.evidence import _english as english
from fusion_graph.evidence._dates import Date, date_at
from fusion_graph.evidence._figure_reader import FigureReader
from fusion_graph.evidence._figures import Figure
from fusion_graph.evidence._forms import english_form, stemmed
from fusion_graph.evidence._measures import months_of
from fusion_graph.evidence._negations import negation_languages, weak_languages
from fusion_graph.evidence._words import Word, without_accents, words


@dataclass(frozen=True, slots=True)
class Item:
    """What of a sentence is compared at once.

    `group` is figure, date, bound, negation, negating, modal, hedge, quantifier, condition,
    direction, comparative, weak, letter or content. Items with one `key` say the same.
    """

    group: str
    key: object
    text: str
    start: int
    end: int
    figure: Figure | None = None
    date: Date | None = None
    name: bool = False
    breaks: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """A text read: its items in order, and the language that its function words are of."""

    text: str
    language: str
    items: tuple[Item, ...]

    @property
    def telling(self) -> list[Item]:
        """The items without function words."""
        return [item for item in self.items if item.group != "weak"]


def language_of(read: Sequence[Word]) -> str:
    """The language most function words are of; empty where there is none, as for a name alone."""
    votes: Counter[str] = Counter()
    for word in read:
        if word.kind != "word" or len(word.text) == 1:  # the I of I/O is Polish, and its O Czech
            continue
        if word.text in _ENGLISH_MARKERS:
            votes["en"] += 1
        votes.update(weak_languages(word.text))
        votes.update(negation_languages(word.text))
    if not votes:
        return ""
    best, count = votes.most_common(1)[0]
    return "en" if votes["en"] >= count else best


_ENGLISH_MARKERS = (
    english.WEAK | english.NEGATIONS | english.MODALS | english.QUANTIFIERS | english.SIDES
)


@lru_cache(maxsize=1024)  # the claims of an answer are 300 sentences at most; each takes 8 kB
def read(text: str, language: str | None = None) -> Reading:
    """Read a text into items. Linear in the text.

    Args:
        text: A sentence or a passage.
        language: Where the text is a part of something whose language is known.
    """
    found = words(text)
    language = language or language_of(found)
    return Reading(text, language, tuple(_Reader(found, text, language).items()))


class _Reader:
    def __init__(self, read: list[Word], text: str, language: str) -> None:
        self._words = read
        self._text = text
        self._language = language
        self._english = language in ("en", "")  # names and numbers alone tell no language
        capital = sum(word.capital for word in read if word.kind == "word")
        letters = sum(word.kind == "word" for word in read)
        self._shouts = letters > 3 and capital > 0.6 * letters
        self._figures = FigureReader(read, text, language, shouts=capital == letters > 3)

    def items(self) -> list[Item]:
        found: list[Item] = []
        at = 0
        while at < len(self._words):
            at = self._next(at, found)
        return self._directed(found)

    def _next(self, at: int, found: list[Item]) -> int:
        """Put the next item in the list; return the word after it."""
        word = self._words[at]
        dated = date_at(self._words, at, self._text)
        if dated is not None:
            date, end = dated
            found.append(self._item("date", date.key, at, end, date=date))
            return end
        bound = self._bound(at)
        if bound is not None:
            said, end, figure, after = bound
            found.append(self._item("bound", said, at, end))
            figure = replace(figure, bound=said)
            found.append(self._item("figure", figure.key, end, after, figure=figure))
            return after
        measured = self._figures.figure_at(at)
        if measured is not None:
            figure, end = measured
            found.append(self._item("figure", figure.key, at, end, figure=figure))
            return end
        if word.kind == "number":
            found.append(self._item("figure", word.text, at, at + 1))
            return at + 1
        if word.text in ("+", "*", "×") and self._counts(at):
            found.append(self._item("content", word.text, at, at + 1))
            return at + 1
        if word.kind == "sign":
            if word.text == "±":
                found.append(self._item("figure", "±", at, at + 1))
            return at + 1
        if word.kind == "mark" or word.kind == "power":
            if word.kind == "power" or (word.text in "<>≤≥≠" and not word.glued):
                found.append(self._item("content", word.text, at, at + 1))
            return at + 1
        if word.kind == "letter":
            return self._letter(at, found)
        phrase = self._phrase(at)
        if phrase is not None:
            key, group, end = phrase
            found.append(self._item(group, key, at, end))
            return end
        self._word(at, found)
        return at + 1

    def _counts(self, at: int) -> bool:
        """Whether a sign stands between two numbers: 2*3 is no 2+3."""
        if not 0 < at < len(self._words) - 1:
            return False
        before, sign, after = self._words[at - 1 : at + 2]
        return before.kind == after.kind == "number" and sign.glued == after.glued

    def _item(
        self,
        group: str,
        key: object,
        at: int,
        end: int,
        *,
        figure: Figure | None = None,
        date: Date | None = None,
        name: bool = False,
    ) -> Item:
        first, last = self._words[at], self._words[end - 1]
        text = first.text if end == at + 1 else self._text[first.start : last.end]
        return Item(group, key, text, first.start, last.end, figure, date, name, first.breaks)

    def _texts(self, at: int, count: int) -> tuple[str, ...]:
        return tuple(word.text for word in self._words[at : at + count])

    def _bound(self, at: int) -> tuple[str, int, Figure, int] | None:
        """What is said before a figure about it: about, over, at least."""
        for length in (4, 3, 2, 1):
            said = english.BOUNDS.get(self._texts(at, length))
            if said is None:
                continue
            end = at + length
            measured = self._figures.figure_at(end) if end < len(self._words) else None
            if measured is not None and not measured[0].ordinal and not self._words[end].breaks:
                return said, end, *measured
        return None

    def _phrase(self, at: int) -> tuple[str, str, int] | None:
        word = self._words[at]
        if not self._english or word.kind != "word":
            return None
        first = english_form(word.text)
        for length in (3, 2):
            rest = self._texts(at + 1, length - 1)
            if len(rest) < length - 1 or any(w.breaks for w in self._words[at + 1 : at + length]):
                continue
            known = english.PHRASES.get((word.text, *rest)) or english.PHRASES.get((first, *rest))
            if known is not None:
                return *known, at + length
        return None

    def _letter(self, at: int, found: list[Item]) -> int:
        word = self._words[at]
        for length in (3, 2, 1):
            letters = self._words[at : at + length]
            if len(letters) < length or any(w.kind != "letter" for w in letters):
                continue
            if negation_languages("".join(w.text for w in letters)):
                for n, letter in enumerate(letters, at):
                    found.append(self._item("negation", letter.text, n, n + 1))
                return at + length
        group = "weak" if word.text in "的了는은이가을를のはがをに、也" else "letter"
        found.append(self._item(group, word.text, at, at + 1))
        return at + 1

    def _word(self, at: int, found: list[Item]) -> None:
        word = self._words[at]
        for text in _parts(word.text) if self._english else _elided(word.text):
            found.append(self._classed(text, at))

    def _classed(self, text: str, at: int) -> Item:
        word = self._words[at]
        if self._english:
            group, key = english_group(text), english_form(text)
        else:
            group, key = other_group(text, self._language), stemmed(text, self._language)
        capital = word.capital and not self._shouts
        if group in ("content", "hedge", "negating", "modal") and capital:
            months = months_of(text)
            if months and (not word.breaks or text not in ("may", "march")):
                return Item("date", ("month", months[0]), text, word.start, word.end)
        following = self._words[at + 1] if at + 1 < len(self._words) else None
        named = (
            capital
            and group != "weak"
            and (
                not word.breaks
                or (following is not None and following.capital and not following.breaks)
            )
        )
        return Item(group, key, text, word.start, word.end, name=named, breaks=word.breaks)

    def _directed(self, found: list[Item]) -> list[Item]:
        """Prepositions beside a figure, which say by, to or from what something changed."""
        if not self._english:
            return found
        result: list[Item] = []
        for n, item in enumerate(found):
            if item.group == "weak" and item.text in english.DIRECTIONS and n + 1 < len(found):
                after = found[n + 1]
                if after.group in ("figure", "bound") and not after.breaks:
                    result.append(replace(item, group="direction"))
                    continue
            result.append(item)
        return result


def _parts(text: str) -> tuple[str, ...]:
    """An English word without its contractions: didn't is did and not."""
    if "'" not in text:
        return (text,)
    known = english.CONTRACTIONS.get(text)
    if known is not None:
        return known
    if text.endswith("n't"):
        return text[:-3], "not"
    for ending, means in english.ENDINGS.items():
        if text.endswith(ending):
            bare = text[: -len(ending)] if ending != "s'" else text[:-1]
            return tuple(part for part in (bare, means) if part)
    return (text.replace("'", ""),)


def _elided(text: str) -> tuple[str, ...]:
    """A word without what is elided onto it: n'a is n' and a, l'eau is l' and eau."""
    before, mark, after = text.partition("'")
    if mark and after and len(before) <= 5:
        return before + mark, after
    return (text,)


@lru_cache(maxsize=20_000)
def english_group(text: str) -> str:
    """The group of an English word."""
    form = _base(text)
    for group, listed in _GROUPS:
        if text in listed or form in listed:
            return group
    return "weak" if text in english.WEAK else "content"


_GROUPS = (
    ("negation", english.NEGATIONS),
    ("direction", english.SIDES),
    ("condition", english.CONDITIONS),
    ("quantifier", english.QUANTIFIERS),
    ("modal", english.MODALS),
    ("comparative", english.COMPARATIVES),
    ("hedge", english.HEDGES),
    ("negating", english.NEGATING),
)


def _forms(listed: frozenset[str]) -> frozenset[str]:
    return frozenset(english_form(word) for word in listed)


_BY_FORM: dict[str, str] = {}
for _listed in (english.NEGATING, english.HEDGES):
    for _word in _listed:
        _BY_FORM.setdefault(english_form(_word), _word)


def _base(text: str) -> str:
    """The dictionary's form of a word that the groups of verbs hold, else the word."""
    return _BY_FORM.get(english_form(text), text)


@lru_cache(maxsize=20_000)
def other_group(text: str, language: str) -> str:
    """The group of a word of another language."""
    if language in negation_languages(text) or (not language and negation_languages(text)):
        return "negation"
    if language in weak_languages(text):
        return "weak"
    return "content"


ANTONYMS = frozenset(
    pair
    for one, two in english.ANTONYMS
    for first, second in [(english_form(one), english_form(two))]
    for pair in ((first, second), (second, first))
)


def joined(items: Sequence[Item]) -> str:
    """The words of items in one, so that hyphens and blanks make no difference.

    Numerals stay apart: 2 and 3 are not 23. What says more or less than its letters stands for
    itself.
    """
    return "".join(_plain(item) for item in items)


def _plain(item: Item) -> str:
    if item.group == "bound":
        return f"|{item.key}|"
    if item.group == "figure":
        return "".join(f"|{part}|" for part in item.text.split())
    return _letters(item.text) or item.text


@lru_cache(maxsize=20_000)
def _letters(text: str) -> str:
    return without_accents("".join(c for c in text if c.isalnum()))
