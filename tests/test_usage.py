"""Sums over calls: what is unknown stays unknown, and nothing is counted twice."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion_graph.config import Price
from fusion_graph.cost.counts import TokenCounts
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
        "served": None,
        "provider": None,
        "cached_tokens": None,
        "cache_write_tokens": None,
        "likely_usd": None,
        "likely_tokens": None,
        **fields,
    }


def refused(outcome: str = "upstream_error") -> Any:
    return call(0.0, outcome=outcome, input_tokens=None, output_tokens=None)


def test_sums_are_of_calls_tokens_cost_and_seconds():
    assert total([call(0.1), call(0.2)]) == {
        "calls": 2,
        "plan_calls": 0,
        "input_tokens": 20,
        "output_tokens": 10,
        "cached_tokens": None,
        "cache_write_tokens": None,
        "cost_usd": 0.3,
        "known_usd": 0.3,
        "seconds": 1.0,
    }


def test_nothing_cost_nothing():
    assert total([])["cost_usd"] == 0
    assert summary([])["cost_known"] is True


def test_what_a_plan_pays_is_in_no_sum_of_dollars_and_is_no_zero():
    mixed = total([call(0.1), call(None, plan=True)])
    assert (mixed["cost_usd"], mixed["plan_calls"]) == (0.1, 1)
    assert total([call(None, plan=True)])["cost_usd"] is None
    assert summary([call(None, plan=True)])["cost_known"] is True
    assert summary([call(None), call(None, plan=True)])["cost_known"] is False


def test_one_unknown_cost_makes_the_sum_unknown():
    spent = total([call(0.1), call(None), call(0.1)])

    assert (spent["cost_usd"], spent["known_usd"]) == (None, 0.2)


def test_a_free_call_is_known_to_be_free():
    assert total([call(0.0)])["cost_usd"] == 0


def test_a_call_that_was_cut_off_cost_nobody_knows_what():
    spent = total([call(None, outcome="timed_out"), call(0.1)])

    assert (spent["cost_usd"], spent["known_usd"]) == (None, 0.1)


def test_cached_tokens_are_summed_where_somebody_told_of_them():
    spent = total([call(cached_tokens=4), call(), call(cached_tokens=2, cache_write_tokens=3)])

    assert (spent["cached_tokens"], spent["cache_write_tokens"]) == (6, 3)


def test_a_record_of_an_earlier_version_is_summed_as_well():
    old = {key: value for key, value in call(0.1).items() if "cache" not in key}

    assert total([old])["cached_tokens"] is None


def test_a_call_that_was_refused_counts_as_a_call_and_not_as_money():
    spent = total([refused(), refused("rate_limited"), call(0.1)])

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
        # With the user's own key, OpenRouter's fee and the provider's bill; without, what it says.
        ({"cost": 0.01, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.2}}, 0.21),
        ({"cost": 0.0, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.2}}, 0.2),
        ({"cost": 0.2, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.2}}, 0.2),
        ({"cost": 0.2, "cost_details": {"upstream_inference_cost": 0.2}}, 0.2),
        ({"cost": 0.01, "is_byok": True, "cost_details": {}}, None),
        ({"cost": 0.01, "is_byok": True, "cost_details": None}, None),
        ({"cost": 0.01, "is_byok": True, "cost_details": {"upstream_inference_cost": "x"}}, None),
        ({"cost": 0.25, "is_byok": True, "cost_details": {"upstream_inference_cost": 0}}, 0.25),
    ],
)
def test_a_reported_cost_is_a_number_or_unknown(said, cost):
    assert reported_cost(said) == (None if cost is None else pytest.approx(cost))


def test_a_price_is_for_a_million_tokens():
    assert priced_cost(Price(input=2, output=8), TokenCounts(500_000, 250_000)) == 3.0


CACHED = TokenCounts(read=1_000_000, written=100_000, cached=600_000, cache_write=300_000)


@pytest.mark.parametrize(
    ("price", "dollars"),
    [
        # 100,000 fresh, 600,000 cached, 300,000 stored, 100,000 written
        ({"cached_input": 0.5, "cache_write": 6.25}, 0.5 + 0.3 + 1.875 + 2.5),
        ({"cached_input": 0.5}, 0.5 + 0.3 + 1.5 + 2.5),
        ({"cache_write": 6.25}, 0.5 + 3.0 + 1.875 + 2.5),
        ({"cached_input": 0.0, "cache_write": 0.0}, 0.5 + 2.5),
        ({}, 5.0 + 2.5),
    ],
)
def test_tokens_of_a_cache_cost_what_the_price_says_or_as_much_as_others(price, dollars):
    assert priced_cost(Price(input=5, output=25, **price), CACHED) == pytest.approx(dollars)


@pytest.mark.parametrize(
    ("provider", "model", "dollars"),
    [
        # 100,000 at 5, 600,000 at 0.5, 300,000 at 6.25, 100,000 written at 25 dollars a million
        ("anthropic", "claude-opus-4-8", 0.5 + 0.3 + 1.875 + 2.5),
        ("openrouter", "anthropic/claude-opus-4.8", 0.5 + 0.3 + 1.875 + 2.5),
        # 400,000 at 0.15, 600,000 at 0.075, 100,000 written at 0.6: writing to the cache is free.
        # (No model of DeepSeek's: what it costs there depends on the hour of the day.)
        ("openai", "gpt-4o-mini", 0.06 + 0.045 + 0.06),
    ],
)
def test_the_list_knows_what_cached_tokens_cost(provider, model, dollars):
    assert listed_cost(provider, model, CACHED) == pytest.approx(dollars)


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
    one, two = (listed_cost(provider, model, TokenCounts(n * 1_000, n * 1_000)) for n in (1, 2))

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
    assert listed_cost(provider, model, TokenCounts(1_000, 1_000)) is None
