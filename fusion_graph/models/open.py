"""From `provider:model` to something that can be called, over shared connections.

`openrouter`, `openai`, `ollama` and every `[providers.NAME]` speak the OpenAI protocol and go
through `ProtocolChat`, or `ResponsesChat` (`apis.py` says which); `offline` is this package's own;
`claude`, `codex` and `gemini` are programs on this machine (`programs`);
any other provider is LangChain's (`init_chat_model`). A LangChain chat model may be given instead
of a string.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from functools import partial
from importlib import import_module
from typing import Any

from langchain_core.language_models import BaseChatModel

from fusion_graph.config import Provider, model_name
from fusion_graph.config.presets.servers import USUAL
from fusion_graph.config.providers import (
    INTEGRATION_KEYS,
    PROGRAM_PROVIDERS,
    is_program,
    provider_named,
    providers,
)
from fusion_graph.errors import ConfigurationError, MissingKey, UnknownProvider
from fusion_graph.langgraph_seams.identity import provider_and_name
from fusion_graph.models._caching import wants_marks
from fusion_graph.models._connection import shown_address
from fusion_graph.models._foreign import kept_whole
from fusion_graph.models._keys import secrets_in, secrets_of
from fusion_graph.models.apis import RESPONSES_API, endpoint_of
from fusion_graph.models.clients import address_of, asking, connections, prepare, protocol_chat
from fusion_graph.models.fitting import Window
from fusion_graph.models.model import Model
from fusion_graph.models.own_server import Served, ask_server, is_own_server, served
from fusion_graph.models.secrets import scrub


def check_model(ref: Any, given: Mapping[str, Provider]) -> None:
    """Find, before anything is paid, that a model cannot be called.

    Args:
        ref: A `provider:model` string or a chat model.
        given: The configuration's providers.

    Raises:
        MissingKey: Its provider wants a key that the environment does not hold.
        MissingProgram: It is behind a program that is not installed.
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
    if is_program(ref, given):
        from fusion_graph.models.programs.installed import check_program

        check_program(ref)
        return
    provider = provider_named(provider_name, given)
    if provider is None:
        _foreign(ref, given)
        return
    if provider.api_key_env and not os.environ.get(provider.api_key_env):
        raise MissingKey(
            f"Model '{ref}' needs an API key, and {provider.api_key_env} is not set.",
            f"Set {provider.api_key_env}, or take --preset offline (preset='offline').",
        )


_SDK: list[str] = []
"""Modules of the OpenAI SDK that are imported, whole."""


def _imported() -> bool:
    # `sys.modules` names a module while another thread still imports it.
    return bool(_SDK)


def _import_sdk() -> None:
    """Import what asking over HTTP needs: it keeps a processor busy for most of a second."""
    names = ("fusion_graph.models.openai_protocol", "openai.resources.chat")
    for name in (*names, "anyio._backends._asyncio"):
        import_module(name)
    prepare()
    _SDK.extend(names)


async def open_model(ref: Any, given: Mapping[str, Provider]) -> Model:
    """Open the model of a reference, on this event loop's connections.

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
            secrets=secrets_in(chat),
            key_name=INTEGRATION_KEYS.get(kind, ""),
            address=_address_in(chat),
        )
    provider_name, _, name = ref.partition(":")
    if is_program(ref, given):
        from fusion_graph.models.programs.installed import open_program

        chat = await asyncio.to_thread(open_program, ref)  # PATH is looked through
        return Model(ref, provider_name, chat, protocol=False, ours=True, program=True)
    check_model(ref, given)
    if provider_name == "offline":
        from fusion_graph.offline import offline_model

        return Model(ref, provider_name, offline_model(name), protocol=False)
    provider = provider_named(provider_name, given)
    if provider is None:
        chat = kept_whole(_foreign(ref, given))
        secrets = secrets_in(chat)
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
    if not _imported():
        await asyncio.to_thread(_import_sdk)
    from fusion_graph.models.openai_protocol import ProtocolChat

    key = os.environ.get(provider.api_key_env or "") or "none"
    chats, client = await connections()
    identity = (ref, provider.base_url, key, tuple(sorted(provider.headers.items())))
    if identity not in chats:
        chats[identity] = protocol_chat(ProtocolChat, provider_name, name, provider, key, client)

    def responses() -> BaseChatModel:
        from fusion_graph.models.responses import ResponsesChat

        theirs = (*identity, "responses")
        if theirs not in chats:
            chats[theirs] = protocol_chat(ResponsesChat, provider_name, name, provider, key, client)
        return chats[theirs]

    endpoint = endpoint_of(address_of(provider), provider_name, name, provider.api)
    model = Model(
        ref,
        provider_name,
        chats[identity],
        protocol=True,
        price=provider.prices.get(name),
        refused={RESPONSES_API} & endpoint.refused,
        secrets=secrets_of(provider, key),
        key_name=provider.api_key_env or "",
        address=shown_address(address_of(provider)),
        endpoint=endpoint,
        responses=responses,
        cache_marks=wants_marks(provider_name, name, provider.base_url),
    )
    if provider.context_tokens is not None:
        model.window = Window(provider.context_tokens, "preset")
    if is_own_server(provider_name, provider.base_url):
        model.window.own = True
        model.window.kind = provider_name if provider_name in USUAL else None
        address, headers = asking(provider, key)
        model.ask_again = partial(served, provider_name, name, address, headers, client)
        await model.look_again()
    return model


async def ask_own_server(ref: Any, given: Mapping[str, Provider]) -> Served | None:
    """Ask the server of a model what it says now, past what is remembered; None for a cloud's.

    Args:
        ref: A `provider:model` string or a chat model.
        given: The configuration's providers.
    """
    provider_name, _, name = ref.partition(":") if isinstance(ref, str) else ("", "", "")
    provider = provider_named(provider_name, given)
    if provider is None or not is_own_server(provider_name, provider.base_url):
        return None
    key = os.environ.get(provider.api_key_env or "") or "none"
    _, client = await connections()
    return await ask_server(provider_name, name, *asking(provider, key), client)


def _address_in(chat: BaseChatModel) -> str:
    """Find the address that a LangChain model asks, as far as it says so."""
    names = ("openai_api_base", "anthropic_api_url", "base_url", "endpoint", "api_base")
    urls = (getattr(chat, name, None) for name in names)
    return next((shown_address(url) for url in urls if isinstance(url, str) and url), "")


def _foreign(ref: str, given: Mapping[str, Provider]) -> BaseChatModel:
    """Set up a model of a provider that LangChain knows."""
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
                f"Known: {', '.join([*providers(given), *PROGRAM_PROVIDERS, 'offline'])}, a "
                f"[providers.{provider_name}] table in a preset, or a provider of LangChain's "
                "init_chat_model.",
            ) from None
        raise MissingKey(f"Model '{ref}' cannot be set up: {scrub(str(error))[:300]}") from None
    return chat
