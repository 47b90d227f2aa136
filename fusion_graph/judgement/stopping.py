"""When two scouts are enough: the rule by which an adaptive panel stops before it is whole."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from fusion_graph.evidence import PageIndex, SourceRecord, unfounded
from fusion_graph.judgement.analysis import Analysis, Contradiction, Point

StoppingReason = Literal[
    "agreed",
    "too_few_answers",
    "not_compared",
    "contradiction",
    "nothing_agreed",
    "one_sided",
    "unfounded",
    "shared_evidence",
    "same_family",
    "blind_spot",
]
"""Why a panel stopped, or why it went on. `agreed` alone stops it."""

MISQUOTED = frozenset({"altered", "not_found"})
"""Verdicts on a quote whose page does not say so."""


@dataclass(frozen=True, slots=True)
class Stopping:
    """Whether the panel stops with its scouts.

    Attributes:
        reason: `agreed`, or the first condition that was not met.
        detail: What it was, in a sentence.
    """

    reason: StoppingReason
    detail: str

    @property
    def stops(self) -> bool:
        """Whether nobody else has to be asked."""
        return self.reason == "agreed"


def enough_agreed(
    analysis: Analysis | None,
    answers: Mapping[str, str],
    sources: Sequence[SourceRecord] = (),
    *,
    families: Mapping[str, str],
    question: str = "",
    whole: bool = True,
) -> Stopping:
    """Decide whether the scouts agree on what carries the answer, so that nobody else is asked.

    What carries the answer are the points of the judge's consensus that every scout makes. The
    panel stops only if

    1. two scouts or more answered, and the judge compared all they said (`whole`);
    2. no two of them contradict each other on anything, and there is no contradiction of which
       the judge does not say whose it is;
    3. something carries the answer, and it outnumbers what only some of them say;
    4. every such point is in the answer of every scout, as far as code can tell;
    5. where the run has sources: every such point rests on sources that were not misquoted, and
       each scout has one of its own, independent of the others'. Two who read one page, or a page
       and its copy, do not stop the panel, however many sources the point names;
    6. where it has none: independence cannot be measured, so every scout is of another family of
       models, and the judge knows of no blind spot. This is the weaker criterion of the two.

    A member that was not asked is unasked: it neither agrees nor is counted in a majority.

    Worst case: a wrong answer stops the panel if every scout gives that same answer, each from a
    wrong source of its own, and the judge agrees. The chance of that is at most the smallest of
    the scouts' error rates, and no check here lowers it if their errors come together by more
    than shared evidence: members unasked might all have known better. Against the whole panel an
    adaptive one so loses at most that share of the questions. In the other direction nothing is
    lost but money: a judge who sees a contradiction or a blind spot everywhere has everybody
    asked, and its call over the scouts paid for nothing.

    Args:
        analysis: The judge's over the scouts, by their names; None where there is none.
        answers: The answers of the scouts that answered, by name.
        sources: The run's sources, with the origin of each.
        families: The family of models of each scout.
        question: What was asked.
        whole: Whether the judge read all of the answers and its verdict did not break off.
    """
    if len(answers) < 2:
        return Stopping("too_few_answers", f"{len(answers)} of the scouts answered.")
    if analysis is None or not whole:
        return Stopping("not_compared", "The judge's comparison of the scouts is not whole.")
    for clash in analysis.contradictions:
        if _differ(clash):
            return Stopping("contradiction", f"The scouts differ on: {clash.topic}")
    carrying = [point for point in analysis.consensus if set(point.models) >= answers.keys()]
    if not carrying:
        return Stopping("nothing_agreed", "The judge names no point that every scout makes.")
    alone = len(analysis.unique_insights) + len(analysis.partial_coverage)
    alone += len(analysis.consensus) - len(carrying)
    if alone > len(carrying):
        detail = f"{alone} points are of some of the scouts alone, {len(carrying)} of all."
        return Stopping("one_sided", detail)
    indexes: dict[str, PageIndex] = {}
    for point in carrying:
        if strangers := unfounded(point.point, answers, question, indexes):
            who = " and ".join(strangers)
            return Stopping("unfounded", f"Not in the answer of {who}: {point.point}")
    if sources:
        for point in carrying:
            if not _on_evidence_of_its_own(point, answers, sources):
                detail = f"The scouts have no evidence independent of each other for: {point.point}"
                return Stopping("shared_evidence", detail)
        return Stopping("agreed", f"{_points(carrying)}, on evidence of each scout's own.")
    kinds = [families.get(name, "") for name in answers]
    if "" in kinds or len(set(kinds)) < len(kinds):
        return Stopping("same_family", "There are no sources, and scouts of one family of models.")
    if analysis.blind_spots:
        return Stopping("blind_spot", f"There are no sources, and: {analysis.blind_spots[0]}")
    return Stopping("agreed", f"{_points(carrying)}, by scouts of different families.")


def _differ(clash: Contradiction) -> bool:
    """Whether it is more than one scout's own wavering."""
    who = {stance.model for stance in clash.stances}
    return len(who) != 1 or "" in who


def _points(carrying: Sequence[Point]) -> str:
    count = len(carrying)
    return f"The scouts agree on {count} point{'s' if count > 1 else ''}"


def _on_evidence_of_its_own(
    point: Point, names: Collection[str], sources: Sequence[SourceRecord]
) -> bool:
    """Whether each scout can be given a source of the point that is independent of the others'."""
    by_name: dict[str, set[int]] = {name: set() for name in names}
    for source in sources:
        origin = source.get("origin")
        misquoted = any(quote["verdict"] in MISQUOTED for quote in source["quotes"])
        if source["id"] not in point.sources or origin is None or misquoted:
            continue
        for name in set(source["cited_by"]) & by_name.keys():
            by_name[name].add(origin)
    taken: dict[int, str] = {}
    return all(_give(name, by_name, taken, set()) for name in by_name)


def _give(
    name: str, wanted: Mapping[str, set[int]], taken: dict[int, str], tried: set[int]
) -> bool:
    """Give somebody an origin, moving others to another of theirs (Kuhn's matching)."""
    for origin in sorted(wanted[name] - tried):
        tried.add(origin)
        if origin not in taken or _give(taken[origin], wanted, taken, tried):
            taken[origin] = name
            return True
    return False
