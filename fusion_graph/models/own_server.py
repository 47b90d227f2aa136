"""A model server's word on a model: that it is there, how much it reads, whether it has tools.

Only servers of the user's own are asked: those at loopback or private addresses, and the local
kinds wherever they are. Every answer is a stranger's: bounded, never trusted to have a shape.
"""

from __future__ import annotations

import ipaddress
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from fusion_graph.config.presets.servers import USUAL
from fusion_graph.models._model_list import Questions, listed, objects, same

if TYPE_CHECKING:
    import httpx2

OLLAMA_CONTEXT = 4096
"""What Ollama gives a model unless told otherwise (docs/faq.md); more where there is much memory,
which `/api/ps` tells once the model is loaded."""

LENGTH_FIELDS = (
    "max_model_len",  # vLLM, SGLang
    "loaded_context_length",
    "context_length",
    "context_window",
    "max_context_length",
)
"""What servers call the tokens a model reads, in the entries of `/v1/models`."""


@dataclass(frozen=True)
class Served:
    """The facts of a model at its server. None is "nobody says".

    Attributes:
        answers: Whether the server answered at all.
        problem: What is wrong with it, in words; empty if nothing is.
        kind: A kind of `presets.servers`, as far as the answers tell.
        models: The names it lists.
        listed: Whether the model is among them.
        context_tokens: Tokens the model reads, reply included.
        guessed: That figure is a default: what holds is known once the model is loaded.
        tools: Whether the model is given tools, or its template drops them.
    """

    answers: bool | None = None
    problem: str = ""
    kind: str | None = None
    models: tuple[str, ...] = ()
    listed: bool | None = None
    context_tokens: int | None = None
    guessed: bool = False
    tools: bool | None = None


