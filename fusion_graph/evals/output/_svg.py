"""What the plots are drawn of: lines, dots, bars and labels as SVG, without a library."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from markupsafe import Markup, escape

LABEL_CHARACTERS = 28
CHARACTER_WIDTH = 7.4
"""Of the labels' letters, about, in the drawing's units."""


class Plot(NamedTuple):
    """A drawing, empty where there is nothing to draw, and what is said below it."""

    drawing: Markup
    caption: str


NO_PLOT = Plot(Markup(""), "")


def drawing(width: float, height: float, told: str, parts: Iterable[Markup]) -> Markup:
    """A drawing, and in words what it shows."""
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        number(width), number(height), told, Markup("").join(parts)
    )


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    """A line of a kind that the styles know."""
    return Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(
        kind, number(x1), number(y1), number(x2), number(y2)
    )


def circle(x: float, y: float, colour: float, told: str) -> Markup:
    """An arm's dot; who points at it is told about it."""
    return Markup(
        '<circle class="arm" style="--hue:{}" cx="{}" cy="{}" r="5"><title>{}</title></circle>'
    ).format(colour, number(x), number(y), told)


def text(x: float, y: float, words: str, anchor: str, kind: str = "plot-tick") -> Markup:
    """A text at a place."""
    return Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>').format(
        kind, number(x), number(y), anchor, escape(words)
    )


def bar(
    x: float,
    y: float,
    width: float,
    height: float,
    told: str,
    kind: str,
    colour: float | None = None,
) -> Markup:
    """A bar of a kind that the styles know, or of an arm's colour."""
    style = Markup("") if colour is None else Markup(' style="--hue:{}"').format(colour)
    return Markup(
        '<rect class="{}"{} x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>'
    ).format(kind, style, number(x), number(y), number(width), number(height), told)


def short(name: str) -> str:
    """A label, cut where it is long."""
    return name if len(name) <= LABEL_CHARACTERS else f"{name[: LABEL_CHARACTERS - 1]}…"


def number(value: float) -> str:
    """A length as it stands in a drawing."""
    return f"{value:.1f}".removesuffix(".0")
