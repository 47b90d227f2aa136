"""The server answers over streamable HTTP, behind the same gate as `fusion-graph serve`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fusion_graph.errors import ApiError
from fusion_graph.faces.mcp._sdk import SESSION_HEADER, create_server, create_session_manager
from fusion_graph.faces.mcp.cancellations import Cancellations
from fusion_graph.faces.mcp.fusions import Fusions
from fusion_graph.faces.server._api import refuse_depth
from fusion_graph.faces.server._guard import Guard
from fusion_graph.faces.server.runs import Runs
from fusion_graph.faces.server.settings import ServerSettings

PATH = "/mcp"
"""Where clients find it, as every other server's."""

PEEKED_BYTES = 10_000
"""A cancellation is a few hundred bytes; larger bodies are none, and are passed on unread."""


def create_mcp_app(settings: ServerSettings, runs: Runs) -> Starlette:
    """Create the MCP server as an ASGI app.

    Args:
        settings: Key and limits.
        runs: Where its runs are kept.
    """

    async def nothing_here(scope: Scope, _receive: Receive, _send: Send) -> None:
        said = f"There is nothing at {scope['path'][:200]!r}. The MCP server is at {PATH}."
        raise ApiError(404, said, "not_found")

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await runs.open()
        yield
        await runs.close()

    app = Starlette(lifespan=lifespan)
    attach(app, settings, runs)
    nowhere = Guard(nothing_here, settings)
    app.router.routes.append(Route("/{path:path}", nowhere))
    app.router.redirect_slashes = False
    app.router.default = nowhere
    return app


def attach(app: Starlette, settings: ServerSettings, runs: Runs) -> None:
    """Put the MCP server onto an app, at `PATH`.

    Args:
        app: Gets the route, and what has to run beside it.
        settings: Key and limits.
        runs: Where its runs are kept.
    """
    cancellations = Cancellations()
    server = create_server(Fusions(runs, settings.limits, cancellations))
    manager = create_session_manager(server)
    before = app.router.lifespan_context

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        refuse_depth(Request(scope))
        await manager.handle_request(scope, receive, send)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[Any]:
        async with before(app) as state, manager.run():
            yield state

    app.router.lifespan_context = lifespan
    app.router.routes.append(Route(PATH, Guard(Peek(answer, cancellations), settings)))


class Peek:
    """A peek reads small bodies on their way in, for the reasons of cancellations.

    Args:
        app: What answers.
        cancellations: Told of every message.
    """

    def __init__(self, app: ASGIApp, cancellations: Cancellations) -> None:
        self._app = app
        self._cancellations = cancellations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        read: list[Message] = []
        body = b""
        while len(body) <= PEEKED_BYTES:
            message = await receive()
            read.append(message)
            body += message.get("body", b"")
            if message["type"] != "http.request" or not message.get("more_body"):
                self._note(body, Headers(scope=scope).get(SESSION_HEADER))
                break

        async def again() -> Message:
            return read.pop(0) if read else await receive()

        await self._app(scope, again, send)

    def _note(self, body: bytes, session: str | None) -> None:
        try:
            message = json.loads(body)
        except (ValueError, RecursionError):
            return  # the SDK says what is wrong with it
        if isinstance(message, dict) and isinstance(message.get("params", {}), dict):
            self._cancellations.note(message, session)
