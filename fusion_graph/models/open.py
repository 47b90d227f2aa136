"""From `provider:model` to something that can be called, over shared connections.

`openrouter`, `openai`, `ollama` and every `[providers.NAME]` speak the OpenAI protocol and go
through `ProtocolChat`, or `ResponsesChat` (`apis.py` says which); `offline` is this package's own;
any other provider is LangChain's (`init_chat_model`). A LangChain chat model may be given instead
of a string.
"""

from __future__ import annotations

import base64
import logging
import os
import ssl
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from pydantic import SecretStr

from fusion_graph.config import Price, Provider, model_name
from fusion_graph.config.presets.servers import USUAL
from fusion_graph.config.providers import INTEGRATION_KEYS, providers
from fusion_graph.cost.counts import TokenCounts, counted
from fusion_graph.cost.prices import FREE_PROVIDERS, price_of
from fusion_graph.cost.usage import listed_cost, priced_cost, reported_cost
from fusion_graph.errors import ConfigurationError, MissingKey, UnknownProvider
from fusion_graph.langgraph_seams.identity import provider_and_name
from fusion_graph.langgraph_seams.loops import loop_owned
from fusion_graph.models._caching import wants_marks
from fusion_graph.models._connection import shown_address
from fusion_graph.models._foreign import is_anthropic, kept_whole
from fusion_graph.models.apis import (
    API_LOSSES,
    API_REFUSALS,
    REASONING_WITH_TOOLS,
    RESPONSES_API,
    Api,
    Endpoint,
    endpoint_of,
)
from fusion_graph.models.fitting import Window
from fusion_graph.models.own_server import Served, ask_server, is_own_server, served
from fusion_graph.models.secrets import SHORTEST_SECRET, scrub

if TYPE_CHECKING:
    import httpx2

    from fusion_graph.models.openai_protocol import ProtocolChat

DEPTH_HEADER = "x-fusion-depth"
"""Sent with every call, so that a fusion served over HTTP can refuse to run inside another."""

OPENAI_URL = "https://api.openai.com/v1"
"""Where the provider `openai` is asked, unless OPENAI_BASE_URL says otherwise."""

CONNECT_SECONDS = 30.0
"""How long a connection may take; with hundreds of runs starting at once the event loop itself may
need 10 s to get round. How long a reply may take is the stage's deadline."""

WIRE_LOGGERS = (
    "httpx2",
    "httpcore2.connection",
    "httpcore2.http11",
    "httpcore2.http2",
    "httpcore2.proxy",
    "openai._base_client",
)
"""Loggers that tell what goes over the wire, on demand; a server may send keys back."""


