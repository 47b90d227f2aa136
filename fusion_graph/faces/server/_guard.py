"""Who may come in, and what every answer has: a request id, an error's shape, a line in the log."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fusion_graph.errors import ApiError
from fusion_graph.faces.server._api_errors import api_error
from fusion_graph.faces.server._cors import (
    is_allowed,
    is_preflight,
    let_in,
    preflight_headers,
)
from fusion_graph.faces.server._wire import json_response
from fusion_graph.faces.server.holders import HOLDER, OWNER, Holder
from fusion_graph.faces.server.settings import ServerSettings

Handler = Callable[[Request], Awaitable[Response]]
"""Answers a request, or raises what `api_error` knows to tell."""

ErrorBody = Callable[[ApiError], dict[str, Any]]
"""Words an error in a protocol's shape."""

CLIENT_GONE = 499
"""What the log says of a client that left before its answer, as nginx has it."""

_log = logging.getLogger("fusion_graph.server")


class Guard:
    """Admits a request to what it wraps, and sees to its answer.

    It wraps single routes and not a whole app: as part of a LangGraph server the routes of others
    are none of its business.

    Args:
        app: What answers.
        settings: The server's key and whether it logs.
        public: Whether it may be had without the key: a page that will ask for it.
        error: An error's body, in the shape that its clients read.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: ServerSettings,
        *,
        public: bool = False,
        error: ErrorBody = ApiError.body,
    ) -> None:
        self._app = app
        self._settings = settings
        self._public = public
        self._error = error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope)
        origin = given.get("origin")
        may_read = is_allowed(origin, self._settings.allow_origins)
        request_id = f"req_{uuid4().hex}"
        began = time.monotonic()
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                headers["x-content-type-options"] = "nosniff"
                headers.setdefault("cache-control", "no-store")
                if may_read and origin is not None:
                    let_in(headers, origin)
            await send(message)

        try:
            if may_read and is_preflight(scope["method"], given):
                # Browsers send no key with it; what it asks for will need one.
                response = Response(status_code=204, headers=preflight_headers(given))
                await response(scope, receive, answer)
                return
            # No holder for what is public: whoever asks for one there has made a mistake.
            holder = admit(given, self._settings, public=self._public, trusted=may_read)
            scope[HOLDER] = None if self._public else holder
            await self._app(scope, receive, answer)
        except ClientDisconnect:
            status = CLIENT_GONE
        except Exception as error:
            told = _told(error)
            if told.code == "internal_error":
                _log.error("%s: %s", request_id, type(error).__name__)
                _log.debug("%s", request_id, exc_info=error)
            if status:
                raise  # too late for an error's body: the connection is closed instead
            response = json_response(self._error(told), told.status, told.headers)
            await response(scope, receive, answer)
        finally:
            if self._settings.access_log:
                _log_access(scope, status or CLIENT_GONE, time.monotonic() - began, request_id)


def endpoint(
    methods: Mapping[str, Handler],
    settings: ServerSettings,
    *,
    public: bool = False,
    error: ErrorBody = ApiError.body,
) -> Guard:
    """A guarded ASGI app that answers each method with its handler.

    Args:
        methods: Handlers by method, in capitals; HEAD goes with GET.
        settings: The server's settings.
        public: Whether it may be had without the key.
        error: An error's body, in the shape that its clients read.
    """

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        if method not in methods:
            said = f"{scope['method'][:20]} is not answered here; {', '.join(methods)} is."
            headers = {"allow": ", ".join(methods)}
            raise ApiError(405, said, "method_not_allowed", headers=headers)
        response = await methods[method](Request(scope, receive))
        await response(scope, receive, send)

    return Guard(dispatch, settings, public=public, error=error)


def admit(
    headers: Mapping[str, str],
    settings: ServerSettings,
    *,
    public: bool = False,
    trusted: bool = False,
) -> Holder:
    """Refuse who has no business here, and tell who has.

    With a key: who does not give it. Without one: a web page of another site, which a browser on
    this machine would let send requests here. DNS rebinding needs a host that is a name, and
    other cross-site requests carry the page's origin.

    Args:
        headers: The request's.
        settings: The server's, with its keys.
        public: Whether the key is not wanted for this.
        trusted: Whether it comes from a page of an origin that the owner lets in.

    Raises:
        ApiError: 401 or 403.
    """
    if settings.has_keys:
        if public:
            return OWNER
        # Anthropic's clients have a header of their own.
        for given in (_bearer(headers.get("authorization", "")), headers.get("x-api-key", "")):
            if (holder := settings.holder(given.strip())) is not None:
                return holder
        raise ApiError(
            401,
            "The API key is missing or wrong. Send it as `Authorization: Bearer KEY` (or, as "
            "Anthropic's clients do, as `x-api-key: KEY`).",
            "invalid_api_key",
            headers={"www-authenticate": "Bearer"},
        )
    host = headers.get("host", "")
    if not _is_machine(host):
        raise ApiError(
            403,
            f"This server has no key, so it answers only where it is called `localhost` or by an "
            f"IP address, not {host[:80]!r}: another name may be a web page's trick. Call it as "
            "http://127.0.0.1:PORT; or start it with FUSION_API_KEY set and send that key: then "
            "any name will do (a container's, a proxy's, `host.docker.internal`).",
            "host_not_allowed",
        )
    origin = headers.get("origin")
    if origin is not None and not trusted and not _same_origin(origin, host):
        said = (
            "This server has no key, so it answers no web page of another origin. Its owner lets "
            "one in with `--allow-origin`."
        )
        raise ApiError(403, said, "origin_not_allowed")
    # A page's picture, script or form of another site comes without an origin; a browser says so
    # all the same. A link to the page itself may be followed from anywhere.
    site, mode = headers.get("sec-fetch-site", ""), headers.get("sec-fetch-mode", "")
    followed = public and mode == "navigate"
    if origin is None and site.lower() in ("cross-site", "same-site") and not followed:
        said = "This server has no key, so it answers no request that a page of another site makes."
        raise ApiError(403, said, "origin_not_allowed")
    return OWNER


def _told(error: Exception) -> ApiError:
    if isinstance(error, HTTPException):
        kind = "server_error" if error.status_code >= 500 else "invalid_request_error"
        code = "not_found" if error.status_code == 404 else "http_error"
        headers = dict(error.headers or {})
        return ApiError(error.status_code, error.detail, code, type=kind, headers=headers)
    return api_error(error)


def _bearer(authorization: str) -> str:
    scheme, _, given = authorization.partition(" ")
    return given if scheme.lower() == "bearer" else ""


def _is_machine(host: str) -> bool:
    """Whether a Host header names this machine in a way that no stranger's DNS can."""
    match = re.fullmatch(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::\d{1,5})?", host.lower())
    if match is None:
        return False
    name = match[1].strip("[]")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _same_origin(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()


def _log_access(scope: Scope, status: int, seconds: float, request_id: str) -> None:
    # Not the query: people put keys there. Quoted, so that nobody writes lines of his own.
    path = quote(str(scope["path"]))[:200]
    client = (scope.get("client") or ("-",))[0]
    method = quote(str(scope["method"]))[:20]
    holder = scope.get(HOLDER)
    whose = f" key={holder.name}" if holder is not None and holder.name else ""
    _log.info("%s %s %s %d %.3fs %s%s", client, method, path, status, seconds, request_id, whose)
