"""From `provider:model` to calls: where they go, with which key and headers, at what price."""

from __future__ import annotations

import asyncio
import gc
import json
from itertools import pairwise

import pytest
from langchain_core.language_models.fake_chat_models import FakeListChatModel, GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

from fusion_graph import (
    ConfigurationError,
    MissingKey,
    Provider,
    UnknownProvider,
    create_fusion_graph,
)
from fusion_graph.config import FusionConfig
from fusion_graph.config.providers import providers
from fusion_graph.models.open import check_model, open_model
from tests.conftest import VERDICT

QUESTION = {"messages": [("user", "How wet is water?")]}


@pytest.fixture
def instance(models):
    """`instance(model)`: a ChatOpenAI of the caller's own, on the scripted server."""
    return lambda name: ChatOpenAI(model=name, base_url=models.base_url, api_key="sk-instance")


async def record_of(config) -> dict:
    return (await create_fusion_graph(config).ainvoke(QUESTION))["fusion"]


# Where calls go


async def test_every_call_says_that_it_comes_from_a_fusion(models, panel_config):
    await record_of(panel_config())

    assert {call.headers["x-fusion-depth"] for call in models.calls()} == {"1"}
    assert len(models.calls()) == 5


async def test_a_providers_key_and_headers_go_with_every_call(models, panel_config, monkeypatch):
    monkeypatch.setenv("SCRIPTED_KEY", "sk-scripted")
    provider = {
        "base_url": models.base_url,
        "api_key_env": "SCRIPTED_KEY",
        "headers": {"X-Team": "blue"},
    }

    await record_of(panel_config(providers={"scripted": provider}))

    for call in models.calls():
        assert call.headers["authorization"] == "Bearer sk-scripted"
        assert call.headers["x-team"] == "blue"


async def test_a_key_that_changes_is_used_from_the_next_run_on(models, panel_config, monkeypatch):
    provider = {"base_url": models.base_url, "api_key_env": "SCRIPTED_KEY"}
    config = panel_config(providers={"scripted": provider})

    for key in ("sk-old", "sk-new"):
        monkeypatch.setenv("SCRIPTED_KEY", key)
        await record_of(config)

    sent = [call.headers["authorization"] for call in models.calls("a")]
    assert sent == ["Bearer sk-old", "Bearer sk-new"]


async def test_a_provider_without_a_key_gets_none_of_the_environments(
    models, panel_config, monkeypatch
):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or")

    await record_of(panel_config())

    assert not [c for c in models.calls() if "sk-o" in c.headers.get("authorization", "")]


async def test_openrouter_is_asked_for_the_cost_and_nobody_else_is(
    models, panel_config, monkeypatch
):
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or")
    endpoints = {
        "openrouter": {"base_url": models.base_url, "api_key_env": "OPENROUTER_API_KEY"},
        "scripted": {"base_url": models.base_url},
    }

    await record_of(panel_config(panel=["openrouter:a", "scripted:b"], providers=endpoints))

    assert models.calls("a")[0].body["usage"] == {"include": True}
    assert models.calls("a")[0].headers["authorization"] == "Bearer sk-or"
    assert not [call for call in models.calls() if call.model != "a" and "usage" in call.body]


async def test_openai_follows_its_own_variables(models, panel_config, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", models.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")

    await record_of(panel_config(panel=["openai:a", "openai:b"]))

    assert models.calls("a")[0].headers["authorization"] == "Bearer sk-openai"
    assert models.calls("j")[0].headers["authorization"] != "Bearer sk-openai"


async def test_ollama_is_found_by_its_own_variable_and_costs_nothing(
    models, panel_config, monkeypatch
):
    monkeypatch.setenv("OLLAMA_HOST", models.base_url.removesuffix("/v1"))
    models.script("a", "An answer.")

    record = await record_of(panel_config(panel=["ollama:a", "scripted:b"]))

    assert record["answers"][0]["content"] == "An answer."
    assert record["answers"][0]["cost_usd"] == 0


def test_the_built_in_endpoints_are_where_the_providers_are():
    known = providers({})

    assert known["openrouter"].base_url == "https://openrouter.ai/api/v1"
    assert known["openrouter"].api_key_env == "OPENROUTER_API_KEY"
    assert known["openai"].api_key_env == "OPENAI_API_KEY"
    assert known["openai"].base_url is None
    assert known["ollama"].base_url == "http://127.0.0.1:9/v1"
    assert known["ollama"].api_key_env is None


