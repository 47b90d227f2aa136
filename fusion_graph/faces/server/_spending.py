"""Spending by key and day: what was spent, what runs at work may spend, and who is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from fusion_graph.errors import ApiError
from fusion_graph.faces.server.holders import Holder
from fusion_graph.faces.server.run import Run

USUAL_RUNS = 4
"""Among so many runs at once a day's rest is shared out where a key has no `max_runs`."""

LEAST_USD = 1e-6
"""A rest below this is none."""

COSTED = frozenset({"panel.completed", "panel.failed", "recheck.completed"})
"""Events that tell what a part of a run has cost; what has ended tells the whole in its report."""


class Spending:
    """Spending is counted by key, from midnight to midnight UTC.

    Args:
        spent: What each key has spent today already, US dollars.
        kept: Is told a day, a key's name, and what it has spent on that day.
    """

    def __init__(
        self,
        spent: Mapping[str, float] | None = None,
        kept: Callable[[str, str, float], None] = lambda _day, _name, _usd: None,
    ) -> None:
        self._day = today()
        self._spent = dict(spent or {})
        self._kept = kept

    def today(self) -> dict[str, float]:
        """What each key has spent today, US dollars, by its name."""
        if (day := today()) != self._day:
            self._day, self._spent = day, {}
        return self._spent

    def allowed(self, holder: Holder, at_work: Sequence[Run], wanted: float | None) -> float | None:
        """What a new run may cost, so that the day's limit holds whatever the others come to.

        A run that has a limit of its own gets that, and one that has none a fair share of what is
        left: the part of one among those that may be at work at once.

        Args:
            holder: Who asks.
            at_work: The runs of that key that are at work.
            wanted: The run's own limit, US dollars; None if it has none.

        Returns:
            US dollars; None where nothing limits it.

        Raises:
            ApiError: 429, the day's money is spent, or set aside for runs at work.
        """
        limit = holder.max_cost_usd_per_day
        if limit is None:
            return wanted
        left = limit - self.today().get(holder.name, 0.0)
        if left < LEAST_USD:
            raise _spent(holder, limit)
        rest = left - sum(run.may_cost or 0.0 for run in at_work)
        if rest < LEAST_USD:
            raise _set_aside(holder, limit)
        if wanted is not None:
            return min(wanted, rest)
        return rest / max(1, (holder.max_runs or USUAL_RUNS) - len(at_work))

    def count(self, run: Run) -> None:
        """Count what a run has come to, as far as it is known, and was not counted before."""
        usd = known_usd(run)
        more, run.counted = usd - run.counted, usd
        if more:
            spent = self.today()
            spent[run.owner] = spent.get(run.owner, 0.0) + more
            self._kept(self._day, run.owner, spent[run.owner])


def known_usd(run: Run) -> float:
    """What a run has cost so far, US dollars, as far as its models' providers or prices tell."""
    if run.report is not None:
        total: Mapping[str, Any] = run.report["usage"]["total"]
        return float(total["cost_usd"] or total.get("known_usd") or 0.0)
    # By whom it is told: a run that goes on may tell the last ones once more.
    told = {
        (event["type"], event.get("name") or event.get("topic")): event.get("cost_usd")
        for event in run.events
        if event["type"] in COSTED
    }
    return sum(float(usd) for usd in told.values() if usd)


def today() -> str:
    """The day, UTC."""
    return datetime.now(UTC).date().isoformat()


def seconds_left(now: datetime) -> int:
    """How long it is until the next midnight UTC, rounded up."""
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return int((midnight - now).total_seconds()) + 1


def _spent(holder: Holder, limit: float) -> ApiError:
    said = (
        f"The key '{holder.name}' has spent its {limit:g} US dollars of today. It can ask again "
        "after midnight UTC; the server's owner can raise max_cost_usd_per_day."
    )
    return _refused(said, "daily_budget_spent", seconds_left(datetime.now(UTC)))


def _set_aside(holder: Holder, limit: float) -> ApiError:
    said = (
        f"What the key '{holder.name}' has left of its {limit:g} US dollars of today is set aside "
        "for its runs at work. Ask again when one has ended, or ask with a smaller max_cost_usd."
    )
    return _refused(said, "daily_budget_set_aside", 5)


def _refused(said: str, code: str, seconds: int) -> ApiError:
    headers = {"retry-after": str(seconds)}
    return ApiError(429, said, code, type="rate_limit_error", retry=False, headers=headers)