SETTINGS = {
    "temperature": ("temperature",),
    "reasoning_effort": ("reasoning_effort",),
    "max_tokens": ("max_tokens", "max_output_tokens", "max_tokens_to_sample", "num_predict"),
}
"""What a LangChain integration may call a parameter, as a field of its chat model: the standard
name, then those of `langchain-google-genai`, older `langchain-anthropic`, `langchain-ollama`."""

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
        """Whether it has refused one of `API_REFUSALS`, in this run or in one before."""
        return self.endpoint is not None and refusal in self.endpoint.refused

    def client(self) -> BaseChatModel:
        """The client of the API in use."""
        if self.api == "responses" and self.responses is not None:
            return self.responses()
        return self.chat

    def refused_api(
        self, error: BaseException, sent: Collection[str], asked: Api, found: Collection[str]
    ) -> str | None:
        """What an error says of the API, if there is another way to ask: see `Endpoint.refusal`."""
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
        told = await self.ask_again()
        self.window.kind = told.kind or self.window.kind
        if told.context_tokens is not None:
            self.window.tokens = told.context_tokens
            self.window.source = "default" if told.guessed else "server"

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
        """The fields of a LangChain integration's chat model that stand for these parameters.

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
        """What the call behind a reply cost in US dollars, or None if nobody knows."""
        if self.provider in FREE_PROVIDERS:
            return 0.0
        metadata = message.response_metadata
        # langchain-openrouter puts the cost beside the usage.
        cost = reported_cost(metadata.get("token_usage") or metadata)
        tokens = counted(message)
        if cost is not None or tokens is None:
            return cost
        said = bool(message.content or message.tool_calls)
        if not tokens.read or (said and not tokens.written):
            return None  # nobody reads nothing, or writes something of nothing: it was not counted
        if self.price is not None:
            return priced_cost(self.price, tokens)
        name = str(metadata.get("model_name") or self.ref.partition(":")[2])
        return listed_cost(self.provider, name, tokens)

    def likely_cost(self, input_tokens: int, output_tokens: int) -> float | None:
        """What a call of about so many tokens will cost in US dollars, or None if nobody knows."""
        name = self.ref.partition(":")[2]
        price = self.price or price_of(f"{self.provider}:{name}", {}, input_tokens)
        tokens = TokenCounts(input_tokens, output_tokens)
        return None if price is None else priced_cost(price, tokens)

    @property
    def bills_nobody(self) -> bool:
        """Whether whatever is asked of it is known to cost nothing."""
        return self.likely_cost(1, 1) == 0

    def takes(self, modality: str) -> bool:
        """Whether it is known not to refuse `image`, `audio`, `file` or `video` (unknown: yes)."""
        keys = {"file": "pdf_inputs"}
        profile: Mapping[str, Any] = self.chat.profile or {}
        return profile.get(keys.get(modality, f"{modality}_inputs")) is not False


def check_model(ref: Any, given: Mapping[str, Provider]) -> None:
    """Find out, before anything is paid, that a model cannot be called.

    Args:
        ref: A `provider:model` string or a chat model.
        given: The configuration's providers.

    Raises:
        MissingKey: Its provider wants a key that the environment does not hold.
        UnknownProvider: Nobody knows its provider, or its package is not installed.
    """
    if not isinstance(ref, str):
        return
    provider_name, _, name = ref.partition(":")
    if provider_name == "offline":
        from fusion_graph.offline import offline_model

        try:
            offline_model(name)
        except ValueError as error:
            raise ConfigurationError(f"Model '{ref}':", str(error)) from None
        return
    provider = providers(given).get(provider_name)
    if provider is None:
        _foreign(ref, given)
        return
    if provider.api_key_env and not os.environ.get(provider.api_key_env):
        raise MissingKey(
            f"Model '{ref}' needs an API key, and {provider.api_key_env} is not set.",
            f"Set {provider.api_key_env}, or take --preset offline (preset='offline').",
        )


async def open_model(ref: Any, given: Mapping[str, Provider]) -> Model:
    """The model of a reference, on this event loop's connections.

    Args:
        ref: A `provider:model` string or a chat model.
        given: The configuration's providers.

    Raises:
        ConfigurationError: As `check_model`.
    """
    if not isinstance(ref, str):
        kind = provider_and_name(ref)[0] or "custom"
        own: dict[str, Any] = {"disable_streaming": True}
        if getattr(ref, "stream_usage", True) is None:
            own["stream_usage"] = True  # ChatOpenAI leaves it out wherever base_url is set
        if "streaming" in type(ref).model_fields:
            # Asks for a stream where nobody reads one (ChatOpenAI), or streams calls of tools
            # past `disable_streaming` (ChatOpenRouter); pieces of both get lost.
            own["streaming"] = False
        chat = kept_whole(ref.model_copy(update=own))
        return Model(
            model_name(ref),
            kind,
            chat,
            protocol=False,
            secrets=_secrets_in(chat),
            key_name=INTEGRATION_KEYS.get(kind, ""),
            address=_address_in(chat),
        )
    check_model(ref, given)
    provider_name, _, name = ref.partition(":")
    if provider_name == "offline":
        from fusion_graph.offline import offline_model

        return Model(ref, provider_name, offline_model(name), protocol=False)
    provider = providers(given).get(provider_name)
    if provider is None:
        chat = kept_whole(_foreign(ref, given))
        secrets = _secrets_in(chat)
        return Model(
            ref,
            provider_name,
            chat,
            protocol=False,
            ours=True,
            secrets=secrets,
            key_name=INTEGRATION_KEYS.get(provider_name, ""),
            address=_address_in(chat),
        )
    from fusion_graph.models.openai_protocol import ProtocolChat

    key = os.environ.get(provider.api_key_env or "") or "none"
    chats, client = await _connections()
    identity = (ref, provider.base_url, key, tuple(sorted(provider.headers.items())))
    if identity not in chats:
        chats[identity] = _protocol_chat(ProtocolChat, provider_name, name, provider, key, client)

    def responses() -> BaseChatModel:
        from fusion_graph.models.responses import ResponsesChat

        theirs = (*identity, "responses")
        if theirs not in chats:
            chats[theirs] = _protocol_chat(
                ResponsesChat, provider_name, name, provider, key, client
            )
        return chats[theirs]

    endpoint = endpoint_of(_address(provider), provider_name, name, provider.api)
    model = Model(
        ref,
        provider_name,
        chats[identity],
        protocol=True,
        price=provider.prices.get(name),
        refused={RESPONSES_API} & endpoint.refused,
        secrets=_secrets_of(provider, key),
        key_name=provider.api_key_env or "",
        address=shown_address(_address(provider)),
        endpoint=endpoint,
        responses=responses,
        cache_marks=wants_marks(provider_name, name, provider.base_url),
    )
    if provider.context_tokens is not None:
        model.window = Window(provider.context_tokens, "preset")
    if is_own_server(provider_name, provider.base_url):
        model.window.own = True
        model.window.kind = provider_name if provider_name in USUAL else None
        address, headers = _asking(provider, key)
        model.ask_again = partial(served, provider_name, name, address, headers, client)
        await model.look_again()
    return model


async def ask_own_server(ref: Any, given: Mapping[str, Provider]) -> Served | None:
    """What the server of a model says now, past what is remembered; None for a cloud's.

    Args:
        ref: A `provider:model` string or a chat model.
        given: The configuration's providers.
    """
    provider_name, _, name = ref.partition(":") if isinstance(ref, str) else ("", "", "")
    provider = providers(given).get(provider_name)
    if provider is None or not is_own_server(provider_name, provider.base_url):
        return None
    key = os.environ.get(provider.api_key_env or "") or "none"
    _, client = await _connections()
    return await ask_server(provider_name, name, *_asking(provider, key), client)


def _asking(provider: Provider, key: str) -> tuple[str, dict[str, str]]:
    """Where a provider's server is asked about itself, and with which headers."""
    address, login = _login_apart(provider.base_url or "")
    return address, {"Authorization": f"Bearer {key}", **login, **provider.headers}


