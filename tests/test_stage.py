"""A stage: who calls a model has a deadline and a budget, and counts what the run has spent."""

from __future__ import annotations

import time
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from fusion_graph.config import combine
from fusion_graph.errors import CallFailed, OutOfTime
from fusion_graph.models.open import open_model
from fusion_graph.models.request import Options
from fusion_graph.run.deadlines import Spent, limit_of, spent
from fusion_graph.run.stage import open_stage
from fusion_graph.state import CallRecord, Run

ASKED = [HumanMessage("How wet is water?")]


def call(start: float, end: float, **fields: Any) -> CallRecord:
    record: dict[str, Any] = {
        "stage": "panel",
        "name": "a",
        "model": "x:a",
        "input_tokens": 90,
        "output_tokens": 10,
        "cost_usd": 0.5,
        "start": start,
        "end": end,
        "outcome": "ok",
        "left_out": [],
    }
    return {**record, **fields}  # type: ignore[typeddict-item,return-value]


def answer(start: float, end: float) -> Any:
    return {"calls": [call(start, end)], "start": start, "end": end}


def begun(*calls: CallRecord) -> Run:
    run: Any = {"id": "run", "started": time.time(), "nonce": "n", "calls": list(calls)}
    return run  # type: ignore[no-any-return]


def settings_of(**fields: Any) -> Any:
    return combine({"panel": ["offline:a", "offline:b"], **fields})


@pytest.fixture
def at_hand(models):
    """Settings over the scripted models, and one of those models."""

    async def make(**fields: Any) -> Any:
        providers = {"scripted": {"base_url": models.base_url}}
        settings = combine({"panel": ["scripted:a"], "providers": providers, **fields})
        return settings, await open_model("scripted:a", settings.providers)

    return make


def heard(events: list[str]) -> Any:
    return lambda type, **data: events.append(type)


# What calls a model


async def test_a_call_ends_with_the_stages_time_and_costs_what_nobody_knows(models, at_hand):
    models.script("a", {"hang": True})
    settings, model = await at_hand(judge_timeout=0.5)

    late = pytest.raises(OutOfTime, match=r"judge_timeout \(0.5 s\)")
    with open_stage(begun(), settings, "judge", heard([]), spent(begun())) as stage, late:
        async with stage.at_work() as caller:
            await caller.ask(model, ASKED, Options())

    (record,) = stage.calls
    assert (record["outcome"], record["cost_usd"]) == ("timed_out", None)
    assert models.calls("a", ended=1)[0].disconnected


async def test_no_call_begins_where_the_run_has_spent_its_money(models, at_hand):
    settings, model = await at_hand(max_cost_usd=0.5)
    run = begun(call(0, 1))

    with open_stage(run, settings, "judge", heard([]), spent(run)) as stage:
        async with stage.at_work() as caller:
            with pytest.raises(CallFailed, match="max_cost_usd"):
                await caller.ask(model, ASKED, Options())

    assert models.calls("a") == []


async def test_a_stage_that_hands_over_has_one_budget_and_one_time_with_the_other(models, at_hand):
    models.script("a", {"text": "Wet.", "cost": 0.3})
    settings, model = await at_hand(max_cost_usd=0.5, run_timeout=100)
    run, texts = begun(), list[str]()

    with open_stage(run, settings, "verify", heard([]), spent(run)) as stage:
        inner = stage.hand_over("synthesis", lambda _, text: texts.append(text))
        async with inner.at_work() as caller:
            await caller.ask(model, ASKED, Options())
            await caller.ask(model, ASKED, Options())
        inner.on_text("id", "Wet.")
        before = stage.limit.seconds
        stage.take_back(inner.calls)
        async with stage.at_work() as caller:
            with pytest.raises(CallFailed, match="max_cost_usd"):
                await caller.ask(model, ASKED, Options())

    assert [record["stage"] for record in inner.calls] == ["synthesis"] * 2
    assert (stage.calls, texts) == ([], ["Wet."])
    assert stage.limit.seconds < before


# How long it may take


@pytest.mark.parametrize(
    ("stage", "field"),
    [
        ("route", "synthesis_timeout (300 s)"),
        ("panel", "panelist_timeout (600 s)"),
        ("judge", "judge_timeout (300 s)"),
        ("synthesis", "synthesis_timeout (300 s)"),
        ("verify", "judge_timeout (300 s)"),
        ("direct", "synthesis_timeout (300 s)"),
    ],
)
def test_every_stage_has_a_limit_without_any_being_set(stage, field):
    assert str(limit_of(stage, settings_of(), Spent((), 0.0))) == field


@pytest.mark.parametrize(
    ("stage", "limit"),
    [
        ("route", "a quarter of run_timeout (25 s)"),
        ("judge", "what run_timeout leaves (20 s)"),
        ("synthesis", "what run_timeout leaves (40 s)"),
        ("verify", "what run_timeout leaves (40 s)"),
    ],
)
def test_what_is_left_of_the_run_bounds_a_stage(stage, limit):
    assert str(limit_of(stage, settings_of(run_timeout=100), Spent((), 60.0))) == limit


def test_a_run_without_time_leaves_none(at_hand):
    assert limit_of("synthesis", settings_of(run_timeout=10), Spent((), 60.0)).seconds == 0


async def test_a_second_attempt_has_what_the_first_has_left_of_the_run(models, at_hand):
    models.script("a", {"text": "Wet.", "delay": 0.4})
    settings, model = await at_hand(run_timeout=100)
    run = begun()

    with open_stage(run, settings, "synthesis", heard([]), spent(run)) as stage:
        async with stage.at_work() as caller:
            await caller.ask(model, ASKED, Options())

        assert stage.limit.seconds <= 99.6


def test_what_a_run_has_spent_is_what_its_finished_stages_took():
    run = begun(call(0, 1))
    joined: Any = {"answers": [answer(1, 5), answer(2, 7)], "sources": [], "degradations": []}
    judgement: Any = {"calls": [call(7, 8), call(8, 10)]}
    final: Any = {"calls": [call(100, 104)]}  # the next day: the pause is no work

    assert (len(spent(run).calls), spent(run).seconds) == (1, 1)
    assert (len(spent(run, joined).calls), spent(run, joined).seconds) == (3, 7)
    assert spent(run, joined, judgement).seconds == 10
    whole = spent(run, joined, judgement, final)
    assert (len(whole.calls), whole.seconds) == (6, 14)
