"""A grader's verdict, out of whatever it wrote around it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from fusion_graph.errors import UnreadableGrade
from fusion_graph.evals._prose import stated, taken_back, withdrawn
from fusion_graph.text.mended_json import json_objects
from fusion_graph.text.thinking import without_thinking

VERDICT_KEYS = ("verdict", "criterion_status")
"""OpenRouter's harness asks for the first; runners after the paper's style for the second."""

REASON_KEYS = ("justification", "explanation")

RUBRIC_WORDS = {"MET": True, "UNMET": False, "NOT MET": False}
REFERENCE_WORDS = {"CORRECT": True, "INCORRECT": False, "NOT CORRECT": False}

REASON_CHARACTERS = 2000
"""How much of a justification is kept."""


def read_verdict(text: str, words: Mapping[str, bool], *, bare: bool = False) -> tuple[bool, str]:
    """The verdict in a grader's reply, and why.

    Reads JSON in either published key style, bare, fenced or amid prose, JSON that was cut off
    after the verdict, and prose that states a verdict plainly. Of several verdicts none is picked:
    unless they agree, there is no verdict; and none is taken that the words around it deny, hedge
    or take back.

    Args:
        text: The reply.
        words: What it may say, in capitals, and what that means.
        bare: Whether the whole reply must be one JSON object, its verdict spelt exactly.

    Raises:
        UnreadableGrade: It does not say, or says both.
    """
    text = without_thinking(text).strip()
    if not text:
        raise UnreadableGrade("the reply was empty")
    if bare:
        return _bare(text, words)
    objects = [item for item in json_objects(text) if _first(item.data, VERDICT_KEYS) is not None]
    if objects:
        said = [_word(_first(item.data, VERDICT_KEYS), words, text) for item in objects]
        verdict = _agreed(said, text)
        if _doubted(text, objects[0].start, objects[-1].end, verdict):
            raise UnreadableGrade(f"the verdict is doubted in {text[:200]!r}")
        reasons = (_first(item.data, REASON_KEYS) for item in objects)
        return verdict, _reason(next((one for one in reasons if isinstance(one, str)), ""))
    cut = _CUT_OFF.match(text)
    if cut:
        said = [_word(word, words, text) for word in _SAID.findall(text)]
        if said:
            return _agreed(said, text), _reason(text)
    found = None if cut else stated(text, words)
    if found is None:
        raise UnreadableGrade(f"there is no plain verdict in {text[:200]!r}")
    return found, _reason(text)


_CUT_OFF = re.compile(r"(?:```\w*\s*)?\{\s*\"")
"""Begins a JSON object, of which the end is missing if it could not be read."""

_SAID = re.compile(
    rf"(?<!\\)\"(?:{'|'.join(VERDICT_KEYS)})\"\s*:\s*\"([^\"]*)\"\s*(?:,\s*\"|,?\s*\}}|,?\s*\Z)",
    re.IGNORECASE,
)


def _bare(text: str, words: Mapping[str, bool]) -> tuple[bool, str]:
    try:
        data = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise UnreadableGrade(f"it is not one JSON object: {text[:200]!r}")
    said = next((data[key] for key in VERDICT_KEYS if key in data), None)
    if not isinstance(said, str) or said not in words:
        raise UnreadableGrade(f"the verdict is neither {' nor '.join(words)} in {text[:200]!r}")
    reason = next((data[key] for key in REASON_KEYS if isinstance(data.get(key), str)), "")
    return words[said], _reason(reason)


def _doubted(text: str, start: int, end: int, verdict: bool) -> bool:
    """Whether the words right before or after JSON take its verdict back."""
    before = text[:start].removesuffix("```json").removesuffix("```").rstrip(" \n`:")
    lead = re.split(r"[.!?\n]", before)[-1]
    after = text[end:].lstrip("`.! \n")
    return taken_back(lead) or withdrawn(after, verdict)


def _reason(text: str) -> str:
    return text.strip()[:REASON_CHARACTERS]


def _agreed(verdicts: list[bool], text: str) -> bool:
    if len(set(verdicts)) > 1:
        raise UnreadableGrade(f"there are verdicts that disagree in {text[:200]!r}")
    return verdicts[0]


def _word(value: Any, words: Mapping[str, bool], text: str) -> bool:
    word = re.sub(r"[\s_*`]+", " ", value).strip(" .!\"'").upper() if isinstance(value, str) else ""
    if word not in words or (isinstance(value, str) and value.lstrip().startswith("!")):
        raise UnreadableGrade(f"the verdict is neither {' nor '.join(words)} in {text[:200]!r}")
    return words[word]


def _first(data: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    lowered = {key.strip().lower(): value for key, value in data.items()}
    return next((lowered[key] for key in keys if key in lowered), None)
