"""What the judge writes: its shape, and how it is read out of whatever stands around it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from fusion_graph.visible import without_thinking

JudgeFailureCode = Literal[
    "judge_not_valid_json",
    "judge_schema_mismatch",
    "judge_upstream_error",
    "judge_empty_completion",
]
"""OpenRouter's names for the ways a judge can fail."""

ITEMS_LIMIT = 200
"""Most items kept of one list: far above what a judge writes, and a bound on a runaway one."""


def _label(value: Any) -> Any:
    """A label as it was given: judges write `A`, `Answer A`, `[A]` or `a`."""
    if not isinstance(value, str):
        return value
    words = re.findall(r"[A-Za-z]+", value)
    return words[-1].upper() if words else ""


def _labels(value: Any) -> Any:
    items = [value] if isinstance(value, str) else value
    if isinstance(items, list) and len(items) == 1 and isinstance(items[0], str):
        items = re.split(r"[,;/&]|\band\b", items[0])
    return [_label(item) for item in items] if isinstance(items, list) else items


def _ids(value: Any) -> Any:
    items = value if isinstance(value, list) else [] if value is None else [value]
    found: list[int] = []
    for item in items:
        found += [int(n) for n in re.findall(r"\d{1,4}", str(item))]
    return list(dict.fromkeys(found))


def _texts(value: Any) -> Any:
    value = [value] if isinstance(value, dict) else value
    if isinstance(value, list):
        return [
            next((v for v in item.values() if isinstance(v, str)), "")
            if isinstance(item, dict)
            else item
            for item in value[:ITEMS_LIMIT]
        ]
    return [value] if isinstance(value, str) and value.strip() else value or []


def _wrapped(key: str) -> Any:
    """Reads a bare string where an object belongs: judges often write `["point", …]`."""

    def wrap(value: Any) -> Any:
        return {key: value} if isinstance(value, str) else value

    return BeforeValidator(wrap)


def _listed(value: Any) -> Any:
    items = [value] if isinstance(value, dict | str) else [] if value is None else value
    return items[:ITEMS_LIMIT] if isinstance(items, list) else items


_HALF_A_CHARACTER = re.compile("[\ud800-\udfff]")


def _whole_characters(value: Any) -> Any:
    """The text without halves of surrogate pairs: half an emoji is no reason to lose a verdict."""
    return _HALF_A_CHARACTER.sub("\ufffd", value) if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_whole_characters), Field(min_length=1, max_length=20_000)]
Label = Annotated[str, BeforeValidator(_label)]
Labels = Annotated[list[str], BeforeValidator(_labels)]
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
    stances: Annotated[
        list[Annotated[VerdictStance, _wrapped("stance")]], BeforeValidator(_listed)
    ] = []


class VerdictInsight(_Tolerant):
    """Something only one answer says."""

    insight: Text
    label: Label = ""
    sources: Ids = []


class Verdict(_Tolerant):
    """What the judge may say: the five lists, over labels."""

    consensus: Annotated[
        list[Annotated[VerdictPoint, _wrapped("point")]], BeforeValidator(_listed)
    ] = []
    contradictions: Annotated[
        list[Annotated[VerdictContradiction, _wrapped("topic")]], BeforeValidator(_listed)
    ] = []
    partial_coverage: Annotated[
        list[Annotated[VerdictPoint, _wrapped("point")]], BeforeValidator(_listed)
    ] = []
    unique_insights: Annotated[
        list[Annotated[VerdictInsight, _wrapped("insight")]], BeforeValidator(_listed)
    ] = []
    blind_spots: Annotated[list[Text], BeforeValidator(_texts)] = []


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


FENCED = re.compile(r"```[a-zA-Z]*\s*\n?(.*?)(?:```|\Z)", re.DOTALL)


def read_verdict(text: str) -> Verdict:
    """The verdict in a judge's text, whatever stands around it.

    Reads plain JSON, JSON in a fence, JSON with prose or `<think>` around it, and strings where
    objects belong.

    Raises:
        Unreadable: There is no JSON object in it, or not one of the wanted shape.
    """
    text = without_thinking(text)
    if not text:
        raise Unreadable("judge_empty_completion", "The reply was empty.")
    mismatch: Unreadable | None = None
    for data in _objects(text):
        try:
            return _verdict(data)
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
    try:
        return Verdict.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Unreadable("judge_schema_mismatch", f"{where}: {first['msg']}") from None


KEYS = frozenset({*Verdict.model_fields, "analysis"})
"""What tells a verdict from any other object."""


def _objects(text: str) -> Iterable[Mapping[str, Any]]:
    """JSON objects in the text: the whole, then fences, then from each outer brace on."""
    for candidate in (text, *(match[1] for match in FENCED.finditer(text))):
        data = _loads(candidate.strip())
        if isinstance(data, dict):
            yield data
    decoder = json.JSONDecoder(strict=False)
    start, tries, broken = text.find("{"), 0, False
    while start != -1 and tries < 50:
        tries += 1
        try:
            data, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            end, broken = start + 1, True
        else:
            # Inside an object that was cut off, only a verdict is worth a look.
            if isinstance(data, dict) and not (broken and data.keys().isdisjoint(KEYS)):
                yield data
        start = text.find("{", end)


def _loads(text: str) -> Any:
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None


def wire_schema() -> dict[str, Any]:
    """The verdict's JSON schema as providers' strict modes want it: no defaults, all required."""
    text = {"type": "string"}
    ids = {"type": "array", "items": {"type": "integer"}}

    def record(**properties: Any) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }

    def many(item: dict[str, Any]) -> dict[str, Any]:
        return {"type": "array", "items": item}

    point = record(point=text, labels=many(text), sources=ids)
    stance = record(label=text, stance=text, sources=ids)
    return record(
        consensus=many(point),
        contradictions=many(record(topic=text, stances=many(stance))),
        partial_coverage=many(point),
        unique_insights=many(record(insight=text, label=text, sources=ids)),
        blind_spots=many(text),
    )
