"""Sums over calls: what is unknown stays unknown, and nothing is counted twice."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion_graph.config import Price
from fusion_graph.cost.usage import listed_cost, priced_cost, reported_cost, summary, total

PROPERTY = settings(deadline=None, derandomize=True)


def call(cost: float | None = 0.001, **fields: Any) -> Any:
    return {
        "stage": "panel",
        "name": "a",
        "model": "scripted:a",
        "input_tokens": 10,
        "output_tokens": 5,
        "cost_usd": cost,
        "start": 0.0,
        "end": 0.5,
        "outcome": "ok",
        "left_out": [],
        **fields,
    }


def failure(outcome: str = "upstream_error") -> Any:
    return call(None, outcome=outcome, input_tokens=None, output_tokens=None)


def test_sums_are_of_calls_tokens_cost_and_seconds():
    assert total([call(0.1), call(0.2)]) == {
        "calls": 2,
        "input_tokens": 20,
        "output_tokens": 10,
        "cost_usd": 0.3,
        "seconds": 1.0,
    }


def test_nothing_cost_nothing():
    assert total([])["cost_usd"] == 0
    assert summary([])["cost_known"] is True


def test_one_unknown_cost_makes_the_sum_unknown():
    assert total([call(0.1), call(None), call(0.1)])["cost_usd"] is None


def test_a_free_call_is_known_to_be_free():
    assert total([call(0.0)])["cost_usd"] == 0


def test_a_call_that_failed_counts_as_a_call_and_not_as_money():
    spent = total([failure(), failure("rate_limited"), call(0.1)])

    assert (spent["calls"], spent["cost_usd"]) == (3, 0.1)
    assert (spent["input_tokens"], spent["output_tokens"]) == (10, 5)


def test_a_provider_that_names_no_tokens_counts_as_none():
    spent = total([call(None, input_tokens=None, output_tokens=None)])

    assert (spent["input_tokens"], spent["output_tokens"], spent["cost_usd"]) == (0, 0, None)


CALLS = st.lists(
    st.builds(
        call,
        st.one_of(st.none(), st.floats(0, 10)),
        stage=st.sampled_from(["panel", "judge", "synthesis"]),
        model=st.sampled_from(["scripted:a", "scripted:b"]),
        outcome=st.sampled_from(["ok", "ok", "upstream_error", "timed_out"]),
        input_tokens=st.one_of(st.none(), st.integers(0, 1_000_000)),
    )
)


@PROPERTY
@given(CALLS)
def test_stages_and_models_each_add_up_to_the_total(calls):
    report = summary(calls)

    for part in ("stages", "models"):
        rows = report[part].values()
        for key in ("calls", "input_tokens", "output_tokens"):
            assert sum(row[key] for row in rows) == report["total"][key]
        costs = [row["cost_usd"] for row in rows]
        if report["cost_known"]:
            assert sum(costs) == pytest.approx(report["total"]["cost_usd"])
        else:
            assert None in costs
    assert report["cost_known"] is (report["total"]["cost_usd"] is not None)


@pytest.mark.parametrize(
    ("said", "cost"),
    [
        ({"cost": 0.25}, 0.25),
        ({"cost": 0}, 0.0),
        ({"cost": 1}, 1.0),
        ({}, None),
        ({"cost": None}, None),
        ({"cost": "0.25"}, None),
        ({"cost": True}, None),
        ({"cost": {"total": 1}}, None),
    ],
)
def test_a_reported_cost_is_a_number_or_unknown(said, cost):
    assert reported_cost(said) == cost


def test_a_price_is_for_a_million_tokens():
    assert priced_cost(Price(input=2, output=8), 500_000, 250_000) == 3.0


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-4o-mini"),
        ("openrouter", "openai/gpt-4o-mini"),
        ("anthropic", "claude-3-5-haiku-latest"),
        ("deepseek", "deepseek-chat"),
    ],
)
def test_a_listed_model_has_a_price_that_grows_with_its_tokens(provider, model):
    one, two = (listed_cost(provider, model, n * 1_000, n * 1_000) for n in (1, 2))

    assert one is not None
    assert two == pytest.approx(2 * one)


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("scripted", "gpt-4o-mini"),
        ("openai", "no-such-model"),
        ("openrouter", "~anthropic/claude-opus-latest"),
        ("ollama", "qwen3"),
        ("openai", ""),
    ],
)
def test_what_is_on_no_list_costs_nobody_knows_what(provider, model):
    assert listed_cost(provider, model, 1_000, 1_000) is None
