"""What a panel that stops early costs and loses: members whose ability is set, many times over.

    python -m tests.benchmarks.adaptive                200 seeds of 1,000 questions each
    python -m tests.benchmarks.adaptive --seeds 20     a look, in seconds

The stopping rule and the choice of scouts are fusion_graph's; members, pages, judge and writer are
drawn. A question is hard or easy for all members at once (a Gaussian copula): that is what makes
their errors come together. Of two that are wrong, most give the same wrong answer (60 % between
language models: arXiv 2506.07962). A member reads two pages; of those who are wrong, some read a
page that says so and that others read too. Citations do not always hold: 40 to 80 % do in the
products that DeepTRACE measured (arXiv 2509.04499); here those of who is right hold in 80 %, those
of who is wrong in 40 %, and one world shows what is left if all hold. On some questions a planted
page misleads whoever reads it, and its quotes hold.

The whole panel answers what most of its members say; a tie goes to its dearest. Its lead is over
its best member asked alone. Prices are those of an answer, in those of a scout's. A judge and a
writer cost something for themselves and something for each answer that they read.
"""

from __future__ import annotations

import argparse
import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from statistics import NormalDist

from fusion_graph.evals._binomial import at_most
from fusion_graph.evidence import QuoteRecord, SourceRecord
from fusion_graph.judgement import (
    Analysis,
    Candidate,
    Stopping,
    choose_scouts,
    enough_agreed,
)
from fusion_graph.judgement.analysis import Contradiction, Point, Stance

QUESTIONS, SEEDS = 1_000, 200

JUDGE, JUDGE_READS, WRITER, WRITER_READS = 1.0, 0.4, 1.5, 0.3
"""Costs of a call and of each answer read, in answers of a scout."""

JUDGE_OVERLOOKS, JUDGE_QUIBBLES = 0.03, 0.04
"""How often a judge takes different answers for one, or sees a contradiction where none is."""

POPULAR = 0.775
"""Chance that a wrong answer is the popular one: so two that are wrong agree in 60 % of cases."""

RIGHT, POPULAR_ERROR, PLANTED = 12, 19, 31
OTHER_ERRORS = (14, 15, 16, 17)

PAGES, PAGES_READ = 12, 2
"""Pages that answer a question rightly, each independent, and how many of them a member cites."""

SHARED_ERROR = 0.5
"""Chance that who is wrong has it from the page that others who are wrong have it from."""

MISLED = 0.85
"""Chance that a member meets the planted page and believes it."""

ERROR = 0.025
"""At either end: the bound is the upper end of the exact interval of 95 %."""


@dataclass(frozen=True)
class Member:
    """A member of set ability and price.

    Attributes:
        name: Its name.
        family: Its family of models.
        ability: How often it is right.
        price: Of an answer.
    """

    name: str
    family: str
    ability: float
    price: float


@dataclass(frozen=True)
class World:
    """What a panel is asked in.

    Attributes:
        name: What is special about it.
        panel: The members.
        correlation: Of what makes members wrong, between 0 and 1.
        sources: Whether members search.
        planted: Share of the questions with a planted page.
        holds: How often a citation holds, of members that are right and of those that are wrong.
        graded: Questions of a record that the scouts are chosen by; 0 without one.
    """

    name: str
    panel: tuple[Member, ...]
    correlation: float = 0.35
    sources: bool = True
    planted: float = 0.0
    holds: tuple[float, float] = (0.8, 0.4)
    graded: int = 0


MIXED = (
    Member("large-a", "a", 0.88, 10.0),
    Member("large-b", "b", 0.88, 10.0),
    Member("large-c", "c", 0.88, 10.0),
    Member("small-a", "a", 0.85, 1.0),
    Member("small-b", "b", 0.85, 1.0),
)
"""Three large models and two small ones at a tenth of the price: usual in presets and lists."""

WEAK = tuple(replace(m, ability=0.7) if m.price < 2 else m for m in MIXED)

WORLDS = (
    World("usual: two small, three large", MIXED),
    World("errors hardly come together", MIXED, correlation=0.1),
    World("errors come together more", MIXED, correlation=0.6),
    World("no sources", MIXED, sources=False),
    World("planted pages on a tenth", MIXED, planted=0.1),
    World("every citation holds", MIXED, holds=(1.0, 1.0)),
    World("weak small members", WEAK),
    World("weak small members, and a record that shows it", WEAK, graded=200),
    World("all of one price", tuple(replace(m, price=4.0, ability=0.87) for m in MIXED)),
)


