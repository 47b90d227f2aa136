"""What a server's owner lets a request set."""

from __future__ import annotations

from typing import Any

import pytest

from fusion_graph.config import FusionConfig
from fusion_graph.config.presets import Preset, load
from fusion_graph.errors import ApiError
from fusion_graph.faces.server.limits import CLOSED, SETTABLE, Limits, run_context
from tests.server.conftest import MESSAGES, running

OFFLINE = load("offline")


def preset(**fields: Any) -> Preset:
    """A preset of the owner's with two models of a provider of its own."""
    given = {
        "panel": ["mine:x", "strange:y"],
        "providers": {"mine": {"base_url": "http://127.0.0.1:1/v1"}},
        **fields,
    }
    return Preset("own", "", "own.toml", FusionConfig(**given).given())


def refusal(fusion: dict[str, Any], limits: Limits | None = None, of: Preset = OFFLINE) -> ApiError:
    with pytest.raises(ApiError) as caught:
        run_context(fusion, {}, of, limits or Limits())
    assert caught.value.status == 400
    return caught.value


def allowed(fusion: dict[str, Any], limits: Limits | None = None, of: Preset = OFFLINE) -> Any:
    return run_context(fusion, {}, of, limits or Limits())


def test_every_setting_is_open_or_closed_by_decision():
    beside_the_object = {"preset"}
    assert SETTABLE | CLOSED.keys() | beside_the_object == FusionConfig.model_fields.keys()
    assert not SETTABLE & CLOSED.keys()


@pytest.mark.parametrize(
    "fusion",
    [
        {"providers": {"x": {"base_url": "http://a.example", "api_key_env": "HOME"}}},
        {"corpus": "/etc"},
        {"writer_tools": []},
        {"provider_concurrency": 64},
        {"preset": "/etc/passwd"},
        {"no_such_setting": 1},
    ],
)
def test_what_is_the_servers_own_is_refused(fusion):
    error = refusal(fusion)
    assert error.param == f"fusion.{next(iter(fusion))}"


@pytest.mark.parametrize(
    ("fusion", "param", "word"),
    [
        ({"panel": []}, "fusion.panel", "at least 1 item"),
        ({"panel": ["gpt-5.5"]}, "fusion.panel.0", "'gpt-5.5'"),
        ({"panel": [{"model": "openai:x", "temperature": 9}]}, "fusion.panel.0", "temperature"),
        ({"panel": [{"model": "openai:x", "self": 1}]}, "fusion.panel.0", "self"),
        ({"judge": {"model": "openai:x"}}, "fusion.judge", "provider:model"),
        ({"quorum": 3, "panel": ["openai:x"]}, "fusion", "quorum 3"),
        ({"max_tool_calls": 99}, "fusion.max_tool_calls", "99"),
        ({"search": 7}, "fusion.search", "ddgs"),
    ],
)
def test_a_wrong_value_is_named_with_its_field(fusion, param, word):
    error = refusal(fusion)
    assert error.param == param
    assert word in error.message


def test_a_field_of_openais_keeps_its_name_in_the_error():
    with pytest.raises(ApiError) as caught:
        run_context({}, {"max_completion_tokens": ("max_tokens", 5)}, OFFLINE, Limits())
    assert caught.value.param == "max_tokens"
    assert "`max_tokens` is 5" in caught.value.message


@pytest.mark.parametrize("ref", ["openrouter:a/b", "openai:x", "ollama:x", "anthropic:x"])
def test_models_of_the_usual_providers_may_be_named(ref):
    allowed({"panel": [ref], "judge": ref, "synthesizer": ref, "fallbacks": [ref]})


@pytest.mark.parametrize("field", ["panel", "judge", "synthesizer", "fallbacks"])
@pytest.mark.parametrize(
    "ref", ["huggingface:evil/weights", "mine:x", "strange:y", "claude:opus", "codex:x", "gemini:x"]
)
def test_models_of_other_providers_may_not(field, ref):
    value = [ref] if field in ("panel", "fallbacks") else ref
    error = refusal({field: value})
    assert error.code == "model_not_allowed"
    assert error.param == f"fusion.{field}"


def test_a_presets_own_models_and_providers_may_be_named_with_it():
    allowed({"panel": ["mine:x", "mine:z", "strange:y"]}, of=preset())
    refusal({"panel": ["strange:z"]}, of=preset())


def test_the_owner_names_the_models():
    limits = Limits(models=("openai:gpt-*",))
    allowed({"judge": "openai:gpt-5.5"}, limits)
    allowed({"judge": "mine:x"}, limits, preset())
    refusal({"judge": "openai:o9"}, limits)
    refusal({"judge": "mine:z"}, limits, preset())


