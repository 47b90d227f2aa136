"""Cutting texts to a common length: long ones give, short ones do not."""

from __future__ import annotations

from collections.abc import Sequence


def common_level(sizes: Sequence[int], budget: int) -> int:
    """The size to which the largest have to come down so that all fit a budget together.

    Args:
        sizes: What each takes.
        budget: What all may take.

    Returns:
        The largest size where all of them fit as they are.
    """
    left, waiting = max(budget, 0), sorted(sizes)
    for count, size in enumerate(waiting):
        share = left // (len(waiting) - count)
        if size > share:
            return share
        left -= size
    return max(waiting, default=0)


def cut_text(text: str, most: int) -> str:
    """A text's beginning, with a note on how much is missing.

    Args:
        text: The text.
        most: Most characters of it that are kept.
    """
    if len(text) <= most:
        return text
    return f"{text[:most]}\n[cut here: {len(text) - most} more characters]"
