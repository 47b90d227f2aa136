"""The final answer, put together from a comparison: what is agreed, disputed, added and open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from fusion_graph.errors import UnreadableVerdict
from fusion_graph.judgement import Verdict, read_verdict
from fusion_graph.judgement.analysis import Analysis, Contradiction, name_panelists
from fusion_graph.offline._citing import cited
from fusion_graph.offline._comparison import Statement, title_of
from fusion_graph.offline._material import Material
from fusion_graph.offline._question import ask, named_question
from fusion_graph.offline._relevance import Relevance
from fusion_graph.offline._selection import alike
from fusion_graph.offline.judge import judge
from fusion_graph.offline.panelist import NOTHING_ABOUT

COMPILED = "(Compiled by extraction from the sources, not written by a language model.)"
"""The answer's last line: nobody should take stitched sentences for a model's judgement."""

MOST_AGREED = 5
MOST_DISPUTES = 2
MOST_STANCES = 4
MOST_OPEN = 2
"""How much of each part goes in: more is a list, not an answer."""

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

BACKING = 0.15
"""What a point gains in rank for each further answer that makes it."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What an answer is made of, each part in reading order."""

    agreed: list[Statement]
    disputes: list[list[Statement]]
    singles: list[Statement]
    open: list[str]

    def __len__(self) -> int:
        return len(self.agreed) + len(self.disputes) + len(self.singles)

    def sources(self) -> set[int]:
        """The ids cited."""
        said = [*self.agreed, *self.singles, *(s for side in self.disputes for s in side)]
        return {n for statement in said for n in statement.sources}


def compose(material: Material) -> str:
    """The answer to the material's question, every sentence from the panel's answers."""
    parts = chosen_parts(material)
    paragraphs = [
        _running(parts.agreed),
        *map(_side_by_side, parts.disputes),
        _running(parts.singles),
        " ".join(f"What stays open: {cited(text, [])}" for text in parts.open),
    ]
    if not len(parts):
        question = ask(material.question, material.earlier)
        paragraphs = [f"{NOTHING_ABOUT} {named_question(question)}."]
    return "\n\n".join([*filter(None, paragraphs), COMPILED])


def chosen_parts(material: Material) -> Parts:
    """What of the comparison goes into the answer."""
    analysis = _analysis(material)
    titles = material.titles

    def statement(text: str, sources: Iterable[int]) -> Statement:
        ids = tuple(n for n in dict.fromkeys(sources) if titles is None or n in titles)
        return Statement("", text, ids, title=title_of(ids, titles))

    disputes = [
        [statement(text, ids) for text, ids in _sides(clash).items()][:MOST_STANCES]
        for clash in analysis.contradictions[:MOST_DISPUTES]
    ]
    shared = [*analysis.consensus, *analysis.partial_coverage]
    backed = {p.point: 1 + BACKING * (len(p.models) - 1) for p in shared}
    agreed = [statement(p.point, p.sources) for p in shared]
    alone = [statement(u.insight, u.sources) for u in analysis.unique_insights]
    disputed = [s for side in disputes for s in side]
    relevance = Relevance(
        ask(material.question, material.earlier),
        [s.passage for s in (*disputed, *agreed, *alone)],
    )
    worth = {
        s.text: relevance.score(s.passage) * backed.get(s.text, 1.0)
        for s in (*disputed, *agreed, *alone)
    }
    agreed = _new(_ordered(agreed, worth), disputed)
    alone = _new(_ordered(alone, worth), [*agreed, *disputed])
    parts = Parts(agreed[:MOST_AGREED], disputes, [], analysis.blind_spots[:MOST_OPEN])
    top = max(worth.values(), default=0.0)
    strong = [s for s in alone if worth[s.text] >= WEAK * top]
    _add_singles(parts, strong, alone)
    _add_sources(parts, agreed[MOST_AGREED:], alone)
    return parts


def _add_singles(parts: Parts, strong: Sequence[Statement], alone: Sequence[Statement]) -> None:
    """Take in the best single contributions; weak ones only where there is little else."""
    short = max(0, FEWEST_SENTENCES - len(parts))
    room = min(max(SINGLES, short), MOST_SENTENCES - len(parts))
    parts.singles.extend(strong[:room] if len(strong) >= short else alone[:short])


def _add_sources(
    parts: Parts, more_agreed: Sequence[Statement], alone: Sequence[Statement]
) -> None:
    """Take in what brings further sources, until there are enough of them."""
    for statements, part in ((more_agreed, parts.agreed), (alone, parts.singles)):
        for statement in statements:
            sources = parts.sources()
            if len(sources) >= ENOUGH_SOURCES or len(parts) > MOST_SENTENCES:
                return
            if statement not in part and set(statement.sources) - sources:
                part.append(statement)


def _analysis(material: Material) -> Analysis:
    """The comparison over labels: the judge's, in either of its shapes, or one made here."""
    if material.analysis is not None:
        try:
            return Analysis.model_validate_json(material.analysis)
        except ValidationError:
            pass  # over labels, as a judge writes it
        try:
            return _over_labels(read_verdict(material.analysis), material)
        except UnreadableVerdict:
            pass  # the answers are still there to be compared
    return _over_labels(Verdict.model_validate(judge(material)), material)


def _over_labels(verdict: Verdict, material: Material) -> Analysis:
    labels = {label: label for label, _ in material.answers}
    ids = {n for point in (*verdict.consensus, *verdict.partial_coverage) for n in point.sources}
    ids |= {n for clash in verdict.contradictions for s in clash.stances for n in s.sources}
    ids |= {n for insight in verdict.unique_insights for n in insight.sources}
    return name_panelists(verdict, labels, ids)[0]


def _sides(clash: Contradiction) -> dict[str, list[int]]:
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
