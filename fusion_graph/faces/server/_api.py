"""The models' APIs over the graph: OpenAI's and Anthropic's, each a protocol over one core."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from functools import partial

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from fusion_graph.errors import ApiError, EmptyQuestion
from fusion_graph.faces.server._answering import Answering, Begun
from fusion_graph.faces.server._guard import endpoint
from fusion_graph.faces.server._wire import json_response, read_json, to_json
from fusion_graph.faces.server.holders import holder_of
from fusion_graph.faces.server.offer import Offer
from fusion_graph.faces.server.protocols import CHAT, COMPLETIONS, MESSAGES, RESPONSES
from fusion_graph.faces.server.protocols._kept_responses import KeptResponses
from fusion_graph.faces.server.protocols._protocol import Frame, Wire
from fusion_graph.faces.server.protocols._told import told
from fusion_graph.faces.server.run import Run
from fusion_graph.faces.server.runs import Runs
from fusion_graph.faces.server.settings import ServerSettings
from fusion_graph.models.clients import DEPTH_HEADER

HEARTBEAT_SECONDS = 5
"""A stream sends a sign of life as often as this, well under the patience of any proxy."""

PATIENCE_SECONDS = 5
"""How long a stream waits for the run's first event, so that a run that cannot begin gets an
HTTP status that says so."""

IGNORED_HEADER = "x-fusion-ignored-parameters"
"""Response header that names what of a request changed nothing."""

INVOKED_HEADER = "x-fusion-invoked"
"""Response header that says who answers: `panel`, `auto`, `direct`, `side_call`, `continued`."""

DELIBERATION_HEADER = "x-fusion-deliberation"
"""Response header that says where the deliberation was that a conversation with tool results goes
on from: `conversation`, `memory`, or `lost`, where the panel is asked anew."""

RUN_HEADER = "x-fusion-run"
"""Response header with the run's id, as in `/api/runs/ID`."""


def api_routes(settings: ServerSettings, runs: Runs) -> list[BaseRoute]:
    """The routes of the models' APIs.

    Args:
        settings: The server's.
        runs: Where its runs are kept.
    """
    offer = Offer(settings.limits.presets, elsewhere=settings.limits.elsewhere)
    answering = Answering(settings, offer, runs)
    models = _Models(offer)
    return [
        Route("/v1/models", endpoint({"GET": models.list}, settings)),
        Route("/v1/models/{id:path}", endpoint({"GET": models.tell}, settings)),
        _route("/v1/chat/completions", CHAT, answering, settings),
        _route("/v1/completions", COMPLETIONS, answering, settings),
        _route("/v1/responses", RESPONSES, answering, settings, KeptResponses(runs.shared)),
        _route("/v1/messages", MESSAGES, answering, settings),
        Route(
            "/v1/messages/count_tokens",
            endpoint({"POST": _count_tokens}, settings, error=MESSAGES.error),
        ),
    ]


def _route(
    path: str,
    wire: Wire,
    answering: Answering,
    settings: ServerSettings,
    kept: KeptResponses | None = None,
) -> Route:
    handler = partial(_answer, wire, answering, kept)
    return Route(path, endpoint({"POST": handler}, settings, error=wire.error))


async def _count_tokens(request: Request) -> Response:
    asked = MESSAGES.read(await read_json(request))
    return json_response({"input_tokens": asked.tokens()})


class _Models:
    def __init__(self, offer: Offer) -> None:
        self._offer = offer

    async def list(self, request: Request) -> Response:
        offer = self._offer.only(holder_of(request).presets)
        data = await asyncio.to_thread(offer.working)
        # What stands beside `data` is Anthropic's, whose own client asks here too.
        pages = {
            "has_more": False,
            "first_id": data[0]["id"] if data else None,
            "last_id": data[-1]["id"] if data else None,
        }
        return json_response({"object": "list", "data": data, **pages})

    async def tell(self, request: Request) -> Response:
        id = request.path_params["id"]
        found = self._offer.only(holder_of(request).presets).find(id)
        trouble = await asyncio.to_thread(self._offer.problem, found.ref)
        if trouble is not None:
            said = f"The model {id!r} cannot work here now. {trouble}"
            raise ApiError(404, said, "model_not_found", param="model")
        return json_response(self._offer.told(found.name, found.direct))


