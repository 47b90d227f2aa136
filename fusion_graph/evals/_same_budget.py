"""How one panelist spends the tokens that a panel took: on samples, or on revisions.

Tokens in and out are counted alike, as the papers on equal budgets do (arXiv:2604.02460). What a
further step will take is foreseen from what was measured, and it is only taken if that fits: so the
member stays at or below the panel's tokens but for how much longer a step turns out than foreseen.
What both took is measured and told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fusion_graph.config import MAX_PANEL
from fusion_graph.cost.usage import total
from fusion_graph.state import CallRecord

MOST_TURNS = MAX_PANEL
"""Of a revision, its first answer included: as many as there may be samples."""

REVISE = """\
Review your answer critically: check every claim and every step, look for errors, for what is \
missing and for what is not supported, and check again with your tools, if you have any, whatever \
is in doubt. Then write the final answer anew, whole, as if it were the first one: do not speak of \
the review or of the earlier answer. What was right stays. Keep to the form that the question \
asked for."""
"""What a member is told to revise its own answer."""


@dataclass(frozen=True)
class Tokens:
    """Tokens that calls took."""

    read: int
    written: int

    @property
    def all(self) -> int:
        """Both together."""
        return self.read + self.written


def tokens(calls: Iterable[CallRecord]) -> Tokens:
    """The tokens of calls."""
    spent = total(calls)
    return Tokens(spent["input_tokens"], spent["output_tokens"])


def samples_within(budget: int, sample: Tokens, judge: Tokens, judged: int) -> int:
    """How many samples of a member its budget pays, with itself as their judge.

    Each sample takes what the first one took. The judge writes as much as the panel's did, and
    reads as much for each answer. One sample needs no judge.

    Args:
        budget: Tokens that the panel took in all.
        sample: What one answer of the member takes.
        judge: What the panel's judge took.
        judged: How many answers that one read; 0 if it was not asked.

    Returns:
        1 to `MAX_PANEL`; 1 also where the budget does not pay one.
    """

    def foreseen(count: int) -> float:
        return count * (sample.all + judge.read / max(judged, 1)) + judge.written

    paid = [count for count in range(2, MAX_PANEL + 1) if foreseen(count) <= budget]
    return max(paid, default=1)


def pays_a_revision(budget: int, turns: Sequence[Tokens]) -> bool:
    """Whether a budget pays another revision.

    It is foreseen to take what the last turn took, and to read what that one wrote.

    Args:
        budget: Tokens that the panel took in all.
        turns: What each turn so far took.
    """
    last = turns[-1]
    foreseen = last.all + last.written
    return len(turns) < MOST_TURNS and sum(turn.all for turn in turns) + foreseen <= budget
