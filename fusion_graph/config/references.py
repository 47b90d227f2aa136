"""How a configuration names what it does not hold: models, and where to search."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from fusion_graph.config.form import Offers, shipped_models


def model_name(model: Any) -> str:
    """The written form of a model: the string itself, or `Class:model` for an instance."""
    if isinstance(model, str):
        return model
    inner = getattr(model, "model_name", None) or getattr(model, "model", None)
    return f"{type(model).__name__}:{inner}" if isinstance(inner, str) else type(model).__name__


def _check_model(value: Any) -> Any:
    if isinstance(value, str):
        provider, colon, name = value.partition(":")
        if not (provider.strip() and colon and name.strip()):
            raise ValueError("write a model as 'provider:model', as in 'openai:gpt-5.5'")
        return value.strip()
    if callable(getattr(value, "ainvoke", None)) and hasattr(value, "disable_streaming"):
        return value
    raise ValueError("a model is a 'provider:model' string or a LangChain chat model")


ModelRef = Annotated[
    Any,
    BeforeValidator(_check_model),
    PlainSerializer(model_name, return_type=str),
    Offers(shipped_models),
]
"""`provider:model`, or a LangChain chat model."""


SEARCHES = ("ddgs", "provider", "corpus", "exa", "tavily", "searxng", "brave", "wikipedia", "none")
"""What `search` may be called, besides being a tool."""


def _check_search(value: Any) -> Any:
    if isinstance(value, str) and value not in SEARCHES:
        raise ValueError(f"search is one of {', '.join(SEARCHES)}, or a LangChain tool")
    if not isinstance(value, str) and not callable(getattr(value, "ainvoke", None)):
        raise ValueError(f"search is one of {', '.join(SEARCHES)}, or a LangChain tool")
    return value


def _search_name(search: Any) -> str:
    return search if isinstance(search, str) else str(getattr(search, "name", "tool"))


SearchRef = Annotated[
    Any,
    BeforeValidator(_check_search),
    PlainSerializer(_search_name, return_type=str),
    WithJsonSchema({"type": "string", "enum": list(SEARCHES)}),
]
"""The name of a search, or a LangChain search tool."""
