"""Of which kind a difference is: a figure, a denial, a name, or any other word."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from fusion_graph.evidence import _english as english
from fusion_graph.evidence._figures import Figure
from fusion_graph.evidence._items import ANTONYMS, Item

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
    """Tell what two items differ in.

    Args:
        first: An item; None where the other stands for nothing.
        second: The other text's; None likewise.
    """
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
