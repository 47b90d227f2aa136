"""What all runs spend in a day (UTC), by provider or key, and in all."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from fusion_graph.config.shared_limits import DAY
from fusion_graph.state import CallRecord

_KEPT_SECONDS = 2 * 86_400


class DayBudget:
    """Counts what this process spends in a day, and in a Redis what all do.

    It is exceeded by no more than the calls that were under way when it was reached.
    """

    def __init__(self) -> None:
        self._spent: defaultdict[tuple[str, str], float] = defaultdict(float)
        self._unsent: defaultdict[tuple[str, str], float] = defaultdict(float)
        self._lock = threading.Lock()

    async def used_up(self, limits: Mapping[str, float], names: Sequence[str], client: Any) -> str:
        """Say which budget is used up, in a sentence; empty if none is.

        Args:
            limits: US dollars a day by name.
            names: The names that a call counts under.
            client: Of the Redis; None counts this process alone.
        """
        day, mine = _today(), [name for name in ("", *names) if name in limits]
        if not mine:
            return ""
        if client is None:
            with self._lock:
                spent = [self._spent[day, name] for name in mine]
        else:
            found = await client.mget([_key(day, name) for name in mine])
            spent = [float(value or 0) for value in found]
        for name, usd in zip(mine, spent, strict=True):
            if usd >= limits[name]:
                whose = f" for {name}" if name else ""
                return (
                    f"${usd:.2f} of the ${limits[name]:g} a day{whose} ({DAY}) are spent; the next "
                    "day begins at 00:00 UTC"
                )
        return ""

    async def count(self, names: Sequence[str], record: CallRecord, client: Any) -> None:
        """Count a call; one whose cost nobody knows counts as what it likely was.

        What could not be counted in the Redis while it was gone is counted with the next call.

        Args:
            names: The names that it counts under.
            record: Its record.
            client: Of the Redis; None counts it in this process alone.
        """
        usd = record["cost_usd"]
        if usd is None and not record.get("plan"):
            usd = record.get("likely_usd")
        if not usd:
            return
        day = _today()
        with self._lock:
            for counted in (self._spent, self._unsent):
                for old in [key for key in counted if key[0] != day]:
                    del counted[old]
                for name in ("", *names):
                    counted[day, name] += usd
            if client is None:
                return
            sending, self._unsent = self._unsent, defaultdict(float)
        try:
            async with client.pipeline(transaction=True) as pipe:
                for (day, name), amount in sending.items():
                    pipe.incrbyfloat(_key(day, name), amount)
                    pipe.expire(_key(day, name), _KEPT_SECONDS)
                await pipe.execute()
        except BaseException:
            with self._lock:
                for key, amount in sending.items():
                    self._unsent[key] += amount
            raise


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _key(day: str, name: str) -> str:
    return f"{{fusion}}:spent:{day}:{name}"
