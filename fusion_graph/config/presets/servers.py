"""Model servers on this machine: where they listen, which kind each is, what it has loaded.

A server is known by its own answers, never by its port: llama.cpp's server answers Ollama's
`/api/tags` too, and whatever is first on a port may be another's. Sources: the API references of
Ollama (docs/api.md), llama.cpp (tools/server/README.md), LM Studio (REST API v0) and vLLM.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any, Literal
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, build_opener

Kind = Literal["ollama", "llamacpp", "lmstudio", "vllm"]

PROBE_SECONDS = 1.0
"""How long a server on this machine may take to answer one question of a probe."""

MOST_BYTES = 4_000_000
"""Most bytes of an answer that are read; Ollama lists a hundred models in 60,000."""


@dataclass(frozen=True)
class Usual:
    """Where a kind of server listens unless told otherwise.

    Attributes:
        title: What people call it.
        port: Its default port.
        variable: The environment variable that says otherwise: `HOST`, `HOST:PORT` or a URL.
        start: The command that starts it.
    """

    title: str
    port: int
    variable: str
    start: str


USUAL: dict[Kind, Usual] = {
    "ollama": Usual("Ollama", 11434, "OLLAMA_HOST", "ollama serve"),
    "llamacpp": Usual(
        "llama.cpp's server", 8080, "LLAMACPP_HOST", "llama-server --jinja -m MODEL.gguf"
    ),
    "lmstudio": Usual("LM Studio", 1234, "LMSTUDIO_HOST", "lms server start"),
    "vllm": Usual("vLLM", 8000, "VLLM_HOST", "vllm serve MODEL"),
}
"""The kinds of server that are looked for, in the order in which they are named."""


@dataclass(frozen=True)
class Installed:
    """A model that a server has.

    Attributes:
        name: As the server calls it.
        family: Models of one family are alike: `qwen`, `gemma`.
        size: Bytes of its weights, as told or guessed from its name; 0 if nobody knows.
    """

    name: str
    family: str
    size: int = 0


@dataclass(frozen=True)
class Found:
    """What a probe of one address found.

    Attributes:
        looked_for: The kind that usually listens there.
        url: Base address, without `/v1`.
        kind: The kind that answered; None for no answer, or for one of no server known here.
        said: The answer in words, as in `answers with HTTP 404`.
        models: The models that can hold a conversation.
    """

    looked_for: Kind
    url: str
    kind: Kind | None = None
    said: str = "no answer"
    models: tuple[Installed, ...] = field(default=())


def server_url(kind: Kind) -> str:
    """Base address of a kind of server: what its variable says, else its port on this machine.

    A host alone gets the usual port, a URL its scheme's; 0.0.0.0 and [::] are where a server
    listens, not where a client connects.
    """
    usual = USUAL[kind]
    given = os.environ.get(usual.variable, "").strip().strip("\"'")
    scheme, found, rest = given.partition("://")
    if not found:
        scheme, rest = "http", given
    default_port = {"http": 80, "https": 443}.get(scheme, usual.port) if found else usual.port
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        host, port = parts.hostname or "127.0.0.1", parts.port or default_port
    except ValueError:
        return f"http://127.0.0.1:{usual.port}"
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}:{port}{parts.path.rstrip('/').removesuffix('/v1')}"


def find_servers() -> list[Found]:
    """What answers where the known servers listen, each address asked at the same time.

    Takes as long as the slowest answer, at most a few times `PROBE_SECONDS`; a machine on which
    nothing listens refuses at once.
    """
    with ThreadPoolExecutor(len(USUAL)) as pool:
        return list(pool.map(probe, USUAL, map(server_url, USUAL)))


def probe(looked_for: Kind, url: str) -> Found:
    """Ask one address what it is.

    Args:
        looked_for: The kind that usually listens there.
        url: Base address, without `/v1`.
    """
    listed = _get(f"{url}/v1/models")
    if listed is None:
        return Found(looked_for, url)
    owners = {str(model.get("owned_by")) for model in _items(listed.body, "data")}
    if "llamacpp" in owners:
        return _answered(looked_for, url, "llamacpp", _by_openai(listed.body))
    if "vllm" in owners:
        return _answered(looked_for, url, "vllm", _by_openai(listed.body))
    tags = _get(f"{url}/api/tags")
    if tags is not None and isinstance(tags.body, dict) and "data" not in tags.body:
        models = tags.body.get("models")
        if isinstance(models, list) and all(isinstance(model, dict) for model in models):
            return _answered(looked_for, url, "ollama", _by_ollama(models))
    own = _get(f"{url}/api/v0/models")
    if own is not None and (models := _items(own.body, "data")) and "state" in models[0]:
        return _answered(looked_for, url, "lmstudio", _by_lmstudio(models))
    if own is not None and "organization_owner" in owners:
        return _answered(looked_for, url, "lmstudio", _by_openai(listed.body))
    props = _get(f"{url}/props")
    if props is not None and isinstance(props.body, dict) and "n_ctx" in str(props.body):
        return _answered(looked_for, url, "llamacpp", _by_openai(listed.body))
    said = f"answers with HTTP {listed.status} to /v1/models, as no server known here does"
    if listed.status in (401, 403):
        said = (
            f"wants a key (HTTP {listed.status}): name it in a preset, as [providers.NAME] with "
            "base_url and api_key_env"
        )
    elif owners:
        said = "speaks OpenAI's protocol, but is no server known here: name it in a preset, as "
        said += "[providers.NAME] with base_url"
    return Found(looked_for, url, said=said)


def _answered(looked_for: Kind, url: str, kind: Kind, models: Sequence[Installed]) -> Found:
    chat = [model for model in models if not _NO_CHAT.search(f"{model.name} {model.family}")]
    said = f"{USUAL[kind].title} answers"
    return Found(looked_for, url, kind, said, tuple(sorted(chat, key=lambda m: -m.size)))


_NO_CHAT = re.compile(r"embed|bert|rerank|whisper|\bbge\b|\be5\b", re.IGNORECASE)
"""Models that turn text into numbers, or speech into text."""


def _by_ollama(models: Sequence[Mapping[str, Any]]) -> list[Installed]:
    found = []
    for model in models:
        name = str(model.get("name") or model.get("model") or "")
        details = model.get("details")
        family = str(details.get("family") or "") if isinstance(details, Mapping) else ""
        found.append(Installed(name, family or name, _number(model.get("size"))))
    return [model for model in found if model.name]


def _by_openai(body: Any) -> list[Installed]:
    found = []
    for model in _items(body, "data"):
        name = str(model.get("id") or "")
        meta = model.get("meta")
        size = _number(meta.get("size")) if isinstance(meta, Mapping) else 0
        found.append(Installed(name, family_of(name), size or size_of(name)))
    return [model for model in found if model.name]


def _by_lmstudio(models: Sequence[Mapping[str, Any]]) -> list[Installed]:
    return [
        Installed(
            str(m["id"]), str(m.get("arch") or family_of(str(m["id"]))), size_of(str(m["id"]))
        )
        for m in models
        if m.get("id") and m.get("type") in ("llm", "vlm", None)
    ]


def family_of(name: str) -> str:
    """A model's family by its name: the letters it begins with, its maker's folder aside."""
    base = re.split(r"[/\\]", name)[-1].lower()
    begins = re.match(r"[a-z]+", base)
    return begins[0] if begins else base


def size_of(name: str) -> int:
    """Bytes of a model's weights, guessed from its name (`7b`: 7 billion at about 5 bits each)."""
    counts = re.findall(r"(?<![a-z0-9.])(\d+(?:\.\d+)?)([bm])(?![a-z0-9])", name.lower())
    billions = [float(n) / (1000 if unit == "m" else 1) for n, unit in counts]
    return int(max(billions, default=0.0) * 600_000_000)


@dataclass(frozen=True)
class _Answer:
    """One HTTP answer: its status, and its JSON; None where it is none."""

    status: int
    body: Any


class _NoRedirects(HTTPRedirectHandler):
    """Whoever listens on a port may send nobody elsewhere."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _get(url: str) -> _Answer | None:
    """An answer, or None when nothing answers in time."""
    opener = build_opener(ProxyHandler({}), _NoRedirects())
    try:
        with opener.open(url, timeout=PROBE_SECONDS) as reply:
            status, raw = reply.status, reply.read(MOST_BYTES)
    except HTTPError as refusal:
        with refusal:
            return _Answer(refusal.code, None)
    except (OSError, ValueError, HTTPException):
        return None
    try:
        return _Answer(status, json.loads(raw))
    except (ValueError, RecursionError):
        return _Answer(status, None)


def _items(body: Any, key: str) -> list[Mapping[str, Any]]:
    listed = body.get(key) if isinstance(body, Mapping) else None
    return (
        [item for item in listed if isinstance(item, Mapping)] if isinstance(listed, list) else []
    )


def _number(value: Any) -> int:
    known = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    return int(value) if known else 0
