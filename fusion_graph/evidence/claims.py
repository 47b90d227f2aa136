"""Claims: every cited sentence of an answer, held against the pages that it cites, by code alone.

Where a page says the sentence in other words, code cannot tell: `not_checkable`. What it can tell
is whether the figures, dates, names and quoted words are there, near what they are said of, and
whether a sentence that is much like one of the page differs from it in what decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from typing_extensions import TypedDict

from fusion_graph.evidence._cited_sentences import CitedSentence, cited_sentences
from fusion_graph.evidence._claim_check import Found, check_sentence
from fusion_graph.evidence._passages import PageIndex, passages
from fusion_graph.evidence._surroundings import DENIAL, HEDGE
from fusion_graph.evidence.citations import ANY_SOURCE
from fusion_graph.evidence.quotes import Checked, check_quotes

ClaimVerdict = Literal["supported", "contradicted", "unsupported", "not_checkable"]
"""`supported`: a cited page says it. `contradicted`: a cited passage about the same thing differs.
`unsupported`: a figure, date, name or quoted word is on no cited page and follows from none.
`not_checkable`: code cannot tell, or nobody read the page."""

MOST_CLAIMS = 300
"""Sentences of one answer that are checked; more are `not_checkable`."""

LONGEST_CLAIM = 1_500
"""Characters of a sentence that is checked."""

MOST_PAGES = 6
"""Pages of one sentence that are looked at."""

__all__ = ["Claim", "ClaimVerdict", "check_claims", "passages"]


class Claim(TypedDict):
    """A cited sentence of an answer and what became of checking it.

    `sentence` stands as in the answer, without its citations; `missing` is what is on no cited
    page, in the answer's words; `passage` the page's own words that decide. Both may be empty.
    """

    sentence: str
    sources: list[int]
    verdict: ClaimVerdict
    missing: list[str]
    passage: str
    checked_by: Literal["code", "model"]


def check_claims(answer: str, pages: Mapping[int, str]) -> list[Claim]:
    """Every sentence of an answer that cites, checked against the pages it cites.

    Linear in answer and pages, and bounded for every sentence: some seconds for the longest.

    Args:
        answer: Markdown. Code and headings hold no claims; a row of a table is one.
        pages: The text of each page that was read, by the number that the answer cites it with.
    """
    sentences = list(cited_sentences(answer, pages.keys() or ANY_SOURCE))
    checked = sentences[:MOST_CLAIMS]
    indexed: dict[int, PageIndex] = {}
    for n in dict.fromkeys(n for sentence in checked for n in sentence.sources):
        if n in pages:
            indexed[n] = PageIndex(pages[n])
    quotes = _checked_quotes(checked, pages)
    claims = [_claim(sentence, indexed, quotes) for sentence in checked]
    return claims + [
        _told(sentence, Found("not_checkable")) for sentence in sentences[MOST_CLAIMS:]
    ]


def _claim(
    sentence: CitedSentence,
    indexed: Mapping[int, PageIndex],
    quotes: Mapping[tuple[int, str], Checked],
) -> Claim:
    read = [n for n in sentence.sources if n in indexed][:MOST_PAGES]
    if not read or len(sentence.text) > LONGEST_CLAIM:
        return _told(sentence, Found("not_checkable"))
    around = _around_quotes(sentence)
    found = check_sentence(around, [indexed[n] for n in read])
    if found.verdict == "supported":
        found = _cut_out(around.text, found)
    every = len(read) == len(sentence.sources)
    if found.verdict == "unsupported" and not every:
        # It may stand on the page that nobody read.
        found = Found("not_checkable", passage=found.passage)
    lost = _lost_quotes(sentence, read, quotes) if every else None
    if lost is not None and found.verdict in ("supported", "not_checkable"):
        found = lost
    elif found.verdict == "not_checkable" and _is_all_quoted(sentence, around, read, quotes):
        found = Found("supported", passage=max(sentence.quotes, key=len))
    return _told(sentence, found)


def _cut_out(text: str, found: Found) -> Found:
    """What becomes of a claim that was cut out of a sentence of the page which turns it.

    "The authors could not show that the drug works" holds the words of "the drug works".
    """
    words = text.rstrip(" .")
    at = found.passage.casefold().find(words[:24].casefold())
    if at == 0 or (at > 0 and found.passage[:at].rstrip()[-1:] in _ENDS):
        return found  # it begins a sentence of its own
    (checked,) = check_quotes([words], found.passage)
    if DENIAL in checked.notes:
        return replace(found, verdict="contradicted")
    return replace(found, verdict="not_checkable") if HEDGE in checked.notes else found


_ENDS = frozenset('.!?…:;|\n。！？»”"')


def _around_quotes(sentence: CitedSentence) -> CitedSentence:
    """A sentence without its quoted words, which are checked by themselves: word for word."""
    text = sentence.text
    for quote in sentence.quotes:
        text = re.sub(rf"[{_QUOTE_MARKS}]\s?{re.escape(quote)}\s?[{_QUOTE_MARKS}]", " ", text)
    return sentence if text == sentence.text else replace(sentence, text=" ".join(text.split()))


def _is_all_quoted(
    sentence: CitedSentence,
    around: CitedSentence,
    read: list[int],
    quotes: Mapping[tuple[int, str], Checked],
) -> bool:
    """Whether a sentence says little besides words that stand on its pages."""
    said = sum(len(quote) for quote in sentence.quotes)
    return len(around.text) < said and all(
        any(quotes[n, quote].verdict in ("verified", "near") for n in read)
        for quote in sentence.quotes
    )


_QUOTE_MARKS = "\"'“”„‟«»‹›「」『』‘’"


def _told(sentence: CitedSentence, found: Found) -> Claim:
    return Claim(
        sentence=sentence.text,
        sources=list(sentence.sources),
        verdict=found.verdict,
        missing=list(found.missing),
        passage=found.passage,
        checked_by="code",
    )


def _checked_quotes(
    sentences: list[CitedSentence], pages: Mapping[int, str]
) -> dict[tuple[int, str], Checked]:
    """What became of each quoted passage on each page that its sentence cites."""
    asked: dict[int, dict[str, None]] = {}
    for sentence in sentences:
        for n in sentence.sources:
            if n in pages:
                asked.setdefault(n, {}).update(dict.fromkeys(sentence.quotes))
    return {
        (n, quote): checked
        for n, quotes in asked.items()
        for quote, checked in zip(quotes, check_quotes(list(quotes), pages[n]), strict=True)
    }


def _lost_quotes(
    sentence: CitedSentence, read: list[int], quotes: Mapping[tuple[int, str], Checked]
) -> Found | None:
    """What is told of quoted words that stand on none of the pages."""
    missing: list[str] = []
    altered = ""
    for quote in sentence.quotes:
        verdicts = [quotes[n, quote] for n in read]
        if all(checked.verdict in ("altered", "not_found") for checked in verdicts):
            missing.append(quote)
            altered = altered or next((c.page_says for c in verdicts if c.page_says), "")
    if not missing:
        return None
    return Found("contradicted" if altered else "unsupported", tuple(missing), altered)
