"""The bounds of a judge's verdict, and the JSON schema that asks for one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Bounds:
    """The bounds of a verdict, so that it is whole before its tokens are used up.

    Attributes:
        items: Most items of each of its lists.
        characters: Most characters of a text in it.
        answers: How many answers there are to have labels.
    """

    items: int
    characters: int
    answers: int

    @property
    def words(self) -> int:
        """About as many words as the characters make."""
        return self.characters // 6


CHARACTERS_PER_TOKEN = 3
"""Of JSON with short texts in it, on the low side of what tokenizers of small models make of it."""

ITEM_CHARACTERS = 60
"""What stands around the text of an item: braces, keys, labels, sources."""


def bounds_for(tokens: int | None, answers: int) -> Bounds:
    """Find the longest verdict that a reply has room for.

    Args:
        tokens: Room of the reply; None if nothing is known to bound it.
        answers: How many answers are compared.
    """
    room = (tokens or 16_000) * CHARACTERS_PER_TOKEN * 3 // 4  # a quarter for what is odd
    texts = 5 + answers  # of an item of each list, a stance for each answer
    for characters in (400, 240, 150):
        items = room // (texts * (characters + ITEM_CHARACTERS))
        if items >= 3:
            return Bounds(min(items, 12), characters, answers)
    return Bounds(max(1, room // (texts * (100 + ITEM_CHARACTERS))), 100, answers)


def wire_schema(bounds: Bounds | None = None) -> dict[str, Any]:
    """Write the verdict's JSON schema as providers' strict modes want it: all required.

    Args:
        bounds: Written into the schema, for servers that hold a model to it by grammar. OpenAI's
            strict mode knows no `maxLength`, Anthropic's neither of the two.
    """
    text: dict[str, Any] = {"type": "string"}
    ids: dict[str, Any] = {"type": "array", "items": {"type": "integer"}}
    label: dict[str, Any] = {"type": "string"}
    if bounds is not None:
        text["maxLength"] = bounds.characters
        label["maxLength"] = 20
        ids["maxItems"] = 8

    def record(**properties: Any) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }

    def many(item: dict[str, Any], most: int | None = None) -> dict[str, Any]:
        listed = {"type": "array", "items": item}
        return listed if bounds is None else {**listed, "maxItems": most or bounds.items}

    each = bounds.answers if bounds is not None else None
    point = record(point=text, labels=many(label, each), sources=ids)
    stance = record(label=label, stance=text, sources=ids)
    return record(
        consensus=many(point),
        contradictions=many(record(topic=text, stances=many(stance, each))),
        partial_coverage=many(point),
        unique_insights=many(record(insight=text, label=label, sources=ids)),
        blind_spots=many(text),
    )
