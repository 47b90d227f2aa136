"""Plots as small SVG drawings, inside the page: no library, no script, nothing to load."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from fusion_graph.evals.comparison import ArmFigures, Comparison
from fusion_graph.evals.output.words import dollars, points, signed
from fusion_graph.report.html.panel import hue

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 46, 20, 14, 40
LABEL_CHARACTERS = 28
CHARACTER_WIDTH = 6.6
"""Of the labels' letters, about, in the drawing's units."""

ROW = 26
GAIN_WIDTH = 900


@dataclass(frozen=True)
class Dot:
    """An arm in a plane: where, what it is called, and its colour."""

    x: float
    y: float
    name: str
    hue: float


def score_against_cost(arms: Sequence[ArmFigures]) -> Markup:
    """Each arm's score over what it takes: US dollars, or tokens where nobody is billed."""
    priced = all(arm.cost is not None for arm in arms) and any(arm.cost for arm in arms)
    dots = [
        Dot(
            (arm.cost or 0.0) / max(len(arm.costs), 1)
            if priced
            else arm.tokens_in_all / max(len(arm.tokens), 1),
            arm.score.score,
            arm.name,
            hue(place),
        )
        for place, arm in enumerate(arms, start=1)
        if arm.score.score is not None
    ]
    if not dots:
        return Markup("")
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
        _line(LEFT, up(y), WIDTH - RIGHT, up(y), "plot-grid")
        + _text(LEFT - 8, up(y) + 4, f"{y:g}", "end")
        for y in _ticks(low, high, 5)
    ]
    parts += [
        _text(across(x), HEIGHT - BOTTOM + 18, dollars(x) if priced else f"{x:,.0f}", "middle")
        for x in _ticks(0, most, 4)
    ]
    parts.append(_text(LEFT + wide / 2, HEIGHT - 4, unit, "middle"))
    taken: list[tuple[float, float, float]] = []
    for dot in sorted(dots, key=lambda dot: dot.y, reverse=True):
        x, y = across(dot.x), up(dot.y)
        parts.append(_circle(x, y, dot.hue, f"{dot.name}: {points(dot.y)}"))
        label = _short(dot.name)
        wanted = CHARACTER_WIDTH * len(label)
        left = x + wanted + 12 > WIDTH
        start = x - 10 - wanted if left else x + 10
        at = _free(start, y + 4, wanted, taken)
        taken.append((start, at, wanted))
        parts.append(
            _text(x - 10 if left else x + 10, at, label, "end" if left else "start", "plot-name")
        )
    told = "; ".join(f"{dot.name} {points(dot.y)}" for dot in dots)
    return _drawing(WIDTH, HEIGHT, f"Score against {unit}: {told}", parts)


def by_domain(arms: Sequence[ArmFigures]) -> Markup:
    """Each arm's score in each domain, a row for a domain."""
    names = sorted({name for arm in arms for name in arm.score.domains})
    if not names:
        return Markup("")
    labels = min(max(len(_short(name)) for name in names) * CHARACTER_WIDTH + 14, 220)
    height = TOP + ROW * len(names) + BOTTOM
    wide = WIDTH - labels - RIGHT
    parts = []
    for tick in range(0, 101, 25):
        x = labels + wide * tick / 100
        parts.append(_line(x, TOP, x, height - BOTTOM, "plot-grid"))
        parts.append(_text(x, height - BOTTOM + 18, str(tick), "middle"))
    for row, name in enumerate(names):
        middle = TOP + ROW * (row + 0.5)
        parts.append(_text(labels - 10, middle + 4, _short(name), "end", "plot-name"))
        for place, arm in enumerate(arms, start=1):
            mean = arm.score.domains.get(name)
            if mean is not None:
                # Arms that score alike would hide each other: they are spread over the row.
                shift = (place - (len(arms) + 1) / 2) * min(4.0, (ROW - 10) / max(len(arms), 1))
                told = f"{arm.name}: {points(mean.mean)} ({mean.questions} questions)"
                parts.append(
                    _circle(labels + wide * mean.mean / 100, middle + shift, hue(place), told)
                )
    return _drawing(WIDTH, height, f"Score by domain: {', '.join(names)}", parts)


def gains(pair: Comparison) -> Markup:
    """Question by question: how much better or worse the first arm did, best first."""
    if not pair.gains:
        return Markup("")
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
        parts.append(
            Markup(
                '<rect class="{}" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>'
            ).format(kind, _n(place * step), _n(top), _n(max(step * 0.8, 0.6)), _n(tall), told)
        )
    parts.append(_line(0, middle, GAIN_WIDTH, middle, "plot-axis"))
    told = (
        f"{pair.one} against {pair.other}: better on {pair.helped} questions, "
        f"worse on {pair.hurt}, alike on {pair.same}"
    )
    return _drawing(GAIN_WIDTH, height, told, parts)


def _drawing(width: float, height: float, told: str, parts: Iterable[Markup]) -> Markup:
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        _n(width), _n(height), told, Markup("").join(parts)
    )


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    return Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(
        kind, _n(x1), _n(y1), _n(x2), _n(y2)
    )


def _circle(x: float, y: float, colour: float, told: str) -> Markup:
    return Markup(
        '<circle class="arm" style="--hue:{}" cx="{}" cy="{}" r="5"><title>{}</title></circle>'
    ).format(colour, _n(x), _n(y), told)


def _text(x: float, y: float, text: str, anchor: str, kind: str = "plot-tick") -> Markup:
    return Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>').format(
        kind, _n(x), _n(y), anchor, escape(text)
    )


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


def _short(name: str) -> str:
    return name if len(name) <= LABEL_CHARACTERS else f"{name[: LABEL_CHARACTERS - 1]}…"


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
