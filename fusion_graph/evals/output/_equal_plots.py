"""Plots for scores that are equal: what else tells arms apart, and how much the equality says."""

from __future__ import annotations

from collections.abc import Sequence

from fusion_graph.evals._binomial import at_most
from fusion_graph.evals.comparison import ArmFigures, Comparison
from fusion_graph.evals.intervals import Values
from fusion_graph.evals.output._svg import (
    CHARACTER_WIDTH,
    Plot,
    bar,
    drawing,
    line,
    short,
    text,
)
from fusion_graph.evals.output.words import dollars, points
from fusion_graph.report.html.panel import hue

WIDTH, ROW, GAP = 640, 30, 10
ALIKE_WIDTH, ALIKE_HEIGHT, SCALE = 900, 150, 34
ERROR = 0.05


def what_it_takes(arms: Sequence[ArmFigures]) -> tuple[bool, list[float]]:
    """Find what a question takes of each arm: whether in US dollars, else in tokens; how much."""
    if all(arm.cost is not None for arm in arms) and any(arm.cost for arm in arms):
        return True, [(arm.cost or 0.0) / max(len(arm.costs), 1) for arm in arms]
    return False, [arm.tokens_in_all / max(len(arm.tokens), 1) for arm in arms]


def takes(arms: Sequence[ArmFigures]) -> Plot:
    """What an answer takes of each arm, as bars: where all score alike, that is what differs.

    Args:
        arms: Those that have a score, and others, which are left out.
    """
    priced, amounts = what_it_takes(arms)
    shown = [
        (arm, amount, hue(place))
        for place, (arm, amount) in enumerate(zip(arms, amounts, strict=True), start=1)
        if arm.score.score is not None
    ]
    most = max(amount for _, amount, _ in shown) or 1.0
    names = max(len(short(arm.name)) for arm, _, _ in shown) * CHARACTER_WIDTH + 14
    values = 12 * CHARACTER_WIDTH
    parts = []
    told = []
    for row, (arm, amount, colour) in enumerate(shown):
        said = dollars(amount) if priced else f"{amount:,.0f} tokens"
        middle = GAP + ROW * row + ROW / 2
        long = max((WIDTH - names - values) * amount / most, 1.0)
        parts.append(text(names - 10, middle + 4, short(arm.name), "end", "plot-name"))
        parts.append(bar(names, middle - 8, long, 16, f"{arm.name}: {said}", "arm", colour))
        parts.append(text(names + long + 8, middle + 4, said, "start"))
        told.append(f"{arm.name} {said}")
    score = points(shown[0][0].score.score)
    caption = (
        f"Every arm scores {score} of 100. What tells them apart is what an answer takes, in "
        f"{'US dollars' if priced else 'tokens'}."
    )
    height = 2 * GAP + ROW * len(shown)
    unit = "US dollars a question" if priced else "tokens a question"
    scores = "; ".join(f"{arm.name} {score}" for arm, _, _ in shown)
    words = f"Score against {unit}: {scores}; all alike, and they take: {'; '.join(told)}"
    return Plot(drawing(WIDTH, height, words, parts), caption)


def alike(pair: Comparison, scores: Values) -> Plot:
    """How well two arms did that did alike on every question, and how much that says.

    Args:
        pair: The two.
        scores: The score of either, by question.
    """
    both = sorted(((scores.get(id) or 0.0, id) for id, _ in pair.gains), key=lambda one: -one[0])
    step = (ALIKE_WIDTH - SCALE) / len(both)
    tall = ALIKE_HEIGHT - 20
    floor = ALIKE_HEIGHT - 10
    parts = []
    for tick in (0, 50, 100):
        y = floor - tall * tick / 100
        parts.append(line(SCALE, y, ALIKE_WIDTH, y, "plot-grid" if tick else "plot-axis"))
        parts.append(text(SCALE - 8, y + 4, str(tick), "end"))
    for place, (score, id) in enumerate(both):
        high = max(tall * score / 100, 2.0)
        told = f"{id}: both {points(score)}"
        parts.append(
            bar(SCALE + place * step, floor - high, max(step * 0.8, 0.6), high, told, "level")
        )
    count = "their one question" if len(both) == 1 else f"all {len(both)} questions"
    told = (
        f"{pair.one} against {pair.other}: better on 0 questions, worse on 0, alike on "
        f"{len(both)}: {_levels(both)}"
    )
    share = at_most(0, len(both), ERROR)
    caption = (
        f"Alike on {count}: one bar a question, as high as both scored ({_levels(both)}). "
        f"Did the arms differ on more than {share:.0%} of such questions, so many alike would be "
        f"seen in less than {ERROR:.0%} of cases."
    )
    return Plot(drawing(ALIKE_WIDTH, ALIKE_HEIGHT, told, parts), caption)


def _levels(both: Sequence[tuple[float, str]]) -> str:
    full = sum(score >= 100 for score, _ in both)
    none = sum(score <= 0 for score, _ in both)
    parts = [(full, "fully right"), (len(both) - full - none, "in part"), (none, "not at all")]
    return ", ".join(f"{number} {what}" for number, what in parts if number)
