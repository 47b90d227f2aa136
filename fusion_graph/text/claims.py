"""The verdicts on an answer's claims, in words: the same ones on every face."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Told = Mapping[str, Any]
"""A claim as a record has it: `sentence`, `sources`, `verdict`, `missing`, `passage`,
`checked_by`."""

SIGNS = {"contradicted": "✗", "unsupported": "!", "not_checkable": "?", "supported": "✓"}
"""The sign of every verdict; what a reader has to know first comes first."""

_WORDS = {
    "contradicted": "contradicted: what it cites says something else",
    "unsupported": "unsupported: what it cites does not say all of this",
    "not_checkable": "not checkable: the check cannot tell",
    "supported": "supported: what it cites says so",
}

_CODES = frozenset({"claim_contradicted", "claim_unsupported"})
"""Degradations that say again what the claims say themselves."""


def is_false(claim: Told) -> bool:
    """Tell whether a claim is not what its pages say."""
    return claim["verdict"] in ("contradicted", "unsupported")


def worst_first(claims: Iterable[Told]) -> list[Told]:
    """The claims by verdict, what is false before what is not, else as they stand."""
    order = list(SIGNS)
    return sorted(claims, key=lambda claim: order.index(claim["verdict"]))


def counts(claims: Iterable[Told]) -> dict[str, int]:
    """Count the claims of every verdict that there is."""
    verdicts = [claim["verdict"] for claim in claims]
    return {verdict: verdicts.count(verdict) for verdict in reversed(SIGNS) if verdict in verdicts}


def summed_up(numbers: Mapping[str, int]) -> str:
    """`11 claims checked: 8 supported, 1 contradicted, 2 not checkable`; empty where none were.

    Args:
        numbers: How many claims there are of every verdict, among other things perhaps.
    """
    parts = [
        f"{numbers[verdict]} {verdict.replace('_', ' ')}"
        for verdict in ("supported", "contradicted", "unsupported", "not_checkable")
        if numbers.get(verdict)
    ]
    total = sum(numbers.get(verdict, 0) for verdict in SIGNS)
    return f"{_claims(total)} checked: {', '.join(parts)}" if total else ""


def found_at(claims: Iterable[Told]) -> dict[int, str]:
    """Say what each source bears out, by its number: `7 of 8 claims found there`.

    A source is left out where no claim that cites it could be checked.
    """
    citing: dict[int, list[str]] = {}
    for claim in claims:
        for n in dict.fromkeys(claim["sources"]):
            citing.setdefault(n, []).append(claim["verdict"])
    return {
        n: f"{verdicts.count('supported')} of {_claims(len(verdicts))} found there"
        for n, verdicts in citing.items()
        if any(verdict != "not_checkable" for verdict in verdicts)
    }


def verdict_words(claim: Told) -> str:
    """Say what a claim's verdict means: `contradicted: what it cites says something else`."""
    return _WORDS[claim["verdict"]]


def checker(claim: Told) -> str:
    """Say who checked a claim."""
    return "checked by a model" if claim["checked_by"] == "model" else "checked by code"


def beside_claims(losses: Sequence[Told], claims: Sequence[Told]) -> list[Told]:
    """The degradations that the claims, where they are shown, do not tell themselves."""
    has_false = any(is_false(claim) for claim in claims)
    return [loss for loss in losses if not (has_false and loss["code"] in _CODES)]


def _claims(number: int) -> str:
    return "1 claim" if number == 1 else f"{number:,} claims"
