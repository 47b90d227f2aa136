"""Figures: numbers with sign, scale, unit and currency, and whether one agrees with another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from fusion_graph.evidence._measures import converted


@dataclass(frozen=True, slots=True)
class Figure:
    """A number or a range where it stands in a text.

    `first` and `last` are the ends of a range as written (10–20 is no 20–10), the same for a
    single number, with sign and scale applied. `unit` is a symbol of `_measures` (`%`, `pp` for
    percentage points, `mg`), or what stands there instead; `currency` an ISO code or a word.
    `bound` is what was said before it: `about`, `nearly`, `over`, `under`, `at least`, `at most`.
    `step` is the place of the last digit given: 1 for 12,431, 100,000 for 1.2 million.
    `others` are other readings of a numeral such as 1.234.
    """

    first: Decimal
    last: Decimal
    start: int
    end: int
    unit: str = ""
    currency: str = ""
    scale: int = 0
    bound: str = ""
    ordinal: bool = False
    decade: bool = False
    step: Decimal = Decimal(1)
    others: tuple[Decimal, ...] = ()
    worded: bool = False

    @property
    def key(self) -> tuple[object, ...]:
        """What two figures that say the same have in common."""
        return (
            _plain(self.first),
            _plain(self.last),
            self.unit,
            self.currency,
            self.ordinal,
            self.decade,
        )

    def same_numbers(self, other: Figure) -> bool:
        """Whether both are the same number or range, whatever their units."""
        return (
            self.ordinal == other.ordinal
            and self.decade == other.decade
            and (
                (self.first, self.last) == (other.first, other.last)
                or bool(
                    self.first == self.last
                    and other.first == other.last
                    and {self.first, *self.others} & {other.first, *other.others}
                )
            )
        )


def _plain(value: Decimal) -> str:
    return format(value.normalize(), "f")


def agrees(figure: Figure, other: Figure) -> bool:
    """Whether one figure is the other, rounded or in another unit.

    "About 12,000" agrees with 12,431 and "over 70" with 71, "a third" with 33 %, 5 km with
    5,000 m; 12 mg with no 12 g, and 3 % with no 3 percentage points.

    Args:
        figure: What was said.
        other: What it is held against; either may be the rounder one.
    """
    if figure.ordinal != other.ordinal:
        return False
    if figure.decade or other.decade:
        return _decades(figure, other)
    if figure.currency != other.currency and figure.currency and other.currency:
        return False
    ends = _in_unit_of(figure, other)
    if ends is None:
        return False
    low, high, step = ends
    return _covers(figure.bound, low, high, step, other) or _covers(
        other.bound,
        min(other.first, other.last),
        max(other.first, other.last),
        other.step,
        replace(figure, first=low, last=high, step=step),
    )


def comparable(figure: Figure, other: Figure) -> bool:
    """Whether both measure the same: in units of one dimension, in one currency, or in none."""
    if figure.ordinal != other.ordinal or figure.currency != other.currency:
        return False
    return figure.unit == other.unit or (
        bool(figure.unit and other.unit)
        and converted(figure.first, figure.unit, other.unit) is not None
    )


def _decades(figure: Figure, other: Figure) -> bool:
    if figure.decade and other.decade:
        return figure.first == other.first
    decade, year = (figure, other) if figure.decade else (other, figure)
    return decade.first <= year.first <= year.last <= decade.first + 9


def _in_unit_of(figure: Figure, other: Figure) -> tuple[Decimal, Decimal, Decimal] | None:
    low, high = min(figure.first, figure.last), max(figure.first, figure.last)
    if figure.unit == other.unit:
        return low, high, figure.step
    units = {figure.unit, other.unit}
    if units == {"", "%"}:  # a share: a third is 33 %, 0.33 is 33 %
        factor = Decimal(100) if figure.unit == "" else Decimal("0.01")
        share = figure if figure.unit == "" else other
        if not 0 <= share.first <= 1:
            return None
        return low * factor, high * factor, figure.step * factor
    new_low, new_high = (
        converted(low, figure.unit, other.unit),
        converted(high, figure.unit, other.unit),
    )
    if new_low is None or new_high is None:
        return None
    wide = converted(low + figure.step, figure.unit, other.unit)
    return new_low, new_high, abs((wide or new_low) - new_low)


def _covers(bound: str, low: Decimal, high: Decimal, step: Decimal, other: Figure) -> bool:
    """Whether a (rounder) figure with its bound leaves room for the other."""
    for first, last in [(other.first, other.last), *((n, n) for n in other.others)]:
        one, two = min(first, last), max(first, last)
        if (low, high) == (one, two):
            return True
        reach = max(abs(low), step)
        if bound == "over" and low < one <= low + reach:
            return True
        if bound == "at least" and low <= one <= low + reach:
            return True
        if bound in ("under", "nearly", "at most") and high - reach / 5 <= two <= high:
            return True
        half = step / 2
        if bound == "about":
            # "About 12,000" is meant to the last digit that is no nought, or a little wider.
            half = max(_roundness(low), step) / 2
        if (
            one == two
            and low == high
            and abs(one - low) <= half
            and (bound == "about" or other.step < step)
        ):
            return True
        if low < high and low - half <= one <= two <= high + half and other.step <= step:
            return one != two
    return False


def _roundness(value: Decimal) -> Decimal:
    """The place of a number's last digit that is no nought: 1,000 of 12,000."""
    exponent = value.normalize().as_tuple().exponent
    return Decimal(10) ** exponent if isinstance(exponent, int) else Decimal(1)
