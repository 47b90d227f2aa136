"""Whatever the models do, in whatever order, a panel comes to an end with its books in order.

Every panel runs over real HTTP against the scripted server, whose own log is what the report is
checked against. Panels run many at a time, so that their waits between two tries are one.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage
from langchain_core.tools import BaseTool, tool
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from fusion_graph import AllPanelistsFailed, FusionReport, create_fusion_graph
from fusion_graph.errors import FailureReason, JudgeFailureCode
from fusion_graph.state.events import EVENTS
from tests.behaviours import ODDITIES, Behaviour, Panel, oddities, panels
from tests.scripted_models import ModelServer
from tests.scripted_models.client import Call, Scope
from tests.test_panelist import check_history

PANELS = 40
"""Panels of a draw. `python -m tests.benchmarks.faults` looks at many more draws than the test."""

CROWD = 10
"""Panels drawn at a time: hypothesis varies what it drew before, and in a crowd there is more of
it to vary."""

AT_ONCE = 20
"""Panels that run side by side, so that their waits are one."""

QUESTION: Any = {"messages": [("user", "How wet is water?")]}
REASONS = set(get_args(FailureReason)) - {"internal_error"}
"""Why a member may fail; an internal error would be a bug of ours."""

CODES = {
    *get_args(JudgeFailureCode),
    "answer_cut",
    "answer_stub",
    "instructions_repeated",
    "answer_truncated",
    "budget_blind",
    "context_cut",
    "judge_unknown_reference",
    "judge_verdict_cut",
    "labels_mentioned",
    "members_share_model",
    "no_sources",
    "panelist_failed",
    "panelist_replaced",
    "parameter_refused",
    "prompt_cut_by_server",
    "prompt_echoed",
    "served_by_other_model",
    "tools_refused",
    "single_survivor",
    "synthesis_failed",
    "synthesis_upstream_error",
    "unknown_citation",
    "unverified_quote",
}
"""What a run may lose to its models."""

TRIES = 3
REFUSALS = 5
"""Parameters that a model may refuse once each: temperature, effort, tool_choice, tools, format."""


class Tools:
    """A tool that works and one that does not; `ran` counts the runs of both."""

    def __init__(self) -> None:
        self.ran = 0

    def all(self) -> list[BaseTool]:
        @tool
        async def lookup(query: str) -> str:
            """Look something up."""
            self.ran += 1
            half = "\ud83d" * (len(query) > 5)
            return f"Water is wet, says https://water.example/{len(query)}.{half}"

        @tool
        async def broken(query: str) -> str:
            """Look something up elsewhere."""
            self.ran += 1
            raise OSError(f"the index is gone: {query} \udc00")

        return [lookup, broken]


@pytest.mark.slow
def test_every_panel_ends_with_its_books_in_order(model_server: ModelServer) -> None:
    crowd = drawn(PANELS, 3)
    seen = asyncio.run(all_of(model_server, crowd))

    # Panels that all went well, or all the same way wrong, would have shown little.
    assert len(crowd) == PANELS
    assert {"ok", "degraded", "error"} <= seen.keys(), seen
    assert len(seen.keys() & REASONS) >= 5, seen
    assert len(seen.keys() & CODES) >= 10, seen


@pytest.mark.slow
def test_nothing_odd_upsets_a_panel(model_server: ModelServer) -> None:
    # Whatever hypothesis draws: everything that it could draw, once.
    asyncio.run(all_of(model_server, map(oddities, range(ODDITIES))))


def drawn(count: int, number: int) -> list[Panel]:
    """So many panels, no two alike, and the same ones on every machine.

    hypothesis draws them, and they run later: one after the other they would mostly wait. One
    that fails is told with its whole script.

    Args:
        count: How many.
        number: Of the draw; another one draws others.
    """
    told: dict[str, Panel] = {}

    @seed(number)
    @settings(
        max_examples=2 + count // CROWD,  # the first one is the same panel over and over
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(st.lists(panels(), min_size=CROWD, max_size=CROWD))
    def draw(crowd: list[Panel]) -> None:
        told.update({str(panel): panel for panel in crowd})

    draw()
    return list(told.values())[:count]


async def all_of(server: ModelServer, crowd: Iterable[Panel]) -> Counter[str]:
    """Run panels, check everything about them, and count what became of them."""
    seen: Counter[str] = Counter()
    seats = asyncio.Semaphore(AT_ONCE)

    async def seated(panel: Panel) -> None:
        async with seats:
            await one(server, panel, seen)

    async with asyncio.TaskGroup() as group:
        for panel in crowd:
            group.create_task(seated(panel))
    return seen


async def one(server: ModelServer, panel: Panel, seen: Counter[str]) -> None:
    """Run a panel, check everything about it, and note what became of it."""
    scope = server.scope()
    for name, behaviours in panel.models.items():
        scope.script(name, *(b.step for b in behaviours))
    tools = Tools()
    try:
        record, events = await run(scope, panel, tools)
        calls = await asyncio.to_thread(scope.calls)
        check_writable(record, events)
        check_outcome(record, panel)
        check_tools(record, panel, calls, tools)
        check_books(FusionReport.from_state({"fusion": record}), panel, calls)
        seen[record["status"]] += 1
        seen.update({loss["code"] for loss in record["degradations"]})
        seen.update({failure["reason"] for failure in record["failures"]})
    except Exception as error:
        error.add_note(f"The panel: {panel}")
        raise
    scope.clear()


async def run(scope: Scope, panel: Panel, tools: Tools) -> tuple[dict[str, Any], list[Any]]:
    """The report's data, as the state holds it, and the events of a panel's run."""
    graph = create_fusion_graph(
        {
            "panel": [f"scripted:{name}" for name in panel.members],
            "judge": "scripted:j",
            "synthesizer": "scripted:w",
            "fallbacks": [f"scripted:{name}" for name in panel.fallbacks],
            "providers": {"scripted": {"base_url": scope.base_url}},
            **panel.fields,
        },
        tools=tools.all(),
    )
    events: list[Any] = []
    state: Any = {}
    try:
        async for kind, data in graph.astream(QUESTION, stream_mode=["custom", "values"]):
            if kind == "custom":
                events.append(data)
            else:
                state = data
    except AllPanelistsFailed as failed:
        return dict(failed.report or {}), events
    last = state["messages"][-1]
    assert isinstance(last, AIMessage)
    assert last.text.strip()
    return state["fusion"], events


def check_writable(record: dict[str, Any], events: list[Any]) -> None:
    """The report and every event are JSON as others read it, in UTF-8; checkpoints hold both."""
    json.dumps(record, allow_nan=False, ensure_ascii=False).encode()
    JsonPlusSerializer().dumps_typed(record)
    for event in events:
        json.dumps(event, allow_nan=False, ensure_ascii=False).encode()
        assert event["type"] in EVENTS
    assert events[-1]["type"] == "fusion.completed" or record["status"] == "error"


def check_outcome(record: dict[str, Any], panel: Panel) -> None:
    """An answer, or every member's reason; and no loss that is not told."""
    report = FusionReport.from_state({"fusion": record})
    assert len(report.answers) >= len(panel.members)
    for answer in report.answers:
        assert (answer.status == "ok") == (answer.failure is None) == bool(answer.content)
    assert {failure.reason for failure in report.failures} <= REASONS
    assert all(failure.detail and failure.attempts <= TRIES for failure in report.failures)
    codes = {loss.code for loss in report.degradations}
    assert codes <= CODES
    assert all(loss.detail for loss in report.degradations)
    assert (report.status == "ok") == (not codes)
    answered = [answer for answer in report.answers if answer.status == "ok"]
    assert (report.status == "error") == (not answered)
    assert bool(report.answer) == bool(answered)
    # Two answers without a comparison: the judge's reason is told.
    assert report.analysis or len(answered) < 2 or codes & set(get_args(JudgeFailureCode))


