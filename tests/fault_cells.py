"""The cells of the fault matrix, played against the scripted server over real HTTP.

A row says what the run's own report and the server's own log hold.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, get_args

from langchain_core.tools import tool

from fusion_graph import AllPanelistsFailed, FusionReport, create_fusion_graph
from fusion_graph.errors import FailureReason, JudgeFailureCode
from tests.fault_matrix import CAP, DIFFER, VERDICT, Fault, Place
from tests.gate import gate
from tests.scripted_models import ModelServer
from tests.scripted_models.client import Scope

QUESTION = {"messages": [("user", "How wet is water?")]}

TIME = 12.0
"""Seconds until a limit strikes: a hundred times what a solid call takes on a quiet machine. All
wait for theirs while the other cells are played, so that this costs the matrix no time."""

RUN_TIME = 30.0
"""Seconds of a run that is to run out of time; the panel gets 60 % of them, the judge 20 %."""

PRICE = 0.001
"""US dollars of every call that is answered."""

COSTLY = 1.0
"""US dollars of the call that uses up a budget of half as much."""

SEATS = 16
"""Cells played side by side, those aside that wait."""

PACE = 0.15
"""Seconds between the beginnings of cells that wait: as long as one is at work. All wait at the
same time, and yet no solid call of theirs is slow because all the others are busy."""

WRITER = "The final answer of the writer."
MODELS = "abcdjw"
"""Panelists, judge and writer."""

SOLID = {name: f"The answer of {name}." for name in "abcd"} | {"w": WRITER}
"""What everybody says whom no fault strikes."""


@dataclass(frozen=True)
class Row:
    """One cell, played.

    Attributes:
        fault, place: Which.
        status: The report's: `ok`, `degraded` or `error`.
        answer: Whose answer the run ended with: `writer`, a panelist's name, or empty.
        reason: Why the struck call failed, as the report has it.
        codes: The report's degradations.
        http_status: Of the struck call, where the report gives one.
        attempts: Tries of the struck call.
        struck: Calls of the struck model that reached the server.
        calls: All calls that reached it.
        paid: Calls it answered.
        report: Everything.
    """

    fault: Fault
    place: Place
    status: str
    answer: str
    reason: str
    codes: tuple[str, ...]
    http_status: int | None
    attempts: int
    struck: int
    calls: int
    paid: int
    report: FusionReport = field(repr=False)


async def play(server: ModelServer, cells: Iterable[tuple[Fault, Place]]) -> list[Row]:
    """Play cells side by side, and give their rows in the same order."""
    door = asyncio.Lock()
    # One scope after the other would be a model after the other that has to be set up.
    seats: asyncio.Queue[Scope] = asyncio.Queue()
    for _ in range(SEATS):
        seats.put_nowait(server.scope())

    async def seated(fault: Fault, place: Place) -> Row:
        if fault.limit is None:
            scope = await seats.get()
            row = await told(scope, fault, place)
            seats.put_nowait(scope)
            return row
        async with door:
            await asyncio.sleep(PACE)
        return await told(server.scope(), fault, place)

    async def told(scope: Scope, fault: Fault, place: Place) -> Row:
        try:
            return await run_cell(scope, fault, place)
        except Exception as error:
            error.add_note(f"The cell: {fault.name}, {place.name}")
            raise

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(seated(*cell)) for cell in cells]
    return [task.result() for task in tasks]


async def run_cell(scope: Scope, fault: Fault, place: Place) -> Row:
    """Play one cell: three panelists or two and two, a judge, a writer, and one fault."""
    async with AsyncExitStack() as stack:
        url = scope.base_url
        if fault.name == "connection refused":
            address, _, path = scope.base_url.removeprefix("http://").partition("/")
            port = int(address.partition(":")[2])
            port = await stack.enter_async_context(gate(port, calls=len(place.before)))
            url = f"http://127.0.0.1:{port}/{path}"
        await asyncio.to_thread(script, scope, fault, place)
        report = await ask(configuration(scope.base_url, url, fault, place))
    calls = await asyncio.to_thread(scope.calls)
    await asyncio.to_thread(scope.clear)
    reason, http_status, attempts = struck(report, place)
    return Row(
        fault,
        place,
        status=report.status,
        answer=whose(report),
        reason=reason,
        codes=tuple(loss.code for loss in report.degradations),
        http_status=http_status,
        attempts=attempts,
        struck=sum(call.model == place.model for call in calls),
        calls=len(calls),
        paid=sum(call.usage is not None and not call.disconnected for call in calls),
        report=report,
    )


def script(scope: Scope, fault: Fault, place: Place) -> None:
    """Give everybody a part; every call that is answered costs `PRICE`."""
    parts = {name: [{"text": text}] for name, text in SOLID.items()}
    verdicts = [{"text": DIFFER}, {"text": VERDICT}] if place.waves else [{"text": VERDICT}]
    parts |= dict.fromkeys("jf" if place.fallback else "j", verdicts)
    if fault.limit == "budget":
        # Whoever is last before the place spends it all, when all panelists have begun.
        spender = place.spender
        parts[place.model] = [*place.before, *parts[place.model]]
        at = max(0, len(place.before) - 1) if spender == place.model else 0
        parts[spender] = list(parts[spender])
        parts[spender][at] = parts[spender][at] | {"cost": COSTLY}
        if spender in place.crew:
            parts[spender][at]["delay"] = TIME / 2
    else:
        step = fault.streaming if place.streaming else fault.step
        assert step is not None
        for name in place.models:
            parts[name] = [*place.before, step]
    for name, steps in parts.items():
        scope.script(name, *({"cost": PRICE} | step for step in steps))


def configuration(url: str, struck_url: str, fault: Fault, place: Place) -> dict[str, Any]:
    """The settings of a cell.

    Args:
        url: Where the models are.
        struck_url: Where those are that the fault strikes.
        fault: What goes wrong.
        place: Where.
    """
    ref = {name: f"{'struck' if name in place.models else 'solid'}:{name}" for name in MODELS}
    settings: dict[str, Any] = {
        "panel": [ref[name] for name in place.crew],
        "judge": ref["j"],
        "synthesizer": ref["w"],
        "max_tool_calls": CAP,
        "providers": {"solid": {"base_url": url}, "struck": {"base_url": struck_url}},
        "seed": 7,
    }
    if place.waves:
        settings["panel_policy"] = "adaptive"
    if place.fallback:
        settings["fallbacks"] = ["solid:f"]
        # A panelist is replaced where too few would be left without it.
        settings["quorum"] = len(place.crew) if place.stage == "panel" else None
    own = {"judge": "judge_timeout", "synthesis": "synthesis_timeout"}
    match fault.limit:
        case "stall" | "total":
            for_panel = {"stall": "panelist_stall", "total": "panelist_timeout"}[fault.limit]
            settings[own.get(place.stage, for_panel)] = TIME
            if len(place.models) == 1:
                # One after the other: nobody's time passes while others' calls are made.
                settings["max_concurrency"] = 1
        case "grace":
            # All but who is left behind; of an adaptive panel its own wave.
            quorum = 2 if not place.waves else 1 if place.model in "ab" else 3
            settings |= {"quorum": quorum, "grace": TIME}
        case "run":
            settings["run_timeout"] = RUN_TIME
        case "budget":
            settings["max_cost_usd"] = COSTLY / 2
    return settings


@tool
async def lookup(query: str) -> str:
    """Look something up."""
    return "Water is wet."


async def ask(settings: dict[str, Any]) -> FusionReport:
    """The report of a run."""

    graph = create_fusion_graph(settings, tools=[lookup])
    try:
        return FusionReport.from_state(await graph.ainvoke(QUESTION))
    except AllPanelistsFailed as error:
        return FusionReport.model_validate(error.report)


def whose(report: FusionReport) -> str:
    """Whose answer a run ended with."""
    said = {text: name for name, text in SOLID.items()} | {WRITER: "writer", "": ""}
    if report.answer in said:
        return said[report.answer]
    return "fallback" if report.answer == VERDICT else "writer, in part"


REASONS = get_args(FailureReason)
JUDGE_CODES = get_args(JudgeFailureCode)


def struck(report: FusionReport, place: Place) -> tuple[str, int | None, int]:
    """Reason, HTTP status and tries of the call that failed, as the report tells them."""
    ref = f"struck:{place.model}"
    for failure in report.failures:
        if failure.model == ref:
            return failure.reason, failure.http_status, failure.attempts
    outcomes = [
        row.outcome for row in report.timeline if (row.stage, row.what) == (place.stage, ref)
    ]
    if outcomes and outcomes[-1] != "ok":
        return outcomes[-1], None, len(outcomes) - len(place.before)
    told = [loss for loss in report.degradations if loss.detail.startswith(f"{ref}: ")]
    for loss in told:
        named = loss.detail.removeprefix(f"{ref}: ").partition(":")[0]
        if named in REASONS:
            return named, None, 0 if named == "over_budget" else 1
        if loss.code in JUDGE_CODES:
            return {"judge_empty_completion": "empty_answer"}.get(loss.code, loss.code), None, 1
    return "", None, 0
