"""What stands around a quote on its page and turns it: a denial it was cut out of, words hidden."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fusion_graph.evidence._items import Item, Reading, read
from fusion_graph.evidence._pages import Page

DENIAL = "cut out of a denial"
HEDGE = "cut out of a hedge"


@dataclass(frozen=True, slots=True)
class Cut:
    """What a quote was cut out of, and whether that changes what it says."""

    note: str
    changes: bool


_CLAUSE = re.compile(
    r"[;:,，、；]|\b(?:but|although|though|while|whereas|because|however|and then|yet)\b",
    re.IGNORECASE,
)
_LEADING_AND = re.compile(r"\b(?:and|or)\s*$", re.IGNORECASE)
_SUBJECT = re.compile(
    r"(?:the|a|an|this|that|these|those|its|their|his|her|it|he|she|they|[A-Z])\b"
)


def cut_out(wanted: Reading, page: Page, start: int, end: int) -> Cut | None:
    """What the words before a passage, in its clause, deny or hedge; None where nothing does.

    Args:
        wanted: The quote.
        page: The page.
        start: Where the passage begins.
        end: Where it ends.
    """
    before = page.sentence_before(start)
    clause = _last_clause(before)
    if _LEADING_AND.search(clause) and _SUBJECT.match(wanted.text):
        return None
    language = read(before + page.text[start:end]).language  # a few words alone may mislead
    items = read(clause, language).items
    for distance, item in enumerate(reversed(items)):
        cut = _cut_by(item, items[len(items) - distance :], wanted, distance == len(items) - 1)
        if cut is not None:
            return cut
    if _denied_after(page.text[end : end + 6], wanted):
        return Cut(DENIAL, True)
    reported = read(before, wanted.language).items
    if any(item.group == "hedge" for item in reported):
        return Cut(HEDGE, False)
    return None


def _cut_by(item: Item, between: Sequence[Item], wanted: Reading, opens: bool) -> Cut | None:
    """What one word before a quote makes of it.

    A denial changes what is quoted where the quote is what is denied ("did not | approve the
    dose", "not show that the | drug helps"), and not where it is only named in a denial ("does
    not punish | a model that is slow").
    """
    near = all(other.group == "weak" or other.text in _POLAR for other in between)
    if item.group == "negation":
        if _spaceless(item.text):
            return Cut(DENIAL, True) if len(between) <= 3 else None
        denied = near or _tells(between, wanted) or _denies_subject(item, between, wanted)
        return Cut(DENIAL, denied and _says_something(wanted))
    if item.text == "few" and _denies_subject(item, between, wanted):
        return Cut(DENIAL, _says_something(wanted))
    if item.group == "negating" and (near or _tells(between, wanted)):
        return Cut(DENIAL, _says_something(wanted))
    if not near:
        return None
    if item.text in ("few", "little", "rarely", "seldom"):
        return Cut(DENIAL, _says_something(wanted))
    if item.text in _DOUBTING:
        return Cut(HEDGE, True)
    if item.group == "quantifier" and item.text in _PARTS and opens:
        return Cut(HEDGE, len(wanted.items) > 3)
    return None


def _denies_subject(item: Item, between: Sequence[Item], wanted: Reading) -> bool:
    """Whether a quote is what nobody is said to do: "no customers | complained about it"."""
    if item.text not in _OF_NONE or not wanted.items:
        return False
    first = wanted.items[0]
    telling = [other for other in between if other.group != "weak"]
    return len(telling) <= 3 and first.text not in _DETERMINERS and first.group == "content"


_OF_NONE = frozenset(("no", "few", "none", "neither", "nobody", "nothing"))


def _tells(between: Sequence[Item], wanted: Reading) -> bool:
    """Whether the quote is a clause that the words before it introduce: "show that the | drug"."""
    if wanted.items and wanted.items[0].text in _INTRODUCING:
        return True
    for item in reversed(between):
        if item.text in _INTRODUCING:
            return True
        if item.group != "weak":
            return False
    return False


_INTRODUCING = frozenset(
    ("that", "whether", "if", "to", "dass", "ob", "que", "che", "że", "že", "что")
)
_POLAR = frozenset(("any", "ever", "yet", "even", "all", "longer", "every", "each"))
_DOUBTING = frozenset(
    ("may", "might", "could", "would", "should", "can", "possibly", "perhaps", "probably", "likely")
)
_PARTS = frozenset(("some", "most", "half", "many", "several", "only"))
_DETERMINERS = frozenset(
    ("the", "a", "an", "its", "their", "this", "that", "these", "those", "any")
)


def _says_something(wanted: Reading) -> bool:
    """Whether a quote is more than a noun with its article: "the second dose" denies nothing."""
    first = wanted.items[0].text if wanted.items else ""
    return len(wanted.items) > 3 or (first not in _DETERMINERS and len(wanted.items) > 1)


def _last_clause(text: str) -> str:
    end = 0
    for match in _CLAUSE.finditer(text):
        end = match.end()
    return text[end:]


def _spaceless(text: str) -> bool:
    return bool(re.match(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]", text))


_AFTER = re.compile(r"(?:し)?(?:ない|なかっ|ませ|なく|なけ|ず|ぬ)|(?:하)?지\s*(?:않|못)")
"""Japanese and Korean deny at the end of the verb."""


def _denied_after(after: str, wanted: Reading) -> bool:
    return bool(_spaceless(wanted.text[-1:]) and _AFTER.match(after.lstrip()))


MOST_HIDDEN = 400
"""Characters that dots may stand for."""

MOST_BETWEEN_PARAGRAPHS = 80
"""The same where a paragraph ends among them."""

_END = re.compile(r"[.!?。！？](?:\s|$)")


def hidden(gap: str) -> str | None:
    """What dots in a quote hide that they must not; None where it is nothing.

    Args:
        gap: The page's words that the dots stand for.
    """
    paragraphs = len(re.findall(r"\n[ \t]*\n", gap))
    if paragraphs > 1 or len(gap) > (MOST_BETWEEN_PARAGRAPHS if paragraphs else MOST_HIDDEN):
        return "its dots join passages that stand far apart"
    items = read(gap).items
    if any(item.group in ("negation", "negating") for item in items):
        return "its dots hide a denial"
    if any(item.group == "figure" for item in items) and not _END.search(gap):
        return "its dots hide a figure"
    return None
