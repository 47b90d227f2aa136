"""Verdicts on a page: marks in the answer, each with a card that shows what the check found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from fusion_graph.report.html._citations import MOST_CARDS
from fusion_graph.report.html._environment import template
from fusion_graph.report.html._markdown import Claimed, plain_words
from fusion_graph.text.claims import (
    SIGNS,
    Told,
    checker,
    counts,
    found_at,
    is_false,
    summed_up,
    verdict_words,
    worst_first,
)

if TYPE_CHECKING:
    from fusion_graph.report.model import ReportedClaim


@dataclass(frozen=True)
class Verdict:
    """A claim as the page shows it.

    Attributes:
        number: Its place in the answer, from 1; names its entry in the list.
        kind: The verdict, as a class of the page's style.
        sign: The verdict's sign.
        words: What the verdict means.
        checker: Who checked it.
        sentence: The claim as it reads.
        sources: The numbers it cites.
        missing: What is on none of its pages.
        passage: The page's words that decide, or nothing.
    """

    number: int
    kind: str
    sign: str
    words: str
    checker: str
    sentence: str
    sources: list[int]
    missing: list[str]
    passage: str


class Verdicts:
    """What a page says of its answer's claims.

    Args:
        claims: The report's.
        macros: The template whose `mark` and `link` draw a claim's sign in the answer.

    Attributes:
        summary: How many there are of each verdict, in words.
        false: How many are not what their pages say.
        found: What each source bears out, by its number.
        listed: The claims, the false ones first.
    """

    def __init__(self, claims: Sequence[ReportedClaim], macros: str = "claim.html") -> None:
        told = [{**claim.model_dump(), "number": n} for n, claim in enumerate(claims, start=1)]
        self._sentences = [claim["sentence"] for claim in told]
        self._verdicts = [_verdict(claim) for claim in told]
        self.summary = summed_up(counts(told))
        self.false = sum(map(is_false, told))
        self.found = found_at(told)
        self.listed = [self._verdicts[claim["number"] - 1] for claim in worst_first(told)]
        # Macros escape what they are given, and return Markup.
        self._macros: Any = template(macros).module

    def in_answer(self) -> Claimed:
        """The claims, for the answer in which they are to be marked."""
        return Claimed(self._sentences, self._around, self._after)

    def _around(self, claim: int) -> Markup:
        verdict = self._verdicts[claim]
        return Markup('<span class="claim {}" title="{}">').format(verdict.kind, verdict.words)

    def _after(self, claim: int) -> Markup:
        verdict = self._verdicts[claim]
        write = self._macros.mark if claim < MOST_CARDS else self._macros.link
        return Markup(write(verdict))  # noqa: S704


def _verdict(claim: Told) -> Verdict:
    return Verdict(
        number=claim["number"],
        kind=claim["verdict"],
        sign=SIGNS[claim["verdict"]],
        words=verdict_words(claim),
        checker=checker(claim),
        sentence=plain_words(claim["sentence"]),
        sources=claim["sources"],
        missing=claim["missing"],
        passage=claim["passage"],
    )
