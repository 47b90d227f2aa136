"""Progress of an evaluation on standard error: a bar with its cost, or plain lines, or nothing."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Protocol

from fusion_graph.cli.lines import write_line

if TYPE_CHECKING:
    from fusion_graph.evals.spending import Spending

LINES = 20
"""How many lines a log gets of a whole evaluation, at most."""


class Bar(Protocol):
    """Where an evaluation's progress goes."""

    def tell(self, done: int, total: int) -> None:
        """Another answer is marked."""

    def note(self, line: str) -> None:
        """Say something that is no progress."""

    def close(self) -> None:
        """Give the terminal back."""


class Costs:
    """Cost so far and, once there is something to go by, cost to come, in words.

    Args:
        spending: Counts.
        expected: US dollars that the whole evaluation is thought to cost, for as long as nothing
            is known of what it does cost; None if nobody can tell.
    """

    def __init__(self, spending: Spending, expected: float | None = None) -> None:
        self._spending, self._expected = spending, expected
        self._found = 0

    def words(self, done: int, total: int) -> str:
        """What to say when so many answers of so many are marked."""
        spent = self._spending
        if spent.fresh == 0:
            self._found = done  # what was in the store says nothing of what the rest will cost
        nothing_known = spent.unknown and not spent.spent
        parts = ["cost unknown so far" if nothing_known else f"${spent.spent:.4f} so far"]
        if spent.fresh and done > self._found and done < total:
            each = spent.fresh / (done - self._found)
            parts.append(f"about ${each * (total - done):.4f} to come")
        elif self._expected and done < total:
            parts.append(f"about ${self._expected * (1 - done / total):.4f} to come")
        if spent.unknown:
            parts.append(f"price of {spent.unknown} calls unknown")
        return ", ".join(parts)


class Nothing:
    """No progress (`--quiet`)."""

    def tell(self, done: int, total: int) -> None:
        """Say nothing."""

    def note(self, line: str) -> None:
        """Say nothing."""

    def close(self) -> None:
        """Nothing is open."""


class Log:
    """A plain line now and then, for logs and pipes.

    Args:
        costs: What to say of money.
    """

    def __init__(self, costs: Costs) -> None:
        self._costs = costs
        self._told = 0

    def tell(self, done: int, total: int) -> None:
        """Write a line if enough has happened since the last one."""
        words = self._costs.words(done, total)
        if done == total or done - self._told >= max(1, total // LINES):
            self._told = done
            self.note(f"{done} of {total} answers; {words}")

    def note(self, line: str) -> None:
        """Write a line."""
        write_line(line)

    def close(self) -> None:
        """Nothing is open."""


class Live(Log):
    """A bar that is redrawn in place.

    Args:
        costs: What to say of money.
    """

    def __init__(self, costs: Costs) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        super().__init__(costs)
        self._bar = Progress(
            TextColumn("answers"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[cost]}"),
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task("answers", total=None, cost="")
        self._bar.start()

    def tell(self, done: int, total: int) -> None:
        """Move the bar."""
        words = self._costs.words(done, total)
        self._bar.update(self._task, completed=done, total=total, cost=words)

    def note(self, line: str) -> None:
        """Write a line above the bar."""
        self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.stop()


def open_bar(spending: Spending, expected: float | None, *, quiet: bool) -> Bar:
    """The progress that suits this process's standard error.

    Args:
        spending: Counts the money.
        expected: US dollars that the whole is thought to cost; None if nobody can tell.
        quiet: Whether nothing is to be said.
    """
    if quiet:
        return Nothing()
    if sys.stderr.isatty() and os.environ.get("TERM", "").lower() not in ("dumb", "unknown"):
        return Live(Costs(spending, expected))
    return Log(Costs(spending, expected))
