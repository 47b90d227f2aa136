"""The panelists: each searches, reads a few pages, ranks their sentences and quotes the best."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import BaseMessage

from fusion_graph.offline._chat import Extract, ExtractiveModel, Offered, offered
from fusion_graph.offline._citing import cited, telling_phrase
from fusion_graph.offline._lexicon import AVOIDANCE, SEARCH_WORDS, STOP
from fusion_graph.offline._question import Question, ask, named_question
from fusion_graph.offline._reading import Document, Hit, Reading, read
from fusion_graph.offline._relevance import Passage, Relevance, passages
from fusion_graph.offline._selection import (
    Rank,
    by_centrality,
    by_figures,
    by_keywords,
    in_reading_order,
    select,
)
from fusion_graph.offline._text import cleaned, listed, stem, tokens
from fusion_tools.normalise import normalise_url

FIGURE_WORDS = "cost percent points seconds"
"""Searched for where the question does not say which kind of figure it wants."""

LONGEST_QUERY = 200
"""Characters. A longer question is searched by its terms."""

WIDENING_TERMS = 4

SPARE_FETCHES = 2
"""Further pages tried when some could not be read."""


@dataclass(frozen=True, slots=True)
class Method:
    """How a panelist researches: what to search for next, how many pages, which sentences.

    `queries` gets the question and what was read, and returns the searches to run now; none
    means that it goes on to read. `quotes` is whether a citation carries words to check.
    """

    queries: Callable[[Question, Reading], list[str]]
    pages: int
    rank: Rank
    quotes: bool = True


class PanelistModel(ExtractiveModel):
    """A panelist without a language model. Its method goes by its name."""

    def reply(self, messages: Sequence[BaseMessage], tools: Sequence[Mapping[str, Any]]) -> Extract:
        """Tool calls while there is something to look up, then the answer."""
        return research(messages, tools, METHODS[self.model_name.removeprefix("offline:")])


def research(
    messages: Sequence[BaseMessage], tools: Sequence[Mapping[str, Any]], method: Method
) -> Extract:
    """The next step of researching a conversation's question by a method."""
    reading = read(messages)
    question = ask(reading.question, reading.earlier)
    calls = next_calls(question, reading, offered(tools), method)
    return Extract(calls=tuple(calls)) if calls else Extract(answer(question, reading, method))


def next_calls(
    question: Question, reading: Reading, tools: Offered, method: Method
) -> list[tuple[str, dict[str, Any]]]:
    """The tool calls to make now; none when it is time to answer."""
    left = reading.cap - reading.calls if reading.cap is not None else method.pages + 8
    if reading.must_answer or left <= 0 or not question.terms:
        return []
    if tools.search is not None:
        # Of few calls, one is kept for reading: a page says more than a second search.
        spare = 1 if tools.fetch is not None and left > 1 else 0
        queries = [q for q in method.queries(question, reading) if q not in reading.queries]
        if reading.queries and left < 3:
            queries = []
        if not queries and not reading.hits:
            queries = _second_try(question, reading)
        if queries:
            return [tools.search.call(query) for query in queries[: left - spare]]
    if tools.fetch is not None:
        wanted = min(method.pages - len(reading.pages), left)
        room = method.pages + SPARE_FETCHES - len(reading.tried)
        hits = [
            hit
            for hit in best_hits(question, reading)
            if normalise_url(hit.url) not in reading.tried
        ]
        return [tools.fetch.call(hit.url) for hit in hits[: max(0, min(wanted, room))]]
    return []


def best_hits(question: Question, reading: Reading) -> list[Hit]:
    """The hits in the order in which they deserve to be read."""
    hits = reading.hits
    seen = [
        Passage(f"{hit.title}. {hit.snippet}", _as_document(hit), "", page, 0)
        for page, hit in enumerate(hits)
    ]
    relevance = Relevance(question, seen)
    ranks: dict[str, float] = {}
    for search in reading.searches:
        for rank, hit in enumerate(search):
            url = normalise_url(hit.url)
            ranks[url] = ranks.get(url, 0.0) + 1 / (rank + 2)
    worth = {
        hit.url: relevance.score(passage)
        + ranks[normalise_url(hit.url)]
        + relevance.is_about(hit.title)
        for hit, passage in zip(hits, seen, strict=True)
    }
    return sorted(hits, key=lambda hit: -worth[hit.url])


