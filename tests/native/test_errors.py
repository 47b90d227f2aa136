"""What each integration raises is read like any other refusal: reason, status, words, wait."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from fusion_graph.models.failures import (
    failure_of,
    reason_of,
    refused_parameter,
    retry_after,
    status_of,
    words_of,
    worth_retrying,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession"),
    # google-genai 3.6.1 asks aiohttp for the body of an error, and does not wait for it.
    pytest.mark.filterwarnings("ignore:coroutine 'ClientResponse.json' was never awaited"),
]


@pytest.fixture(autouse=True)
def collected():
    """What an exception held on to is gone before another module's test begins."""
    yield
    gc.collect()


REASONS = {
    "too-long": ("context_length", None),
    "no-credit": ("insufficient_credits", None),
    "bad-key": ("auth", None),
    "unknown": ("invalid_model", None),
    "limited": ("rate_limited", True),
    "overloaded": ("upstream_error", True),
    "too-big": ("upstream_error", None),
}
"""What each refusal means; whether asking again helps, where that is beyond doubt."""


async def raised(chat: Any, provider: str, native: Any, model: str, **fields: Any) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each integration has its own
        await chat(provider, native, model=model, **fields).ainvoke("How wet is water?")
    return caught.value


@pytest.mark.slow
async def test_every_refusal_is_known_for_what_it_is(native, chat, provider):
    from .errors import ERRORS

    for model, (status, body, _) in ERRORS[provider].items():
        if model not in REASONS:
            continue
        error = await raised(chat, provider, native, model)
        reason, again = REASONS[model]
        assert (model, reason_of(error), status_of(error)) == (model, reason, status)
        if again is not None:
            assert worth_retrying(error) is again
        told = failure_of(error)["detail"]
        said = body.get("error", body)
        said = said.get("message", "") if isinstance(said, dict) else said
        if said != "Provider returned error":
            assert said.rstrip(".") in told
        assert "{" not in told
        assert native.url("") not in told
    assert native.log()


async def test_waits_are_read_from_headers_and_bodies(native, chat):
    assert retry_after(await raised(chat, "anthropic", native, "limited")) == 7
    assert retry_after(await raised(chat, "gemini", native, "limited")) == 36


async def test_openrouter_tells_what_the_upstream_said(native, chat):
    error = await raised(chat, "openrouter", native, "upstream")

    assert "The water is too deep for this model." in words_of(error)
    assert "Busy." in words_of(await raised(chat, "openrouter", native, "limited"))


async def test_a_temperature_that_a_thinking_claude_refuses_is_left_out(native, chat):
    error = await raised(chat, "anthropic", native, "claude-tests-9", temperature=0.2)

    assert refused_parameter(error, ["temperature", "tools"]) == "temperature"


async def test_a_temperature_that_the_integration_itself_refuses_is_left_out(native, chat):
    fields = {"temperature": 0.2, "thinking": None}
    error = await raised(chat, "anthropic", native, "claude-fable-5", **fields)

    assert refused_parameter(error, ["temperature", "tools"]) == "temperature"


async def test_a_temperature_out_of_mistrals_range_is_left_out(native, chat):
    error = await raised(chat, "mistral", native, "warm")

    assert refused_parameter(error, ["temperature", "tools"]) == "temperature"


async def test_ollamas_word_for_a_model_without_tools_is_known(native, chat):
    error = await raised(chat, "ollama", native, "no-tools")

    assert refused_parameter(error, ["temperature", "tools"]) == "tools"
