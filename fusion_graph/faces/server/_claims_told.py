"""What the page shows of an answer's claims, in words: it has none of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fusion_graph.text.claims import (
    SIGNS,
    Told,
    beside_claims,
    checker,
    counts,
    found_at,
    summed_up,
    verdict_words,
    worst_first,
)


def claims_told(report: Mapping[str, Any]) -> dict[str, Any]:
    """The claims of a report's answer as the page shows them.

    Args:
        report: As callers see it.

    Returns:
        `summary`, `sources` (what each bears out, by number), `losses` (degradations that no claim
        tells), and `claims`, the false ones first: `number` (from 1, in the answer's order),
        `verdict`, `sign`, `words`, `checker`, `sentence` as it reads, `sources`, `missing`,
        `passage`.
    """
    claims = [{**claim, "number": n} for n, claim in enumerate(report.get("claims", []), start=1)]
    return {
        "summary": summed_up(counts(claims)),
        "sources": found_at(claims),
        "losses": beside_claims(report["degradations"], claims),
        "claims": [_told(claim) for claim in worst_first(claims)],
    }


def _told(claim: Told) -> dict[str, Any]:
    from fusion_graph.report.html.markdown import plain_words

    kept = ("number", "verdict", "sources", "missing", "passage")
    return {
        **{name: claim[name] for name in kept},
        "sign": SIGNS[claim["verdict"]],
        "words": verdict_words(claim),
        "checker": checker(claim),
        "sentence": plain_words(claim["sentence"]),
    }
