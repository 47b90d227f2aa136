"""A chat model ready to be called: what it takes, what it has refused, what its calls cost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage

from fusion_graph.config import Price
from fusion_graph.cost.counts import TokenCounts, counted
from fusion_graph.cost.prices import FREE_PROVIDERS, price_of, search_price
from fusion_graph.cost.usage import listed_cost, priced_cost, reported_cost
from fusion_graph.models._foreign import is_anthropic
from fusion_graph.models.apis import API_LOSSES, API_REFUSALS, REASONING_WITH_TOOLS, Api, Endpoint
from fusion_graph.models.fitting import Window
from fusion_graph.models.own_server import Served
from fusion_graph.models.provider_search_reply import searches_billed

SETTINGS = {
    "temperature": ("temperature",),
    "reasoning_effort": ("reasoning_effort",),
    "max_tokens": ("max_tokens", "max_output_tokens", "max_tokens_to_sample", "num_predict"),
}
"""What a LangChain integration may call a parameter, as a field of its chat model: the standard
name, then those of `langchain-google-genai`, older `langchain-anthropic`, `langchain-ollama`."""

_VENDORS = {"claude": "anthropic", "codex": "openai", "gemini": "google_genai"}
"""Whose prices a program's calls have, where a key pays."""

_CLAUDES = ("openrouter:anthropic/", "openrouter:~anthropic/")