def test_the_owner_closes_models():
    for fusion in ({"judge": "offline:judge"}, {"panel": ["offline:keyword"]}):
        assert "--no-models" in refusal(fusion, Limits(models=())).message
    allowed({"criteria": "safety"}, Limits(models=()))


def test_a_panel_is_as_wide_as_the_owner_allows():
    limits = Limits(max_panel=2)
    allowed({"panel": ["openai:x"] * 2}, limits)
    error = refusal({"panel": ["openai:x"] * 3}, limits)
    assert (error.code, error.param) == ("limit_exceeded", "fusion.panel")
    assert "3" in error.message
    assert "2 (--max-panel)" in error.message
    refusal({"fallbacks": ["openai:x"] * 3}, limits)


def test_a_cap_holds_for_requests_and_for_presets():
    limits = Limits(max_tool_calls=3, max_tokens=2_000, max_cost=0.5)
    assert allowed({}, limits) == {
        "max_tool_calls": 3,
        "max_completion_tokens": 2_000,
        "max_cost_usd": 0.5,
    }
    assert allowed({"max_tool_calls": 1}, limits)["max_tool_calls"] == 1
    assert allowed({"max_cost_usd": 0.1}, limits)["max_cost_usd"] == 0.1
    for field, value in (
        ("max_tool_calls", 4),
        ("max_completion_tokens", 2_001),
        ("max_cost_usd", 0.6),
    ):
        assert refusal({field: value}, limits).code == "limit_exceeded"
    narrow = preset(max_tool_calls=0, max_completion_tokens=100, max_cost_usd=0.2)
    assert allowed({}, limits, narrow) == {}


@pytest.mark.parametrize("field", ["max_cost_usd", "max_tokens_total", "run_timeout"])
def test_a_request_cannot_spend_more_than_the_preset_allows(field):
    own = preset(**{field: 5})
    allowed({field: 4}, of=own)
    assert field not in allowed({field: None}, of=own)  # a null would lift the preset's limit
    assert refusal({field: 6}, of=own).param == f"fusion.{field}"


def test_a_request_cannot_loosen_the_presets_domains():
    allowed({"allowed_domains": ["example.org"]})
    own = preset(blocked_domains=["example.org"])
    assert refusal({"blocked_domains": []}, of=own).code == "domains_not_allowed"
    assert refusal({"allowed_domains": ["example.org"]}, of=own).code == "domains_not_allowed"


def test_searches_that_spend_a_key_are_the_presets_to_choose():
    for search in ("none", "ddgs", "wikipedia", "corpus"):
        allowed({"search": search})
    for search in ("tavily", "exa", "provider"):
        assert refusal({"search": search}).code == "search_not_allowed"
        allowed({"search": search}, of=preset(search=search))


def test_the_options_of_the_command_hold(models, offer, tmp_path):
    hidden, shown = offer(tmp_path), offer(tmp_path)
    options = ["--preset", shown.removeprefix("fusion/"), "--no-models", "--max-tokens", "500"]
    with running(tmp_path, *options) as server:
        listed = server.request("GET", "/v1/models").json()["data"]
        wrong = server.post({"model": hidden, "messages": MESSAGES})
        named = server.post(
            {"model": shown, "messages": MESSAGES, "fusion": {"judge": "scripted:j"}}
        )
        long = server.post({"model": shown, "messages": MESSAGES, "max_tokens": 501})
        fine = server.post({"model": shown, "messages": MESSAGES})
    assert [model["id"] for model in listed] == [shown, f"{shown}:direct"]
    assert wrong.status_code == 404
    assert named.json()["error"]["code"] == "model_not_allowed"
    assert long.json()["error"]["param"] == "max_tokens"
    assert fine.status_code == 200
    assert {call.body["max_tokens"] for call in models.calls()} == {500}


def test_more_runs_than_allowed_get_429(models, offer, tmp_path):
    model = offer(tmp_path)
    models.script("a", {"text": "Late.", "when_contains": {"first": {"hang": True}}})
    with running(tmp_path, "--max-runs", "1") as server:
        body = {"model": model, "messages": [{"role": "user", "content": "first"}], "stream": True}
        from openai import OpenAI

        with (
            OpenAI(base_url=f"{server.url}/v1", api_key="unused", max_retries=0) as client,
            client.chat.completions.create(**body) as stream,
        ):
            next(stream)
            models.calls("a", arrived=1)
            refused = server.post({"model": model, "messages": MESSAGES})
        models.calls("a", ended=1)  # the first has hung up, and its run ends
        assert refused.status_code == 429
        assert refused.json()["error"]["code"] == "too_many_runs"
        assert refused.headers["retry-after"] == "2"
