"""Fixtures: an agent's own model, as scripted as the panel's; a LangGraph server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_openai import ChatOpenAI

from tests.hosts import LANGGRAPH, langgraph_dev
from tests.scripted_models.client import Scope


@pytest.fixture
def outer(models: Scope) -> Callable[..., ChatOpenAI]:
    """`outer(*steps)`: a chat model named `outer`, scripted with these steps, over HTTP."""

    def make(*steps: Any, name: str = "outer") -> ChatOpenAI:
        models.script(name, *steps)
        return ChatOpenAI(
            model=name, base_url=models.base_url, api_key="none", max_retries=0, stream_usage=True
        )

    return make


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a LangGraph server, one a worker."""
    if LANGGRAPH is None:
        pytest.skip("langgraph-cli is not installed")
    with langgraph_dev(tmp_path_factory.mktemp("langgraph")) as url:
        yield url
