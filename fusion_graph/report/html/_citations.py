"""Citations on a page: `[n]` with a card that shows the source, its quotes and their verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from markupsafe import Markup

from fusion_graph.report.html._environment import template

if TYPE_CHECKING:
    from fusion_graph.report.model import ReportedQuote, ReportedSource

MOST_CARDS = 400
"""Cards on one page. Texts cite tens of sources; a text that cites thousands of times gets
links, so that the page stays one that a phone can open."""

QUOTES_ON_A_CARD = 3


@dataclass(frozen=True)
class Card:
    """What a citation shows.

    Attributes:
        id: The card's id on the page.
        source: The cited source.
        quotes: Its quotes, the one cited first; no more than fit.
        more: How many quotes do not fit.
    """

    id: str
    source: ReportedSource
    quotes: list[ReportedQuote]
    more: int


class Citations:
    """Makes a page's citations.

    Args:
        sources: The report's sources.
    """

    def __init__(self, sources: Sequence[ReportedSource]) -> None:
        self._sources = {source.id: source for source in sources}
        self._cards = 0
        # Macros escape what they are given, and return Markup.
        self._macros: Any = template("citation.html").module

    def with_cards(self, ids: Sequence[int], words: str | None = None) -> Markup:
        """A citation whose marks open cards when they are hovered, tapped or focused."""
        return self._cited(ids, words, cards=True)

    def with_links(self, ids: Sequence[int], words: str | None = None) -> Markup:
        """A citation whose marks are links to the list of sources."""
        return self._cited(ids, words, cards=False)

    def _cited(self, ids: Sequence[int], words: str | None, *, cards: bool) -> Markup:
        known = [self._sources[n] for n in ids if n in self._sources]
        if not known:
            # Nothing to show: the text stays as it was written.
            written = ", ".join(map(str, ids)) + (f': "{words}"' if words else "")
            return Markup("[{}]").format(written)
        marks = [self._mark(source, words, cards=cards) for source in known]
        quoted = self._quoted(known[0], words) if words else ""
        return Markup("{}{}").format(quoted, Markup("").join(marks))

    def _mark(self, source: ReportedSource, words: str | None, *, cards: bool) -> Markup:
        if not cards or self._cards >= MOST_CARDS:
            return cast(Markup, self._macros.link(source))
        self._cards += 1
        cited = _quote(source, words)
        quotes = [cited] if cited else []
        quotes += [quote for quote in source.quotes if quote is not cited]
        shown = quotes[:QUOTES_ON_A_CARD]
        card = Card(f"card-{self._cards}", source, shown, len(quotes) - len(shown))
        return cast(Markup, self._macros.mark(card))

    def _quoted(self, source: ReportedSource, words: str) -> Markup:
        quote = _quote(source, words)
        verdict = quote.verdict if quote else None
        return cast(Markup, self._macros.quoted(words, verdict))


def _quote(source: ReportedSource, words: str | None) -> ReportedQuote | None:
    """The quote of a source that says these words."""
    wanted = _folded(words or "")
    return next((q for q in source.quotes if wanted and _folded(q.text) == wanted), None)


def _folded(words: str) -> str:
    return " ".join(words.split()).casefold()