def test_a_given_provider_goes_before_the_built_in_one_of_its_name():
    mine = Provider(base_url="http://gateway/v1")

    assert providers({"openrouter": mine})["openrouter"] is mine
    assert {"openrouter", "openai", "ollama", "llamacpp", "lmstudio", "vllm"} == set(providers({}))


async def test_the_token_limit_has_its_new_name_for_openai_itself_only(
    models, panel_config, monkeypatch
):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")
    own = await open_model("openai:gpt-5.5", {})
    await record_of(panel_config(max_completion_tokens=321))

    assert own.chat.tokens_field == "max_completion_tokens"
    assert str(own.chat.root_async_client.base_url).startswith("https://api.openai.com/v1")
    for call in models.calls():
        assert call.body["max_tokens"] == 321
        assert "max_completion_tokens" not in call.body


async def test_a_model_is_opened_once_a_loop(models, panel_config):
    given = FusionConfig(**panel_config()).providers

    first, second = await open_model("scripted:a", given), await open_model("scripted:a", given)
    assert first.chat is second.chat


# What cannot be called


def test_a_missing_key_is_named_with_its_model_before_any_call(models, panel_config):
    graph = create_fusion_graph(panel_config(panel=["scripted:a", "openai:gpt-5.5"]))

    with pytest.raises(MissingKey) as caught:
        graph.invoke(QUESTION)
    assert "OPENAI_API_KEY" in str(caught.value)
    assert "openai:gpt-5.5" in str(caught.value)
    assert models.calls() == []


@pytest.mark.parametrize("field", ["judge", "synthesizer", "fallbacks"])
def test_judge_writer_and_fallbacks_need_their_keys_too(models, panel_config, field):
    model = "openai:gpt-5.5"
    graph = create_fusion_graph(panel_config(**{field: [model] if field == "fallbacks" else model}))

    with pytest.raises(MissingKey, match="OPENAI_API_KEY"):
        graph.invoke(QUESTION)
    assert models.calls() == []


def test_a_custom_providers_missing_key_is_named():
    theirs = Provider(base_url="http://h/v1", api_key_env="THEIR_KEY")

    with pytest.raises(MissingKey, match="THEIR_KEY"):
        check_model("theirs:m", {"theirs": theirs})


def test_an_unknown_provider_is_refused_with_the_known_ones():
    with pytest.raises(UnknownProvider) as caught:
        check_model("nobody:m", {"mine": Provider(base_url="http://h/v1")})
    message = str(caught.value)
    assert "nobody:m" in message
    assert all(name in message for name in ("openrouter", "openai", "ollama", "offline", "mine"))
    assert "[providers.nobody]" in message
    assert "\n" not in message


def test_a_provider_whose_package_is_missing_says_which():
    with pytest.raises(UnknownProvider, match=r"cohere:m.*langchain[-_]cohere") as caught:
        check_model("cohere:m", {})
    assert "\n" not in str(caught.value)


def test_a_provider_of_langchain_without_its_key_is_a_missing_key(monkeypatch):
    monkeypatch.delenv("AZURE_OPENAI_API_KEY", raising=False)

    with pytest.raises(MissingKey, match="azure_openai:gpt") as caught:
        check_model("azure_openai:gpt", {})
    assert "\n" not in str(caught.value)


def test_an_unknown_offline_model_lists_the_known_ones():
    with pytest.raises(ConfigurationError, match=r"nobody.*keyword.*judge"):
        check_model("offline:nobody", {})


# Chat models of the caller's own


async def test_chat_openai_objects_work_as_panelist_judge_and_writer(
    models, panel_config, instance
):
    config = panel_config(
        panel=[instance("a"), instance("b")], judge=instance("j"), synthesizer=instance("w")
    )

    record = await record_of(config)

    assert record["status"] == "degraded"  # the scripted verdict points at a label C
    assert record["answer"] == "The final answer of the writer."
    assert [a["content"] for a in record["answers"]] == ["The answer of a.", "The answer of b."]
    assert [a["model"] for a in record["answers"]] == ["ChatOpenAI:a", "ChatOpenAI:b"]
    assert {c.model: c.stream for c in models.calls()} == {
        "a": True,
        "b": True,
        "j": False,
        "w": True,
    }
    assert models.calls("a")[0].headers["authorization"] == "Bearer sk-instance"


async def test_tokens_of_a_chat_openai_writer_are_counted_though_it_streams(
    models, panel_config, instance
):
    models.script("w", {"text": "The answer.", "usage": {"completion_tokens": 77}})

    record = await record_of(panel_config(synthesizer=instance("w")) | {"judge": "scripted:j"})

    assert record["usage"]["stages"]["synthesis"]["output_tokens"] == 77


