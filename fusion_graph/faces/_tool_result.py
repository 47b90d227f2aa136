"""What the fusion tool hands to the calling model: OpenRouter's result shape, never over a size."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fusion_graph.errors import (
    AllPanelistsFailed,
    ConfigurationError,
    EmptyQuestion,
    FusionRecursion,
)
from fusion_graph.text.claims import counts, is_false, worst_first
from fusion_graph.text.phrases import shortened

if TYPE_CHECKING:
    from fusion_graph.evidence import Reading

LEAST_CHARACTERS = 1_000
"""Smallest size a result may be held to: room for the empty shape and a few words."""

POINT_CHARACTERS = 200
"""To this length every text may be cut; only after that are whole points left out."""

ERROR_CHARACTERS = 600
"""How much of an error is told: enough for every panelist's reason, not for a page of HTML."""


def tool_result(report: Mapping[str, Any], max_characters: int) -> str:
    """A run's report as OpenRouter's fusion tool tells it, with the sources cited.

    `{"status": "ok", "analysis": {…}, "responses": [{model, content}], "failed_models": [{model,
    error, status_code}], "sources": [{id, url, title}], "claims": {supported: 8, contradicted: 1,
    false: [{sentence, sources, verdict, missing, page_says}]}}`. What there is none of is left out,
    but for `responses`. `model` is the panelist's name, as in the analysis; a source says
    `not_on_page` where words quoted from it were not found there. Of the claims of an answer that
    was checked only the false ones are told one by one.

    What is too long is cut, with a mark: long responses first, all to the same length; then the
    texts of the analysis. If points have to be left out, `truncated` says so.

    Args:
        report: The run's report, as plain data.
        max_characters: Most characters of the JSON text; at least `LEAST_CHARACTERS`.
    """
    from fusion_graph.evidence import read_citations
    from fusion_graph.judgement import Analysis

    analysis = report["analysis"]
    told = None if analysis is None else Analysis.model_validate(analysis).to_openrouter()
    known = [source["id"] for source in report["sources"]]
    readings = [
        read_citations(answer["content"], known)
        for answer in report["answers"]
        if answer["status"] == "ok"
    ]
    failed = [_failed(failure) for failure in report["failures"]]
    claims = _claims(report.get("claims"))
    bare = _payload(report, told, 0, readings, failed, claims)

    def with_responses_cut(limit: int) -> str:
        return _dump(_payload(report, told, limit, readings, failed, claims))

    def with_texts_cut(limit: int) -> str:
        return _dump(_shrunk(bare, limit))

    def with_points_left_out(limit: int) -> str:
        return _dump({**_shrunk(bare, POINT_CHARACTERS, limit), "truncated": True})

    longest = max((len(answer["content"]) for answer in report["answers"]), default=0)
    ways: tuple[tuple[Callable[[int], str], range], ...] = (
        (with_responses_cut, range(min(longest, max_characters) + 1)),
        (with_texts_cut, range(POINT_CHARACTERS, max_characters)),
        (with_points_left_out, range(max_characters)),
    )
    fitting = (_longest(make, limits, max_characters) for make, limits in ways)
    return next(text for text in fitting if text is not None)


def error_result(error: Exception) -> str:
    """An error as OpenRouter's fusion tool tells it: `{"status": "error", error, failure_reason}`.

    The reasons are OpenRouter's (`all_panels_failed`, `insufficient_credits`, `rate_limited`,
    `unexpected_error`), and `fusion_recursion`, `invalid_configuration`, `empty_task`. Of an error
    that nobody raised on purpose only the kind is told: its text may hold anything.
    """
    if isinstance(error, AllPanelistsFailed):
        reasons = [failure["reason"] for _, failure in error.members]
        told = next((r for r in ("insufficient_credits", "rate_limited") if r in reasons), None)
        share = ERROR_CHARACTERS // (len(error.members) or 1)
        members = [
            f"{name}: {failure['reason']}: {shortened(failure['detail'], share)}"
            for name, failure in error.members
        ]
        whole = "; ".join(["No panelist answered", *members])
        return refusal(whole, told or "all_panels_failed")
    if isinstance(error, FusionRecursion):
        return refusal(str(error), error.code)
    if isinstance(error, ConfigurationError):
        return refusal(str(error), "invalid_configuration")
    if isinstance(error, EmptyQuestion):
        return refusal(str(error), "empty_task")
    return refusal(f"The fusion failed: {type(error).__name__}.", "unexpected_error")


