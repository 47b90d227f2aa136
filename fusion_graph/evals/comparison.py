"""Arms side by side: their figures, and how sure the first one's difference from each is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import fsum

from fusion_graph.cost.usage import total
from fusion_graph.evals._answering import Answer
from fusion_graph.evals._scoring import QuestionScore, RunScore, score, score_run
from fusion_graph.evals.certificate import Certificate
from fusion_graph.evals.intervals import FEWEST_PAIRS, Interval, Values, difference, ratio
from fusion_graph.evals.pools import certificates
from fusion_graph.evals.runner import Marked
from fusion_graph.evals.tallies import Policy

FEWEST_IN_A_DOMAIN = FEWEST_PAIRS
"""A domain with fewer questions gets no interval: see `intervals.FEWEST_PAIRS`."""


@dataclass(frozen=True)
class ArmFigures:
    """One arm over all questions.

    Attributes:
        name: The arm's.
        kind: What it does.
        score: Its scores, in all and by domain and axis.
        scores: By question, 0 to 100; None where an answer could not be marked.
        costs: US dollars by question, as if the arm had been run by itself; None if unknown.
        tokens: In and out, by question.
        seconds: By question, as if the arm had been run by itself.
        characters: Mean length of its answers, without their sources.
        calls: Model calls in all.
        degraded: Answers for which it had to do without something.
        plan_calls: Those of the calls that a subscription of the user's paid, which no cost holds.
    """

    name: str
    kind: str
    score: RunScore
    scores: Values
    costs: Values
    tokens: Values
    seconds: Values
    characters: float
    calls: int
    degraded: int
    plan_calls: int = 0

    @property
    def cost(self) -> float | None:
        """US dollars over all questions; None as soon as one is unknown."""
        known = [cost for cost in self.costs.values() if cost is not None]
        return fsum(known) if len(known) == len(self.costs) else None

    @property
    def tokens_in_all(self) -> float:
        """Tokens over all questions."""
        return fsum(value or 0 for value in self.tokens.values())

    @property
    def seconds_each(self) -> float:
        """Mean seconds to an answer."""
        return fsum(value or 0 for value in self.seconds.values()) / max(len(self.seconds), 1)


@dataclass(frozen=True)
class Comparison:
    """Two arms on the same questions.

    Attributes:
        one: The first arm's name.
        other: The second's.
        score: How much the first is above the second, in points; None if they share nothing.
        cost: How many times the second's cost the first costs; None if unknown or free.
        tokens: The same of tokens.
        seconds: The same of seconds.
        domains: The difference in points by domain, for those with enough questions.
        gains: Per question, the first's score less the second's, best first.
        left_out: Ids of questions on which one of the two has no score: in no figure above.
    """

    one: str
    other: str
    score: Interval | None
    cost: Interval | None
    tokens: Interval | None
    seconds: Interval | None
    domains: dict[str, Interval]
    gains: tuple[tuple[str, float], ...]
    left_out: tuple[str, ...]

    @property
    def helped(self) -> int:
        """Questions on which the first did better."""
        return sum(gain > 0 for _, gain in self.gains)

    @property
    def hurt(self) -> int:
        """Questions on which the first did worse."""
        return sum(gain < 0 for _, gain in self.gains)

    @property
    def same(self) -> int:
        """Questions on which both did alike."""
        return len(self.gains) - self.helped - self.hurt


@dataclass(frozen=True)
class Results:
    """Everything that was found.

    Attributes:
        arms: In the order of the command line.
        comparisons: The first arm with each other one. For another one in its place, name that
            arm first: the answers are there already.
        scores: Of every answer, by question and arm.
        certificates: What the members' answers allow, for each panel whose members were asked
            alone as well.
    """

    arms: tuple[ArmFigures, ...]
    comparisons: tuple[Comparison, ...]
    scores: dict[tuple[str, str], QuestionScore]
    certificates: tuple[Certificate, ...] = ()


def compare(marked: Sequence[Marked], names: Sequence[str], policy: Policy) -> Results:
    """The figures of all arms and the differences between them.

    Args:
        marked: Every answer; each arm's on the same questions.
        names: The arms in their order.
        policy: What missing verdicts count.

    Raises:
        MixedGraders: Several graders marked.
    """
    # One pass over all arms: their graders must be the same, not only each arm's by itself.
    score_run([(item.question, item.grade) for item in marked], policy)
    scores = {
        (item.question.id, item.arm.name): score(item.question, item.grade, policy)
        for item in marked
    }
    arms = tuple(
        _figures(name, [item for item in marked if item.arm.name == name], scores, policy)
        for name in names
    )
    domains = {item.question.id: item.question.domain for item in marked}
    pairs = tuple(_pair(arms[0], other, domains) for other in arms[1:])
    return Results(arms, pairs, scores, certificates(marked, scores))


def _figures(
    name: str,
    marked: Sequence[Marked],
    scores: dict[tuple[str, str], QuestionScore],
    policy: Policy,
) -> ArmFigures:
    def each(value: Callable[[Answer], float | None]) -> dict[str, float | None]:
        return {item.question.id: value(item.answer) for item in marked}

    return ArmFigures(
        name=name,
        kind=marked[0].arm.kind if marked else "",
        score=score_run([(item.question, item.grade) for item in marked], policy),
        scores={item.question.id: scores[item.question.id, name].score for item in marked},
        costs=each(lambda answer: total(answer.calls)["cost_usd"]),
        tokens=each(tokens_of),
        seconds=each(lambda answer: answer.seconds),
        characters=fsum(len(item.answer.text or "") for item in marked) / max(len(marked), 1),
        calls=sum(len(item.answer.calls) for item in marked),
        degraded=sum(bool(item.answer.degradations) for item in marked),
        plan_calls=sum(total(item.answer.calls)["plan_calls"] for item in marked),
    )


def tokens_of(answer: Answer) -> int:
    """Tokens behind an answer, in and out."""
    spent = total(answer.calls)
    return spent["input_tokens"] + spent["output_tokens"]


def _pair(one: ArmFigures, other: ArmFigures, domains: dict[str, str]) -> Comparison:
    found: dict[str, Interval] = {}
    for domain in sorted(set(domains.values()) - {""}):
        inside = [question for question, its in domains.items() if its == domain]
        if len(inside) < FEWEST_IN_A_DOMAIN:
            continue
        interval = difference(_only(one.scores, inside), _only(other.scores, inside))
        if interval is not None:
            found[domain] = interval
    return Comparison(
        one=one.name,
        other=other.name,
        score=difference(one.scores, other.scores),
        # What a plan pays is in no sum: what is left of an arm would look cheap beside another.
        cost=None if one.plan_calls or other.plan_calls else _ratio(one.costs, other.costs),
        tokens=_ratio(one.tokens, other.tokens),
        seconds=_ratio(one.seconds, other.seconds),
        domains=found,
        gains=_gains(one.scores, other.scores),
        left_out=tuple(
            question
            for question in dict.fromkeys([*one.scores, *other.scores])
            if one.scores.get(question) is None or other.scores.get(question) is None
        ),
    )


def _ratio(one: Values, other: Values) -> Interval | None:
    """A ratio, unless an amount is unknown: over the known ones alone it would mislead."""
    if None in one.values() or None in other.values():
        return None
    return ratio(one, other)


def _gains(one: Values, other: Values) -> tuple[tuple[str, float], ...]:
    gains = []
    for question, mine in one.items():
        theirs = other.get(question)
        if mine is not None and theirs is not None:
            gains.append((question, mine - theirs))
    return tuple(sorted(gains, key=lambda item: (-item[1], item[0])))


def _only(values: Values, questions: Iterable[str]) -> Values:
    return {question: values.get(question) for question in questions}
