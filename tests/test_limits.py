"""What bounds a run as a whole: its time, its money, its calls to one provider, its members."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.tools import tool

from fusion_graph import AllPanelistsFailed, FusionReport, create_fusion_graph

QUESTION = {"messages": [("user", "How wet is water?")]}


@tool
def look_up(query: str) -> str:
    """Look something up."""
    return f"Water is wet, says https://water.example/{query}"


SEARCH = {"tool_calls": [{"name": "look_up", "args": {"query": "wet"}}], "cost": 0.01}


async def ask(config: dict[str, Any], tools: Any = ()) -> FusionReport:
    try:
        result = await create_fusion_graph(config, tools=list(tools)).ainvoke(QUESTION)
    except AllPanelistsFailed as failed:
        return FusionReport.model_validate(failed.report)
    return FusionReport.from_state(result)


# Money


async def test_no_call_begins_once_the_money_is_spent(models, panel_config):
    models.script("a", SEARCH)

    report = await ask(
        panel_config(panel=["scripted:a"], max_cost_usd=0.025, max_tool_calls=16), [look_up]
    )

    assert len(models.calls("a")) == 3
    (failure,) = report.failures
    assert (failure.reason, failure.cost_usd) == ("over_budget", 0.03)
    assert "max_cost_usd (0.025)" in failure.detail
    assert report.usage.total.cost_usd == 0.03


async def test_tokens_are_a_budget_too(models, panel_config):
    models.script("a", {**SEARCH, "usage": {"prompt_tokens": 900, "completion_tokens": 100}})

    report = await ask(
        panel_config(panel=["scripted:a"], max_tokens_total=2500, max_tool_calls=16), [look_up]
    )

    assert len(models.calls("a")) == 3
    assert report.failures[0].reason == "over_budget"


async def test_members_that_answered_within_the_budget_are_not_lost(models, panel_config):
    models.script("c", SEARCH)

    report = await ask(panel_config(max_cost_usd=0.05, max_tool_calls=16), [look_up])

    assert [a.status for a in report.answers] == ["ok", "ok", "failed"]
    assert report.answer in ("The answer of a.", "The answer of b.")
    assert not models.calls("j")
    assert not models.calls("w")
    codes = {item.code for item in report.degradations}
    assert {"panelist_failed", "judge_upstream_error", "synthesis_failed"} <= codes
    assert report.usage.total.cost_usd == pytest.approx(0.052)


async def test_a_budget_of_nothing_pays_nothing(models, panel_config):
    report = await ask(panel_config(max_cost_usd=0))

    assert models.calls() == []
    assert {failure.reason for failure in report.failures} == {"over_budget"}


async def test_the_likely_price_of_calls_in_flight_counts(models, panel_config):
    """Two calls of about a dollar each, begun at once: a dollar pays for one of them."""
    prices = {"a": {"input": 0, "output": 1000}, "b": {"input": 0, "output": 1000}}
    config = panel_config(panel=["scripted:a", "scripted:b"], max_cost_usd=1)
    config["providers"]["scripted"]["prices"] = prices
    models.script("a", {"text": "Wet.", "delay": 0.5})
    models.script("b", {"text": "Wet.", "delay": 0.5})

    report = await ask(config)

    assert len(models.calls("a")) + len(models.calls("b")) == 1
    assert [failure.reason for failure in report.failures] == ["over_budget"]


async def test_a_limit_that_cannot_see_every_cost_says_so(models, panel_config):
    models.script("b", "The answer of b, at no known price.")

    report = await ask(panel_config(max_cost_usd=5))

    assert [item.code for item in report.degradations] == ["budget_blind"]
    assert report.usage.total.cost_usd is None


# Time


async def test_a_run_that_takes_too_long_answers_with_what_it_has(models, panel_config):
    models.script("c", {"hang": True})

    report = await ask(panel_config(run_timeout=8))

    assert report.status == "degraded"
    assert report.answer == "The final answer of the writer."
    (failure,) = report.failures
    assert (failure.name, failure.reason) == ("c", "timed_out")
    assert "run_timeout" in failure.detail


async def test_a_judge_that_hangs_leaves_the_writer_its_time(models, panel_config):
    models.script("j", {"hang": True})

    report = await ask(panel_config(run_timeout=8))

    assert report.answer == "The final answer of the writer."
    assert report.analysis is None
    assert any("run_timeout" in item.detail for item in report.degradations)


async def test_a_writer_that_hangs_leaves_a_panelists_answer(models, panel_config):
    models.script("w", {"hang": True})

    report = await ask(panel_config(run_timeout=8))

    assert report.answer in {f"The answer of {name}." for name in "abc"}
    assert any("run_timeout" in item.detail for item in report.degradations)


# Calls at once


async def test_one_provider_is_not_asked_more_at_once_than_allowed(models, panel_config):
    names = [f"m{i}" for i in range(6)]
    for name in names:
        models.script(name, {"text": f"The answer of {name}.", "delay": 0.1})

    report = await ask(
        panel_config(panel=[f"scripted:{name}" for name in names], provider_concurrency=2)
    )

    assert [a.status for a in report.answers] == ["ok"] * 6
    edges = [(c.started, 1) for n in names for c in models.calls(n)]
    edges += [(c.ended, -1) for n in names for c in models.calls(n)]
    at_once = most = 0
    for _, step in sorted(edges):
        at_once += step
        most = max(most, at_once)
    assert most == 2


# Fallbacks for panelists


async def test_where_a_quorum_would_be_missed_a_fallback_is_asked_instead(models, panel_config):
    models.script("a", {"status": 401})
    models.script("f", "The answer of f.")

    report = await ask(panel_config(quorum=3, fallbacks=["scripted:f"]))

    assert (report.answers[0].name, report.answers[0].model) == ("a", "scripted:f")
    assert report.answers[0].content == "The answer of f."
    assert report.status == "degraded"
    assert [item.code for item in report.degradations] == ["panelist_replaced"]
    (failure,) = report.failures
    assert (failure.name, failure.model, failure.reason) == ("a", "scripted:a", "auth")


async def test_where_enough_are_left_nobody_is_asked_instead(models, panel_config):
    models.script("a", {"status": 401})
    models.script("f", "The answer of f.")

    await ask(panel_config(quorum=2, fallbacks=["scripted:f"]))

    assert models.calls("f") == []


async def test_without_a_quorum_two_are_wanted_for_a_comparison(models, panel_config):
    models.script("a", {"status": 401})
    models.script("b", {"status": 401})
    models.script("f", {"status": 403})
    models.script("g", "The answer of g.")

    report = await ask(panel_config(fallbacks=["scripted:f", "scripted:g"]))

    assert report.analysis is not None
    assert sorted(a.model for a in report.answers if a.status == "ok") == [
        "scripted:c",
        "scripted:g",
    ]
    assert sorted(f.model for f in report.failures) == ["scripted:a", "scripted:b", "scripted:f"]
    assert len(models.calls("f")) == len(models.calls("g")) == 1
