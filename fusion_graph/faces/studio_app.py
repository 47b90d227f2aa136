"""What the LangGraph server serves besides its own API, and to whose web pages (`http.app`).

`langgraph dev` answers every web page that the browser has open, without a key. A page could
start runs here that read local folders or send a key to an address of its own: a run's context
may name both. So pages of other sites are refused, all but Studio.
"""

from __future__ import annotations

import os
import re
from importlib.util import find_spec

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from fusion_graph.faces.server.app import create_app
from fusion_graph.faces.server.settings import ServerSettings

ORIGINS_VARIABLE = "CORS_ALLOW_ORIGINS"
"""LangGraph's own variable: further origins that may ask, with commas between; `*` for all."""

_WELCOME = re.compile(
    r"https://([a-z0-9-]+\.)?smith\.langchain\.com"
    r"|https?://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?"
)
"""Studio's origins, in every region, and pages served from this machine."""


class KnownPages:
    """Refuses what web pages of other sites ask. What is no browser sends no origin.

    Args:
        app: What answers the others.
        origins: Further origins that are welcome, with commas between.
    """

    def __init__(self, app: ASGIApp, origins: str = "") -> None:
        self._app = app
        self._further = {origin.strip() for origin in origins.split(",")} - {""}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        origin = Headers(scope=scope).get("origin") if scope["type"] == "http" else None
        if origin is None or self._welcome(origin):
            await self._app(scope, receive, send)
            return
        said = f"Web pages of {origin[:100]!r} may not use this server. See {ORIGINS_VARIABLE}."
        await JSONResponse({"detail": said}, 403)(scope, receive, send)

    def _welcome(self, origin: str) -> bool:
        return bool(_WELCOME.fullmatch(origin) or self._further & {origin, "*"})


_settings = ServerSettings.from_environment()

app = create_app(_settings, alone=False)
if find_spec("mcp") is not None:
    # Before LangGraph's own `/mcp`, whose result is the Python repr of a graph's whole state.
    from fusion_graph.faces.mcp.http import attach

    attach(app, _settings, app.state.runs)
app.add_middleware(KnownPages, origins=os.environ.get(ORIGINS_VARIABLE, ""))
"""OpenAI's API at `/v1` and MCP at `/mcp`; the gate stands before LangGraph's own API too."""
