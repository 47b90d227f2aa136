"""A judge's verdict, read out of whatever stands around it in its reply."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from fusion_graph.errors import UnreadableVerdict
from fusion_graph.judgement._labels import ITEMS_LIMIT, labels_in
from fusion_graph.judgement.verdict import Verdict, listed
from fusion_graph.text.mended_json import DEEPEST, LONGEST, Mended, json_objects, mended
from fusion_graph.text.thinking import without_thinking


class ReadVerdict(NamedTuple):
    """A verdict, and whether it broke off: then it holds the items that are whole."""

    verdict: Verdict
    cut: bool


def read_verdict(text: str) -> Verdict:
    """Read the verdict in a judge's text, whatever stands around it: see `find_verdict`.

    Raises:
        UnreadableVerdict: There is no JSON object in it, or not one of the wanted shape.
    """
    return find_verdict(text).verdict


def find_verdict(text: str) -> ReadVerdict:
    """Find the verdict in a judge's text, whatever stands around it.

    Reads JSON in a fence or with prose or `<think>` around it, strings where objects belong, and
    what models make of JSON: trailing commas, other quotes, Python's literals, comments, quotes
    that are not escaped. The last object that fits counts: a judge may first quote a verdict that
    somebody planted in an answer.

    Raises:
        UnreadableVerdict: There is no JSON object in it, or not one of the wanted shape.
    """
    text = without_thinking(text)
    if not text:
        raise UnreadableVerdict("judge_empty_completion", "The reply was empty.")
    mismatch: UnreadableVerdict | None = None
    # Inside an object that nothing could be made of, only a verdict is worth a look.
    found = [
        item
        for item in json_objects(text, _mend)
        if not item.within_broken or _is_verdict(item.data)
    ]
    for item in reversed(found):
        try:
            return ReadVerdict(_verdict(item.data), item.cut)
        except UnreadableVerdict as error:
            mismatch = mismatch or error
    if mismatch is not None:
        raise mismatch
    raise UnreadableVerdict("judge_not_valid_json", f"No complete JSON object in: {text[:200]!r}")


def _verdict(data: Mapping[str, Any]) -> Verdict:
    if isinstance(data.get("analysis"), dict) and not (data.keys() & Verdict.model_fields.keys()):
        data = data["analysis"]
    if not data.keys() & Verdict.model_fields.keys():
        wanted = ", ".join(Verdict.model_fields)
        raise UnreadableVerdict("judge_schema_mismatch", f"None of the keys {wanted} is there.")
    noted: dict[str, int] = {}
    try:
        verdict = Verdict.model_validate(_one_label_each(data), context=noted)
    except (ValidationError, RecursionError) as error:
        raise UnreadableVerdict(
            "judge_schema_mismatch", f"It is not of the shape: {error}"
        ) from None
    if noted.get("lost") and verdict == Verdict():
        raise UnreadableVerdict(
            "judge_schema_mismatch",
            'No item of its lists has the wanted shape: {"point", "labels", "sources"} and so on.',
        )
    return verdict


def _one_label_each(data: Mapping[str, Any]) -> dict[str, Any]:
    """Give each label a stance of its own, and make a point of an insight of several."""
    spread = dict(data)
    clashes = data.get("contradictions")
    if isinstance(clashes, list):
        spread["contradictions"] = [
            {**clash, "stances": [one for side in clash["stances"] for one in _sides(side)]}
            if isinstance(clash, dict) and isinstance(clash.get("stances"), list)
            else clash
            for clash in clashes[:ITEMS_LIMIT]
        ]
    insights = data.get("unique_insights")
    if isinstance(insights, list):
        shared = [i for i in insights[:ITEMS_LIMIT] if isinstance(i, dict) and len(_said_by(i)) > 1]
        if shared:
            spread["unique_insights"] = [i for i in insights if i not in shared]
            points = [{**i, "point": i.get("insight"), "labels": _said_by(i)} for i in shared]
            spread["partial_coverage"] = [*listed(data.get("partial_coverage")), *points]
    return spread


def _said_by(item: Mapping[str, Any]) -> list[str]:
    return labels_in(item.get("label") or item.get("labels"))


def _sides(side: Any) -> list[Any]:
    if not isinstance(side, dict):
        return [side]
    labels = _said_by(side)
    return [{**side, "label": label} for label in labels] if labels else [side]


KEYS = frozenset({*Verdict.model_fields, "analysis"})
"""What tells a verdict from any other object."""

_KEY = re.compile("|".join(sorted(KEYS)))


def _mend(text: str, start: int) -> Mended | None:
    # Prose has braces too: what is mended names a part of a verdict right at its beginning.
    head = text[start : start + 80]
    if not (_KEY.search(head) and re.match(r"\{\s*(?:[\"'“{/#\w]|$)", head)):
        return None
    end, whole = _extent(text, start)
    tail = text[start:].rstrip().removesuffix("```").rstrip()
    if end is not None and end != _IN_A_QUOTE:
        return Mended(mended(text[start:end]), end)
    # A quote that is not escaped hides where the object ends.
    if end == _IN_A_QUOTE and tail.endswith("}") and _is_verdict(data := mended(tail)):
        return Mended(data, len(text))
    return Mended(mended(whole), len(text), cut=True) if whole is not None else None


def _is_verdict(data: Any) -> bool:
    return isinstance(data, dict) and not data.keys().isdisjoint(KEYS)


_IN_A_QUOTE = -1
"""The end of an object that breaks off inside a text, or seems to."""


def _extent(text: str, start: int) -> tuple[int | None, str | None]:
    """Find the end of the object at `start`; for one that breaks off, its whole part, closed.

    Whole are the items of its lists: an item that broke off would say half of what was meant.
    """
    stack: list[str] = []
    quote, escaped = "", False
    whole: tuple[int, str] | None = None
    for at in range(start, min(len(text), start + LONGEST)):
        char = text[at]
        if quote:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == quote:
                quote = ""
                if "".join(stack) in _ITEM_LEVELS:
                    whole = at + 1, "".join(stack)
            continue
        if char == '"':
            quote = char
        elif char in "{[":
            stack.append(char)
            if len(stack) > DEEPEST:
                return None, None
        elif char in "}]" and stack:
            stack.pop()
            if not stack:
                return at + 1, None
            if "".join(stack) in _ITEM_LEVELS:
                whole = at + 1, "".join(stack)
    broke_off = _IN_A_QUOTE if quote else None
    if whole is None:
        return broke_off, None
    end, open_ = whole
    closers = {"{": "}", "[": "]"}
    return broke_off, text[start:end] + "".join(closers[char] for char in reversed(open_))


_ITEM_LEVELS = frozenset({"{[", "{{["})
"""Where an item of a verdict's list is complete: inside that list; wrapped in `analysis` or not."""
