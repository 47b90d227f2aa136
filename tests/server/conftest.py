"""A real `fusion-graph serve`: scripted models behind it, OpenAI's own clients before it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from openai import AsyncOpenAI, OpenAI

from tests.commands import Started, start

PATIENCE = 120
"""Seconds until a wait counts as a failure; nothing takes a tenth of it when it works."""

MESSAGES: Any = [{"role": "user", "content": "How wet is water?"}]


@dataclass
class Server:
    """A `fusion-graph serve` in a process of its own.

    url: http://127.0.0.1:PORT
    config: its FUSION_GRAPH_CONFIG_DIR.
    http: a client of no particular kind.
    """

    process: Started
    url: str
    config: Path
    http: httpx2.Client

    @property
    def log(self) -> str:
        """What it has written to standard error so far."""
        return self.process.err

    def post(self, body: Any = None, **options: Any) -> httpx2.Response:
        """POST to /v1/chat/completions; the body as JSON, or `content` verbatim."""
        given = {"json": body} if body is not None else {}
        return self.request("POST", "/v1/chat/completions", **given, **options)

    def request(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """One request, past any proxy."""
        return self.http.request(method, self.url + path, **options)

    def stop(self, signal_number: int) -> int:
        """Send a signal and wait for the end; returns the exit code."""
        self.process.signal(signal_number)
        return self.process.wait().code


@contextmanager
def running(config: Path, *options: str, **environment: str) -> Iterator[Server]:
    """Start a server on a free port, and end it.

    config: the folder whose `presets` it finds.
    """
    (config / "presets").mkdir(parents=True, exist_ok=True)
    env = {
        "FUSION_GRAPH_CONFIG_DIR": str(config),
        "FUSION_GRAPH_DATA_DIR": str(config),
        **environment,
    }
    process = start("serve", "--port", "0", *options, environment=env)
    try:
        said = process.says("Ctrl-C stops it")
        assert " listens on " in said, said
        url = said.split(" listens on ")[1].split("/v1")[0]
        # Without a TLS context, which takes longer to make than most requests.
        with httpx2.Client(trust_env=False, timeout=PATIENCE, verify=False) as http:
            yield Server(process, url, config, http)
    finally:
        process.kill()


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for every test that asks nothing special of it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("OPENROUTER_API_KEY", "OPENAI_API_KEY", "FUSION_API_KEY"):
            patch.delenv(name, raising=False)
        for variable in ("OLLAMA_HOST", "LLAMACPP_HOST", "LMSTUDIO_HOST", "VLLM_HOST"):
            patch.setenv(variable, "127.0.0.1:9")
        with running(tmp_path_factory.mktemp("server")) as server:
            yield server


@pytest.fixture
def server(shared_server: Server) -> Iterator[Server]:
    """The shared server, which must be alive and have shown no traceback afterwards."""
    yield shared_server
    assert shared_server.request("GET", "/v1/models").status_code == 200
    assert "Traceback" not in shared_server.log
    assert "internal_error" not in shared_server.log


@pytest.fixture
def offer(
    request: pytest.FixtureRequest, panel_config: Callable[..., dict[str, Any]]
) -> Callable[..., str]:
    """`offer(**fields)`: a preset of the scripted panel a, b, c, judge j, writer w, as a model id.

    `config` is the folder of the server that is to have it; by default the shared one's.
    `provider` adds to the [providers.scripted] table.
    """

    def write(
        config: Path | None = None, provider: dict[str, Any] | None = None, **fields: Any
    ) -> str:
        folder = config or request.getfixturevalue("shared_server").config
        settings = panel_config(**fields)
        table = {**settings.pop("providers")["scripted"], **(provider or {})}
        lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
        lines += ["[providers.scripted]", *(f"{k} = {json.dumps(v)}" for k, v in table.items())]
        name = f"scripted-{uuid4().hex[:8]}"
        (folder / "presets").mkdir(parents=True, exist_ok=True)
        (folder / "presets" / f"{name}.toml").write_text("\n".join(lines), "utf-8")
        return f"fusion/{name}"

    return write


@pytest.fixture
def client(server: Server) -> Iterator[OpenAI]:
    """OpenAI's own client of the shared server."""
    with OpenAI(base_url=f"{server.url}/v1", api_key="unused", max_retries=0) as client:
        yield client


def async_client(server: Server) -> AsyncOpenAI:
    """OpenAI's own asynchronous client of a server."""
    return AsyncOpenAI(base_url=f"{server.url}/v1", api_key="unused", max_retries=0)


def text_of(stream: Any) -> str:
    """The text in a stream of chunks."""
    return "".join(choice.delta.content or "" for chunk in stream for choice in chunk.choices)
