"""The playground: one page to ask, watch the panel work and read the report, and what it loads.

The page, its styles and scripts may be had by everyone; what they show comes from `/api/`, where
the server's key is asked for. A frame and a new tab can send no key, so the address of a run's
report holds a ticket for that one report instead.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from functools import lru_cache
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from fusion_graph.errors import ApiError
from fusion_graph.faces.server._playground_api import Playground, no_such_run
from fusion_graph.faces.server.run import Run
from fusion_graph.faces.server.settings import ServerSettings

KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""Media types by the ending of a file in `static`; nothing else is served."""

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "frame-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)
"""What the page may do: load its own parts from this server and ask this server."""

REPORT_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "
    "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""What a report may do: be read, and open a source in a new tab."""


def playground_routes(settings: ServerSettings) -> list[BaseRoute]:
    """The page's routes. Those under `/api/` are for holders of the server's key.

    Args:
        settings: The server's. Its runs are the app's `state.runs`.
    """
    tickets = Tickets(settings.signing_key if settings.limits.elsewhere else None)
    api = Playground(settings, tickets.address)

    async def report(request: Request) -> Response:
        # Whoever has the ticket may read this one report; no key comes with it.
        run = await request.app.state.runs.find(request.path_params["id"])
        if run is None:
            raise no_such_run()
        if not tickets.opens(run, request.query_params.get("ticket", "")):
            said = "This address of a report is no good any more: open it from the page again."
            raise ApiError(403, said, "invalid_ticket")
        return await report_page(run)

    async def report_with_key(request: Request) -> Response:
        return await report_page(await api.run(request))

    return [
        Route("/", _page),
        Route("/playground/{name}", _part),
        Route("/report/{id}", report),
        Route("/api/presets", api.presets),
        Route("/api/runs", api.start, methods=["POST"]),
        Route("/api/runs", api.list),
        Route("/api/runs/{id}", api.cancel, methods=["DELETE"]),
        Route("/api/runs/{id}", api.tell),
        Route("/api/runs/{id}/resume", api.resume, methods=["POST"]),
        Route("/api/runs/{id}/events", api.events),
        Route("/api/runs/{id}/cards", api.cards),
        Route("/api/runs/{id}/report", report_with_key),
    ]


class Tickets:
    """Addresses of reports hold their own permission.

    Args:
        secret: What all servers share that are to let the holder in; None for a new one, with
            which addresses are good as long as this server runs.
    """

    def __init__(self, secret: str | None = None) -> None:
        self._secret = secrets.token_bytes(32)
        if secret is not None:
            self._secret = hmac.digest(secret.encode("utf-8", "replace"), b"reports", "sha256")

    def address(self, run: Run) -> str:
        """Where a run's report is, as the page links to it."""
        return f"report/{run.id}?ticket={self._ticket(run)}"

    def opens(self, run: Run, ticket: str) -> bool:
        """Whether this is the ticket of that run's report."""
        return hmac.compare_digest(ticket.encode("utf-8", "replace"), self._ticket(run).encode())

    def _ticket(self, run: Run) -> str:
        return hmac.new(self._secret, run.id.encode(), "sha256").hexdigest()


async def report_page(run: Run) -> Response:
    """A run's report as a page of its own, which runs nothing.

    Args:
        run: A run that has a report.

    Raises:
        ApiError: 404 or 409, it has none (yet).
    """
    from fusion_graph.report import FusionReport
    from fusion_graph.report.html.page import render_report

    if run.running:
        raise ApiError(409, "This run is still at work: its report comes with its end.", "running")
    if run.report is None:
        raise ApiError(404, "This run ended without a report.", "no_report")
    report = FusionReport.model_validate(run.report)
    html = await asyncio.to_thread(render_report, report)
    return _html(html, REPORT_POLICY)


async def _page(_request: Request) -> Response:
    return _html(_read("playground.html").decode(), PAGE_POLICY)


async def _part(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _parts():
        raise ApiError(404, f"The page has no part {name[:60]!r}.", "not_found")
    return Response(_read(name), media_type=KINDS[name[name.rindex(".") :]])


def _html(html: str, policy: str) -> Response:
    headers = {
        "content-security-policy": policy,
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
    }
    return Response(html, media_type=KINDS[".html"], headers=headers)


@lru_cache(maxsize=1)
def _parts() -> frozenset[str]:
    names = (file.name for file in files(__package__).joinpath("static").iterdir())
    return frozenset(name for name in names if name.endswith((".css", ".js", ".svg")))


@lru_cache(maxsize=32)
def _read(name: str) -> bytes:
    return files(__package__).joinpath("static", name).read_bytes()
