"""Whose web pages may use the LangGraph server."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.responses import PlainTextResponse


async def status(origin: str | None, further: str = "") -> int:
    """What a request from a page of that origin gets."""
    from fusion_graph.faces.studio_app import KnownPages  # with it comes the MCP server

    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [] if origin is None else [(b"origin", origin.encode())]
    gate = KnownPages(PlainTextResponse("in"), further)
    await gate({"type": "http", "method": "POST", "headers": headers}, receive, send)
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "https://smith.langchain.com",
        "https://eu.smith.langchain.com",
        "http://localhost:3000",
        "http://127.0.0.1:2024",
        "http://[::1]:2024",
    ],
)
async def test_studio_this_machine_and_what_is_no_browser_come_in(origin):
    assert await status(origin) == 200


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "",
        "http://smith.langchain.com",
        "https://evilsmith.langchain.com",
        "https://smith.langchain.com.evil.example",
        "https://smith.langchain.com:8443",
        "http://localhost.evil.example",
        "http://localhost:3000@evil.example",
        "http://127.0.0.1.evil.example",
    ],
)
async def test_every_other_page_stays_out(origin):
    assert await status(origin) == 403


async def test_further_origins_are_let_in_by_name_or_all_at_once():
    further = "https://app.example, https://chat.example"

    assert await status("https://chat.example", further) == 200
    assert await status("https://other.example", further) == 403
    assert await status("https://other.example", "*") == 200
