"""The three ways of ranking sentences, and the choice of a few that say different things."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from rapidfuzz import fuzz

from fusion_graph.offline._opposing import opposed, says_alike
from fusion_graph.offline._relevance import (
    ON_TOPIC_AT_BEST,
    ON_TOPIC_NEARBY,
    Passage,
    Relevance,
)
from fusion_graph.offline._text import content_stems

Ranked = list[tuple[float, Passage]]
"""Passages with their scores, best first."""

Rank = Callable[[Relevance, Sequence[Passage]], Ranked]

FEWEST, MOST = 4, 7
"""Sentences of an answer, where the pages hold as many."""

DUPLICATE = 86.0
"""Likeness (0 to 100) from which two sentences are one."""

SAME_STEMS = 0.8
"""Share of telling words in common from which they are one, however they are worded."""

REPEATED = 0.6
"""What is left of a term's worth each time a chosen sentence has used it."""

SAME_PAGE = 0.88
"""What is left of a sentence's worth for each one already chosen from its page."""

WEAKEST = 0.4
"""Share of the best score below which a sentence is padding."""

WEAKEST_OF_FEW = 0.2
"""The same while an answer has fewer than `FEWEST` sentences."""

LIKENESS_COST = 0.6
"""How much a sentence loses by having its words in common with one already chosen."""

MOST_AGAINST = 2
"""Sentences taken in at once for contradicting one that was chosen."""

CANDIDATES = 150
"""Sentences among which an answer's are chosen; the rest scored too little."""

CENTRAL_SENTENCES = 120
"""Sentences compared with one another: pairs grow with the square."""

DAMPING = 0.6
"""How far centrality follows likeness to other sentences; the rest follows the question."""


def by_keywords(relevance: Relevance, read: Sequence[Passage]) -> Ranked:
    """By overlap with the question, rare words first."""
    return _sorted((relevance.score(p), p) for p in read)


def by_figures(relevance: Relevance, read: Sequence[Passage]) -> Ranked:
    """Sentences with figures first, above all of the kind the question asks for."""
    return _sorted((relevance.score(p) * _figure_bonus(relevance, p), p) for p in read)


def by_centrality(relevance: Relevance, read: Sequence[Passage]) -> Ranked:
    """By a random walk over alike sentences that keeps returning to the question (LexRank)."""
    topical = by_keywords(relevance, read)[:CENTRAL_SENTENCES]
    if not topical:
        return []
    # Sorted: a set's order is another in every process, and so is a sum's last digit.
    vectors = [{t: relevance.rarity(t) for t in sorted(passage.stems)} for _, passage in topical]
    links = _likeness(vectors)
    bias = [score for score, _ in topical]
    whole = sum(bias)
    bias = [score / whole for score in bias]
    rank = list(bias)
    for _ in range(12):
        rank = [
            (1 - DAMPING) * bias[i]
            + DAMPING * sum(share * rank[j] for j, share in links[i].items())
            for i in range(len(rank))
        ]
    return _sorted(
        (math.sqrt(value * share), passage)
        for value, share, (_, passage) in zip(rank, bias, topical, strict=True)
    )


def select(relevance: Relevance, read: Sequence[Passage], rank: Rank) -> list[Passage]:
    """The passages for an answer, best first; none when what was read is about something else.

    Where few are on topic, their pages' other sentences may come in with less of it: what
    surrounds an answer tends to belong to it.
    """
    chosen = choose(relevance, rank(relevance, [p for p in read if relevance.on_topic(p)]))
    if 0 < len(chosen) < FEWEST:
        pages = {passage.page for passage in chosen}
        near = [p for p in read if p.page in pages and relevance.on_topic(p, ON_TOPIC_NEARBY)]
        chosen = choose(relevance, rank(relevance, near))
    return chosen


