"""One sentence held against the passages of its pages that are nearest to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from fusion_graph.evidence._cited_sentences import CitedSentence
from fusion_graph.evidence._claim_facts import Context, missing_facts
from fusion_graph.evidence._items import Item, Reading, read
from fusion_graph.evidence._pages import readable
from fusion_graph.evidence._passages import PageIndex, Passage, keys, telling_keys
from fusion_graph.evidence._quoted_passage import closest
from fusion_graph.evidence._tables import table
from fusion_graph.evidence.difference import Difference, between

MOST_PASSAGES = 4
"""Sentences of a page that are compared word by word."""

RESTATED = 0.6
"""Least share of a sentence's telling words in a passage, in order, that restates it."""

COVERED = 1.0
"""Least share of its words near a passage, for a sentence whose facts all stand there."""

REACH = 2
"""Sentences beside a passage that are about the same."""

MOST_SHOWN = 600

Verdict = Literal["supported", "contradicted", "unsupported", "not_checkable"]


@dataclass(frozen=True, slots=True)
class Found:
    """What became of a sentence."""

    verdict: Verdict
    missing: tuple[str, ...] = ()
    passage: str = ""


@dataclass(frozen=True, slots=True)
class _Compared:
    """A sentence beside a passage: what differs, and the share of its words that are there."""

    passage: Passage
    index: PageIndex
    differences: list[Difference]
    share: float
    reading: Reading


def check_sentence(sentence: CitedSentence, indexes: Sequence[PageIndex]) -> Found:
    """What code can tell of a sentence and the pages it cites.

    Args:
        sentence: A sentence of an answer.
        indexes: The pages that were read.
    """
    text = readable(sentence.text)
    wanted = read(text)
    if not wanted.telling:
        return Found("not_checkable")
    words = telling_keys(text)
    candidates = [
        (index, passage) for index in indexes for passage in index.nearest(words, MOST_PASSAGES)
    ]
    compared = sorted(
        (
            _compare(wanted, index, passage)
            for index, passage in candidates
            # A question says nothing.
            if not passage.text.endswith(("?", "？", "؟")) or text.endswith("?")
        ),
        key=lambda one: (-one.share, len(one.differences), one.passage.place),
    )
    context = Context.of(indexes, [one.passage for one in compared], REACH)
    restated = False
    for one in compared:
        told = _judged(wanted, one, context)
        if told is not None and (told.verdict == "supported" or not restated):
            return told
        restated = restated or _restates(wanted, one)
    return _by_facts(wanted, compared, context, restated)


def is_checkable(text: str) -> bool:
    """Whether a sentence holds anything that code can look for: a figure, a name, a denial."""
    return bool(read(readable(text)).telling)


def _compare(wanted: Reading, index: PageIndex, passage: Passage) -> _Compared:
    window = read(passage.text)
    if window.language != wanted.language and len(wanted.items) <= len(window.items):
        wanted = read(wanted.text, window.language)
    elif window.language != wanted.language:
        window = read(window.text, wanted.language)
    target, there = wanted.telling, window.telling
    if not target or not there:
        return _Compared(passage, index, [], 0.0, window)
    options = [_whole(window, there, *span) for span in closest(target, there)] or [there]
    if len(there) <= 2 * len(target):
        options.append(there)  # whole: words that changed places lie in no window
    found = min(
        (between(wanted, window, target, option) for option in options),
        key=lambda differing: (
            sum(1 for d in differing if d.first and d.kind != "order"),
            len(differing),
            sum(1 for d in differing if not d.second),
        ),
    )
    # What stands in another order is there all the same.
    lost = sum(1 for d in found if d.first and d.kind != "order")
    return _Compared(passage, index, found, 1 - lost / len(target), window)


def _whole(window: Reading, there: Sequence[Item], start: int, stop: int) -> Sequence[Item]:
    """A part of a passage with the denial that stands beside it, in the same clause."""
    if start and _denies_beside(window, there[start - 1], there[start - 1], there[start]):
        start -= 1
    if stop < len(there) and _denies_beside(window, there[stop], there[stop - 1], there[stop]):
        stop += 1
    return there[start:stop]


def _denies_beside(window: Reading, denial: Item, before: Item, after: Item) -> bool:
    if denial.group != "negation" or after.breaks:
        return False
    gap = window.text[before.end : after.start].casefold()
    return not any(c in ",;:()—–" for c in gap) and not _AND & set(gap.split())


