"""The server as a Starlette app: by itself, or as part of a LangGraph server (`http.app`)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from fusion_graph.errors import ApiError
from fusion_graph.faces.server._api import api_routes
from fusion_graph.faces.server._guard import Guard, endpoint
from fusion_graph.faces.server._metrics import CONTENT_TYPE
from fusion_graph.faces.server._playground import playground_routes
from fusion_graph.faces.server._wire import json_response
from fusion_graph.faces.server.holders import holder_of
from fusion_graph.faces.server.runs import Runs
from fusion_graph.faces.server.settings import ServerSettings
from fusion_graph.version import own_version


def create_app(
    settings: ServerSettings | None = None, runs: Runs | None = None, *, alone: bool = True
) -> Starlette:
    """The endpoint and its page as an ASGI app.

    Args:
        settings: Key and limits; by default those of the environment.
        runs: The runs it keeps; by default new ones. They are `app.state.runs`.
        alone: Whether every other path is answered too, with a 404 in OpenAI's shape. As part of
            another server the other paths are that server's.

    Example:
        >>> from fusion_graph.faces.server.app import create_app
        >>> app = create_app()
        >>> paths = [route.path for route in app.routes]
        >>> {"/v1/chat/completions", "/v1/responses", "/v1/messages"} <= set(paths)
        True
    """
    settings = settings or ServerSettings.from_environment()
    runs = runs or Runs(at_once=settings.limits.max_runs)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await runs.open()
        yield
        await runs.close()

    async def health(_request: Request) -> Response:
        return json_response({"status": "ok", "version": own_version()})

    async def metrics(request: Request) -> Response:
        if holder_of(request).name:
            said = "The figures of all keys are for the server's owner: give FUSION_API_KEY."
            raise ApiError(403, said, "owner_only")
        spent = None if settings.keys is None else runs.spending.today()
        return Response(runs.tally.text(runs.at_work, spent), media_type=CONTENT_TYPE)

    routes = [*api_routes(settings, runs), *_guarded(playground_routes(settings), settings)]
    if alone:  # a LangGraph server has its own
        routes.append(Route("/health", endpoint({"GET": health}, settings, public=True)))
        routes.append(Route("/metrics", endpoint({"GET": metrics}, settings)))
    nowhere = Guard(_nothing_here, settings)
    if alone:
        routes.append(Route("/{path:path}", nowhere))  # also what a route has no method for
    app = Starlette(routes=routes, lifespan=lifespan)
    app.router.redirect_slashes = False
    if alone:
        app.router.default = nowhere  # a path with line ends in it matches no route
    app.state.runs = runs
    return app


def _guarded(routes: list[BaseRoute], settings: ServerSettings) -> list[BaseRoute]:
    """The page's routes behind the guard; the page itself comes without the key it asks for."""
    for route in routes:
        assert hasattr(route, "app")
        assert hasattr(route, "path")
        route.app = Guard(route.app, settings, public=not route.path.startswith("/api"))
    return routes


async def _nothing_here(scope: Scope, _receive: Receive, _send: Send) -> None:
    said = f"There is nothing at {scope['path'][:200]!r}. The models' APIs are under /v1."
    raise ApiError(404, said, "not_found")