@dataclass
class Tally:
    """What became of the questions of one seed."""

    questions: int = 0
    full_right: int = 0
    adaptive_right: int = 0
    full_cost: float = 0.0
    adaptive_cost: float = 0.0
    stopped: int = 0
    stopped_wrong: int = 0
    planted: int = 0
    planted_stops: int = 0

    def add(self, other: Tally) -> None:
        """Add the questions of another seed."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


@dataclass(frozen=True)
class Outcome:
    """A world's figures.

    Attributes:
        total: All seeds together.
        best: How often its best member is right, of all the questions.
        bounds: The upper bound of P(wrong | stopped) that each seed's questions give.
    """

    world: World
    total: Tally
    best: float
    bounds: tuple[float, ...]

    @property
    def lead(self) -> float:
        """The whole panel's lead over its best member."""
        return self.total.full_right / self.total.questions - self.best

    @property
    def kept(self) -> float:
        """Share of that lead that the adaptive panel keeps."""
        return (self.total.adaptive_right / self.total.questions - self.best) / self.lead

    @property
    def cost(self) -> float:
        """What it costs, of the whole panel's cost."""
        return self.total.adaptive_cost / self.total.full_cost

    @property
    def wrong(self) -> float:
        """P(wrong | stopped), of all seeds' questions: taken for the truth."""
        return self.total.stopped_wrong / max(1, self.total.stopped)

    @property
    def held(self) -> float:
        """Share of the seeds whose bound was not below it."""
        return sum(bound >= self.wrong for bound in self.bounds) / len(self.bounds)


@dataclass(frozen=True)
class _Said:
    """An answer, the origins of its pages, and those of them that do not say so."""

    value: int
    origins: tuple[int, ...]
    misquoted: frozenset[int] = frozenset()


def simulate(world: World, seeds: int = SEEDS, questions: int = QUESTIONS) -> Outcome:
    """Ask a panel so many questions, whole and adaptive, so many times.

    Args:
        world: The panel, and what it is asked in.
        seeds: How many times.
        questions: How many each time.
    """
    total, bounds = Tally(), []
    best = max(range(len(world.panel)), key=lambda i: world.panel[i].ability)
    best_right = 0
    for seed in range(seeds):
        tally, right = _one_seed(world, seed, questions, best)
        best_right += right
        total.add(tally)
        if tally.stopped:
            bounds.append(at_most(tally.stopped_wrong, tally.stopped, ERROR))
    return Outcome(world, total, best_right / total.questions, tuple(bounds))


def _one_seed(world: World, seed: int, questions: int, best: int) -> tuple[Tally, int]:
    rng, tally, best_right = random.Random(seed), Tally(), 0
    panel = world.panel
    n = world.graded
    candidates = [Candidate(m.name, m.family, m.price, m.ability * n, n) for m in panel]
    chosen = choose_scouts(candidates)
    first = [i for i, member in enumerate(panel) if member.name in chosen]
    limits = [NormalDist().inv_cdf(member.ability) for member in panel]
    families = tuple(panel[i].family for i in first)
    everybody = _cost(panel)
    scouting = sum(panel[i].price for i in first) + JUDGE + JUDGE_READS * len(first)
    stopping = scouting + WRITER + WRITER_READS * len(first)
    for _ in range(questions):
        said, is_planted = _answers(world, limits, rng)
        whole = _most(said, panel)
        stop = _decide(said[first[0]], said[first[1]], families, world.sources, rng)
        answer = said[first[0]].value if stop else whole
        tally.questions += 1
        tally.full_right += whole == RIGHT
        tally.full_cost += everybody
        tally.adaptive_right += answer == RIGHT
        tally.adaptive_cost += stopping if stop else scouting + everybody - _paid(panel, first)
        tally.stopped += stop
        tally.stopped_wrong += stop and answer != RIGHT
        tally.planted += is_planted
        tally.planted_stops += stop and answer == PLANTED
        best_right += said[best].value == RIGHT
    return tally, best_right


def _cost(panel: Sequence[Member]) -> float:
    prices = sum(member.price for member in panel)
    return prices + JUDGE + WRITER + (JUDGE_READS + WRITER_READS) * len(panel)


def _paid(panel: Sequence[Member], first: Sequence[int]) -> float:
    return sum(panel[i].price for i in first)


def _answers(world: World, limits: Sequence[float], rng: random.Random) -> tuple[list[_Said], bool]:
    shared, own = math.sqrt(world.correlation), math.sqrt(1 - world.correlation)
    hard = rng.gauss(0, 1)
    is_planted = rng.random() < world.planted
    said = []
    for number, limit in enumerate(limits):
        if is_planted and rng.random() < MISLED:
            said.append(_Said(PLANTED, (-1,)))
        elif shared * hard + own * rng.gauss(0, 1) < limit:
            pages = tuple(int(rng.random() * PAGES) for _ in range(PAGES_READ))
            failed = frozenset(page for page in pages if rng.random() >= world.holds[0])
            said.append(_Said(RIGHT, pages, failed))
        else:
            value = POPULAR_ERROR if rng.random() < POPULAR else rng.choice(OTHER_ERRORS)
            page = -2 if rng.random() < SHARED_ERROR else -10 - number
            failed = frozenset() if rng.random() < world.holds[1] else frozenset([page])
            said.append(_Said(value, (page,), failed))
    return said, is_planted


