"""A grader's verdict, out of whatever it wrote around it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from fusion_graph.visible import without_thinking

VERDICT_KEYS = ("verdict", "criterion_status")
"""OpenRouter's harness asks for the first; runners after the paper's style for the second."""

REASON_KEYS = ("justification", "explanation")

RUBRIC_WORDS = {"MET": True, "UNMET": False, "NOT MET": False}
REFERENCE_WORDS = {"CORRECT": True, "INCORRECT": False, "NOT CORRECT": False}

REASON_CHARACTERS = 2000
"""How much of a justification is kept."""

MOST_OBJECTS = 50
"""Braces looked at in one reply; a grader writes one object."""


class Unreadable(Exception):
    """A reply without a verdict, or with two that disagree."""


def read_verdict(text: str, words: Mapping[str, bool]) -> tuple[bool, str]:
    """The verdict in a grader's reply, and why.

    Reads JSON in either published key style, bare, fenced or amid prose, JSON that was cut off
    after the verdict, and a bare word in capitals. Of several verdicts none is picked: unless
    they agree, there is no verdict.

    Args:
        text: The reply.
        words: What it may say, in capitals, and what that means.

    Raises:
        Unreadable: It does not say, or says both.
    """
    text = without_thinking(text)
    if not text:
        raise Unreadable("the reply was empty")
    stated = [data for data in _objects(text) if _first(data, VERDICT_KEYS) is not None]
    if stated:
        said = [_word(_first(data, VERDICT_KEYS), words, text) for data in stated]
        reasons = (_first(data, REASON_KEYS) for data in stated)
        reason = next((reason for reason in reasons if isinstance(reason, str)), "")
        return _agreed(said, text), reason.strip()[:REASON_CHARACTERS]
    one_of = "|".join(sorted((re.escape(w).replace("\\ ", "[ _]") for w in words), key=len)[::-1])
    keys = "|".join(VERDICT_KEYS)
    for pattern, flags in (
        (rf"\b(?:{keys})\b\W{{0,8}}({one_of})\b", re.IGNORECASE),
        (rf"\b({one_of})\b", 0),
    ):
        found = re.findall(pattern, text, flags)
        if found:
            said = [words[word.upper().replace("_", " ")] for word in found]
            return _agreed(said, text), text[:REASON_CHARACTERS]
    raise Unreadable(f"there is no verdict in {text[:200]!r}")


def _agreed(verdicts: list[bool], text: str) -> bool:
    if len(set(verdicts)) > 1:
        raise Unreadable(f"there are verdicts that disagree in {text[:200]!r}")
    return verdicts[0]


def _word(value: Any, words: Mapping[str, bool], text: str) -> bool:
    word = " ".join(re.findall(r"[A-Z]+", value.upper())) if isinstance(value, str) else ""
    if word not in words:
        raise Unreadable(f"the verdict is neither {' nor '.join(words)} in {text[:200]!r}")
    return words[word]


def _first(data: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    lowered = {key.strip().lower(): value for key, value in data.items()}
    return next((lowered[key] for key in keys if key in lowered), None)


def _objects(text: str) -> Iterator[Mapping[str, Any]]:
    """JSON objects in the text, outermost ones, from left to right."""
    decoder = json.JSONDecoder(strict=False)
    start = text.find("{")
    for _ in range(MOST_OBJECTS):
        if start == -1:
            return
        try:
            data, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            end = start + 1
        else:
            if isinstance(data, dict):
                yield data
        start = text.find("{", end)