def check_tools(record: dict[str, Any], panel: Panel, calls: list[Call], tools: Tools) -> None:
    """The cap held, and every call that a model made has its one result in what it was sent."""
    cap = panel.fields["max_tool_calls"]
    executed: dict[str, int] = defaultdict(int)
    for call in calls:
        check_history(call.body["messages"])
        results = [m["content"] for m in call.body["messages"] if m["role"] == "tool"]
        run = sum(not text.startswith("max_uses_exceeded") for text in results)
        executed[call.model] = max(executed[call.model], run)
    assert all(run <= cap for run in executed.values())
    if "over_budget" not in str(record["degradations"]):  # or no call was made with the results
        assert tools.ran <= sum(executed.values())
    for answer in record["answers"]:
        statuses = [made["status"] for made in answer["tool_calls"]]
        # Who stands in for a member has calls of its own; the answer tells of both's.
        gone = [failure for failure in record["failures"] if failure["name"] == answer["name"]]
        asked = len(gone) + (answer["status"] == "ok")
        assert len(statuses) - statuses.count("max_uses_exceeded") <= cap * asked
    # Each round costs a call, three more may follow the cap; the judge has its repair besides.
    rounds = TRIES * (cap + 3) + REFUSALS
    limits = dict.fromkeys(panel.members, rounds) | {"j": rounds + TRIES + REFUSALS}
    limits |= {"w": TRIES + REFUSALS} | dict.fromkeys(panel.fallbacks, 3 * rounds)
    made = {name: sum(call.model == name for call in calls) for name in limits}
    assert all(made[name] <= limit for name, limit in limits.items()), made


def check_books(report: FusionReport, panel: Panel, calls: list[Call]) -> None:
    """Calls, tokens and dollars are the server's own, by model, by stage and in total."""
    usage = report.usage
    assert usage.total.calls == len(calls)
    for name, behaviours in panel.models.items():
        theirs = [call for call in calls if call.model == name]
        if not theirs:
            assert f"scripted:{name}" not in usage.models
            continue
        ours = usage.models[f"scripted:{name}"]
        assert ours.calls == len(theirs)
        said = [call.usage for call in theirs if call.usage is not None]
        assert ours.input_tokens == sum(tokens(used, "prompt_tokens") for used in said)
        assert ours.output_tokens == sum(tokens(used, "completion_tokens") for used in said)
        costs = bill(theirs, behaviours)
        if costs is not None:
            known = [cost for cost in costs if cost is not None]
            assert ours.known_usd == pytest.approx(sum(known))
            if known != costs:
                assert ours.cost_usd is None
    for part in (usage.stages, usage.models):
        for field in ("calls", "input_tokens", "output_tokens"):
            assert sum(getattr(row, field) for row in part.values()) == getattr(usage.total, field)


def tokens(usage: dict[str, Any], key: str) -> int:
    """The number of tokens that a usage names, if it is one that any call could take."""
    value = usage.get(key)
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    if isinstance(value, int | float) and 0 <= value < 10**12 and value == int(value):
        return int(value)
    return 0


def bill(calls: list[Call], behaviours: list[Behaviour]) -> list[float | None] | None:
    """What each answered call cost; None if it cannot be said which were answered."""
    costs: list[float | None] = []
    for call in calls:
        assert call.step is not None
        behaviour = behaviours[call.step]
        if behaviour.answers is None:
            return None
        if behaviour.answers and call.status == 200:
            costs.append(behaviour.cost)
    return costs
