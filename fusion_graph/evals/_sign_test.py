"""The sign test: how often so lopsided a count comes about where neither side is better.

Exact and two-sided, ties left out: no assumption about how differences are spread, so it sees
through a few large ones, and a few small ones that all agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import comb

LEVEL = 0.05
"""Above it nothing is shown."""


@dataclass(frozen=True)
class SignTest:
    """Questions on which one side was above the other, and below.

    Attributes:
        above: How many lie above.
        below: How many lie below.
    """

    above: int
    below: int

    @property
    def p(self) -> float:
        """Probability of a count at least as lopsided, if either side is as likely as the other."""
        untied = self.above + self.below
        ways = sum(comb(untied, k) for k in range(min(self.above, self.below) + 1))
        return float(min(Fraction(1), Fraction(2 * ways, 2**untied)))

    def shows(self, estimate: float, neutral: float) -> bool:
        """Whether it shows a difference, on the side on which the estimate lies.

        Args:
            estimate: The mean difference, or the ratio.
            neutral: What "no difference" would be.
        """
        same_side = (self.above > self.below) == (estimate > neutral)
        return self.p <= LEVEL and same_side and self.above != self.below