def answer(question: Question, reading: Reading, method: Method) -> str:
    """The best sentences of what was read, with citations, or plainly that there are none.

    Where the method quotes, the best sentence's citation holds exact words of its page.
    """
    for documents in (reading.documents(), reading.told):
        found = passages(documents)
        relevance = Relevance(question, found)
        if chosen := select(relevance, found, method.rank):
            break
    else:
        return nothing_found(question, reading)
    quoted = next((p for p in chosen if p.document.number is not None), None)
    lines = []
    for passage in in_reading_order(chosen):
        quote = ""
        if passage is quoted and method.quotes:
            terms = frozenset(question.terms)
            quote = telling_phrase(passage.text, passage.document.text, terms)
        lines.append(cited(passage.text, [passage.document.number], quote))
    missing = relevance.missing()
    return " ".join([*lines, *([_gap(missing)] if missing else [])])


NOTHING_ABOUT = "The documents searched say nothing about"


def nothing_found(question: Question, reading: Reading) -> str:
    """What is said where there is nothing to quote."""
    if not question.terms:
        return f"There is nothing to search for in {named_question(question)}."
    if not (reading.queries or reading.tried or reading.documents() or reading.told):
        return (
            "Nothing could be searched: no search tool was at hand, and the conversation holds no "
            "text to quote from."
        )
    if reading.failures and not reading.documents():
        return f"Nothing could be searched: the tools failed ({', '.join(reading.failures)})."
    return f"{NOTHING_ABOUT} {named_question(question)}."


def _gap(words: Sequence[str]) -> str:
    return f"{NOTHING_ABOUT} {listed(words)}."


def _as_document(hit: Hit) -> Document:
    return Document(hit.number, hit.title, hit.url, hit.snippet)


def _key_terms(question: Question) -> str:
    words = " ".join(question.written.values())
    return f"{words} not {AVOIDANCE}" if question.negated else words


def _keyword_queries(question: Question, reading: Reading) -> list[str]:
    return [] if reading.queries else [_key_terms(question)]


def _figure_queries(question: Question, reading: Reading) -> list[str]:
    if reading.queries:
        return []
    kinds = sorted(question.kinds & SEARCH_WORDS.keys())
    figures = " ".join(SEARCH_WORDS[kind] for kind in kinds) or FIGURE_WORDS
    return [_key_terms(question), f"{_key_terms(question)} {figures}"]


def _central_queries(question: Question, reading: Reading) -> list[str]:
    if not reading.queries:
        short = len(question.text) <= LONGEST_QUERY and len(question.text.split()) > 2
        return [question.text if short else _key_terms(question)]
    if len(reading.queries) > 1 or not reading.hits:
        return []
    return [f"{_key_terms(question)} {' '.join(_strong_terms(question, reading.hits))}"]


def _strong_terms(question: Question, hits: Sequence[Hit]) -> list[str]:
    """Words that several of the first hits share and the question lacks."""
    shared: Counter[str] = Counter()
    written: dict[str, str] = {}
    for hit in hits:
        words = {stem(w): w for w in tokens(cleaned(f"{hit.title} {hit.snippet}")) if w not in STOP}
        for root, word in words.items():
            if root not in question.terms and word.isalpha() and len(word) > 3:
                shared[root] += 1
                written.setdefault(root, word)
    strongest = sorted(shared, key=lambda root: (-shared[root], root))
    return [written[root] for root in strongest[:WIDENING_TERMS]]


def _second_try(question: Question, reading: Reading) -> list[str]:
    """Fewer words for an engine that found nothing for many; once."""
    words = sorted(question.written.values(), key=lambda word: (-len(word), word))[:2]
    query = " ".join(words)
    tried = [*reading.queries]
    return [query] if tried and query not in tried and len(question.written) > 2 else []


METHODS = {
    "keyword": Method(_keyword_queries, 2, by_keywords),
    "figures": Method(_figure_queries, 3, by_figures),
    "central": Method(_central_queries, 4, by_centrality),
}
"""Panelist's name → method."""
