"""What the judge writes: its shape, and how it is read out of whatever stands around it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
)

from fusion_graph.text.mended_json import DEEPEST, LONGEST, mended
from fusion_graph.text.thinking import without_thinking

JudgeFailureCode = Literal[
    "judge_not_valid_json",
    "judge_schema_mismatch",
    "judge_upstream_error",
    "judge_empty_completion",
]
"""OpenRouter's names for the ways a judge can fail."""

ITEMS_LIMIT = 200
"""Most items kept of one list: far above what a judge writes, and a bound on a runaway one."""


_REMARK = re.compile(r"\([^()]{2,200}\)")
_RANGE = re.compile(
    r"(?<![A-Za-z])([A-Z])\s*(?:-|–|—|\.\.+|\bto\b|\bthrough\b)\s*([A-Z])(?![A-Za-z])"
)
_FILLER = frozenset(
    """answer answers panelist panelists panellist panellists model models member members response
    responses label labels candidate candidates expert experts option options and or the both
    only""".split()  # noqa: SIM905
)


def _labels(value: Any, depth: int = 0) -> list[str]:
    """Labels as judges write them: `A`, `Answer A`, `a`, `A (first)`, `A and B`, `A/B`, `A-C`.

    Words that are no labels count only where nothing else is said, to be told as unknown.
    """
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        if depth > 3:
            return []
        found = [label for item in value[:ITEMS_LIMIT] for label in _labels(item, depth + 1)]
        return list(dict.fromkeys(found))
    if not isinstance(value, str):
        return []
    text = _REMARK.sub(" ", value[:500])
    ranged = [
        chr(letter)
        for first, last in _RANGE.findall(text)
        for letter in range(ord(first), ord(last) + 1)
    ]
    words = re.findall(r"[A-Za-z]+", text)
    letters = [word for word in words if len(word) == 1]
    said = [word for word in words if len(word) > 1 and word.lower() not in _FILLER]
    if said and any(letter.isupper() for letter in letters):
        letters = [letter for letter in letters if letter.isupper()]  # not the article
    elif said:
        letters = []
    found = [letter.upper() for letter in (*letters, *ranged)]
    if found:
        return sorted(set(found)) if ranged else list(dict.fromkeys(found))
    return [words[-1].upper()[:40]] if words else []


LONGEST_TEXT = 20_000
"""Most characters kept of one text."""


def _read_labels(value: Any) -> list[str]:
    return _labels(value)


def _label(value: Any) -> str:
    """The one label where one belongs."""
    return next(iter(_labels(value)), "")


def _ids(value: Any) -> Any:
    items = value if isinstance(value, list) else [] if value is None else [value]
    found: list[int] = []
    for item in items:
        found += [int(n) for n in re.findall(r"\d{1,4}", str(item))]
    return list(dict.fromkeys(found))


def _listed(value: Any) -> list[Any]:
    """What was written where a list belongs; blanks and nulls in it say nothing."""
    items = [value] if isinstance(value, dict | str) else value
    if not isinstance(items, list):
        return []
    return [item for item in items[:ITEMS_LIMIT] if not _blank(item)]


def _blank(value: Any) -> bool:
    return value is None or value == {} or (isinstance(value, str) and not value.strip())


def _texts(value: Any, info: ValidationInfo) -> list[str]:
    texts = [
        next((v for v in item.values() if isinstance(v, str)), None)
        if isinstance(item, dict)
        else item
        for item in _counted(value, info)
    ]
    _note(info, sum(not isinstance(text, str) for text in texts))
    return [text for text in texts if isinstance(text, str) and text.strip()]


def _counted(value: Any, info: ValidationInfo) -> list[Any]:
    """The list, with a note where something stands that is none."""
    _note(info, int(value is not None and not isinstance(value, list | dict | str)))
    return _listed(value)


def _note(info: ValidationInfo, lost: int) -> None:
    """Note how many items could not be read."""
    if isinstance(info.context, dict):
        info.context["lost"] = info.context.get("lost", 0) + lost


