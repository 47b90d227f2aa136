"""Fixtures: an agent's own model, as scripted as the panel's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langchain_openai import ChatOpenAI

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