def _most(said: Sequence[_Said], panel: Sequence[Member]) -> int:
    """What most say; in a tie, what the dearest of them says."""
    counts = Counter(one.value for one in said)
    dearest = {}
    for one, member in zip(said, panel, strict=True):
        dearest[one.value] = max(dearest.get(one.value, 0.0), member.price)
    return max(counts, key=lambda value: (counts[value], dearest[value]))


def _decide(
    one: _Said, other: _Said, families: tuple[str, ...], sources: bool, rng: random.Random
) -> bool:
    agrees = one.value == other.value
    luck = rng.random()
    consensus = luck >= JUDGE_QUIBBLES if agrees else luck < JUDGE_OVERLOOKS
    # Named in the order met, so that few cases are new to the rule.
    names: dict[int, int] = {}
    read = [
        tuple(
            (names.setdefault(origin, len(names) + 1), origin in said.misquoted)
            for origin in dict.fromkeys(said.origins)
        )
        for said in (one, other)
    ]
    return _rule(one.value, other.value, consensus, sources, read[0], read[1], families).stops


_Read = tuple[tuple[int, bool], ...]
"""Origins of the pages that a member cites, each with whether it is misquoted."""


@cache
def _rule(
    one: int,
    other: int,
    consensus: bool,
    has_sources: bool,
    read_by_one: _Read,
    read_by_other: _Read,
    families: tuple[str, ...],
) -> Stopping:
    """fusion_graph's rule, on an analysis as a judge would write it of these answers."""
    sources: list[SourceRecord] = []
    read = [
        (name, *page)
        for name, pages in (("a", read_by_one), ("b", read_by_other))
        for page in pages
    ]
    for name, origin, misquoted in read if has_sources else ():
        # A page that both cite is two sources of one origin, as its copy would be.
        quote: QuoteRecord = {
            "text": "spans",
            "verdict": "not_found" if misquoted else "verified",
            "page_says": "",
            "note": "",
        }
        source: SourceRecord = {
            "id": len(sources) + 1,
            "url": f"https://site{origin}.test/",
            "title": "",
            "retrieved_at": None,
            "fetched": True,
            "cited_by": [name],
            "quotes": [quote],
            "origin": origin,
        }
        sources.append(source)
    ids = [source["id"] for source in sources]
    if consensus:
        point = Point(point=f"The bridge has {one} spans.", models=["a", "b"], sources=ids)
        analysis = Analysis(consensus=[point])
    else:
        stances = [
            Stance(model=name, stance=f"It has {value} spans.", sources=ids)
            for name, value in (("a", one), ("b", other))
        ]
        analysis = Analysis(contradictions=[Contradiction(topic="Spans", stances=stances)])
    answers = {name: f"The bridge has {n} spans." for name, n in (("a", one), ("b", other))}
    kinds = dict(zip(answers, families, strict=True))
    return enough_agreed(
        analysis,
        answers,
        sources,
        families=kinds,
        question="How many spans has the bridge?",
    )


def table(outcomes: Sequence[Outcome]) -> str:
    """Write the figures as Markdown."""
    lines = [
        "| world | best member | whole panel | adaptive | lead kept | cost | stopped |"
        " wrong when stopped | bound of one seed (median) | bound holds | planted stops |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for outcome in outcomes:
        total = outcome.total
        bound = sorted(outcome.bounds)[len(outcome.bounds) // 2] if outcome.bounds else 1.0
        cells = [
            outcome.world.name,
            f"{outcome.best:.2%}",
            f"{total.full_right / total.questions:.2%}",
            f"{total.adaptive_right / total.questions:.2%}",
            f"{outcome.kept:.1%}",
            f"{outcome.cost:.1%}",
            f"{total.stopped / total.questions:.1%}",
            f"{outcome.wrong:.2%}",
            f"{bound:.2%}",
            f"{outcome.held:.1%} of {len(outcome.bounds)}",
            f"{total.planted_stops} of {total.planted:,}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Run all worlds and print their table."""
    parser = argparse.ArgumentParser(description="A panel that stops early, simulated.")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--questions", type=int, default=QUESTIONS)
    given = parser.parse_args()
    print(table([simulate(world, given.seeds, given.questions) for world in WORLDS]))


if __name__ == "__main__":
    main()