async def test_a_chat_openai_objects_own_parameters_are_kept(models, panel_config):
    chat = ChatOpenAI(
        model="a", base_url=models.base_url, api_key="k", temperature=0.9, max_tokens=55
    )

    await record_of(panel_config(panel=[chat, "scripted:b"]))

    body = models.calls("a")[0].body
    assert body["temperature"] == 0.9
    assert 55 in (body.get("max_tokens"), body.get("max_completion_tokens"))


async def test_the_callers_object_is_left_as_it_was(panel_config, instance):
    chat = instance("a")
    before = chat.model_dump()

    await record_of(panel_config(panel=[chat, "scripted:b"]))

    assert chat.model_dump() == before


@pytest.mark.filterwarnings(
    # LangChain's own HTTP client of the object stays open with the loop it was first used in.
    "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_a_chat_openai_object_works_in_one_event_loop_after_the_other(panel_config, instance):
    graph = create_fusion_graph(panel_config(panel=[instance("a"), "scripted:b", "scripted:c"]))

    results = [asyncio.run(graph.ainvoke(QUESTION)) for _ in range(3)]
    gc.collect()  # what that client leaves behind, is complained of here and not in other tests
    assert [result["fusion"]["failures"] for result in results] == [[], [], []]


def fake(text: str) -> GenericFakeChatModel:
    """A chat model that is neither ChatOpenAI nor anything over HTTP; streams word by word."""
    return GenericFakeChatModel(messages=iter([AIMessage(text)] * 9))


async def test_any_chat_model_of_langchain_will_do(panel_config):
    verdict = json.dumps(VERDICT)
    config = panel_config(
        panel=[FakeListChatModel(responses=["One."]), fake("Two."), fake("Three.")],
        judge=FakeListChatModel(responses=[verdict]),
        synthesizer=fake("The answer of a fake."),
    )

    record = await record_of(config)

    assert record["status"] == "ok"
    assert record["answer"] == "The answer of a fake."
    assert [a["name"] for a in record["answers"]] == [
        "FakeListChatModel",
        "GenericFakeChatModel",
        "GenericFakeChatModel #2",
    ]
    assert record["analysis"] is not None
    assert record["usage"]["total"]["cost_usd"] is None


def test_any_chat_model_of_langchain_streams_as_the_writer(panel_config):
    graph = create_fusion_graph(panel_config(synthesizer=fake("The answer of a fake.")))

    chunks = [chunk.content for chunk, _ in graph.stream(QUESTION, stream_mode="messages")]
    assert "".join(chunks) == "The answer of a fake."
    assert len(chunks) > 1


@tool
def look_up(query: str) -> str:
    """Look something up."""
    return f"Nothing about {query}."


async def test_a_chat_model_that_knows_no_tools_answers_without_them(panel_config):
    chat = FakeListChatModel(responses=["An answer without tools."])
    graph = create_fusion_graph(panel_config(panel=[chat, "scripted:b"]), tools=[look_up])

    record = (await graph.ainvoke(QUESTION))["fusion"]

    assert record["answers"][0]["content"] == "An answer without tools."
    assert any("tools" in item["detail"] for item in record["degradations"])


async def test_a_model_that_refuses_tools_answers_without_them(models, panel_config):
    models.script("a", {"refuse": ["tools"], "text": "An answer without tools."})
    graph = create_fusion_graph(panel_config(), tools=[look_up])

    record = (await graph.ainvoke(QUESTION))["fusion"]

    assert record["answers"][0]["content"] == "An answer without tools."
    assert any("tools" in item["detail"] for item in record["degradations"])


# Prices


async def test_the_reported_cost_is_kept_streamed_or_not(panel_config):
    stages = (await record_of(panel_config()))["usage"]["stages"]

    assert stages["panel"]["cost_usd"] == 0.003
    assert stages["judge"]["cost_usd"] == 0.002
    assert stages["synthesis"]["cost_usd"] == 0.003  # the one that streams


async def test_a_price_from_the_providers_table_is_used_when_none_is_reported(models, panel_config):
    models.script("a", {"text": "A.", "usage": {"prompt_tokens": 1000, "completion_tokens": 500}})
    prices = {"a": {"input": 2.0, "output": 10.0}}
    provider = {"base_url": models.base_url, "prices": prices}

    record = await record_of(panel_config(providers={"scripted": provider}))

    assert record["answers"][0]["cost_usd"] == pytest.approx(0.007)
    assert record["usage"]["total"]["cost_usd"] == pytest.approx(0.014)
    assert record["usage"]["cost_known"] is True


async def test_a_reported_cost_goes_before_the_table(models, panel_config):
    provider = {"base_url": models.base_url, "prices": {"a": {"input": 999, "output": 999}}}

    record = await record_of(panel_config(providers={"scripted": provider}))

    assert record["answers"][0]["cost_usd"] == 0.001


async def test_a_cost_that_nobody_knows_is_none_and_said_so(models, panel_config):
    models.script("b", "An answer that costs who knows what.")

    record = await record_of(panel_config())

    assert record["answers"][1]["cost_usd"] is None
    assert record["answers"][0]["cost_usd"] == 0.001
    assert record["usage"]["stages"]["panel"]["cost_usd"] is None
    assert record["usage"]["stages"]["judge"]["cost_usd"] == 0.002
    assert record["usage"]["total"]["cost_usd"] is None
    assert record["usage"]["cost_known"] is False


async def test_a_listed_model_has_its_listed_price(models, panel_config, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", models.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")
    million = {"prompt_tokens": 1_000_000, "completion_tokens": 1}
    models.script("gpt-4o", {"text": "An answer.", "usage": million})

    record = await record_of(panel_config(panel=["openai:gpt-4o", "scripted:b"]))

    assert record["answers"][0]["cost_usd"] == pytest.approx(2.50001)  # OpenAI's published price


async def test_a_moving_alias_has_no_listed_price(models, panel_config):
    models.script("~openai/gpt-sol-latest", "An answer.")
    endpoints = {name: {"base_url": models.base_url} for name in ("openrouter", "scripted")}

    record = await record_of(
        panel_config(panel=["openrouter:~openai/gpt-sol-latest", "scripted:b"], providers=endpoints)
    )

    assert record["answers"][0]["cost_usd"] is None


async def test_offline_models_cost_nothing():
    model = await open_model("offline:keyword", {})

    assert model.cost(AIMessage("An answer.")) == 0


async def test_a_reply_without_usage_counts_no_tokens_and_has_no_price(models, panel_config):
    models.script("a", {"text": "An answer.", "no_usage": True})
    prices = {"a": {"input": 1.0, "output": 1.0}}

    record = await record_of(
        panel_config(providers={"scripted": {"base_url": models.base_url, "prices": prices}})
    )

    usage = record["answers"][0]["usage"]
    assert (usage["calls"], usage["input_tokens"], usage["output_tokens"]) == (1, 0, 0)
    assert (usage["cached_tokens"], usage["cache_write_tokens"]) == (None, None)
    assert record["answers"][0]["cost_usd"] is None


# The panel


async def test_the_same_model_twice_is_two_panelists(models, panel_config):
    models.script("a", "The {n}. answer.")

    record = await record_of(panel_config(panel=["scripted:a", "scripted:a"]))

    assert [a["name"] for a in record["answers"]] == ["a", "a #2"]
    assert {a["content"] for a in record["answers"]} == {"The 1. answer.", "The 2. answer."}
    assert record["usage"]["models"]["scripted:a"]["calls"] == 2


async def test_with_max_concurrency_1_panelists_work_one_at_a_time(models, panel_config):
    for name in "abc":
        models.script(name, {"text": "An answer.", "delay": 0.03})

    await record_of(panel_config(max_concurrency=1))

    panel = [call for call in models.calls() if call.model in "abc"]
    assert len(panel) == 3
    assert all(before.ended <= after.started for before, after in pairwise(panel))


async def test_without_a_limit_all_panelists_work_at_once(models, panel_config):
    for name in "abc":
        models.script(name, {"hang": True})
    run = asyncio.create_task(record_of(panel_config()))

    # Nobody answers, so all three are there at once or never.
    waiting = await asyncio.to_thread(models.calls, arrived=3)
    assert [call.ended for call in waiting] == [None] * 3
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run


async def test_a_members_own_settings_go_before_the_panels(models, panel_config):
    panel = [
        {"model": "scripted:a", "temperature": 0.1, "reasoning_effort": "low"},
        {"model": "scripted:b", "instructions": "Be brief."},
    ]

    await record_of(panel_config(panel=panel, temperature=0.8, reasoning_effort="high"))

    a, b, j, w = (models.calls(name)[0].body for name in "abjw")
    assert (a["temperature"], a["reasoning_effort"]) == (0.1, "low")
    assert (b["temperature"], b["reasoning_effort"]) == (0.8, "high")
    assert "Be brief." in b["messages"][0]["content"]
    assert "Be brief." not in a["messages"][0]["content"]
    assert j["temperature"] == 0
    assert "temperature" not in w
