"""What a server has done, in Prometheus' text format: no question, no answer and no key in it."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from fusion_graph.faces.server.holders import OWNER_NAME

BUCKETS = (1.0, 3.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
"""Upper bounds of the histogram of a run's seconds."""

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Media type of the format."""


class Tally:
    """A tally counts runs that have ended: by their model, their outcome and who answered."""

    def __init__(self) -> None:
        self._runs: Counter[tuple[str, str, str]] = Counter()
        self._by_key: Counter[tuple[str, str]] = Counter()
        self._tokens: Counter[tuple[str, str]] = Counter()
        self._cost: defaultdict[str, float] = defaultdict(float)
        self._unknown: Counter[str] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._buckets: defaultdict[str, list[int]] = defaultdict(lambda: [0] * (len(BUCKETS) + 1))

    def add(
        self, model: str, outcome: str, seconds: float, report: Mapping[str, Any] | None
    ) -> None:
        """Count a run that has ended.

        Args:
            model: The preset as a model.
            outcome: `ok`, `degraded`, `cancelled`, or an error's code.
            seconds: How long it was at work.
            report: Its report, if it has one.
        """
        invoked = "unknown" if report is None else "panel" if report["invoked"] else "one"
        self._runs[model, outcome, invoked] += 1
        self._seconds[model] += seconds
        self._buckets[model][bisect_left(BUCKETS, seconds)] += 1
        if report is None:
            self._unknown[model] += 1
            return
        total = report["usage"]["total"]
        self._tokens[model, "input"] += total["input_tokens"]
        self._tokens[model, "output"] += total["output_tokens"]
        if not report["usage"]["cost_known"]:
            self._unknown[model] += 1
        self._cost[model] += total["cost_usd"] or total.get("known_usd") or 0.0

    def add_of_key(self, key: str, outcome: str) -> None:
        """Count a run that has ended, or was refused, by the key that asked.

        Args:
            key: The key's name; empty for the owner's own.
            outcome: `ok`, `degraded`, `cancelled`, or an error's code.
        """
        self._by_key[key, outcome] += 1

    def text(self, at_work: int, spent: Mapping[str, float] | None = None) -> str:
        """The figures in Prometheus' text format.

        Args:
            at_work: How many runs are at work now.
            spent: What each key has spent today, US dollars, by its name; None for a server
                without keys.
        """
        keys = [] if spent is None else self._key_lines(spent)
        return "\n".join([*self._lines(at_work), *keys, ""])

    def _key_lines(self, spent: Mapping[str, float]) -> Iterator[str]:
        yield from _head("fusion_key_runs_total", "counter", "Runs that have ended, by key.")
        for (key, outcome), count in sorted(self._by_key.items()):
            yield f"fusion_key_runs_total{_labels(key=key or OWNER_NAME, outcome=outcome)} {count}"
        yield from _head("fusion_key_spent_today_usd", "gauge", "US dollars since midnight UTC.")
        for key, usd in sorted(spent.items()):
            yield f"fusion_key_spent_today_usd{_labels(key=key or OWNER_NAME)} {usd:.6f}"

    def _lines(self, at_work: int) -> Iterator[str]:
        yield from _head("fusion_runs_at_work", "gauge", "Runs at work now.")
        yield f"fusion_runs_at_work {at_work}"
        yield from _head("fusion_runs_total", "counter", "Runs that have ended.")
        for (model, outcome, invoked), count in sorted(self._runs.items()):
            labels = _labels(model=model, outcome=outcome, invoked=invoked)
            yield f"fusion_runs_total{labels} {count}"
        yield from _head("fusion_tokens_total", "counter", "Tokens of all calls of ended runs.")
        for (model, direction), count in sorted(self._tokens.items()):
            yield f"fusion_tokens_total{_labels(model=model, direction=direction)} {count}"
        yield from _head("fusion_cost_usd_total", "counter", "US dollars, as far as known.")
        for model, cost in sorted(self._cost.items()):
            yield f"fusion_cost_usd_total{_labels(model=model)} {cost:.6f}"
        yield from _head("fusion_cost_unknown_total", "counter", "Runs of partly unknown cost.")
        for model, count in sorted(self._unknown.items()):
            yield f"fusion_cost_unknown_total{_labels(model=model)} {count}"
        yield from _head("fusion_run_seconds", "histogram", "Seconds that a run was at work.")
        for model, seconds in sorted(self._seconds.items()):
            below = 0
            bounds = [*(f"{bound:g}" for bound in BUCKETS), "+Inf"]
            for bound, inside in zip(bounds, self._buckets[model], strict=True):
                below += inside
                yield f"fusion_run_seconds_bucket{_labels(model=model, le=bound)} {below}"
            yield f"fusion_run_seconds_sum{_labels(model=model)} {seconds:.3f}"
            yield f"fusion_run_seconds_count{_labels(model=model)} {below}"


def _head(name: str, kind: str, about: str) -> Iterator[str]:
    yield f"# HELP {name} {about}"
    yield f"# TYPE {name} {kind}"


def _labels(**values: str) -> str:
    told = (
        f'{name}="{value.replace(chr(92), chr(92) * 2).replace(chr(10), " ").replace(chr(34), "")}"'
        for name, value in values.items()
    )
    return f"{{{','.join(told)}}}"
