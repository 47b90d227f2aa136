"""Prices before a call: what the configuration says, what the list says, and what nobody knows."""

from __future__ import annotations

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_openai import ChatOpenAI

from fusion_graph.config import Price, Provider
from fusion_graph.cost.counts import TokenCounts
from fusion_graph.cost.prices import price_of
from fusion_graph.cost.usage import listed_cost, priced_cost
from fusion_graph.offline import offline_model

OWN = {"lab": Provider(base_url="http://127.0.0.1:9/v1", prices={"one": Price(input=2, output=8)})}


@pytest.mark.parametrize(
    "ref",
    [
        "offline:judge",
        "ollama:qwen3",
        "ollama:gpt-5.5",
        "openrouter:deepseek/deepseek-r1:free",
        offline_model("keyword"),
    ],
    ids=str,
)
def test_what_bills_nobody_is_free(ref):
    assert price_of(ref, {}) == Price(input=0, output=0)


def test_the_configurations_price_is_taken():
    assert price_of("lab:one", OWN) == Price(input=2, output=8)


def test_the_configurations_price_goes_before_the_lists():
    given = {"openai": Provider(prices={"gpt-5.5": Price(input=1, output=1)})}

    assert price_of("openai:gpt-5.5", given) == Price(input=1, output=1)
    assert price_of("openai:gpt-5.4", given) == price_of("openai:gpt-5.4", {})


@pytest.mark.parametrize(
    ("ref", "provider", "model"),
    [
        ("openai:gpt-5.5", "openai", "gpt-5.5"),
        ("openai:gpt-4o-mini", "openai", "gpt-4o-mini"),
        ("openrouter:openai/gpt-4o-mini", "openrouter", "openai/gpt-4o-mini"),
        ("anthropic:claude-3-5-haiku-latest", "anthropic", "claude-3-5-haiku-latest"),
        ("google_genai:gemini-3.1-pro-preview", "google_genai", "gemini-3.1-pro-preview"),
        ("xai:grok-4", "xai", "grok-4"),
    ],
)
@pytest.mark.parametrize("tokens", [(1, 1), (1_000, 500), (200_000, 9_000), (300_000, 1_000)])
def test_a_listed_price_comes_to_what_the_call_is_billed_afterwards(ref, provider, model, tokens):
    price = price_of(ref, {}, prompt_tokens=tokens[0])

    assert price is not None
    billed = listed_cost(provider, model, TokenCounts(*tokens))
    assert priced_cost(price, TokenCounts(*tokens)) == pytest.approx(billed, rel=1e-9)
    assert billed


def test_a_long_prompt_has_its_own_price():
    short, long = (price_of("google_genai:gemini-2.5-pro", {}, read) for read in (0, 300_000))

    assert short is not None
    assert long is not None
    assert long.input > short.input
    assert long.output > short.output


@pytest.mark.parametrize(
    "ref",
    [
        "openrouter:~anthropic/claude-opus-latest",
        "openrouter:~openai/gpt-sol-latest",
        "openrouter:~google/gemini-pro-latest",
    ],
)
def test_a_moving_alias_costs_what_the_list_says_of_the_alias(ref):
    price = price_of(ref, {})

    assert price is not None
    assert price.input > 0
    assert price.output > 0


@pytest.mark.parametrize(
    "ref",
    [
        "lab:two",
        "nobody:one",
        "openai:no-such-model",
        "openrouter:~nobody/no-such-latest",
        "openai:whisper-1",  # on the list, but billed by the hour
        "openai:text-embedding-3-small",
        FakeListChatModel(responses=["hello"]),
    ],
    ids=str,
)
def test_what_nobody_knows_is_none_and_not_nothing(ref):
    assert price_of(ref, OWN) is None


def test_a_chat_model_costs_what_its_provider_lists():
    chat = ChatOpenAI(model="gpt-5.5", api_key="none")

    assert price_of(chat, {}) == price_of("openai:gpt-5.5", {})


def test_the_lists_price_tells_what_a_cache_costs():
    price = price_of("openrouter:anthropic/claude-opus-4.8", {})

    assert price == Price(input=5, output=25, cached_input=0.5, cache_write=6.25)


def test_a_long_prompt_has_its_own_price_in_the_cache_too():
    short, long = (price_of("google_genai:gemini-2.5-pro", {}, read) for read in (0, 300_000))

    assert short is not None
    assert long is not None
    assert long.cached_input == pytest.approx(2 * (short.cached_input or 0))
