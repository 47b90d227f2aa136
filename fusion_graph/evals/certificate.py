"""The most that any choice among the members' answers can bring, and what was taken of it.

A router, vote, judge or cascade passes on one of the members' answers, so on a question that all of
them got wrong it is wrong too. With beta the share of such questions, none is right on more than
1 - beta of all ("the co-failure ceiling", arXiv:2606.27288). A writer may go beyond, for it can say
what no member said; such questions are counted by themselves. Everything here is counting; the
bounds are exact (`_binomial`) for questions drawn at random from those that one cares about.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from fusion_graph.evals._binomial import at_least, at_most
from fusion_graph.evals._checks import wording

ERROR = 0.05
"""Probability that a bound fails, at most."""

Right = Mapping[str, bool]
"""Whether somebody was right, by question's id."""


@dataclass(frozen=True)
class Share:
    """A counted share and the bounds that hold it in at least 95 of 100 experiments.

    Attributes:
        count: How many.
        of: Of how many.
        low: Lower bound, 0 to 1.
        high: Upper bound, 0 to 1.
    """

    count: int
    of: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """What was counted, 0 to 1."""
        return self.count / self.of


@dataclass(frozen=True)
class Seat:
    """What a member brings to the panel.

    Attributes:
        name: The member's.
        right: Questions that it got right.
        alone: Questions that nobody else got right.
        ceiling_without: Highest share of questions right without it, 0 to 1.
    """

    name: str
    right: int
    alone: int
    ceiling_without: float

    @property
    def adds_nothing(self) -> bool:
        """Whether the ceiling is the same without it, on these questions."""
        return self.alone == 0


@dataclass(frozen=True)
class Pair:
    """How the errors of two members go together.

    Attributes:
        one: The first member's name.
        other: The second's.
        both_wrong: Questions that both got wrong.
        by_chance: How many that would be if their errors had nothing to do with each other.
        phi: Correlation of their errors, -1 to 1; None where one of them is always or never right.
        compared: Of both's wrong answers, those that are short enough to compare.
        agreed: Of those, the ones that say the same.
    """

    one: str
    other: str
    both_wrong: int
    by_chance: float
    phi: float | None
    compared: int
    agreed: int


@dataclass(frozen=True)
class Taken:
    """What a judge and a writer made of the members' answers.

    Attributes:
        arm: The arm's name.
        questions: Those on which it and all members have a score.
        right: Those that it got right.
        kept: Those that a member and it got right.
        lost: Those that a member got right and it did not.
        beyond: Those that it got right and no member: beyond the ceiling.
        best: Those that the best member got right.
    """

    arm: str
    questions: int
    right: int
    kept: int
    lost: int
    beyond: int
    best: int

    @property
    def largest_lead(self) -> int:
        """Questions by which the best choice among the answers is ahead of the best member."""
        return self.kept + self.lost - self.best

    @property
    def share_of_lead(self) -> float | None:
        """How much of that lead it has, what lies beyond left out; None where there is none."""
        return (self.kept - self.best) / self.largest_lead if self.largest_lead else None


@dataclass(frozen=True)
class Certificate:
    """What the members' answers allow.

    Attributes:
        preset: Whose panel it is.
        all_wrong: The share beta of questions that all members got wrong, bounds on both sides.
        best: The member that was right most often; the first of equals.
        lead: The share of questions that another member got right and the best did not: how far
            the best choice is ahead of the best member. Its upper bound leaves room for the best
            being picked after the fact: each member's own bound fails in at most a `len(seats)`th
            of `ERROR`, so all hold together, and the true lead over the truly best is below each.
            There is no lower bound (0): with another best, there may be no lead.
        seats: The members, in the panel's order.
        pairs: Every two of them.
        taken: What each arm over the same answers made of them.
        left_out: Ids of questions on which a member has no score.
    """

    preset: str
    all_wrong: Share
    best: str
    lead: Share
    seats: tuple[Seat, ...]
    pairs: tuple[Pair, ...]
    taken: tuple[Taken, ...]
    left_out: tuple[str, ...]

    @property
    def ceiling(self) -> float:
        """The share of questions that the best choice among the answers gets right, 0 to 1."""
        return 1.0 - self.all_wrong.value

    @property
    def ceiling_at_most(self) -> float:
        """The upper bound of the ceiling on questions like these, 0 to 1."""
        return 1.0 - self.all_wrong.low


