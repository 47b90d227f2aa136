"""The final answer, put together from a comparison: what is agreed, disputed, added and open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fusion_graph.analysis import Unreadable, Verdict, VerdictContradiction, read_verdict
from fusion_graph.offline.citing import cited
from fusion_graph.offline.comparison import Statement, title_of
from fusion_graph.offline.judge import Material, judge
from fusion_graph.offline.panelist import NOTHING_ABOUT
from fusion_graph.offline.question import ask, named_question
from fusion_graph.offline.relevance import Relevance
from fusion_graph.offline.selection import alike
from fusion_graph.offline.text import unique

COMPILED = "(Compiled by extraction from the sources, not written by a language model.)"
"""The answer's last line: nobody should take stitched sentences for a model's judgement."""

MOST_AGREED = 5
MOST_DISPUTES = 2
MOST_STANCES = 4
MOST_OPEN = 2
MOST_SENTENCES = 9
"""Sentences of an answer before what stays open; a dispute counts as one."""

FEWEST_SENTENCES = 5
"""Below this, weak single contributions are better than none."""

ENOUGH_SOURCES = 3
"""Distinct citations that an answer has if the material does."""

SINGLES = 3
"""Single contributions taken in beside enough agreed points."""

WEAK = 0.5
"""Share of the best contribution's score below which a single one is left out."""

PER_ANSWER_MORE = 0.15
"""What a point gains in rank for each further answer that makes it."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What an answer is made of."""

    agreed: list[Statement]
    disputes: list[list[Statement]]
    singles: list[Statement]
    open: list[str]


def compose(material: Material) -> str:
    """The answer to the material's question, every sentence from the panel's answers."""
    parts = chosen_parts(material)
    paragraphs = [
        _running(parts.agreed),
        *map(_side_by_side, parts.disputes),
        _running(parts.singles),
        " ".join(f"What stays open: {cited(text, [])}" for text in parts.open),
    ]
    if not (parts.agreed or parts.disputes or parts.singles):
        question = ask(material.question, material.earlier)
        paragraphs = [f"{NOTHING_ABOUT} {named_question(question)}."]
    return "\n\n".join([*filter(None, paragraphs), COMPILED])


def chosen_parts(material: Material) -> Parts:
    """What of the comparison goes into the answer, in reading order."""
    verdict = _verdict(material)
    titles = material.titles

    def statement(text: str, sources: Iterable[int]) -> Statement:
        known = tuple(unique(n for n in sources if titles is None or n in titles))
        return Statement("", text, known, title=title_of(known, titles))

    disputes = [
        [statement(text, sources) for text, sources in _sides(clash).items()][:MOST_STANCES]
        for clash in verdict.contradictions[:MOST_DISPUTES]
    ]
    disputed = [s for stances in disputes for s in stances]
    shared = [
        (statement(p.point, p.sources), len(p.labels))
        for p in [*verdict.consensus, *verdict.partial_coverage]
    ]
    alone = [statement(u.insight, u.sources) for u in verdict.unique_insights]
    everything = [*disputed, *(s for s, _ in shared), *alone]
    relevance = Relevance(ask(material.question, material.earlier), [s.passage for s in everything])
    backing = {s.text: 1 + PER_ANSWER_MORE * (count - 1) for s, count in shared}
    worth = {s.text: relevance.score(s.passage) * backing.get(s.text, 1.0) for s in everything}
    agreed = _ordered(_new((s for s, _ in shared), disputed), worth)
    singles = _ordered(_new(alone, [*agreed, *disputed]), worth)
    taken, added = _taken(agreed, singles, disputes, worth)
    return Parts(taken, disputes, added, verdict.blind_spots[:MOST_OPEN])


def _taken(
    agreed: Sequence[Statement],
    singles: Sequence[Statement],
    disputes: Sequence[Sequence[Statement]],
    worth: Mapping[str, float],
) -> tuple[list[Statement], list[Statement]]:
    """The agreed points and single contributions that go in, best first.

    The best of each; then whatever brings further sources, until there are enough of them.
    """
    top = max(worth.values(), default=0.0)
    taken = list(agreed[:MOST_AGREED])
    room = MOST_SENTENCES - len(disputes) - len(taken)
    strong = [s for s in singles if worth[s.text] >= WEAK * top]
    wanted = min(room, max(SINGLES, FEWEST_SENTENCES - len(taken) - len(disputes)))
    fewest = max(0, FEWEST_SENTENCES - len(taken) - len(disputes))
    added = [*strong, *(s for s in singles if s not in strong)][: max(len(strong), fewest)]
    added = added[:wanted]
    sources = {n for s in [*taken, *added, *sum(map(list, disputes), [])] for n in s.sources}
    for more in [*agreed[MOST_AGREED:], *singles]:
        full = len(taken) + len(added) + len(disputes) > MOST_SENTENCES
        if full or len(sources) >= ENOUGH_SOURCES:
            break
        if set(more.sources) - sources:
            (taken if more in agreed else added).append(more)
            sources.update(more.sources)
    return taken, added


def _verdict(material: Material) -> Verdict:
    if material.analysis is not None:
        try:
            return read_verdict(material.analysis)
        except Unreadable:
            pass  # the answers are still there to be compared
    return Verdict.model_validate(judge(material))


def _sides(clash: VerdictContradiction) -> dict[str, list[int]]:
    """The sides of a contradiction, each wording once with all that was cited for it."""
    sides: dict[str, list[int]] = {}
    for stance in clash.stances:
        sides.setdefault(stance.stance, []).extend(stance.sources)
    return sides


def _running(statements: Iterable[Statement]) -> str:
    return " ".join(cited(s.text, s.sources) for s in statements)


def _side_by_side(stances: Sequence[Statement]) -> str:
    told = [cited(s.text, s.sources).rstrip(".\u3002") for s in stances]
    return f"Sources differ: {'; '.join(told)}." if told else ""


def _ordered(statements: Iterable[Statement], worth: Mapping[str, float]) -> list[Statement]:
    return sorted(statements, key=lambda s: -worth[s.text])


def _new(statements: Iterable[Statement], said: Iterable[Statement]) -> list[Statement]:
    """The statements that repeat neither one another nor what was said."""
    before = [s.text for s in said]
    found: list[Statement] = []
    for statement in statements:
        if not any(alike(statement.text, text) for text in before):
            found.append(statement)
            before.append(statement.text)
    return found
