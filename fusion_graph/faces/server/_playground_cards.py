"""A run's cards as they change: drawn off the event loop, and no oftener than the page can use."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any

from fusion_graph.faces.server.run import Run

if TYPE_CHECKING:
    from fusion_graph.report.html.cards import Cards, Piece

PAUSE_SECONDS = 0.1
"""Least pause between two drawings: as often as panelists tell what they write."""

REST = 4
"""A drawing that takes long is followed by a pause of so many times its length, so that whoever
watches a run takes at most a fifth of one processor from the others."""


async def drawn(
    run: Run, turns: Sequence[Mapping[str, Any]], report_address: str
) -> AsyncIterator[Piece]:
    """The pieces of a run's view: all of it, then what changes, and at its end all of it again.

    Args:
        run: The run.
        turns: The turns of its thread before it, and which of their runs are `kept`.
        report_address: Where the page finds its report.
    """
    from fusion_graph.report.html.cards import Cards
    from fusion_graph.report.html.thread import thread

    cards = Cards(run.question, await asyncio.to_thread(thread, turns), run.files)
    if run.running and not run.events:
        for piece in cards.whole():
            yield piece
    async with aclosing(run.gathered()) as gathered:  # type: ignore[type-var]
        async for news in gathered:
            events = [event for _, event in news]
            if not run.running:
                await asyncio.to_thread(cards.take, events)
                continue
            began = time.perf_counter()
            for piece in await asyncio.to_thread(_drawing, cards, events):
                yield piece
            pause = max(PAUSE_SECONDS, REST * (time.perf_counter() - began))
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await run.ended()
    for piece in await asyncio.to_thread(_last_drawing, cards, run, report_address):
        yield piece


def _drawing(cards: Cards, events: list[dict[str, Any]]) -> list[Piece]:
    cards.take(events)
    return cards.changes()


def _last_drawing(cards: Cards, run: Run, report_address: str) -> list[Piece]:
    from fusion_graph.report import FusionReport

    return cards.end(
        run.status,
        report=None if run.report is None else FusionReport.model_validate(run.report),
        report_address=report_address,
        error=run.error["message"] if run.error else "",
        seconds=run.seconds,
    )
