"""The playground's JSON interface: presets, runs, and a run's events as they happen."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import Response

from fusion_graph.errors import ApiError
from fusion_graph.faces.server._attached import MOST_BYTES, MOST_FILES, Attached, attached
from fusion_graph.faces.server._playground_cards import drawn
from fusion_graph.faces.server._playground_presets import presets
from fusion_graph.faces.server._playground_thread import earlier_turns
from fusion_graph.faces.server._seen_runs import SeenRuns
from fusion_graph.faces.server._turns import conversation
from fusion_graph.faces.server._wire import json_response, read_json, to_json
from fusion_graph.faces.server.holders import holder_of
from fusion_graph.faces.server.offer import Offer
from fusion_graph.faces.server.run import Run
from fusion_graph.faces.server.run_request import run_request
from fusion_graph.faces.server.settings import ServerSettings

HEARTBEAT_SECONDS = 5
"""A stream sends a comment as often as this, well under the patience of any proxy."""

SEE_FILES = "(see the attachment)"
"""The question of who asks nothing beside a file, as the graph has it."""

LISTED_CHARACTERS = 300
"""How much of a question the list of runs shows."""


class Playground:
    """The handlers of the page's requests.

    Args:
        settings: The server's.
        report_address: Where the page finds a run's report.
    """

    def __init__(self, settings: ServerSettings, report_address: Callable[[Run], str]) -> None:
        self._limits = settings.limits
        limits = settings.limits
        self._offer = Offer(limits.presets, elsewhere=limits.elsewhere)
        self._report_address = report_address

    async def presets(self, request: Request) -> Response:
        """The presets on offer, and what a request may choose itself."""
        limits, offer = self._limits, self._offer.only(holder_of(request).presets)
        return json_response(
            {
                "presets": await asyncio.to_thread(presets, offer),
                "limits": {
                    "models": limits.models != (),
                    "max_panel": limits.max_panel,
                    "file_bytes": MOST_BYTES,
                },
            }
        )

    async def start(self, request: Request) -> Response:
        """Start a run on `{question, files, fusion}`; what cannot work is refused before it begins.

        With `follows` or `instead_of`, the id of a run, it goes on with that run's thread.
        """
        body = await read_json(request)
        runs = _runs(request)
        await _find_named(runs, body)
        files = await asyncio.to_thread(attached, body.get("files"), _files_of(runs))
        question = _question(body, files)
        turns = earlier_turns(runs, body)
        fusion = _fusion(body)
        name = fusion.pop("preset", None)
        name = None if name is None else str(name)
        offer, limits = self._offer.only(runs.holder.presets), runs.holder.narrowed(self._limits)
        asked = await asyncio.to_thread(run_request, question, name, fusion, offer, limits)
        messages = conversation(turns, question, files)
        same = _digest(runs.holder.name, asked.model, asked.context, messages)
        if (run := await runs.unfinished(same)) is not None:
            if not run.running:
                runs.resume(run)  # who asks again what a restart has interrupted pays for the rest
        else:
            run = runs.start(
                messages,
                asked.context,
                model=asked.model,
                question=question,
                origin="page",
                turns=turns,
                files=files,
                max_cost=asked.max_cost,
                asked=same,
            )
        await runs.kept()  # what has an address is still there after a restart
        return json_response(self._told(run), 201, {"location": f"/api/runs/{run.id}"})

    async def resume(self, request: Request) -> Response:
        """Have a run that a restart has interrupted go on; nothing is paid twice."""
        run = await self.run(request)
        _runs(request).resume(run)
        return json_response(self._told(run))

    async def list(self, request: Request) -> Response:
        """The page's runs that this server remembers, and programs' apart; the newest first.

        With `?q=WORDS` those that hold every word in question, model or answer.
        """
        words = request.query_params.get("q", "").casefold().split()
        listed: dict[str, list[dict[str, Any]]] = {"page": [], "api": []}
        latest = await _runs(request).listed()
        followed = {turn["run"] for run in latest for turn in run.turns}
        for run in latest:
            if not _says(run, words):
                continue
            shown = {**_summary(run), "question": run.question[:LISTED_CHARACTERS]}
            listed[run.origin].append({**shown, "followed": run.id in followed})
        return json_response({"runs": listed["page"], "others": listed["api"]})

    async def tell(self, request: Request) -> Response:
        """One run: how it stands, and its report once it has ended."""
        return json_response(self._told(await self.run(request)))

    async def cancel(self, request: Request) -> Response:
        """Stop a run; of one that has ended nothing changes. With `?forget=true` it is dropped."""
        run = await self.run(request)
        if _forgets(request):
            await _runs(request).forget(run.id)
            return Response(status_code=204)
        await _runs(request).cancel(run.id)
        return json_response(self._told(run))

    async def events(self, request: Request) -> Response:
        """A run's events from the beginning or after `Last-Event-ID`, live until `run.ended`."""
        run = await self.run(request)
        last = request.headers.get("last-event-id", "")
        after = int(last) + 1 if last.isdecimal() and len(last) < 10 else 0
        return _stream(_told_live(run, after))

    async def cards(self, request: Request) -> Response:
        """What the page shows of a run, as pieces of HTML: whole first, then what changes.

        The last message is `{ended: status}`.
        """
        run = await self.run(request)
        runs = _runs(request)
        turns = [{**turn, "kept": await runs.find(turn["run"]) is not None} for turn in run.turns]
        return _stream(_drawn_live(run, turns, self._report_address(run)))

    async def run(self, request: Request) -> Run:
        """The run that a request's path names.

        Raises:
            ApiError: 404, there is none.
        """
        run = await _runs(request).find(request.path_params["id"])
        if run is None:
            raise no_such_run()
        return run

    def _told(self, run: Run) -> dict[str, Any]:
        address = None if run.report is None else self._report_address(run)
        return {
            **_summary(run),
            "files": [{"name": file["name"], "kind": file["kind"]} for file in run.files],
            "error": run.error,
            "report": run.report,
            "report_url": address,
        }