# --- judging a sentence that a passage restates


def _judged(wanted: Reading, one: _Compared, context: Context) -> Found | None:
    """What a passage decides of a sentence; None where it decides nothing."""
    if not _restates(wanted, one):
        return None
    passage = _shown(one.passage)
    differing = [d for d in one.differences if not _is_none(d, wanted, one, context)]
    if not differing:
        return Found("supported", passage=passage)
    wrong = _wrong(differing, wanted, one, context)
    if wrong:
        missing = tuple(dict.fromkeys(d.first for d in wrong if d.first))
        return Found("contradicted", missing, passage)
    return None


def _restates(wanted: Reading, one: _Compared) -> bool:
    lost = sum(1 for d in one.differences if d.first and d.kind != "order")
    return one.share >= RESTATED or (lost == 1 and len(wanted.telling) == 2)


_OMITTED = frozenset({"content", "name", "figure", "unit", "date", "currency", "scale", "antonym"})
"""What a sentence may leave out of a passage and still be said by it."""


def _is_none(d: Difference, wanted: Reading, one: _Compared, context: Context) -> bool:
    """Whether a difference is none: left out, rounded, reckoned, or told beside the passage."""
    if not d.first:
        return d.kind in _OMITTED or (d.kind == "comparative" and d.second in ("or", "and"))
    if d.kind in ("figure", "unit", "currency", "scale", "date", "quantifier", "hedge"):
        return context.fact_agrees(d, wanted, one.reading, one.passage)
    if d.kind in ("content", "name") and not d.second:
        if d.kind == "name" or _refers(one):
            return context.near(d.first, one.passage, one.index, REACH)
        return context.near(d.first, one.passage, one.index, 0)
    return False


def _refers(one: _Compared) -> bool:
    """Whether a passage speaks of what was named before it: "It was opened", a row of a table."""
    opening = one.reading.items[0].text if one.reading.items else ""
    return bool(one.passage.header) or opening in _PRONOUNS


_PRONOUNS = frozenset(table("claims")["pronouns"].split())


_MEASURED = frozenset({"figure", "unit", "currency", "scale", "date"})
_DENYING = frozenset({"negation", "negating"})


