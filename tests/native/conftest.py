"""Fixtures: the native servers, and the chat models of LangChain's integrations that ask them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .client import Native, NativeServer

PROVIDERS = ["anthropic", "gemini", "deepseek", "mistral", "ollama", "openrouter"]


@pytest.fixture(scope="module", params=PROVIDERS)
def provider(request: pytest.FixtureRequest) -> str:
    """Each provider; of a module's scope, so that all tests of one run where it is imported."""
    return str(request.param)


@pytest.fixture(scope="session")
def native_server() -> Iterator[NativeServer]:
    """The native servers, over HTTP, in a process of their own."""
    with NativeServer() as server:
        yield server


@pytest.fixture
def native(native_server: NativeServer) -> Native:
    """Models that make three turns with calls, and then answer."""
    return native_server.part()


@pytest.fixture
def chat() -> Callable[..., Any]:
    """`chat(provider, native, **fields)`: a chat model of that provider's integration."""
    return open_chat


def open_chat(provider: str, native: Native, **fields: Any) -> Any:
    """A chat model of a provider's integration. Imported here: all of them take ten seconds."""
    url = native.url(provider)
    if provider == "anthropic":
        from langchain_anthropic import ChatAnthropic

        thinking = {"type": "enabled", "budget_tokens": 1024}
        own = {"model": "claude-tests-9", "thinking": thinking, "max_retries": 0}
        return ChatAnthropic(**{"base_url": url, "api_key": "no-key", **own, **fields})
    if provider == "gemini":
        from langchain_google_genai import ChatGoogleGenerativeAI

        own = {"model": "gemini-3-pro-preview", "include_thoughts": True, "max_retries": 1}
        return ChatGoogleGenerativeAI(**{"base_url": url, "api_key": "no-key", **own, **fields})
    if provider == "deepseek":
        from langchain_deepseek import ChatDeepSeek

        own = {"model": "deepseek-reasoner", "max_retries": 0}
        return ChatDeepSeek(**{"base_url": url, "api_key": "no-key", **own, **fields})
    if provider == "mistral":
        from langchain_mistralai import ChatMistralAI

        own = {"model": "magistral-medium-latest", "max_retries": 1}
        return ChatMistralAI(**{"base_url": url, "api_key": "no-key", **own, **fields})
    if provider == "ollama":
        from langchain_ollama import ChatOllama

        return ChatOllama(**{"base_url": url, "model": "qwen3", "reasoning": True, **fields})
    from langchain_openrouter import ChatOpenRouter

    own = {"model": "google/gemini-3-pro-preview", "max_retries": 0}
    return ChatOpenRouter(
        **{
            "base_url": url,
            "api_key": "no-key",
            "app_url": None,
            "app_title": None,
            **own,
            **fields,
        }
    )
