"""What members of one panel share, however LangGraph runs them: side by side or one by one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fusion_graph import FusionReport, create_fusion_graph
from fusion_graph.deadlines import covered
from fusion_graph.run import panel
from fusion_graph.stack import Stack

QUESTION = {"messages": [("user", "How wet is water?")]}
ONE_BY_ONE = {"max_concurrency": 1}


@pytest.fixture(params=["invoke", "ainvoke"])
def one_by_one(request):
    """`one_by_one(config)`: the report of a run whose members LangGraph runs in turn."""

    async def run(config: dict[str, Any]) -> FusionReport:
        graph = create_fusion_graph(config)
        if request.param == "ainvoke":
            return FusionReport.from_state(await graph.ainvoke(QUESTION, ONE_BY_ONE))
        return FusionReport.from_state(await asyncio.to_thread(graph.invoke, QUESTION, ONE_BY_ONE))

    return run


async def events_of(config: dict[str, Any]) -> list[dict[str, Any]]:
    stream = create_fusion_graph(config).astream(QUESTION, stream_mode="custom")
    return [event async for event in stream]


# One after the other, and one panel all the same


async def test_a_quorum_holds_for_members_that_come_one_by_one(models, panel_config, one_by_one):
    report = await one_by_one(panel_config(quorum=1, grace=0))

    assert [answer.status for answer in report.answers] == ["ok", "failed", "failed"]
    assert [(f.name, f.reason) for f in report.failures] == [("b", "timed_out"), ("c", "timed_out")]
    assert all("Left behind" in failure.detail for failure in report.failures)
    assert models.calls("b") == models.calls("c") == []
    assert report.usage.total.cost_usd == 0.001


async def test_a_fallback_is_asked_for_members_that_come_one_by_one(
    models, panel_config, one_by_one
):
    models.script("a", {"status": 401})
    models.script("b", {"status": 401})
    models.script("f", "The answer of f.")

    report = await one_by_one(panel_config(fallbacks=["scripted:f"]))

    assert [a.model for a in report.answers if a.status == "ok"] == ["scripted:f", "scripted:c"]
    assert report.analysis is not None


async def test_members_that_come_one_by_one_spend_from_one_purse(models, panel_config, one_by_one):
    report = await one_by_one(panel_config(max_cost_usd=0.002))

    assert [answer.status for answer in report.answers] == ["ok", "ok", "failed"]
    assert report.failures[0].reason == "over_budget"
    assert models.calls("c") == []


# A panel belongs to its run


async def test_nothing_of_a_panel_is_left_when_its_run_is_over(models, panel_config, one_by_one):
    await one_by_one(panel_config())

    assert not panel._open


async def test_nothing_of_a_panel_is_left_when_one_model_answers_alone(models, panel_config):
    await create_fusion_graph(panel_config(invocation="never")).ainvoke(QUESTION)

    assert not panel._open


async def test_nothing_of_a_panel_is_left_when_its_run_is_cancelled(models, panel_config):
    models.script("a", {"hang": True})
    run = asyncio.create_task(create_fusion_graph(panel_config()).ainvoke(QUESTION))
    await asyncio.to_thread(models.calls, arrived=3)

    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run

    assert not panel._open


async def test_panels_of_runs_that_were_given_up_do_not_pile_up(panel_config):
    settings, _ = Stack(panel_config()).begin(None)

    for number in range(panel.MOST_PANELS + 20):
        async with panel.take_part(f"run {number}", settings, None):
            pass

    assert len(panel._open) == panel.MOST_PANELS
    panel._open.clear()


# Seconds


async def test_seconds_of_a_member_do_not_count_the_line_for_a_slot(models, panel_config):
    for name in "abc":
        models.script(name, {"text": f"The answer of {name}.", "delay": 0.3})

    events = await events_of(panel_config(max_concurrency=1))

    done = {e["name"]: e for e in events if e["type"] == "panel.completed"}
    began = {name: event["at"] - event["seconds"] for name, event in done.items()}
    calls = {name: models.calls(name)[0] for name in "abc"}
    assert began["c"] - began["a"] > calls["b"].ended - calls["a"].started - 0.1


async def test_seconds_of_a_member_do_not_count_the_line_for_its_provider(models, panel_config):
    for name in "abc":
        models.script(name, {"text": f"The answer of {name}.", "delay": 0.5})

    events = await events_of(panel_config(provider_concurrency=1))

    done = [e for e in events if e["type"] == "panel.completed"]
    busy = sum(event["seconds"] for event in done)
    calls = models.calls("a") + models.calls("b") + models.calls("c")
    # With the line counted it would be twice the time from the first call to the last one's end.
    assert busy < 1.5 * (max(c.ended for c in calls) - min(c.started for c in calls))


async def test_who_stands_in_line_for_its_provider_loses_no_time_of_its_own(models, panel_config):
    for name in "ab":
        models.script(name, {"text": f"The answer of {name}.", "delay": 1.2})

    report = FusionReport.from_state(
        await create_fusion_graph(
            panel_config(
                panel=["scripted:a", "scripted:b"], provider_concurrency=1, panelist_timeout=2
            )
        ).ainvoke(QUESTION)
    )

    assert [answer.status for answer in report.answers] == ["ok", "ok"]


def test_a_panel_takes_the_time_in_which_anybody_worked():
    assert covered([]) == 0
    assert covered([(0, 2), (1, 3)]) == 3
    assert covered([(1, 2), (0, 4)]) == 4
    assert covered([(0, 1), (1, 2), (2, 3)]) == 3
    assert covered([(0, 1), (86_400, 86_402)]) == 3
