"""The budget of a run: dollars and tokens, checked before every call, calls in flight included."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from langchain_core.messages import BaseMessage

from fusion_graph.config import ResolvedConfig
from fusion_graph.cost.tokens import message_tokens, unseen_tokens
from fusion_graph.errors import OverBudget
from fusion_graph.state import CallRecord

LIKELY_OUTPUT_TOKENS = 1_000
"""What a call in flight is thought to produce, if its cap is not lower."""


class Priced(Protocol):
    """A model that can say what a call of it will cost."""

    def likely_cost(self, input_tokens: int, output_tokens: int) -> float | None:
        """US dollars of a call of about so many tokens, or None if nobody knows."""
        ...


@dataclass(frozen=True)
class Share:
    """The share of one call in flight, in US dollars and tokens, and how many of them it reads."""

    usd: float
    tokens: int
    read: int

    def after(self, model: Priced, characters: int) -> Share:
        """Estimate what a call took that was cut off in mid-reply.

        Args:
            model: Who was called.
            characters: Length of what it had written.
        """
        written = unseen_tokens(characters, "likely")
        if self.read + written <= self.tokens:
            return self
        usd = model.likely_cost(self.read, written) or 0.0
        return Share(usd, self.read + written, self.read)


class Budget:
    """The money and tokens of one run, as far as they are known here.

    It is never exceeded by more than the calls that were in flight when it was reached.

    Args:
        max_cost_usd: Most US dollars, or None.
        max_tokens_total: Most tokens, in and out, or None.
        calls: Calls of the run so far.
    """

    def __init__(
        self,
        max_cost_usd: float | None,
        max_tokens_total: int | None,
        calls: Iterable[CallRecord] = (),
    ) -> None:
        self._max_usd, self._max_tokens = max_cost_usd, max_tokens_total
        self._usd, self._tokens = 0.0, 0
        self._flying_usd, self._flying_tokens = 0.0, 0
        for call in calls:
            self.count(call)

    @classmethod
    def of(cls, settings: ResolvedConfig, *calls: Iterable[CallRecord]) -> Budget:
        """Make the budget of a configuration, after the calls given."""
        done = [call for part in calls for call in part]
        return cls(settings.max_cost_usd, settings.max_tokens_total, done)

    def begin(
        self, model: Priced, messages: Sequence[BaseMessage], max_tokens: int | None
    ) -> Share | None:
        """Let a call begin, and count it as in flight.

        Args:
            model: Who is to be called.
            messages: What it is to read.
            max_tokens: Most tokens it may produce.

        Returns:
            What to give to `end`; None where no limit is set.

        Raises:
            OverBudget: What was spent and what is in flight has reached a limit.
        """
        if self._max_usd is None and self._max_tokens is None:
            return None
        if self._max_usd is not None and self._usd + self._flying_usd >= self._max_usd:
            raise OverBudget(
                f"max_cost_usd ({self._max_usd:g}) is reached: {self._usd:.4f} US dollars spent, "
                f"about {self._flying_usd:.4f} in flight."
            )
        if self._max_tokens is not None and self._tokens + self._flying_tokens >= self._max_tokens:
            raise OverBudget(
                f"max_tokens_total ({self._max_tokens}) is reached: {self._tokens} tokens used, "
                f"about {self._flying_tokens} in flight."
            )
        read = message_tokens(messages, "likely")
        written = min(max_tokens or LIKELY_OUTPUT_TOKENS, LIKELY_OUTPUT_TOKENS)
        share = Share(model.likely_cost(read, written) or 0.0, read + written, read)
        self._flying_usd += share.usd
        self._flying_tokens += share.tokens
        return share

    def end(self, share: Share | None, call: CallRecord) -> None:
        """End a call: count what it really took, and no longer what it might.

        Args:
            share: What `begin` gave.
            call: Its record.
        """
        if share is not None:
            self._flying_usd -= share.usd
            self._flying_tokens -= share.tokens
            self.count(call)

    def count(self, call: CallRecord) -> None:
        """Count a call that is over and never was in flight here.

        A call that was cut off counts as what it was thought to take: a limit has to hold, whoever
        knows what it cost.
        """
        usd, tokens = call["cost_usd"], call["input_tokens"]
        self._usd += (call.get("likely_usd") or 0.0) if usd is None else usd
        if tokens is None:
            self._tokens += call.get("likely_tokens") or 0
        else:
            self._tokens += tokens + (call["output_tokens"] or 0)