def refusal(error: str, failure_reason: str) -> str:
    """`{"status": "error", error, failure_reason}` as JSON."""
    error = _cut(error, ERROR_CHARACTERS)
    return _dump({"status": "error", "error": error, "failure_reason": failure_reason})


def _payload(
    report: Mapping[str, Any],
    analysis: dict[str, Any] | None,
    limit: int,
    readings: Sequence[Reading],
    failed: Sequence[dict[str, Any]],
    claims: dict[str, Any] | None,
) -> dict[str, Any]:
    """The result with every response cut to `limit` characters."""
    payload: dict[str, Any] = {"status": "ok"}
    if analysis is not None:
        payload["analysis"] = analysis
    payload["responses"] = [
        {"model": answer["name"], "content": _cut(answer["content"], limit)}
        for answer in report["answers"]
        if answer["status"] == "ok"
    ]
    if failed:
        payload["failed_models"] = failed
    shown = [len(r.text) if _cut(r.text, limit) == r.text else limit for r in readings]
    cited = {
        n
        for reading, end in zip(readings, shown, strict=True)
        for mark in reading.citations
        if mark.end <= end
        for n in mark.ids
    }
    if sources := [_source(source) for source in report["sources"] if source["id"] in cited]:
        payload["sources"] = sources
    if claims:
        payload["claims"] = claims
    return payload


def _claims(claims: Sequence[Mapping[str, Any]] | None) -> dict[str, Any] | None:
    if not claims:
        return None
    false = [_claim(claim) for claim in worst_first(claims) if is_false(claim)]
    return {**counts(claims), **({"false": false} if false else {})}


def _claim(claim: Mapping[str, Any]) -> dict[str, Any]:
    told = {key: claim[key] for key in ("sentence", "sources", "verdict")}
    if claim["missing"]:
        told["missing"] = claim["missing"]
    return {**told, "page_says": claim["passage"]} if claim["passage"] else told


def _failed(failure: Mapping[str, Any]) -> dict[str, Any]:
    detail = shortened(failure["detail"], ERROR_CHARACTERS)
    told = {"model": failure["name"], "error": f"{failure['reason']}: {detail}"}
    status = failure["http_status"]
    return told if status is None else {**told, "status_code": status}


def _source(source: Mapping[str, Any]) -> dict[str, Any]:
    told = {key: source[key] for key in ("id", "url", "title")}
    quotes = source["quotes"]
    false = [quote["text"] for quote in quotes if quote["verdict"] == "not_found"]
    altered = [
        {"quoted": quote["text"], "page_says": quote["page_says"]}
        for quote in quotes
        if quote["verdict"] == "altered"
    ]
    if altered:
        told["altered"] = altered
    return {**told, "not_on_page": false} if false else told


def _cut(text: str, limit: int) -> str:
    left_out = len(text) - limit
    mark = f" [cut here: {left_out} more characters]"
    # A cut that saves less than its mark takes would make the text longer.
    return text if left_out <= len(mark) else f"{text[:limit]}{mark}"


def _shrunk(value: Any, text_limit: int, item_limit: int | None = None) -> Any:
    """The value with every text cut and every list shortened."""
    if isinstance(value, dict):
        return {key: _shrunk(item, text_limit, item_limit) for key, item in value.items()}
    if isinstance(value, list):
        return [_shrunk(item, text_limit, item_limit) for item in value[:item_limit]]
    return _cut(value, text_limit) if isinstance(value, str) else value


def _longest(make: Callable[[int], str], limits: range, most: int) -> str | None:
    """What `make` gives for the highest limit at which it has at most `most` characters."""
    place = bisect_right(limits, most, key=lambda limit: len(make(limit)))
    return make(limits[place - 1]) if place else None


def _dump(data: Mapping[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False)
