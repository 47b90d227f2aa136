"""A real `fusion-graph mcp`: scripted models behind it, clients before it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.mcp.client import Client


@pytest.fixture(scope="session")
def shared_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """One server and its client for every test that asks nothing special of it."""
    with Client(config=tmp_path_factory.mktemp("mcp")) as client:
        yield client.open()


@pytest.fixture
def client(shared_client: Client) -> Iterator[Client]:
    """The shared client; its server must be alive and have shown no traceback afterwards."""
    yield shared_client
    assert "fusion" in {
        tool["name"] for tool in shared_client.result(shared_client.ask("tools/list"))["tools"]
    }
    assert "Traceback" not in shared_client.err


@pytest.fixture
def offer(
    request: pytest.FixtureRequest, panel_config: Callable[..., dict[str, Any]]
) -> Callable[..., str]:
    """`offer(**fields)`: the name of a preset of the scripted panel a, b, c, judge j, writer w.

    `config` is the folder of the server that is to have it; by default the shared one's.
    """

    def write(config: Path | None = None, **fields: Any) -> str:
        folder = (config or request.getfixturevalue("shared_client").config) / "presets"
        settings = panel_config(**fields)
        table = settings.pop("providers")["scripted"]
        lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
        lines += ["[providers.scripted]", *(f"{k} = {json.dumps(v)}" for k, v in table.items())]
        name = f"scripted-{uuid4().hex[:8]}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.toml").write_text("\n".join(lines), "utf-8")
        return name

    return write
