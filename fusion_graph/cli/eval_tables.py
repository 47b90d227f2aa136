"""What an evaluation shows, as tables for a terminal."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from fusion_graph.text.phrases import clean, paid

if TYPE_CHECKING:
    from fusion_graph.evals.comparison import Results
    from fusion_graph.evals.intervals import Interval
    from fusion_graph.evals.output.finished import Evaluation

PIPE_COLUMNS = 120
"""Width of the tables where no terminal says one."""


def shown(evaluation: Evaluation) -> str:
    """What an evaluation shows, for a terminal: its tables and the verdict in words."""
    from fusion_graph.evals.output.certified import HOW_TO_GET_ONE, certificate_words, missing
    from fusion_graph.evals.output.words import losses, verdict_words

    tables = [_arms(evaluation.results)]
    if evaluation.results.comparisons:
        tables.append(_pairs(evaluation.results))
    words = [verdict_words(evaluation), *losses(evaluation)]
    for found in evaluation.results.certificates:
        words += certificate_words(found)
    if missing(evaluation):
        words.append(HOW_TO_GET_ONE)
    return "\n".join([*tables, *map(clean, words), ""])


def _arms(results: Results) -> str:
    from fusion_graph.evals.output.words import dollars, points

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("arm", overflow="fold")
    for name in ("score", "questions", "failed", "left out", "cost", "tokens", "s each"):
        table.add_column(name, justify="right", no_wrap=True)
    for arm in results.arms:
        table.add_row(
            clean(arm.name),
            points(arm.score.score),
            str(arm.score.questions),
            str(len(arm.score.failed)),
            str(len(arm.score.ungraded)),
            paid(dollars(arm.cost), arm.calls, arm.plan_calls),
            f"{arm.tokens_in_all:,.0f}",
            f"{arm.seconds_each:.2f}",
        )
    return _text(table)


def _pairs(results: Results) -> str:
    from fusion_graph.evals.output.words import says, sign_test, spread

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(f"{clean(results.arms[0].name)} against", overflow="fold")
    table.add_column("points, 95 %", justify="right")
    table.add_column("sign p", justify="right")
    table.add_column("shown")
    for name in ("left out", "cost", "tokens", "seconds"):
        table.add_column(name, justify="right")
    for pair in results.comparisons:
        table.add_row(
            clean(pair.other),
            spread(pair.score),
            sign_test(pair.score).removeprefix("p "),
            says(pair.score),
            str(len(pair.left_out)),
            *(_times(amount) for amount in (pair.cost, pair.tokens, pair.seconds)),
        )
    return _text(table)


def _times(ratio: Interval | None) -> str:
    return "–" if ratio is None else f"{ratio.estimate:.1f} ×"


def _text(table: Table) -> str:
    terminal = sys.stdout.isatty()
    text = io.StringIO()
    Console(file=text, width=None if terminal else PIPE_COLUMNS, force_terminal=terminal).print(
        table
    )
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()).rstrip("\n") + "\n"