def _kept(kind: type[BaseModel], key: str) -> Any:
    """Reads the items of a list one by one; what is no item is lost alone.

    A bare string stands for an object of which only `key` was written.
    """

    def keep(value: Any, info: ValidationInfo) -> list[Any]:
        items = []
        for item in _counted(value, info):
            data = {key: item} if isinstance(item, str) else item
            if isinstance(data, dict) and key in data and _blank(data[key]):
                continue  # nothing is said, so nothing is lost
            try:
                items.append(kind.model_validate(data, context=info.context))
            except (ValidationError, RecursionError):
                _note(info, 1)
        return items

    return BeforeValidator(keep)


_HALF_A_CHARACTER = re.compile("[\ud800-\udfff]")


def _whole_characters(value: Any) -> Any:
    """The text without halves of surrogate pairs: half an emoji is no reason to lose a verdict."""
    if not isinstance(value, str):
        return value
    return _HALF_A_CHARACTER.sub("\ufffd", value[:LONGEST_TEXT])


Text = Annotated[str, BeforeValidator(_whole_characters), Field(min_length=1)]
Label = Annotated[str, BeforeValidator(_label)]
Labels = Annotated[list[str], BeforeValidator(_read_labels)]
Ids = Annotated[list[int], BeforeValidator(_ids)]


class _Tolerant(BaseModel):
    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)


class VerdictPoint(_Tolerant):
    """A point and the labels of the answers that make it."""

    point: Text
    labels: Labels = []
    sources: Ids = []


class VerdictStance(_Tolerant):
    """What one answer holds on a topic."""

    label: Label = ""
    stance: Text
    sources: Ids = []


class VerdictContradiction(_Tolerant):
    """A topic on which answers disagree."""

    topic: Text
    stances: Annotated[list[VerdictStance], _kept(VerdictStance, "stance")] = []


class VerdictInsight(_Tolerant):
    """Something only one answer says."""

    insight: Text
    label: Label = ""
    sources: Ids = []


class Verdict(_Tolerant):
    """What the judge may say: the five lists, over labels."""

    consensus: Annotated[list[VerdictPoint], _kept(VerdictPoint, "point")] = []
    contradictions: Annotated[list[VerdictContradiction], _kept(VerdictContradiction, "topic")] = []
    partial_coverage: Annotated[list[VerdictPoint], _kept(VerdictPoint, "point")] = []
    unique_insights: Annotated[list[VerdictInsight], _kept(VerdictInsight, "insight")] = []
    blind_spots: Annotated[list[Text], BeforeValidator(_texts)] = []

    def source_ids(self) -> set[int]:
        """The numbers of all sources that it names."""
        return {n for item in self._with_sources() for n in item.sources}

    def renumbered(self, ids: Mapping[int, int]) -> Verdict:
        """The verdict with new numbers for its sources; one without a new number stays.

        Args:
            ids: The new number of each old one.
        """
        copy = self.model_copy(deep=True)
        for item in copy._with_sources():
            item.sources = [ids.get(n, n) for n in item.sources]
        return copy

    def _with_sources(self) -> list[VerdictPoint | VerdictStance | VerdictInsight]:
        stances = [side for clash in self.contradictions for side in clash.stances]
        return [*self.consensus, *stances, *self.partial_coverage, *self.unique_insights]


class Unreadable(Exception):
    """A judge's text that is not an analysis.

    Args:
        code: One of `JudgeFailureCode`.
        detail: What is wrong with it, for the judge's second try and for the report.
    """

    def __init__(self, code: JudgeFailureCode, detail: str) -> None:
        super().__init__(detail)
        self.code: JudgeFailureCode = code
        self.detail = detail


class ReadVerdict(NamedTuple):
    """A verdict, and whether it broke off: then it holds the items that are whole."""

    verdict: Verdict
    cut: bool


def read_verdict(text: str) -> Verdict:
    """The verdict in a judge's text, whatever stands around it: see `find_verdict`.

    Raises:
        Unreadable: There is no JSON object in it, or not one of the wanted shape.
    """
    return find_verdict(text).verdict


def find_verdict(text: str) -> ReadVerdict:
    """The verdict in a judge's text, whatever stands around it.

    Reads JSON in a fence or with prose or `<think>` around it, strings where objects belong, and
    what models make of JSON: trailing commas, other quotes, Python's literals, comments, quotes
    that are not escaped. The last object that fits counts: a judge may first quote a verdict that
    somebody planted in an answer.

    Raises:
        Unreadable: There is no JSON object in it, or not one of the wanted shape.
    """
    text = without_thinking(text)
    if not text:
        raise Unreadable("judge_empty_completion", "The reply was empty.")
    mismatch: Unreadable | None = None
    for data, cut in reversed(list(_objects(text))):
        try:
            return ReadVerdict(_verdict(data), cut)
        except Unreadable as error:
            mismatch = mismatch or error
    if mismatch is not None:
        raise mismatch
    raise Unreadable("judge_not_valid_json", f"No complete JSON object in: {text[:200]!r}")


