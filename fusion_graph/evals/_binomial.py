"""Exact bounds of a share that was counted: Clopper and Pearson's.

C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case
of the binomial", Biometrika 26, 1934. The bound is the share at which a count at least as extreme
has just the probability that is left for error; it holds at least as often as it says, whatever the
share is.
"""

from __future__ import annotations

import math
from functools import lru_cache

_HALVINGS = 60
"""Of the interval from 0 to 1: below what a float can tell apart."""


@lru_cache(maxsize=4096)
def at_most(hits: int, trials: int, error: float) -> float:
    """The upper bound of a share: the truth lies above it in at most `error` of experiments.

    Args:
        hits: How many were counted.
        trials: Of how many.
        error: Probability that the bound fails, at most; between 0 and 1.
    """
    _check(hits, trials, error)
    if hits == trials:
        return 1.0
    low, high = hits / trials, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if tail(hits, trials, middle) > error:
            low = middle
        else:
            high = middle
    return high


def at_least(hits: int, trials: int, error: float) -> float:
    """The lower bound of a share: the truth lies below it in at most `error` of experiments.

    Args:
        hits: How many were counted.
        trials: Of how many.
        error: Probability that the bound fails, at most; between 0 and 1.
    """
    _check(hits, trials, error)
    return 1.0 - at_most(trials - hits, trials, error)


def tail(hits: int, trials: int, share: float) -> float:
    """The probability of at most so many hits.

    Args:
        hits: How many.
        trials: Of how many.
        share: Probability of each, between 0 and 1.
    """
    if share <= 0.0:
        return 1.0
    if share >= 1.0:
        return 1.0 if hits >= trials else 0.0
    yes, no = math.log(share), math.log1p(-share)
    ways = math.lgamma(trials + 1)

    def term(k: int) -> float:
        chosen = ways - math.lgamma(k + 1) - math.lgamma(trials - k + 1)
        return math.exp(chosen + k * yes + (trials - k) * no)

    return min(1.0, math.fsum(map(term, range(hits + 1))))


def _check(hits: int, trials: int, error: float) -> None:
    if not (0 <= hits <= trials and trials > 0 and 0.0 < error < 1.0):
        raise ValueError(f"No bound of {hits} of {trials} with error {error}.")
