"""Who is asked first in an adaptive panel: two members, of different families if there are."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from fusion_graph.config.providers import PROGRAM_PROVIDERS

SCOUTS = 2
"""Two who agree are the fewest whose agreement says anything."""

_LABS = {
    "chatgpt": "openai",
    "claude": "anthropic",
    "codestral": "mistral",
    "codex": "openai",
    "command": "cohere",
    "gemini": "google",
    "gemma": "google",
    "gpt": "openai",
    "grok": "x-ai",
    "llama": "meta",
    "magistral": "mistral",
    "ministral": "mistral",
    "mixtral": "mistral",
    "o": "openai",
    "phi": "microsoft",
    "qwen": "qwen",
    "qwq": "qwen",
}
"""Who makes the models of a name: those of one maker share training data, and so errors."""


def family(model: str) -> str:
    """Name the family of a model: its maker where the name tells, else its name without numbers.

    Args:
        model: A model's reference, as `openrouter:google/gemini-3-flash` or `local:qwen3`.
    """
    provider = model.partition(":")[0]
    if provider in PROGRAM_PROVIDERS:  # whose names of models tell no maker: `claude:opus`
        return _LABS[provider]
    name = model.partition(":")[2] or model
    letters = re.match(r"[a-z]+", name.rpartition("/")[2].casefold())
    first = letters[0] if letters else name.casefold()
    return _LABS.get(first, first)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A member of the panel, as far as the choice of scouts asks.

    Attributes:
        name: Its name in the panel.
        family: Its family of models.
        usd: Price of a likely answer in US dollars; None where nobody knows.
        right: Questions that it got right in your own evaluations.
        graded: Questions of its answers that were graded there; 0 without a record.
    """

    name: str
    family: str
    usd: float | None = None
    right: float = 0.0
    graded: int = 0

    @property
    def reliability(self) -> float:
        """How often it is right, by its record; half for one without (Laplace's rule)."""
        return (self.right + 1) / (self.graded + 2)

    @property
    def variance(self) -> float:
        """How far that may be off, squared."""
        return self.reliability * (1 - self.reliability) / (self.graded + 3)

    def is_worse_than(self, other: Candidate) -> bool:
        """Whether their records show it: by more than two standard errors of the difference."""
        apart = other.reliability - self.reliability
        return apart > 2 * math.sqrt(self.variance + other.variance)


def choose_scouts(panel: Sequence[Candidate]) -> list[str]:
    """Choose the members asked first, in the panel's order; all of a panel of two or fewer.

    Members whose record shows that another is better are asked last: two weak ones agree on errors
    that the others would not make. Else the pair is taken that costs least for a right answer of
    each: different families first, then the price divided by how often the member is right; members
    of unknown price come after the others. Of equals, the more reliable are taken, then the first
    in the panel.

    Args:
        panel: The members, in panel order.
    """
    if len(panel) <= SCOUTS:
        return [member.name for member in panel]

    weak = {m.name for m in panel if any(m.is_worse_than(other) for other in panel)}

    def dearness(pair: tuple[Candidate, ...]) -> tuple[int, bool, int, float, float]:
        behind = sum(member.name in weak for member in pair)
        known = [m.usd / m.reliability for m in pair if m.usd is not None]
        alike = len({member.family for member in pair}) < len(pair)
        reliable = sum(member.reliability for member in pair)
        return behind, alike, len(pair) - len(known), round(sum(known), 12), -reliable

    return [member.name for member in min(combinations(panel, SCOUTS), key=dearness)]