def certify(
    preset: str,
    members: Mapping[str, Right],
    arms: Mapping[str, Right],
    answers: Mapping[str, Mapping[str, str]] | None = None,
) -> Certificate | None:
    """The certificate of a panel; None with fewer than two members or no question of all's.

    Args:
        preset: Whose panel it is.
        members: For each member, on which questions it was right; a question that could not be
            marked is missing.
        arms: The same of those who made one answer of the members'.
        answers: The members' answers by question, to tell how often wrong ones agree.
    """
    if len(members) < 2:
        return None
    known = list(dict.fromkeys(question for right in members.values() for question in right))
    asked = [q for q in known if all(q in right for right in members.values())]
    if not asked:
        return None
    count = len(asked)
    found = {name: sum(right[q] for q in asked) for name, right in members.items()}
    best = max(found, key=lambda name: found[name])
    wrong = sum(not any(right[q] for right in members.values()) for q in asked)
    alone = {
        name: sum(
            right[q] and not any(its[q] for other, its in members.items() if other != name)
            for q in asked
        )
        for name, right in members.items()
    }
    ahead = count - wrong - found[best]
    # Once for each: a member stands in as many pairs as there are other members.
    wrong_words = {
        name: _short_answers((answers or {}).get(name, {}), [q for q in asked if not right[q]])
        for name, right in members.items()
    }
    return Certificate(
        preset=preset,
        all_wrong=Share(
            wrong, count, at_least(wrong, count, ERROR / 2), at_most(wrong, count, ERROR / 2)
        ),
        best=best,
        lead=Share(ahead, count, 0.0, at_most(ahead, count, ERROR / len(members))),
        seats=tuple(
            Seat(name, found[name], alone[name], (count - wrong - alone[name]) / count)
            for name in members
        ),
        pairs=tuple(
            _pair(one, other, members[one], members[other], asked, wrong_words)
            for one, other in combinations(members, 2)
        ),
        taken=tuple(
            one for name, right in arms.items() if (one := _taken(name, right, members, asked))
        ),
        left_out=tuple(q for q in known if q not in set(asked)),
    )


def _taken(
    name: str, right: Right, members: Mapping[str, Right], asked: Sequence[str]
) -> Taken | None:
    shared = [q for q in asked if q in right]
    if not shared:
        return None
    possible = {q for q in shared if any(its[q] for its in members.values())}
    kept = sum(right[q] for q in possible)
    return Taken(
        arm=name,
        questions=len(shared),
        right=sum(right[q] for q in shared),
        kept=kept,
        lost=len(possible) - kept,
        beyond=sum(right[q] for q in shared if q not in possible),
        best=max(sum(its[q] for q in shared) for its in members.values()),
    )


def _pair(
    one: str,
    other: str,
    first: Right,
    second: Right,
    asked: Sequence[str],
    wrong_words: Mapping[str, Mapping[str, str]],
) -> Pair:
    both = [q for q in asked if not first[q] and not second[q]]
    wrong = [sum(not right[q] for q in asked) for right in (first, second)]
    texts = [
        (mine, theirs)
        for q in both
        if (mine := wrong_words[one].get(q)) and (theirs := wrong_words[other].get(q))
    ]
    return Pair(
        one=one,
        other=other,
        both_wrong=len(both),
        by_chance=wrong[0] * wrong[1] / len(asked),
        phi=phi(len(both), wrong[0], wrong[1], len(asked)),
        compared=len(texts),
        agreed=sum(mine == theirs for mine, theirs in texts),
    )


def phi(both: int, one: int, other: int, count: int) -> float | None:
    """The correlation of two things that happen or not; None where one always or never does.

    Args:
        both: How often both happened.
        one: How often the first did.
        other: How often the second did.
        count: Of how many.
    """
    spread = one * (count - one) * other * (count - other)
    return (count * both - one * other) / math.sqrt(spread) if spread else None


SHORT_WORDS = 12
"""Longer answers may be wrong alike in other words, which no comparison by code can tell."""


def _short_answers(answers: Mapping[str, str], asked: Sequence[str]) -> dict[str, str]:
    """The words of short answers, as they are compared, by question."""
    found = {q: wording(answers[q]).strip(" .!?\"'") for q in asked if answers.get(q)}
    return {q: words for q, words in found.items() if len(words.split()) <= SHORT_WORDS}