def _wrong(
    differing: Sequence[Difference], wanted: Reading, one: _Compared, context: Context
) -> list[Difference]:
    """The differences that make a sentence say something else than a passage about the same."""
    loose = sum(1 for d in differing if d.kind == "content" and d.first)
    here = len(wanted.telling)
    found: list[Difference] = []
    most = 0 if here < 5 else max(1, here // 6)
    if loose > most:
        # Two may speak of different things: only what stands in the other's place decides.
        return []
    for d in differing:
        both = bool(d.first and d.second)
        if d.kind in _MEASURED and both:
            # A word that a figure was aligned with is another wording.
            says = d.kind not in ("figure", "date") or context.is_fact(d, wanted, one.reading)
            if says and not context.stands_in(d, wanted, one.reading):
                found.append(d)
        elif d.kind == "name" and both:
            there = loose and context.near(d.first, one.passage, one.index, REACH)
            if not there and _is_name(d):
                found.append(d)
        elif d.kind in ("quantifier", "comparative", "antonym"):
            if both and d.kind == "quantifier" and not _both_count(d):
                continue
            if not d.first and _said_before(wanted, one.reading, d.second_at[0]):
                continue
            if both or (not loose and d.kind == "quantifier"):
                found.append(d)
        elif d.kind == "modal" and both and not loose:
            found.append(d)
    if _denies_otherwise(differing) and not _named_beside(differing):
        found += [d for d in differing if d.kind == "negation"]
    if not loose:
        found += _swapped(differing, wanted, one.reading)
    return found


def _is_name(d: Difference) -> bool:
    return d.second[:1].isupper() or d.first[:1].isupper()


def _said_before(wanted: Reading, reading: Reading, at: int) -> bool:
    """Whether a passage has said all it has of a sentence before a place: "wet, some say dry"."""
    words = keys(wanted.text)
    return words & keys(reading.text[at:]) <= words & keys(reading.text[:at]) and bool(
        words & keys(reading.text[:at])
    )


def _both_count(d: Difference) -> bool:
    """Whether a quantifier stands against another: "as much" against "a call" is wording."""
    counting = ("quantifier", "negation", "figure", "number")
    return all(
        any(item.group in counting or item.figure for item in read(text).items)
        for text in (d.first, d.second)
    )


def _denies_otherwise(differing: Sequence[Difference]) -> bool:
    return sum(1 for d in differing if d.kind == "negation" and _odd(d)) % 2 == 1


def _odd(d: Difference) -> bool:
    """Whether one side denies and the other does not."""
    if not d.first or not d.second:
        return True
    one, two = (
        any(item.group in _DENYING for item in read(text).items) for text in (d.first, d.second)
    )
    return one != two or not one


def _named_beside(differing: Sequence[Difference]) -> bool:
    """Whether what is denied is itself left out: "the plan, which was not cheap, was approved"."""
    for one, two in pairwise(differing):
        if one.kind == "negation" and not one.first and not two.first:
            gap = two.second_at[0] - one.second_at[1]
            if two.kind == "content" and 0 <= gap <= 4:
                return True
        if one.kind == "negation" and not one.second and not two.second:
            gap = two.first_at[0] - one.first_at[1]
            if two.kind == "content" and 0 <= gap <= 4:
                return True
    return False


_PASSIVE = frozenset(table("claims")["agents"].split())


def _swapped(differing: Sequence[Difference], one: Reading, two: Reading) -> list[Difference]:
    """Words in each other's place: who did what to whom, unless the verb was turned too."""
    moved = [d for d in differing if d.kind == "order" and d.first and d.second]
    pairs = {(d.first.casefold(), d.second.casefold()) for d in moved}
    crossed = [d for d in moved if (d.second.casefold(), d.first.casefold()) in pairs]
    if not crossed or _passives(one) != _passives(two):
        return []
    if len(crossed) == 2 and all(_listed(crossed, r, side) for r, side in ((one, 0), (two, 1))):
        return []
    return crossed


def _passives(reading: Reading) -> int:
    return sum(1 for item in reading.items if item.text in _PASSIVE)


_AND = frozenset(table("claims")["joins"].split())


def _listed(crossed: Sequence[Difference], reading: Reading, side: int) -> bool:
    """Whether two words stand side by side in a list."""
    places = sorted((d.first_at, d.second_at)[side] for d in crossed)
    gap = reading.text[places[0][1] : places[1][0]].casefold()
    words = [word for word in gap.replace(",", " , ").split() if word not in ("the", ",")]
    return len(words) <= 1 and (not words or words[0] in _AND)


# --- the facts of any other sentence


def _by_facts(
    wanted: Reading, compared: Sequence[_Compared], context: Context, restated: bool
) -> Found:
    missing = missing_facts(wanted, context)
    passage = _shown(compared[0].passage) if compared else ""
    if missing:
        return Found("unsupported", missing, passage)
    facts = context.facts_of(wanted)
    for one in compared[:MOST_PASSAGES]:
        if facts and not restated and _told_beside(wanted, one, context):
            return Found("supported", passage=_shown(one.passage))
    return Found("not_checkable", passage=passage)


_DECIDING = ("negation", "negating", "quantifier", "comparative", "modal", "hedge", "condition")


def _told_beside(wanted: Reading, one: _Compared, context: Context) -> bool:
    """Whether nearly all words of a sentence stand beside a passage, and none that turns it."""
    around = context.beside(one.passage, one.index)
    there: set[str] = set()
    for passage in around:
        there |= passage.words
    content = [item for item in wanted.telling if item.group in ("content", "negating")]
    if not content:
        return False
    covered = sum(1 for item in content if keys(item.text) <= there)
    if covered < COVERED * len(content) or not context.all_in(wanted, around):
        return False
    said = _deciding(wanted.items)
    told = _deciding(item for p in around for item in read(p.text).items)
    here = _deciding(one.reading.items)
    if any(told[key] < count for key, count in said.items()):
        return False
    return not any(key[0] in ("negation", "quantifier") and key not in said for key in here)


def _deciding(items: Iterable[Item]) -> Counter[tuple[str, object]]:
    return Counter((item.group, item.key) for item in items if item.group in _DECIDING)


def _shown(passage: Passage) -> str:
    text = passage.text
    if passage.header and passage.header != text:
        text = f"{passage.header}\n{text}"
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…"
