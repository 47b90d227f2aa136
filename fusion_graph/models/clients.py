"""The clients of the OpenAI protocol, over one HTTP client for each event loop."""

from __future__ import annotations

import ssl
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel

from fusion_graph.config import Provider
from fusion_graph.langgraph_seams.loops import loop_owned
from fusion_graph.models._keys import keep_logs_clean, login_apart, secrets_of

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


def asking(provider: Provider, key: str) -> tuple[str, dict[str, str]]:
    """Say where a provider's server is asked about itself, and with which headers."""
    address, login = login_apart(provider.base_url or "")
    return address, {"Authorization": f"Bearer {key}", **login, **provider.headers}


def address_of(provider: Provider) -> str:
    """Give a provider's address, OpenAI's own where none is set."""
    return provider.base_url or OPENAI_URL


def protocol_chat(
    kind: type[ProtocolChat],
    provider_name: str,
    name: str,
    provider: Provider,
    key: str,
    client: httpx2.AsyncClient,
) -> BaseChatModel:
    """Make a client of the OpenAI protocol for a model, over a shared HTTP client.

    Args:
        kind: Of which of OpenAI's APIs.
        provider_name: Its provider.
        name: The model, as the provider calls it.
        provider: Where the provider is.
        key: The provider's key.
        client: The HTTP client.
    """
    import httpx2

    from fusion_graph.models._endpoint import Endpoint

    own = provider_name == "openai" and provider.base_url is None
    address, login = login_apart(address_of(provider))
    timeout = httpx2.Timeout(None, connect=CONNECT_SECONDS)
    unused, unused_async = _unused_clients()
    chat = kind(
        model=name,
        base_url=address,
        api_key=key,
        default_headers={DEPTH_HEADER: "1"},
        http_client=unused,
        http_async_client=unused_async,
        http_socket_options=(),  # or LangChain warns whoever has a proxy of what is not so here
        timeout=timeout,
        max_retries=0,  # calls.py decides what is tried again
        disable_streaming=True,  # or `stream_mode="messages"` would stream every call
        tokens_field="max_completion_tokens" if own else "max_tokens",
        use_responses_api=False,  # LangChain's own; `kind` is ours
    )
    bearer = {"Authorization": f"Bearer {key}"}
    headers = httpx2.Headers(bearer)
    headers.update({**login, **provider.headers})
    chat.connect(Endpoint(client, address, timeout, headers), secrets_of(provider, key))
    return chat


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """One TLS context for all clients: making one takes 43 ms."""
    import httpx2

    return httpx2.create_ssl_context()


@lru_cache(maxsize=1)
def _unused_clients() -> tuple[Any, Any]:
    """HTTP clients for the SDK's clients, which ChatOpenAI makes and nobody here asks.

    Of the SDK's own kind: `openai` 2, which LlamaIndex and CrewAI need, takes httpx's and no
    others, `openai` 3 httpx2's. Given none, it would make some for every address.
    """
    from openai import DefaultAsyncHttpxClient, DefaultHttpxClient

    return (
        DefaultHttpxClient(verify=_tls(), trust_env=False),
        DefaultAsyncHttpxClient(verify=_tls(), trust_env=False),
    )


def prepare() -> None:
    """Make what all clients share, in whatever thread: it takes a tenth of a second."""
    _unused_clients()


async def connections() -> tuple[dict[Any, BaseChatModel], httpx2.AsyncClient]:
    """Give this loop's chat models by identity, and the HTTP client they share."""
    import httpx2

    from fusion_graph.models._http import guard

    def make() -> tuple[dict[Any, BaseChatModel], httpx2.AsyncClient]:
        keep_logs_clean()
        return {}, httpx2.AsyncClient(
            verify=_tls(),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=64),
            follow_redirects=True,
            event_hooks={"response": [guard]},
        )

    async def close(made: tuple[dict[Any, BaseChatModel], httpx2.AsyncClient]) -> None:
        await made[1].aclose()

    return await loop_owned("models", make, close)
