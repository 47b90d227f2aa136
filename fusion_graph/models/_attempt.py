"""One try of a model call: its share of the budget while it runs, and its record."""

from __future__ import annotations

import time
from collections.abc import Sequence

from langchain_core.messages import AIMessage, BaseMessage

from fusion_graph.cost.budget import Budget, Share
from fusion_graph.cost.counts import counted
from fusion_graph.errors import CallFailed, OverBudget
from fusion_graph.models._charges import ReplySoFar
from fusion_graph.models._served import served_by
from fusion_graph.models.apis import API_LOSSES
from fusion_graph.models.failures import failed_once
from fusion_graph.models.model import Model
from fusion_graph.state import CallRecord, StageName


class Attempt:
    """One try of a model call.

    Args:
        budget: The run's; None where nothing limits it.
        started: Unix time the run began, seconds.
        model: Who is asked.
    """

    def __init__(self, budget: Budget | None, started: float, model: Model) -> None:
        self._budget, self._started, self._model = budget, started, model
        self._share: Share | None = None
        self._record: CallRecord

    def begin(
        self,
        stage: StageName,
        name: str,
        messages: Sequence[BaseMessage],
        max_tokens: int | None,
    ) -> CallRecord:
        """Take a share of the budget, and open the record.

        Args:
            stage: Which part of the run pays.
            name: Who asks.
            messages: What the model is to read.
            max_tokens: Most tokens it may write.

        Raises:
            CallFailed: The budget is spent; there is no record then.
        """
        self._reserve(messages, max_tokens)
        self._record = {
            "stage": stage,
            "name": name,
            "model": self._model.ref,
            "served": None,
            "provider": None,
            "input_tokens": None,
            "output_tokens": None,
            "cached_tokens": None,
            "cache_write_tokens": None,
            "cost_usd": None,
            "likely_usd": None,
            "likely_tokens": None,
            "start": self._now(),
            "end": 0.0,
            "outcome": "timed_out",
            "left_out": sorted(self._model.refused & API_LOSSES),
        }
        return self._record

    def repeat(
        self,
        stage: StageName,
        name: str,
        messages: Sequence[BaseMessage],
        max_tokens: int | None,
        before: CallRecord,
        later: float,
    ) -> CallRecord:
        """Count a try that an earlier process made, as if it were made now.

        Args:
            stage: Which part of the run pays.
            name: Who asks.
            messages: What the model was given to read.
            max_tokens: Most tokens it was to write.
            before: The record of then.
            later: Seconds by which this run is later.

        Raises:
            CallFailed: The budget is spent.
        """
        self._reserve(messages, max_tokens)
        start, end = round(before["start"] + later, 4), round(before["end"] + later, 4)
        self._record = before | {"stage": stage, "name": name, "start": start, "end": end}
        if self._budget is not None:
            self._budget.end(self._share, self._record)
        return self._record

    def answered(self, message: AIMessage) -> None:
        """Close the record with what the reply says of itself: tokens, cost, and who answered."""
        record, tokens = self._record, counted(message)
        if tokens is not None:
            record["input_tokens"], record["output_tokens"] = tokens.read, tokens.written
            record["cached_tokens"] = tokens.cached
            record["cache_write_tokens"] = tokens.cache_write
        record["served"], record["provider"] = served_by(message)
        record["cost_usd"] = self._model.cost(message)
        if message.response_metadata.get("paid_by") == "plan":
            record["plan"] = True
        self._close("ok")

    def failed(self, outcome: str, so_far: ReplySoFar | None, *, unpaid: bool = False) -> None:
        """Close the record of a call without a reply: it cost nothing, or nobody knows what.

        Args:
            outcome: The failure's reason.
            heard: What had come of a reply; None where it was not streamed.
            unpaid: Whether the provider is sure to charge nothing.
        """
        record, model, share = self._record, self._model, self._share
        if model.program:
            record["plan"] = True
        elif unpaid or model.bills_nobody:
            record["cost_usd"] = 0.0
        if share is not None and not unpaid:
            taken = share.after(model, so_far.characters if so_far else 0)
            record["likely_usd"], record["likely_tokens"] = taken.usd, taken.tokens
        self._close(outcome)

    def _reserve(self, messages: Sequence[BaseMessage], max_tokens: int | None) -> None:
        if self._budget is None:
            return
        try:
            self._share = self._budget.begin(self._model, messages, max_tokens)
        except OverBudget as error:
            failure = failed_once("over_budget", str(error))
            raise CallFailed({**failure, "attempts": 0}) from None

    def _close(self, outcome: str) -> None:
        self._record["end"] = self._now()
        self._record["outcome"] = outcome
        if self._budget is not None:
            self._budget.end(self._share, self._record)

    def _now(self) -> float:
        return round(time.time() - self._started, 4)
