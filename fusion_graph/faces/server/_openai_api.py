"""OpenAI's API over the graph: `/v1/models` and `/v1/chat/completions`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import aclosing

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from fusion_graph.errors import ApiError
from fusion_graph.faces.server._chat_reply import Reply, chunks
from fusion_graph.faces.server._chat_request import ChatRequest, chat_request
from fusion_graph.faces.server._conversion import PendingCalls, conversation
from fusion_graph.faces.server._guard import endpoint
from fusion_graph.faces.server._wire import json_response, read_json, to_json
from fusion_graph.faces.server.limits import run_context
from fusion_graph.faces.server.offer import PREFIX, Offer, problem
from fusion_graph.faces.server.runs import Run, Runs
from fusion_graph.faces.server.settings import ServerSettings
from fusion_graph.models.clients import DEPTH_HEADER
from fusion_graph.state.conversation import question_of

HEARTBEAT_SECONDS = 5
"""A stream sends a comment as often as this, well under the patience of any proxy."""

PATIENCE_SECONDS = 5
"""How long a stream waits for the run's first event, so that a run that cannot begin gets an
HTTP status that says so."""

IGNORED_HEADER = "x-fusion-ignored-parameters"
"""Response header that names what of a request changed nothing."""


def openai_routes(settings: ServerSettings, runs: Runs) -> list[BaseRoute]:
    """The routes of OpenAI's API.

    Args:
        settings: The server's.
        runs: Where its runs are kept.
    """
    api = _Api(settings, runs)
    return [
        Route("/v1/models", endpoint({"GET": api.models}, settings)),
        Route("/v1/models/{id:path}", endpoint({"GET": api.model}, settings)),
        Route("/v1/chat/completions", endpoint({"POST": api.chat}, settings)),
    ]


class _Api:
    def __init__(self, settings: ServerSettings, runs: Runs) -> None:
        self._limits = settings.limits
        self._offer = Offer(settings.limits.presets)
        self._pending = PendingCalls()
        self._runs = runs

    async def models(self, _request: Request) -> Response:
        data = await asyncio.to_thread(self._offer.working)
        return json_response({"object": "list", "data": data})

    async def model(self, request: Request) -> Response:
        id = request.path_params["id"]
        ref, _ = self._offer.find(id)
        trouble = await asyncio.to_thread(problem, ref)
        if trouble is not None:
            said = f"The model {id!r} cannot work here now. {trouble}"
            raise ApiError(404, said, "model_not_found", param="model")
        return json_response(self._offer.told(id.removeprefix(PREFIX)))

    async def chat(self, request: Request) -> Response:
        refuse_depth(request)
        asked = chat_request(await read_json(request))
        run = self._start(asked)
        headers = {IGNORED_HEADER: _listed(asked.ignored)} if asked.ignored else {}
        try:
            if not asked.body.stream:
                await _ended_or_gone(run, request)
                reply = Reply(run, asked, self._pending)
                return json_response(reply.completion(), headers=headers)
            await _begun(run)
            if run.failure is not None:
                raise run.failure
        except BaseException:
            run.stop()
            raise
        return EventSourceResponse(
            self._streamed(run, asked),
            headers=headers,
            sep="\n",
            ping=HEARTBEAT_SECONDS,
            ping_message_factory=lambda: ServerSentEvent(comment="heartbeat", sep="\n"),
        )

    def _start(self, asked: ChatRequest) -> Run:
        fusion = dict(asked.body.fusion or {})
        model, param = asked.body.model, "model"
        if (named := fusion.pop("preset", None)) is not None:
            model, param = f"{PREFIX}{named}", "fusion.preset"
        ref, preset = self._offer.find(model, param)
        context = run_context(fusion, asked.beside, preset, self._limits)
        messages = conversation(asked.body.messages, self._pending)
        question = question_of(messages)
        return self._runs.start(
            messages, {**context, "preset": ref}, model=model, question=question
        )

    async def _streamed(self, run: Run, asked: ChatRequest) -> AsyncIterator[ServerSentEvent]:
        try:
            async with aclosing(chunks(run, asked, self._pending)) as told:  # type: ignore[type-var]
                async for chunk in told:
                    yield ServerSentEvent(to_json(chunk), sep="\n")
            yield ServerSentEvent("[DONE]", sep="\n")
        finally:
            run.stop()  # nobody else is to read it, if the client has gone


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


def _listed(names: list[str]) -> str:
    plain = [name for name in names if re.fullmatch(r"[A-Za-z0-9_.-]{1,40}", name)]
    return ", ".join(plain[:20])