def _address(provider: Provider) -> str:
    return provider.base_url or OPENAI_URL


def _address_in(chat: BaseChatModel) -> str:
    """Where a LangChain model asks, as far as it says so."""
    names = ("openai_api_base", "anthropic_api_url", "base_url", "endpoint", "api_base")
    urls = (getattr(chat, name, None) for name in names)
    return next((shown_address(url) for url in urls if isinstance(url, str) and url), "")


def _protocol_chat(
    kind: type[ProtocolChat],
    provider_name: str,
    name: str,
    provider: Provider,
    key: str,
    client: httpx2.AsyncClient,
) -> BaseChatModel:
    import httpx2

    own = provider_name == "openai" and provider.base_url is None
    address, login = _login_apart(_address(provider))
    chat = kind(
        model=name,
        base_url=address,
        api_key=key,
        default_headers={DEPTH_HEADER: "1"},
        http_async_client=client,
        http_client=_unused_sync_client(),
        timeout=httpx2.Timeout(None, connect=CONNECT_SECONDS),
        max_retries=0,  # calls.py decides what is tried again
        disable_streaming=True,  # or `stream_mode="messages"` would stream every call
        tokens_field="max_completion_tokens" if own else "max_tokens",
        use_responses_api=False,  # LangChain's own; `kind` is ours
    )
    chat.keep_secret({**login, **provider.headers}, _secrets_of(provider, key))
    return chat