def _verdict(data: Mapping[str, Any]) -> Verdict:
    if isinstance(data.get("analysis"), dict) and not (data.keys() & Verdict.model_fields.keys()):
        data = data["analysis"]
    if not data.keys() & Verdict.model_fields.keys():
        wanted = ", ".join(Verdict.model_fields)
        raise Unreadable("judge_schema_mismatch", f"None of the keys {wanted} is there.")
    noted: dict[str, int] = {}
    try:
        verdict = Verdict.model_validate(_one_label_each(data), context=noted)
    except (ValidationError, RecursionError) as error:
        raise Unreadable("judge_schema_mismatch", f"It is not of the shape: {error}") from None
    if noted.get("lost") and verdict == Verdict():
        raise Unreadable(
            "judge_schema_mismatch",
            'No item of its lists has the wanted shape: {"point", "labels", "sources"} and so on.',
        )
    return verdict


def _one_label_each(data: Mapping[str, Any]) -> dict[str, Any]:
    """The data with a stance for each of its labels, and no insight of several: it is a point."""
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
            spread["partial_coverage"] = [*_listed(data.get("partial_coverage")), *points]
    return spread


def _said_by(item: Mapping[str, Any]) -> list[str]:
    return _labels(item.get("label") or item.get("labels"))


def _sides(side: Any) -> list[Any]:
    if not isinstance(side, dict):
        return [side]
    labels = _said_by(side)
    return [{**side, "label": label} for label in labels] if labels else [side]


KEYS = frozenset({*Verdict.model_fields, "analysis"})
"""What tells a verdict from any other object."""

MOST_TRIES = 50
"""Most places of a text at which an object is looked for, and most that are mended."""

_KEY = re.compile("|".join(sorted(KEYS)))


def _objects(text: str) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """The objects of a text, outermost ones, in order, and whether each broke off."""
    decoder = json.JSONDecoder(strict=False)
    start, tries, broken = text.find("{"), 0, False
    while start != -1 and tries < MOST_TRIES:
        tries += 1
        cut = False
        try:
            data, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            data, end, cut = _broken(text, start)
        if isinstance(data, dict):
            # Inside an object that nothing could be made of, only a verdict is worth a look.
            if not (broken and data.keys().isdisjoint(KEYS)):
                yield data, cut
        else:
            end, broken = start + 1, True
        start = text.find("{", end)


def _broken(text: str, start: int) -> tuple[Any, int, bool]:
    """What an object that is no JSON was meant to be, where it ends, and whether it broke off."""
    # Prose has braces too: what is mended names a part of a verdict right at its beginning.
    head = text[start : start + 80]
    if not (_KEY.search(head) and re.match(r"\{\s*(?:[\"'“{/#\w]|$)", head)):
        return None, start, False
    end, whole = _extent(text, start)
    tail = text[start:].rstrip().removesuffix("```").rstrip()
    if end is not None and end != _IN_A_QUOTE:
        return mended(text[start:end]), end, False
    # A quote that is not escaped hides where the object ends.
    if end == _IN_A_QUOTE and tail.endswith("}") and _is_verdict(data := mended(tail)):
        return data, len(text), False
    if whole is None:
        return None, start, False
    return mended(whole), len(text), True


def _is_verdict(data: Any) -> bool:
    return isinstance(data, dict) and not data.keys().isdisjoint(KEYS)


_IN_A_QUOTE = -1
"""The end of an object that breaks off inside a text, or seems to."""


def _extent(text: str, start: int) -> tuple[int | None, str | None]:
    """Where the object at `start` ends; for one that breaks off, its part that is whole, closed.

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


@dataclass(frozen=True)
class Bounds:
    """How long a verdict may be, so that it is whole before its tokens are used up.

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
    """The longest verdict that a reply has room for.

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
    """The verdict's JSON schema as providers' strict modes want it: no defaults, all required.

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
