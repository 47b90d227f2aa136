"""The web search that a provider runs itself while its model answers: who has one, how it is asked.

| provider | what is listed beside the tools | where |
|---|---|---|
| Anthropic | `web_search_20250305` | Messages, through langchain-anthropic |
| OpenAI | `web_search` | Responses API |
| OpenRouter | `openrouter:web_search`; its web plugin and `:online` are the older form | chat |

Perplexity's models and `:online` ones on OpenRouter search whenever they are asked, and are asked
nothing more for it. What comes back is read in `provider_search_reply`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from fusion_graph.langgraph_seams.identity import provider_and_name
from fusion_graph.models._foreign import is_anthropic
from fusion_graph.models.apis import RESPONSES_API, endpoint_of
from fusion_graph.models.model import Model
from fusion_graph.models.provider_search_reply import PERPLEXITY

Kind = Literal["anthropic", "openai", "openrouter"]

OPENAI_SOURCES = "web_search_call.action.sources"
"""What OpenAI is asked to include: every page that a search found, not only those cited."""


@dataclass(frozen=True)
class ProviderSearch:
    """A provider's own search.

    Attributes:
        kind: Whose.
        allowed_domains: If given, the only hosts that are searched.
        blocked_domains: Hosts that are not.
        listed: Whether it has to be listed; its model searches without being asked where not.
    """

    kind: Kind
    allowed_domains: tuple[str, ...] = ()
    blocked_domains: tuple[str, ...] = ()
    listed: bool = True

    def tool(self, most: int) -> dict[str, Any]:
        """The search as the provider wants it listed.

        Args:
            most: Most searches of one call; OpenAI is told of it apart (`max_tool_calls`).
        """
        allowed, blocked = list(self.allowed_domains), list(self.blocked_domains)
        if self.kind == "openai":
            return {"type": "web_search", **_given(filters=_given(allowed_domains=allowed))}
        if self.kind == "openrouter":
            domains = _given(allowed_domains=allowed, excluded_domains=blocked)
            return {"type": "openrouter:web_search", "parameters": {"max_uses": most, **domains}}
        return {
            "type": "web_search_20250305",
            "name": "web_search",
            "max_uses": most,
            **_given(allowed_domains=allowed, blocked_domains=blocked),
        }


def provider_search(
    model: Model, allowed: Sequence[str] = (), blocked: Sequence[str] = ()
) -> ProviderSearch | None:
    """Find the search of a model's provider; None where it has none that is known here.

    OpenAI's is there through the Responses API alone: its model is asked through that from now on.

    Args:
        model: The model.
        allowed: If given, the only hosts to be searched.
        blocked: Hosts that are not to be; OpenAI's search cannot be told of any.
    """
    kind = _kind(model, blocked=bool(blocked))
    if kind == "openai":
        _ask_through_responses(model)
    if kind is None:
        return None
    return ProviderSearch(kind, tuple(allowed), tuple(blocked), listed=not always_searches(model))


def always_searches(model: Model) -> bool:
    """Tell whether a model searches whenever it is asked, whatever tools it has."""
    name = model.ref.partition(":")[2]
    own = name.startswith(PERPLEXITY) or name.endswith(":online")
    return own and _kind(model) == "openrouter"


def searching_provider(ref: Any) -> tuple[str, str] | None:
    """Tell whose search a model is likely to have, and the model's name there, before it is opened.

    Args:
        ref: A `provider:model` string or a chat model.
    """
    if isinstance(ref, str):
        provider, _, name = ref.partition(":")
        return (provider, name) if provider in get_args(Kind) else None
    provider, name = provider_and_name(ref)
    return (provider, name) if is_anthropic(ref) and provider == "anthropic" else None


def can_search(model: Model) -> bool:
    """Tell whether a model can be asked with its provider's search as it is asked now."""
    return _kind(model) is not None and (model.provider != "openai" or model.api == "responses")


def _kind(model: Model, *, blocked: bool = False) -> Kind | None:
    if model.provider == "anthropic" and is_anthropic(model.chat):
        return "anthropic"
    endpoint = model.endpoint
    if not model.protocol or endpoint is None:
        return None
    if model.provider == "openrouter" and endpoint.api == "chat":
        return "openrouter"
    there = endpoint.api == "responses" or (
        endpoint.configured is None and RESPONSES_API not in endpoint.refused
    )
    return "openai" if model.provider == "openai" and there and not blocked else None


def _ask_through_responses(model: Model) -> None:
    if model.api != "responses":
        name = model.ref.partition(":")[2]
        model.endpoint = endpoint_of(model.address, model.provider, name, "responses")


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}
