"""The module hides which major of the official `mcp` package is installed.

`langchain-mcp-adapters` needs `mcp<2`, other software needs 2: one environment may hold either.
Ours and theirs meet in plain data as it goes over the wire, which is the same for both.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from typing import Any, Protocol

from fusion_graph.errors import ApiError
from fusion_graph.faces.mcp.about import INSTRUCTIONS, NAME, TITLE
from fusion_graph.faces.mcp.cancellations import CallKey
from fusion_graph.faces.server.holders import OWNER, Holder, holder_of
from fusion_graph.version import own_version

CODES = {"unknown_tool": -32602, "resource_not_found": -32002}
"""The protocol's number for an `ApiError` that answers a request as a whole, by its code: that of
JSON-RPC for wrong parameters, and one of MCP's own."""

INTERNAL_ERROR = -32603
"""JSON-RPC's number for everything else."""

SESSION_HEADER = "mcp-session-id"
"""Names a session over HTTP."""

Told = dict[str, Any]
"""Something of the protocol's as it goes over the wire."""


@dataclass(frozen=True)
class Caller:
    """A caller waits for a call's result.

    Attributes:
        key: The call.
        tell: Sends progress (a rising number, and words); does nothing if it is not wanted.
        holder: Whose key came with it.
    """

    key: CallKey
    tell: Callable[[float, str], Awaitable[None]]
    holder: Holder = OWNER


class Handlers(Protocol):
    """Handlers answer a client's requests; all in and out is as it goes over the wire."""

    async def tools(self, holder: Holder) -> list[Told]:
        """List the tools."""

    async def call(self, name: str, arguments: Told, caller: Caller) -> Told:
        """Call a tool.

        Raises:
            ApiError: There is no such tool.
        """

    async def resources(self, holder: Holder) -> list[Told]:
        """List the resources."""

    async def templates(self) -> list[Told]:
        """List the templates of resources' addresses."""

    async def read(self, uri: str, holder: Holder) -> Told:
        """Read a resource.

        Raises:
            ApiError: There is none at that address.
        """


def is_second() -> bool:
    """Tell whether the installed `mcp` is of major 2."""
    return int(version("mcp").split(".")[0]) >= 2


def create_server(handlers: Handlers) -> Any:
    """Create a low-level server of the SDK over our handlers.

    Args:
        handlers: What it does.
    """
    return _second(handlers) if is_second() else _first(handlers)


async def serve_stream(server: Any, lines: Any) -> None:
    """Serve one client over lines, until they end.

    Args:
        server: From `create_server`.
        lines: An async iterator of the client's lines, which can `write` and `flush`.
    """
    stdio = import_module("mcp.server.stdio")
    async with stdio.stdio_server(stdin=lines, stdout=lines) as (read, write):
        await server.run(read, write, server.create_initialization_options())


def create_session_manager(server: Any) -> Any:
    """Create what serves clients over streamable HTTP; the caller sees to who gets in."""
    http = import_module("mcp.server.streamable_http_manager")
    return http.StreamableHTTPSessionManager(app=server)


Make = Callable[[Any, Any, "Tell"], Awaitable[Told]]
"""Answers a request: its parameters, the SDK's context of it, and a way to tell progress."""

Tell = Callable[[float, str], Awaitable[None]]
"""Sends progress: a rising number, and words."""

_REQUESTS = {
    "tools/list": ("ListToolsRequest", "PaginatedRequestParams", "ListToolsResult"),
    "tools/call": ("CallToolRequest", "CallToolRequestParams", "CallToolResult"),
    "resources/list": ("ListResourcesRequest", "PaginatedRequestParams", "ListResourcesResult"),
    "resources/templates/list": (
        "ListResourceTemplatesRequest",
        "PaginatedRequestParams",
        "ListResourceTemplatesResult",
    ),
    "resources/read": ("ReadResourceRequest", "ReadResourceRequestParams", "ReadResourceResult"),
}
"""The SDK's types of each request, its parameters and its result."""


def _answers(handlers: Handlers) -> dict[str, Make]:
    """Name the handler of each method."""

    async def tools(_params: Any, context: Any, _tell: Tell) -> Told:
        return {"tools": await handlers.tools(_holder(context))}

    async def call(params: Any, context: Any, tell: Tell) -> Told:
        caller = Caller(_key(context), tell, _holder(context))
        return await handlers.call(params.name, params.arguments or {}, caller)

    async def resources(_params: Any, context: Any, _tell: Tell) -> Told:
        return {"resources": await handlers.resources(_holder(context))}

    async def templates(_params: Any, _context: Any, _tell: Tell) -> Told:
        return {"resourceTemplates": await handlers.templates()}

    async def read(params: Any, context: Any, _tell: Tell) -> Told:
        return {"contents": [await handlers.read(str(params.uri), _holder(context))]}

    return dict(zip(_REQUESTS, (tools, call, resources, templates, read), strict=True))


def _first(handlers: Handlers) -> Any:
    types: Any = import_module("mcp.types")
    exceptions: Any = import_module("mcp.shared.exceptions")
    server = import_module("mcp.server.lowlevel").Server(NAME, own_version(), INSTRUCTIONS)

    def teller(context: Any) -> Tell:
        token = getattr(context.meta, "progressToken", None)

        async def tell(progress: float, message: str) -> None:
            if token is not None:
                await context.session.send_progress_notification(
                    token, progress, None, message, related_request_id=str(context.request_id)
                )

        return tell

    def register(make: Make, request: str, _params: str, result: str) -> None:
        made = getattr(types, result)

        async def handler(asked: Any) -> Any:
            context = server.request_context
            try:
                answer = await make(asked.params, context, teller(context))
            except ApiError as refused:
                error = types.ErrorData(code=_number(refused), message=refused.message)
                raise exceptions.McpError(error) from None
            return types.ServerResult(made.model_validate(answer))

        server.request_handlers[getattr(types, request)] = handler

    for method, make in _answers(handlers).items():
        register(make, *_REQUESTS[method])
    return server


def _second(handlers: Handlers) -> Any:
    types: Any = import_module("mcp_types")
    exceptions: Any = import_module("mcp.shared.exceptions")
    server = import_module("mcp.server.lowlevel").Server(
        NAME, version=own_version(), title=TITLE, instructions=INSTRUCTIONS
    )

    def teller(context: Any) -> Tell:
        async def tell(progress: float, message: str) -> None:
            await context.session.report_progress(progress, None, message)

        return tell

    def register(make: Make, method: str, params_type: str, result: str) -> None:
        made = getattr(types, result)

        async def handler(context: Any, params: Any) -> Any:
            try:
                answer = await make(params, context, teller(context))
            except ApiError as refused:
                raise exceptions.MCPError(_number(refused), refused.message) from None
            return made.model_validate(answer)

        server.add_request_handler(method, getattr(types, params_type), handler)

    for method, make in _answers(handlers).items():
        register(make, method, *_REQUESTS[method][1:])
    return server


def _number(error: ApiError) -> int:
    return CODES.get(error.code, INTERNAL_ERROR)


def _holder(context: Any) -> Holder:
    """Whose key came with a request; on standard streams it is whoever started the server."""
    request = getattr(context, "request", None)
    return OWNER if request is None else holder_of(request)


def _key(context: Any) -> CallKey:
    request = getattr(context, "request", None)
    session = request.headers.get(SESSION_HEADER) if request is not None else None
    return session, context.request_id
