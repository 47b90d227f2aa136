"""Plots as small SVG drawings, inside the page: no library, no script, nothing to load."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fusion_graph.evals.comparison import ArmFigures, Comparison
from fusion_graph.evals.intervals import Values
from fusion_graph.evals.output._equal_plots import alike, takes, what_it_takes
from fusion_graph.evals.output._svg import (
    CHARACTER_WIDTH,
    NO_PLOT,
    Plot,
    bar,
    circle,
    drawing,
    line,
    short,
    text,
)
from fusion_graph.evals.output.words import dollars, points, signed
from fusion_graph.report.html.panel import hue

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 46, 20, 14, 40
ROW = 26
GAIN_WIDTH = 900


@dataclass(frozen=True)
class Dot:
    """An arm in a plane: where, what it is called, and its colour."""

    x: float
    y: float
    name: str
    hue: float


def score_against_cost(arms: Sequence[ArmFigures]) -> Plot:
    """Each arm's score over what it takes: US dollars, or tokens where nobody is billed.

    Where all score alike, what it takes alone.
    """
    priced, amounts = what_it_takes(arms)
    dots = [
        Dot(amount, arm.score.score, arm.name, hue(place))
        for place, (arm, amount) in enumerate(zip(arms, amounts, strict=True), start=1)
        if arm.score.score is not None
    ]
    if not dots:
        return NO_PLOT
    if len(dots) > 1 and len({points(dot.y) for dot in dots}) == 1:
        return takes(arms)
    most = max(dot.x for dot in dots) * 1.08 or 1.0
    low = max(0.0, 10 * math.floor(min(dot.y for dot in dots) / 10 - 0.5))
    high = min(100.0, 10 * math.ceil(max(dot.y for dot in dots) / 10 + 0.5))
    unit = "US dollars a question" if priced else "tokens a question"
    wide, tall = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def across(x: float) -> float:
        return LEFT + wide * x / most

    def up(y: float) -> float:
        return TOP + tall * (high - y) / (high - low)

    parts = [
        line(LEFT, up(y), WIDTH - RIGHT, up(y), "plot-grid")
        + text(LEFT - 8, up(y) + 4, f"{y:g}", "end")
        for y in _ticks(low, high, 5)
    ]
    parts += [
        text(across(x), HEIGHT - BOTTOM + 18, dollars(x) if priced else f"{x:,.0f}", "middle")
        for x in _ticks(0, most, 4)
    ]
    parts.append(text(LEFT + wide / 2, HEIGHT - 4, unit, "middle"))
    taken: list[tuple[float, float, float]] = []
    for dot in sorted(dots, key=lambda dot: dot.y, reverse=True):
        x, y = across(dot.x), up(dot.y)
        parts.append(circle(x, y, dot.hue, f"{dot.name}: {points(dot.y)}"))
        label = short(dot.name)
        wanted = CHARACTER_WIDTH * len(label)
        left = x + wanted + 12 > WIDTH
        start = x - 10 - wanted if left else x + 10
        at = _free(start, y + 4, wanted, taken)
        taken.append((start, at, wanted))
        parts.append(
            text(x - 10 if left else x + 10, at, label, "end" if left else "start", "plot-name")
        )
    told = "; ".join(f"{dot.name} {points(dot.y)}" for dot in dots)
    shown = drawing(WIDTH, HEIGHT, f"Score against {unit}: {told}", parts)
    return Plot(shown, "Score, of 100, against what an answer takes.")


def by_domain(arms: Sequence[ArmFigures]) -> Plot:
    """Each arm's score in each domain, a row for a domain."""
    names = sorted({name for arm in arms for name in arm.score.domains})
    if not names:
        return NO_PLOT
    labels = min(max(len(short(name)) for name in names) * CHARACTER_WIDTH + 14, 220)
    height = TOP + ROW * len(names) + BOTTOM
    wide = WIDTH - labels - RIGHT
    parts = []
    for tick in range(0, 101, 25):
        x = labels + wide * tick / 100
        parts.append(line(x, TOP, x, height - BOTTOM, "plot-grid"))
        parts.append(text(x, height - BOTTOM + 18, str(tick), "middle"))
    for row, name in enumerate(names):
        middle = TOP + ROW * (row + 0.5)
        parts.append(text(labels - 10, middle + 4, short(name), "end", "plot-name"))
        for place, arm in enumerate(arms, start=1):
            mean = arm.score.domains.get(name)
            if mean is not None:
                # Arms that score alike would hide each other: they are spread over the row.
                shift = (place - (len(arms) + 1) / 2) * min(11.0, (ROW - 6) / max(len(arms), 1))
                told = f"{arm.name}: {points(mean.mean)} ({mean.questions} questions)"
                parts.append(
                    circle(labels + wide * mean.mean / 100, middle + shift, hue(place), told)
                )
    shown = drawing(WIDTH, height, f"Score by domain: {', '.join(names)}", parts)
    return Plot(shown, "Mean score of each arm in each domain; those that score alike are stacked.")


def gains(pair: Comparison, scores: Values) -> Plot:
    """Question by question: how much better or worse the first arm did, best first.

    Where both did alike on every question, how well they did.

    Args:
        pair: The two.
        scores: The first arm's, by question.
    """
    if not pair.gains:
        return NO_PLOT
    if not pair.helped and not pair.hurt:
        return alike(pair, scores)
    most = max(abs(gain) for _, gain in pair.gains) or 1.0
    height, middle = 150, 75
    step = GAIN_WIDTH / len(pair.gains)
    parts = []
    for place, (question, gain) in enumerate(pair.gains):
        tall = 65 * abs(gain) / most
        told = f"{question}: {signed(gain)}"
        if gain == 0:
            tall = 1.5
        top = middle - tall if gain > 0 else middle
        kind = "better" if gain > 0 else "worse" if gain < 0 else "alike"
        parts.append(bar(place * step, top, max(step * 0.8, 0.6), tall, told, kind))
    parts.append(line(0, middle, GAIN_WIDTH, middle, "plot-axis"))
    told = (
        f"{pair.one} against {pair.other}: better on {pair.helped} questions, "
        f"worse on {pair.hurt}, alike on {pair.same}"
    )
    shown = drawing(GAIN_WIDTH, height, told, parts)
    return Plot(shown, f"One bar a question: above the line where {pair.one} did better.")


def _free(x: float, y: float, width: float, taken: Sequence[tuple[float, float, float]]) -> float:
    """The first height at or below `y` at which a label lies over no other one."""
    while any(abs(y - b) < 13 and x < a + w and a < x + width for a, b, w in taken):
        y += 3
    return y


def _ticks(low: float, high: float, about: int) -> list[float]:
    """Round numbers between two others, about so many."""
    if high <= low:
        return [low]
    rough = (high - low) / about
    size = 10 ** math.floor(math.log10(rough))
    step = next((size * m for m in (1, 2, 5, 10) if size * m >= rough), size * 10)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(step * n, 12) for n in range(first, last + 1)]