def is_own_server(provider_name: str, base_url: str | None) -> bool:
    """Tell whether an endpoint is a server of the user's own, which may be asked about itself.

    Args:
        provider_name: The provider's name here.
        base_url: Its address; None for OpenAI's own.
    """
    if base_url is None:
        return False
    if provider_name in USUAL:
        return True
    host = urlsplit(base_url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        # A name without a dot is one of the own network: a container's, a neighbour's.
        return "." not in host or host.endswith((".localhost", ".local", ".internal"))
    return address.is_loopback or address.is_private


_remembered: dict[tuple[str, str, str], tuple[float, Served]] = {}


async def served(
    provider_name: str,
    name: str,
    base_url: str,
    headers: Mapping[str, str],
    client: httpx2.AsyncClient,
) -> Served:
    """Ask a server about a model, once, and remember it for a while.

    Args:
        provider_name: The provider's name here.
        name: The model's name there.
        base_url: The endpoint, as in `http://127.0.0.1:8000/v1`.
        headers: What it wants to be asked with: key and the provider's own headers.
        client: Asks.
    """
    key = (provider_name, base_url, name)
    known = _remembered.get(key)
    if known is not None and time.monotonic() < known[0]:
        return known[1]
    ask = Questions(client, headers, base_url)
    until, status, body = await listed(ask, name)
    found = await _facts(provider_name, name, ask, status, body)
    if not found.guessed:
        _remembered[key] = (until, found)
    return found


async def ask_server(
    provider_name: str,
    name: str,
    base_url: str,
    headers: Mapping[str, str],
    client: httpx2.AsyncClient,
) -> Served:
    """Ask a server about a model now. Never raises: a server that errs says nothing.

    Args:
        provider_name: The provider's name here.
        name: The model's name there.
        base_url: The endpoint.
        headers: What it wants to be asked with.
        client: Asks.
    """
    ask = Questions(client, headers, base_url)
    return await _facts(provider_name, name, ask, *await ask.models())


async def _facts(
    provider_name: str, name: str, ask: Questions, status: int | None, body: Any
) -> Served:
    """Read what a server lists, and ask on for what servers of its kind tell elsewhere."""
    if status is None:
        return Served(answers=False, problem=f"{ask.base} does not answer")
    if status in (401, 403):
        return Served(answers=True, problem=f"{ask.base} refuses the key (HTTP {status})")
    entries = objects(body, "data")
    names = tuple(str(entry["id"]) for entry in entries if entry.get("id"))
    entry = next((entry for entry in entries if same(entry.get("id"), name)), {})
    found = Served(
        answers=True,
        models=names,
        listed=bool(entry) if names else None,
        context_tokens=_length(entry, *LENGTH_FIELDS) or _length(entry.get("meta"), "n_ctx"),
    )
    owner = str((entry or (entries[0] if entries else {})).get("owned_by"))
    if owner == "vllm":
        return replace(found, kind="vllm")
    if owner == "llamacpp" or provider_name == "llamacpp":
        return await _llamacpp(ask, name, found)
    if owner == "organization_owner" or provider_name == "lmstudio":
        return await _lmstudio(ask, name, found)
    if owner == "library" or provider_name == "ollama":
        return await _ollama(ask, name, found)
    return found


async def _llamacpp(ask: Questions, name: str, found: Served) -> Served:
    _, props = await ask.get(f"{ask.root}/props?model={quote(name, safe='')}")
    if not isinstance(props, Mapping):
        return replace(found, kind="llamacpp")
    caps = props.get("chat_template_caps")
    tools = caps.get("supports_tools") if isinstance(caps, Mapping) else None
    template = props.get("chat_template")
    if not isinstance(tools, bool):
        # Older servers have no word for it: a template that takes tools names them.
        tools = "tool" in template if isinstance(template, str) and template else None
    slot = _length(props.get("default_generation_settings"), "n_ctx")
    listed = found.listed
    if not listed and len(found.models) == 1:
        listed = True  # it serves the one model it has under any name
    return replace(
        found,
        kind="llamacpp",
        listed=listed,
        context_tokens=slot or found.context_tokens,
        tools=tools,
    )


async def _lmstudio(ask: Questions, name: str, found: Served) -> Served:
    _, body = await ask.get(f"{ask.root}/api/v0/models")
    entry = next((e for e in objects(body, "data") if e.get("id") == name), None)
    if entry is None:
        return replace(found, kind="lmstudio")
    can = entry.get("capabilities")
    return replace(
        found,
        kind="lmstudio",
        listed=True,
        context_tokens=_length(entry, "loaded_context_length", "max_context_length"),
        guessed=_length(entry, "loaded_context_length") is None,
        tools="tool_use" in can if isinstance(can, list) else None,
    )


async def _ollama(ask: Questions, name: str, found: Served) -> Served:
    status, shown = await ask.post(f"{ask.root}/api/show", {"model": name})
    if status == 404 and found.models:
        return replace(found, kind="ollama", listed=False)
    if not isinstance(shown, Mapping) or "model_info" not in shown:
        return replace(found, kind="ollama" if found.models else None)
    can = shown.get("capabilities")
    _, running = await ask.get(f"{ask.root}/api/ps")
    loaded = next((e for e in objects(running, "models") if same(e.get("name"), name)), {})
    own = shown.get("model_info")
    trained = None
    for field, value in own.items() if isinstance(own, Mapping) else ():
        if str(field).endswith(".context_length"):
            trained = _length({"n": value}, "n")
    context = _length(loaded, "context_length")
    return replace(
        found,
        kind="ollama",
        listed=True,
        context_tokens=context or min(_ollama_default(shown), trained or 2**31),
        guessed=context is None,
        tools="tools" in can if isinstance(can, list) else None,
    )


def _ollama_default(shown: Mapping[str, Any]) -> int:
    """Read the context that Ollama will give a model that is not loaded."""
    for line in str(shown.get("parameters") or "").splitlines():
        words = line.split()
        if len(words) == 2 and words[0] == "num_ctx" and words[1].isdecimal():
            return int(words[1])
    setting = os.environ.get("OLLAMA_CONTEXT_LENGTH", "")
    return int(setting) if setting.isdecimal() and int(setting) else OLLAMA_CONTEXT


def _length(holder: Any, *fields: str) -> int | None:
    """The first of the fields that is a plausible number of tokens."""
    for field in fields:
        value = holder.get(field) if isinstance(holder, Mapping) else None
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**9:
            return value
    return None
