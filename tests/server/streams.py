"""Server-sent events as they come over the wire, before any client has had a look at them."""

from __future__ import annotations

import json
from typing import Any

import httpx2

from tests.server.conftest import PATIENCE, Server


def events_of(server: Server, path: str, body: Any, **headers: str) -> list[dict[str, Any]]:
    """The events of a stream: their data, which must say the name that each has."""
    told: list[dict[str, Any]] = []
    name = None
    with (
        httpx2.Client(trust_env=False, timeout=PATIENCE, verify=False) as client,
        client.stream("POST", server.url + path, json=body, headers=headers) as reply,
    ):
        assert reply.status_code == 200, reply.read()
        for line in reply.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                data = json.loads(line.removeprefix("data: "))
                assert data["type"] == name
                told.append(data)
    return told