@dataclass
class Model:
    """A chat model ready to be called.

    Attributes:
        ref: As written: `openrouter:openai/gpt-5.5`.
        provider: `openrouter`; for an instance, the provider LangChain sees in it.
        chat: The LangChain model; never streams by itself.
        protocol: Whether it takes the OpenAI protocol's parameters with each call.
        ours: Whether it was set up here, and takes its parameters as fields. A chat model that a
            program hands over keeps its own.
        program: Whether it is a program, which calls its tools itself while it answers.
        call_tool: Calls a tool for such a program; None where it is to have none.
        price: The user's own price, if one was given.
        refused: Parameters it has refused; they are left out from then on.
        secrets: Its key and header values, which no message may repeat.
        formats_refused: How many of the ways to ask for JSON it has refused, strongest first.
        key_name: Environment variable that holds its provider's key; empty if it needs none.
        address: Host, port and path it is asked at, where that is known.
        endpoint: Through which of OpenAI's APIs it is asked; None where `protocol` is not.
        responses: Makes the client of the Responses API, where that is the one.
        cache_marks: Whether its provider caches only what is marked, in the OpenAI protocol.
        window: What is known of how much it reads at once.
        ask_again: Asks its server about it; None where there is nothing to learn.
    """

    ref: str
    provider: str
    chat: BaseChatModel
    protocol: bool
    ours: bool = False
    program: bool = False
    call_tool: Callable[[str, dict[str, Any] | None], Awaitable[tuple[str, bool]]] | None = field(
        default=None, repr=False
    )
    price: Price | None = None
    refused: set[str] = field(default_factory=set)
    formats_refused: int = 0
    secrets: tuple[str, ...] = field(default=(), repr=False)
    key_name: str = ""
    address: str = ""
    cache_marks: bool = False
    endpoint: Endpoint | None = None
    responses: Callable[[], BaseChatModel] | None = None
    window: Window = field(default_factory=Window)
    ask_again: Callable[[], Awaitable[Served]] | None = field(default=None, repr=False)

    @property
    def api(self) -> Api:
        """Through which of OpenAI's APIs it is asked now."""
        return "chat" if self.endpoint is None else self.endpoint.api

    @property
    def without_reasoning(self) -> bool:
        """Whether it takes tools only without reasoning, as it is asked now."""
        return self.api == "chat" and self.has_refused(REASONING_WITH_TOOLS)

    def has_refused(self, refusal: str) -> bool:
        """Tell whether it has refused one of `API_REFUSALS`, in this run or in one before."""
        return self.endpoint is not None and refusal in self.endpoint.refused

    @property
    def takes_schema(self) -> bool:
        """Whether a call can hold it to a JSON schema, as far as anybody knows."""
        profile: Mapping[str, Any] = self.chat.profile or {}
        return self.protocol or (self.program and bool(profile.get("structured_output")))

    def client(self) -> BaseChatModel:
        """Give the client of the API in use."""
        if self.api == "responses" and self.responses is not None:
            return self.responses()
        return self.chat

    def refused_api(
        self, error: BaseException, sent: Collection[str], asked: Api, found: Collection[str]
    ) -> str | None:
        """Find what an error says of the API, if there is another way: see `Endpoint.refusal`."""
        if self.endpoint is None:
            return None
        return self.endpoint.refusal(error, sent, asked, found)

    @property
    def takes_choice(self) -> bool:
        """Whether `tool_choice` is how to forbid calls: not where it was refused, or costs.

        Where it differs from the request before, Anthropic finds no message of that request in
        its cache; and the request after the cap is the longest of all. Claude does as it is told.
        """
        claude = is_anthropic(self.chat) or self.ref.startswith(_CLAUDES)
        return "tool_choice" not in self.refused and not claude

    @property
    def context_tokens(self) -> int | None:
        """Tokens it reads at once, reply included, as far as anybody said."""
        return self.window.tokens

    async def look_again(self) -> None:
        """Learn from its server how much it reads, where that was only its default so far."""
        if self.ask_again is None or self.window.source not in ("unknown", "default"):
            return
        facts = await self.ask_again()
        self.window.kind = facts.kind or self.window.kind
        if facts.context_tokens is not None:
            self.window.tokens = facts.context_tokens
            self.window.source = "default" if facts.guessed else "server"

    def note_refused(self, names: Iterable[str]) -> None:
        """Remember parameters that were refused, each refusal in its turn."""
        for name in names:
            if name == "response_format":
                self.formats_refused += 1
            elif name in API_REFUSALS and self.endpoint is not None:
                self.endpoint.note(name)
                self.refused |= {name} & API_LOSSES
            else:
                self.refused.add(name)

    def settings(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Find the fields of a LangChain integration's chat model that stand for these parameters.

        A parameter without one is remembered as refused.
        """
        there = type(self.chat).model_fields
        found: dict[str, Any] = {}
        for parameter in SETTINGS.keys() & parameters.keys():
            field = next((name for name in SETTINGS[parameter] if name in there), None)
            if field is None:
                self.refused.add(parameter)
            else:
                found[field] = parameters[parameter]
        return found

    def cost(self, message: AIMessage) -> float | None:
        """Price the call behind a reply, in US dollars; None if nobody knows."""
        if self.provider in FREE_PROVIDERS:
            return 0.0
        metadata = message.response_metadata
        if metadata.get("paid_by") == "plan":
            return None
        # langchain-openrouter puts the cost beside the usage.
        cost = reported_cost(metadata.get("token_usage") or metadata)
        tokens = counted(message)
        if cost is not None or tokens is None:
            return cost
        said = bool(message.content or message.tool_calls)
        if not tokens.read or (said and not tokens.written):
            return None  # nobody reads nothing, or writes something of nothing: it was not counted
        name = str(metadata.get("model_name") or self.ref.partition(":")[2])
        provider, searches = _VENDORS.get(self.provider, self.provider), searches_billed(message)
        if self.price is None:
            return listed_cost(provider, name, tokens, searches)
        fee = search_price(provider, name) if searches else 0.0
        return None if fee is None else priced_cost(self.price, tokens) + fee * searches

    def likely_cost(self, input_tokens: int, output_tokens: int) -> float | None:
        """Price a call of about so many tokens, in US dollars; None if nobody knows."""
        name = self.ref.partition(":")[2]
        price = self.price or price_of(f"{self.provider}:{name}", {}, input_tokens)
        tokens = TokenCounts(input_tokens, output_tokens)
        return None if price is None else priced_cost(price, tokens)

    @property
    def bills_nobody(self) -> bool:
        """Whether whatever is asked of it is known to cost nothing."""
        return self.likely_cost(1, 1) == 0

    def takes(self, modality: str) -> bool:
        """Tell whether it takes `image`, `audio`, `file` or `video`; yes where nobody knows."""
        keys = {"file": "pdf_inputs"}
        profile: Mapping[str, Any] = self.chat.profile or {}
        return profile.get(keys.get(modality, f"{modality}_inputs")) is not False
