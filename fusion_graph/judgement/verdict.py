"""The shape of a judge's verdict, tolerant of what models make of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
)

from fusion_graph.judgement._labels import ITEMS_LIMIT, first_label, labels_in
from fusion_graph.text.json_data import whole_characters

LONGEST_TEXT = 20_000
"""Most characters kept of one text."""


def _ids(value: Any) -> Any:
    items = value if isinstance(value, list) else [] if value is None else [value]
    found: list[int] = []
    for item in items:
        found += [int(n) for n in re.findall(r"\d{1,4}", str(item))]
    return list(dict.fromkeys(found))


def listed(value: Any) -> list[Any]:
    """Read what was written where a list belongs; blanks and nulls in it say nothing."""
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
    return listed(value)


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


def _bounded(value: Any) -> Any:
    """The text, cut to its bound, without halves of surrogate pairs."""
    if not isinstance(value, str):
        return value
    return whole_characters(value[:LONGEST_TEXT])


Text = Annotated[str, BeforeValidator(_bounded), Field(min_length=1)]
Label = Annotated[str, BeforeValidator(first_label)]
Labels = Annotated[list[str], BeforeValidator(labels_in)]
Ids = Annotated[list[int], BeforeValidator(_ids)]


class _Tolerant(BaseModel):
    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)


class VerdictPoint(_Tolerant):
    """A point and the labels of the answers that make it."""

    point: Text
    labels: Labels = []
    sources: Ids = []


class VerdictStance(_Tolerant):
    """The position of one answer on a topic."""

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
    """The judge's comparison as it writes it: five lists, over labels."""

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