def no_such_run() -> ApiError:
    """The error of an id that names no run, or one of another key."""
    return ApiError(404, "This server remembers no run of that id.", "run_not_found")


def _runs(request: Request) -> SeenRuns:
    return SeenRuns(request.app.state.runs, holder_of(request))


def _digest(*asked: Any) -> str:
    text = json.dumps(["page", *asked], default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _says(run: Run, words: list[str]) -> bool:
    """Whether each of these words stands in a run's question, model or answer."""
    answer = "" if run.message is None else run.message.text
    text = f"{run.question}\n{run.model}\n{answer}".casefold()
    return all(word in text for word in words)


def _forgets(request: Request) -> bool:
    forget = request.query_params.get("forget", "false")
    if forget not in ("true", "false"):
        said = f"`forget` is true or false, not {forget[:60]!r}: nothing was done."
        raise ApiError(400, said, "invalid_value", param="forget")
    return forget == "true"


async def _find_named(runs: SeenRuns, body: Mapping[str, Any]) -> None:
    """Have the runs that a request names remembered here."""
    given = body.get("files")
    files = given[:MOST_FILES] if isinstance(given, list) else []
    named = [body.get("follows"), body.get("instead_of")]
    named += [one.get("run") for one in files if isinstance(one, dict)]
    for id in {id for id in named if isinstance(id, str)}:
        await runs.find(id)


def _files_of(runs: SeenRuns) -> Callable[[str], list[Attached] | None]:
    def files(id: str) -> list[Attached] | None:
        run = runs.get(id)
        return None if run is None else run.files

    return files


def _question(body: dict[str, Any], files: Sequence[Attached]) -> str:
    question = body.get("question")
    if isinstance(question, str) and not question.strip() and files:
        return SEE_FILES
    if not isinstance(question, str) or not question.strip():
        said = "There is no question: send one as the text `question`."
        raise ApiError(400, said, "empty_question", param="question")
    return question.strip()


def _fusion(body: dict[str, Any]) -> dict[str, Any]:
    fusion = body.get("fusion")
    if fusion is None:
        return {}
    if not isinstance(fusion, dict):
        said = "`fusion` holds settings by name, as in {'preset': 'offline'}."
        raise ApiError(400, said, "invalid_value", param="fusion")
    return dict(fusion)


def _summary(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "question": run.question,
        "model": run.model,
        "started": run.started,
        "status": run.status,
        "seconds": round(run.seconds, 3),
        "origin": run.origin,
        "key": run.owner,
        "thread": [turn["run"] for turn in run.turns],
    }


def _stream(messages: AsyncIterator[ServerSentEvent]) -> EventSourceResponse:
    return EventSourceResponse(
        messages,
        sep="\n",
        ping=HEARTBEAT_SECONDS,
        ping_message_factory=lambda: ServerSentEvent(comment="heartbeat", sep="\n"),
    )


async def _told_live(run: Run, after: int) -> AsyncIterator[ServerSentEvent]:
    async with aclosing(run.follow(after)) as told:  # type: ignore[type-var]
        async for number, event in told:
            yield ServerSentEvent(to_json(event), id=str(number), sep="\n")
    end = {"type": "run.ended", "status": run.status, "error": run.error}
    yield ServerSentEvent(to_json(end), sep="\n")


async def _drawn_live(
    run: Run, turns: Sequence[Mapping[str, Any]], address: str
) -> AsyncIterator[ServerSentEvent]:
    async with aclosing(drawn(run, turns, address)) as pieces:  # type: ignore[type-var]
        async for piece in pieces:
            yield ServerSentEvent(to_json(piece), sep="\n")
    yield ServerSentEvent(to_json({"ended": run.status}), sep="\n")