async def _answer(
    wire: Wire, answering: Answering, kept: KeptResponses | None, request: Request
) -> Response:
    refuse_depth(request)
    body = await read_json(request)
    holder = holder_of(request)
    if kept is not None:
        await kept.fetch(body, holder.name)
        body = kept.whole(body, holder.name)
    asked = wire.read(body)
    try:
        begun = await answering.begin(asked, wire.call_prefix, holder)
    except EmptyQuestion as error:
        raise ApiError(400, str(error), "empty_question", param=asked.where) from None
    headers = _headers(begun)
    run = begun.run
    try:
        if not asked.stream:
            await _ended_or_gone(run, request)
            whole = wire.whole(begun.reply(run), asked)
            if kept is not None:
                await kept.keep(asked.body, whole, holder.name)
            response = json_response(whole, headers=headers)
            response.background = BackgroundTask(_note_told, begun)
            run.leave()
            return response
        await _begun(run)
        if run.failure is not None:
            raise run.failure
    except BaseException:
        run.leave()
        raise
    return EventSourceResponse(
        _streamed(wire, begun, kept),
        headers=headers,
        sep="\n",
        ping=HEARTBEAT_SECONDS,
        ping_message_factory=lambda: _ping(wire),
    )


async def _note_told(begun: Begun) -> None:
    """Note it on the event loop: what is not asynchronous would be done by a thread, some time."""
    begun.told()


async def _streamed(
    wire: Wire, begun: Begun, kept: KeptResponses | None
) -> AsyncIterator[ServerSentEvent]:
    stream = wire.stream(begun.run, begun.asked)
    try:
        for frame in stream.begin():
            yield _sent(frame)
        news = told(begun.run, begun.asked, begun.reply)
        async with aclosing(news) as all_told:  # type: ignore[type-var]
            async for one in all_told:
                for frame in stream.take(one):
                    if kept is not None and frame.event == "response.completed":
                        assert not isinstance(frame.data, str)
                        await kept.keep(begun.asked.body, frame.data["response"], begun.run.owner)
                    yield _sent(frame)
        begun.told()
    finally:
        begun.run.leave()


def _sent(frame: Frame) -> ServerSentEvent:
    data = frame.data if isinstance(frame.data, str) else to_json(frame.data)
    return ServerSentEvent(data, event=frame.event, sep="\n")


def _ping(wire: Wire) -> ServerSentEvent:
    return ServerSentEvent(comment="heartbeat", sep="\n") if wire.ping is None else _sent(wire.ping)


def _headers(begun: Begun) -> dict[str, str]:
    headers = {INVOKED_HEADER: begun.invoked, RUN_HEADER: begun.run.id}
    if begun.found != "none":
        headers[DELIBERATION_HEADER] = begun.found
    if begun.asked.ignored:
        headers[IGNORED_HEADER] = _listed(begun.asked.ignored)
    return headers


def refuse_depth(request: Request) -> None:
    """Refuse a request that a model call of another fusion has led to.

    Raises:
        ApiError: 400 `fusion_recursion`.
    """
    if request.headers.get(DEPTH_HEADER, "0").strip() != "0":
        raise ApiError(
            400,
            "This request comes from inside a fusion. A panel whose member is a panel multiplies "
            "its cost: name the models themselves.",
            "fusion_recursion",
        )


async def _ended_or_gone(run: Run, request: Request) -> None:
    """Wait for the end of a run, or for the client to leave.

    Raises:
        ClientDisconnect: The client left first.
    """
    ended = asyncio.create_task(run.ended())
    gone = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({ended, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ended.cancel()
        gone.cancel()
    if run.running:
        raise ClientDisconnect


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _begun(run: Run) -> None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await run.begun()
    except TimeoutError:
        pass


def _listed(names: Sequence[str]) -> str:
    plain = [name for name in names if re.fullmatch(r"[A-Za-z0-9_.-]{1,40}", name)]
    return ", ".join(plain[:20])
