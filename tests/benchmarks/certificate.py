"""Does the certificate hold the truth? Pools of members of set joint ability, many times over.

    python -m tests.benchmarks.certificate                      2,000 pools each, minutes
    python -m tests.benchmarks.certificate --repetitions 200

A question is hard for everybody with a set chance; members are right with chances of their own,
lower on hard ones, so that their errors go together. All probabilities are known, so are the true
share of questions that all get wrong and the true lead of the best choice over the truly best
member. Each repetition draws new questions and certifies them.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import prod

from fusion_graph.evals.certificate import Certificate, certify


@dataclass(frozen=True)
class Pool:
    """Members of set ability.

    Attributes:
        name: What it is a case of.
        easy: How often each is right on a question that is not hard.
        hard: How often each is on a hard one.
        share: Of hard questions.
        questions: How many are asked.
    """

    name: str
    easy: tuple[float, ...]
    hard: tuple[float, ...]
    share: float
    questions: int

    @property
    def all_wrong(self) -> float:
        """The true share of questions that all get wrong."""
        return self.share * _none(self.hard) + (1 - self.share) * _none(self.easy)

    @property
    def lead(self) -> float:
        """The true lead of the best choice over the truly best member."""
        right = [
            self.share * hard + (1 - self.share) * easy
            for easy, hard in zip(self.easy, self.hard, strict=True)
        ]
        return 1 - self.all_wrong - max(right)


def _none(chances: Iterable[float]) -> float:
    return prod(1 - chance for chance in chances)


POOLS = (
    Pool("three alike, independent", (0.7,) * 3, (0.7,) * 3, 0.0, 100),
    Pool("three alike, errors go together", (0.9,) * 3, (0.2,) * 3, 0.3, 100),
    Pool("one strong, two weak", (0.9, 0.6, 0.6), (0.5, 0.1, 0.1), 0.2, 100),
    Pool("hardly ever all wrong", (0.95,) * 3, (0.8,) * 3, 0.1, 100),
    Pool("hard for all", (0.4,) * 3, (0.02,) * 3, 0.5, 100),
    Pool("five alike, any may seem best", (0.8,) * 5, (0.3,) * 5, 0.25, 50),
    Pool("two members, 20 questions", (0.8, 0.7), (0.3, 0.2), 0.2, 20),
    Pool("sixteen members, 164 questions", (0.6,) * 16, (0.03,) * 16, 0.15, 164),
)


@dataclass(frozen=True)
class Held:
    """In how many repetitions a bound held the truth.

    Attributes:
        wrong: The interval of the share that all got wrong.
        ceiling: The upper bound of the ceiling.
        lead: The upper bound of the lead.
        both: Ceiling and lead in one repetition.
        repetitions: Of how many.
    """

    wrong: int
    ceiling: int
    lead: int
    both: int
    repetitions: int


def drawn(pool: Pool, seed: int) -> Certificate:
    """The certificate of new questions and answers."""
    rng = random.Random(f"{pool.name} {seed}")
    members: dict[str, dict[str, bool]] = {f"m{n}": {} for n in range(len(pool.easy))}
    for number in range(pool.questions):
        chances = pool.hard if rng.random() < pool.share else pool.easy
        for member, chance in zip(members.values(), chances, strict=True):
            member[f"q{number}"] = rng.random() < chance
    found = certify("pool", members, {})
    assert found is not None
    return found


def kept_by(pool: Pool, seeds: Iterable[int]) -> Held:
    """How often the certificate's bounds hold a pool's truth."""
    wrong = ceiling = lead = both = count = 0
    for seed in seeds:
        found = drawn(pool, seed)
        within = found.all_wrong.low <= pool.all_wrong <= found.all_wrong.high
        above = 1 - pool.all_wrong <= found.ceiling_at_most
        ahead = pool.lead <= found.lead.high
        wrong, ceiling, lead = wrong + within, ceiling + above, lead + ahead
        both, count = both + (above and ahead), count + 1
    return Held(wrong, ceiling, lead, both, count)


def table(repetitions: int) -> Iterator[str]:
    """Rows of a Markdown table: each pool, and how often its bounds held."""
    yield (
        "| members | questions | true share all wrong | interval holds it | ceiling's bound holds "
        "| true lead | lead's bound holds | both bounds |"
    )
    yield f"|---|{'---:|' * 7}"
    for pool in POOLS:
        held = kept_by(pool, range(repetitions))
        shares = [
            f"{100 * count / repetitions:.2f} %"
            for count in (held.wrong, held.ceiling, held.lead, held.both)
        ]
        yield (
            f"| {pool.name} | {pool.questions} | {100 * pool.all_wrong:.2f} % | {shares[0]} | "
            f"{shares[1]} | {100 * pool.lead:.2f} points | {shares[2]} | {shares[3]} |"
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=2000)
    for row in table(parser.parse_args().repetitions):
        print(row, flush=True)


if __name__ == "__main__":
    main()