def choose(relevance: Relevance, ranked: Ranked, most: int = MOST) -> list[Passage]:
    """Up to `most` passages that say different things, best first.

    Each choice lowers the worth of the question terms it covers and of its page, so that the
    parts of a question and the pages read all get their turn.
    """
    if max((relevance.topicality(p) for _, p in ranked), default=0.0) < ON_TOPIC_AT_BEST:
        return []
    top = ranked[0][0]
    left = ranked[:CANDIDATES]
    chosen: list[Passage] = []
    used: Counter[str] = Counter()
    pages: Counter[int] = Counter()
    while left and len(chosen) < most:
        worth = [
            _worth(relevance, score, p, used, pages) * (1 - LIKENESS_COST * _overlap(p, chosen))
            for score, p in left
        ]
        best = max(range(len(left)), key=worth.__getitem__)
        score, passage = left.pop(best)
        if score < top * (WEAKEST_OF_FEW if len(chosen) < FEWEST else WEAKEST):
            continue
        if any(alike(passage.text, other.text) for other in chosen):
            continue
        chosen.append(passage)
        # What contradicts it comes with it, before its likeness and used-up words put it last.
        against = [pair for pair in left if _against(relevance, passage, pair[1])][:MOST_AGAINST]
        for pair in against:
            left.remove(pair)
            if len(chosen) < most:
                chosen.append(pair[1])
        used.update(relevance.credit(passage).keys())
        pages[passage.page] += 1
    return chosen


def _against(relevance: Relevance, one: Passage, two: Passage) -> bool:
    asked = relevance.question.text
    return opposed(one.text, two.text, asked, one.document.title, two.document.title)


def alike(one: str, other: str) -> bool:
    """Whether two sentences say nearly the same in nearly the same words.

    With another figure, date or name, a "not" more or an opposite, the same words say something
    else: what contradicts is no duplicate.
    """
    mine, theirs = content_stems(one), content_stems(other)
    shared = len(mine & theirs) / max(len(mine | theirs), 1)
    if shared < SAME_STEMS and fuzz.token_sort_ratio(one.lower(), other.lower()) < DUPLICATE:
        return False
    return says_alike(one, other, wholly=True) and not opposed(one, other)


def in_reading_order(chosen: Sequence[Passage]) -> list[Passage]:
    """The best passage first, then page by page in the order of each page's best."""
    if not chosen:
        return []
    pages = list(dict.fromkeys(p.page for p in chosen))
    rest = sorted(chosen[1:], key=lambda p: (pages.index(p.page), p.place))
    return [chosen[0], *rest]


def _figure_bonus(relevance: Relevance, passage: Passage) -> float:
    measured = [figure for figure in passage.figures if figure.kind]
    if not measured:
        return 0.4
    wanted = relevance.answers_in_figures(passage)
    return 1.0 + 0.15 * min(len(measured), 3) + (0.5 if wanted else 0.0)


def _worth(
    relevance: Relevance,
    score: float,
    passage: Passage,
    used: Mapping[str, int],
    pages: Mapping[int, int],
) -> float:
    credit = relevance.credit(passage)
    full = sum(relevance.weights[term] * share for term, share in credit.items()) or 1.0
    fresh = sum(
        relevance.weights[term] * share * REPEATED ** used.get(term, 0)
        for term, share in credit.items()
    )
    return score * (0.5 + 0.5 * fresh / full) * SAME_PAGE ** pages.get(passage.page, 0)


def _overlap(passage: Passage, chosen: Sequence[Passage]) -> float:
    """Largest share of words in common with a chosen passage (Jaccard)."""
    return max(
        (
            len(passage.stems & other.stems) / max(len(passage.stems | other.stems), 1)
            for other in chosen
        ),
        default=0.0,
    )


def _likeness(vectors: Sequence[Mapping[str, float]]) -> list[dict[int, float]]:
    """For each sentence the share of each alike one's rank that flows to it (cosine)."""
    lengths = [math.sqrt(sum(w * w for w in vector.values())) or 1.0 for vector in vectors]
    having: dict[str, list[int]] = {}
    for i, vector in enumerate(vectors):
        for term in vector:
            having.setdefault(term, []).append(i)
    links: list[dict[int, float]] = [{} for _ in vectors]
    for i, vector in enumerate(vectors):
        for term, weight in vector.items():
            for j in having[term]:
                if j != i:
                    links[i][j] = links[i].get(j, 0.0) + weight * vectors[j][term]
    for i, row in enumerate(links):
        links[i] = {j: v / (lengths[i] * lengths[j]) for j, v in row.items()}
    outflow = [sum(row.values()) or 1.0 for row in links]
    return [{j: value / outflow[j] for j, value in row.items()} for row in links]


def _sorted(scored: Iterable[tuple[float, Passage]]) -> Ranked:
    return sorted(scored, key=lambda pair: -pair[0])
