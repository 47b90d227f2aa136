"""Bounds of a mean that leave room for what was not seen: rare failures, mostly.

Twenty questions on which one side did a little better say nothing of the one in twenty on which it
fails altogether: where none was drawn, every resample of what was drawn looks the same. Scores are
bounded, though, so the worst that may hide is known. Gaffke's bounds (N. Gaffke, "Three test
statistics for a nonparametric one-sided hypothesis on the mean of a nonnegative variable",
Mathematical Methods of Statistics 14, 2005; E. Learned-Miller and P. Thomas, "A New Confidence
Interval for the Mean of a Bounded Random Variable", arXiv:1905.06208) add one value at the very
end of the scale to those that were seen and weigh all of them at random. No distribution between
the ends of the scale is known on which they fail more often than they say; for values of two kinds
they are the exact ones of Clopper and Pearson.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

LEVEL = 0.9
"""How often both bounds hold, at least, however the values are spread. Less than the 95 % of the
interval that they widen: at 95 % they would cost a third more questions everywhere, for the sake of
the few cases in which resampling is far off."""


def bounds(
    values: Sequence[float], scale: float, rng: random.Random, draws: int
) -> tuple[float, float]:
    """Bounds of the mean that `values` were drawn from.

    Args:
        values: What was seen.
        scale: Ends of the scale: no value lies outside -scale and scale.
        rng: Draws the weights.
        draws: How many times.
    """
    kinds = Counter(values)
    lows, highs = [], []
    for _ in range(draws):
        weight = total = 0.0
        for value, count in kinds.items():
            drawn = rng.expovariate(1.0) if count == 1 else rng.gammavariate(count, 1.0)
            weight += drawn
            total += drawn * value
        unseen = rng.expovariate(1.0)
        weight += unseen
        lows.append((total - unseen * scale) / weight)
        highs.append((total + unseen * scale) / weight)
    tail = int((1 - LEVEL) / 2 * draws)
    return max(sorted(lows)[tail], -scale), min(sorted(highs)[-1 - tail], scale)