def _login_apart(url: str) -> tuple[str, dict[str, str]]:
    """An address without the name and password that logs would show, and a header for them."""
    parts = urlsplit(url)
    userinfo, found, host = parts.netloc.rpartition("@")
    if not found:
        return url, {}
    token = base64.b64encode(unquote(userinfo).encode()).decode()
    return parts._replace(netloc=host).geturl(), {"Authorization": f"Basic {token}"}


def _secrets_of(provider: Provider, key: str) -> tuple[str, ...]:
    """What a provider is told and nobody else: key, headers, the address's password."""
    _, login = _login_apart(provider.base_url or "")
    password = urlsplit(provider.base_url or "").password or ""
    headers = [*provider.headers.values(), *login.values()]
    # `Basic …` and `Bearer …`: a server may repeat what comes after the scheme alone.
    bare = [value.rpartition(" ")[2] for value in headers]
    return _long_enough([key, password, unquote(password), *headers, *bare])


def _secrets_in(chat: BaseChatModel) -> tuple[str, ...]:
    """What a LangChain model keeps secret, as far as it says so."""
    values = [getattr(chat, name, None) for name in type(chat).model_fields]
    keys = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
    headers = getattr(chat, "default_headers", None) or {}
    return _long_enough([*keys, *map(str, headers.values())])


def _long_enough(secrets: Iterable[str]) -> tuple[str, ...]:
    kept = tuple(dict.fromkeys(s for s in secrets if len(s) >= SHORTEST_SECRET))
    _known_secrets.update(kept)
    return kept


_known_secrets: set[str] = set()


class _WithoutSecrets(logging.Filter):
    """Cuts keys out of log records."""

    def filter(self, record: logging.LogRecord) -> bool:
        told = record.getMessage()
        if (cut := scrub(told, _known_secrets)) != told:
            record.msg, record.args = cut, ()
        return True


@lru_cache(maxsize=1)
def _keep_logs_clean() -> None:
    for name in WIRE_LOGGERS:
        logging.getLogger(name).addFilter(_WithoutSecrets())


def _foreign(ref: str, given: Mapping[str, Provider]) -> BaseChatModel:
    """A model of a provider that LangChain knows."""
    from langchain.chat_models import init_chat_model

    provider_name, _, name = ref.partition(":")
    try:
        chat = init_chat_model(name, model_provider=provider_name, disable_streaming=True)
    except ImportError as error:
        raise UnknownProvider(
            f"Model '{ref}' needs a package that is not installed: {error}"
        ) from None
    except Exception as error:
        # Integrations raise what they like for a missing key: pydantic's, their SDK's, ValueError.
        if "Unsupported" in str(error) or "infer" in str(error):
            raise UnknownProvider(
                f"Nobody knows the provider of '{ref}'.",
                f"Known: {', '.join([*providers(given), 'offline'])}, a "
                f"[providers.{provider_name}] table in a preset, or a provider of LangChain's "
                "init_chat_model.",
            ) from None
        raise MissingKey(f"Model '{ref}' cannot be set up: {scrub(str(error))[:300]}") from None
    return chat


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """One TLS context for all clients: making one takes 43 ms."""
    import httpx2

    return httpx2.create_ssl_context()


@lru_cache(maxsize=1)
def _unused_sync_client() -> Any:
    """ChatOpenAI builds a synchronous client of its own unless it is given one."""
    import httpx2

    return httpx2.Client(verify=_tls())


async def _connections() -> tuple[dict[Any, BaseChatModel], httpx2.AsyncClient]:
    """This loop's chat models by identity, and the HTTP client they share."""
    import httpx2

    from fusion_graph.models._http import guard

    def make() -> tuple[dict[Any, BaseChatModel], httpx2.AsyncClient]:
        _keep_logs_clean()
        return {}, httpx2.AsyncClient(
            verify=_tls(),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=64),
            follow_redirects=True,
            event_hooks={"response": [guard]},
        )

    async def close(made: tuple[dict[Any, BaseChatModel], httpx2.AsyncClient]) -> None:
        await made[1].aclose()

    return await loop_owned("models", make, close)
