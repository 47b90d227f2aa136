"""What a model is asked for besides an answer, and how that shrinks when a provider refuses it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from fusion_graph.models.apis import API_REFUSALS, REASONING_WITH_TOOLS


@dataclass(frozen=True)
class Options:
    """What a call asks for besides an answer. None leaves a parameter to the provider.

    Attributes:
        tools: Tools offered, as OpenAI-format dicts.
        tool_choice: As OpenAI's; `none` forbids calls while the tools stay listed.
        temperature: 0 to 2.
        reasoning_effort: As the provider names it.
        max_tokens: Most tokens of the reply.
        response_formats: Ways to ask for JSON, strongest first; a refused one gives way to the
            next, and after the last the call goes without.
        cache_control: Whether what a provider is to keep in its cache is marked.
    """

    tools: Sequence[dict[str, Any]] = ()
    tool_choice: str | dict[str, Any] | None = None
    temperature: float | None = None
    reasoning_effort: str | None = None
    max_tokens: int | None = None
    response_formats: tuple[dict[str, Any], ...] = ()
    cache_control: bool | None = None

    def without(self, name: str) -> Options:
        """The options after a refusal of `failures.PARAMETERS` or `apis.API_REFUSALS`."""
        if name == REASONING_WITH_TOOLS:
            return replace(self, reasoning_effort="none") if self.tools else self
        if name in API_REFUSALS:
            return self
        if name == "response_format":
            return replace(self, response_formats=self.response_formats[1:])
        if name == "tools":
            return replace(self, tools=(), tool_choice=None)
        cleared: dict[str, Any] = {name: None}
        return replace(self, **cleared)

    def parameters(self) -> dict[str, Any]:
        """The parameters that can be refused and are set, by their wire names."""
        sent: dict[str, Any] = {
            "temperature": self.temperature,
            "reasoning_effort": self.reasoning_effort,
            "tool_choice": self.tool_choice if self.tools else None,
            "tools": list(self.tools) or None,
            "max_tokens": self.max_tokens,
            "response_format": self.response_formats[0] if self.response_formats else None,
            "cache_control": self.cache_control,
        }
        return {name: value for name, value in sent.items() if value is not None}
