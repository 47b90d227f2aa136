"""Chooses among candidates by what running them showed. Pure.

The given tests are a veto. Candidates that do the same on every call are one class, however they
are written; the more members wrote one, the likelier it is right. The proposed tests are votes,
and nobody is voted for by itself: a test that its proposer alone passes has no vote. A test counts
by how far it tells the classes apart: what all pass, or all fail, says nothing. Where tests leave
two classes level, the one whose outputs the others share on more calls goes first: errors are each
one's own more often than not.

A vote is not the truth. Where most of those who differ elsewhere give one and the same answer to a
call, and the test expects another, the test is suspect and has no vote: several who are wrong
seldom agree on the same wrong value, and one proposer is more likely to have erred.

The worst case: proposers who share one misreading outvote a right candidate that stands alone. How
often that happens at what rate of wrong tests is measured by `python -m tests.benchmarks.code`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from fusion_graph.coding.proposals import ProposedTest
from fusion_graph.coding.trials import Trial, calls_of
from fusion_graph.coding.values import key_of

AGREEMENT = 0.65
"""What a further author of the same behaviour counts for, in votes. If a member is right at 60 %
of tasks, two wrong ones agree at 60 % of theirs (arXiv 2506.07962) and a proposed test is right at
80 %, then the odds are log(0.6 / (0.4 x 0.6)) against log(0.8 / 0.2): 0.92 to 1.39."""

Reason = Literal["chosen", "none_passes_given", "none_runs", "untried"]


@dataclass(frozen=True)
class Behaviour:
    """Candidates that did the same on every call.

    Attributes:
        candidates: Their names.
        authors: Whose models wrote them, each once.
        votes: What the tests make of them.
        score: Votes and agreement together.
        shared: Share of other members' outputs that are the same as its own, call by call.
    """

    candidates: tuple[str, ...]
    authors: tuple[str, ...]
    votes: float
    score: float
    shared: float = 0.0

    @property
    def level(self) -> tuple[float, int, float]:
        """What behaviours are ranked by."""
        return round(self.score, 9), len(self.authors), round(self.shared, 9)


@dataclass(frozen=True)
class Selection:
    """What was chosen, and on what grounds.

    Attributes:
        chosen: The candidate's name; None if there is none to choose.
        reason: `chosen`; or why there is none: no candidate passes the given tests, or runs; or
            nothing was asked of them (`untried`).
        behaviours: The classes, the best first. Who failed the given tests is in none.
        suspects: Places of tests that have no vote.
    """

    chosen: str | None
    reason: Reason
    behaviours: tuple[Behaviour, ...] = ()
    suspects: frozenset[int] = frozenset()

    @property
    def tied(self) -> tuple[str, ...]:
        """The candidates between which running does not decide."""
        if self.chosen is None:
            return ()
        level = self.behaviours[0].level
        return tuple(n for one in self.behaviours if one.level == level for n in one.candidates)


def select(
    trials: Sequence[Trial],
    tests: Sequence[ProposedTest],
    preferred: Mapping[str, float] | None = None,
) -> Selection:
    """Choose a candidate.

    Args:
        trials: What running each showed.
        tests: The proposed tests, in the order of the trials' verdicts.
        preferred: How much else speaks for a candidate, by name: decides where running does not.
    """
    able = [trial for trial in trials if trial.given is None or trial.given.outcome == "passed"]
    if not able:
        return Selection(None, "none_passes_given" if trials else "none_runs")
    running = [trial for trial in able if trial.runs or trial.given is not None]
    if not running:
        return Selection(None, "none_runs")
    preferred = preferred or {}
    classes = _classes(running)
    suspects = _suspects(classes, tests)
    weighed = [_weighed(one, classes, tests, suspects) for one in classes]

    def rank(one: Behaviour) -> tuple[float, int, float, float]:
        return *one.level, max(preferred.get(name, 0.0) for name in one.candidates)

    ordered = sorted(weighed, key=rank, reverse=True)
    best = max(ordered[0].candidates, key=lambda name: preferred.get(name, 0.0))
    asked = bool(tests) or any(trial.given is not None or trial.outputs for trial in running)
    if not asked:
        return Selection(None, "untried", tuple(ordered))
    return Selection(best, "chosen", tuple(ordered), suspects)


def _classes(trials: Sequence[Trial]) -> list[list[Trial]]:
    found: dict[tuple[object, ...], list[Trial]] = {}
    for trial in trials:
        # What only a test that is run whole shows is behaviour too.
        did = (*map(key_of, trial.outputs), *trial.verdicts)
        found.setdefault(did, []).append(trial)
    return list(found.values())


def _suspects(classes: Sequence[Sequence[Trial]], tests: Sequence[ProposedTest]) -> frozenset[int]:
    """Places of the tests that most who differ elsewhere fail with one and the same output."""
    calls = {call: place for place, call in enumerate(calls_of(tests))}
    found = set()
    for number, test in enumerate(tests):
        if test.call is None or test.call not in calls:
            continue
        place = calls[test.call]
        authors: Counter[str] = Counter()
        differing: Counter[str] = Counter()
        failing = set()
        for one in classes:
            judging = {trial.author for trial in one} - {test.proposer}
            if not judging or place >= len(one[0].outputs):
                continue
            did = key_of(one[0].outputs[place])
            authors[did] += len(judging)
            differing[did] += 1
            if one[0].verdicts[number] is False:
                failing.add(did)
        if authors:
            did, most = authors.most_common(1)[0]
            majority = most > authors.total() / 2
            if majority and differing[did] > 1 and did in failing and did.startswith("["):
                found.add(number)
    return frozenset(found)


def _weighed(
    one: Sequence[Trial],
    classes: Sequence[Sequence[Trial]],
    tests: Sequence[ProposedTest],
    suspects: frozenset[int],
) -> Behaviour:
    votes = 0.0
    for number, test in enumerate(tests):
        if number in suspects:
            continue
        verdicts = [_verdict(other, number, test, classes) for other in classes]
        own = _verdict(one, number, test, classes)
        cast = [verdict for verdict in verdicts if verdict is not None]
        if own is not None:
            votes += own - sum(cast) / len(cast)
    authors = tuple(dict.fromkeys(trial.author for trial in one))
    names = tuple(trial.candidate for trial in one)
    score = votes + AGREEMENT * (len(authors) - 1)
    return Behaviour(names, authors, votes, score, _shared(one, classes))


def _shared(one: Sequence[Trial], classes: Sequence[Sequence[Trial]]) -> float:
    others = [
        other[0].outputs for other in classes if other is not one for _ in {t.author for t in other}
    ]
    alike = sum(
        mine is not None and not mine.error and key_of(mine) == key_of(theirs)
        for outputs in others
        for mine, theirs in zip(one[0].outputs, outputs, strict=False)
    )
    return alike / max(1, len(others) * len(one[0].outputs))


def _verdict(
    one: Sequence[Trial], number: int, test: ProposedTest, classes: Sequence[Sequence[Trial]]
) -> bool | None:
    """Tell a test's verdict on a class; None if nobody but its proposer passes it."""
    passed = one[0].verdicts[number]
    if not passed:
        return passed
    passing = {trial.author for other in classes if other[0].verdicts[number] for trial in other}
    return True if passing - {test.proposer} else None
